/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes ICMP errors about outer packets from their fields, and runs ingress()
 * on them. */
#ifndef TUNLOAD_ICMP_LAB_H
#define TUNLOAD_ICMP_LAB_H

#include "fake_maps.h"
#include "../../bpf/decide/ingress.h"

#define FOUR 1 /* peers' ids by their outer family */
#define SIX  2

#define EXPIRY 600 /* s */

/* An ICMP error and the packets that it quotes. */
struct error {
	uint8_t family, type, code;
	uint32_t mtu;	       /* the announced MTU */
	const char *to;	       /* destination of the error */
	const char *src, *dst; /* addresses of the quoted outer packet */
	uint16_t len;	       /* its total length */
	uint8_t proto;	       /* its protocol: 4 or 41 */
	const char *inner_dst; /* destination of the inner packet */
	int16_t inner_len;     /* added to the inner packet's length field */
	size_t quoted;	       /* bytes of the inner packet in the quotation */
	bool no_df;	       /* the quoted outer IPv4 header has no DF */
	uint16_t id;	       /* its ID */
	uint16_t wrong;	       /* flipped bits of the ICMP checksum */
	bool wrong_ip;	       /* the checksum of the IPv4 header is wrong */
	int16_t more;	       /* added to the length field of the IP header */
	size_t padding;	       /* bytes behind the message */
	size_t unreadable;     /* bytes at the end that cannot be read */
};

static inline int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	fake_interface.pmtu_expiry = EXPIRY;
	fake_add(FOUR, "198.51.100.1", "192.0.2.10", 1480);
	fake_add(SIX, "2001:db8:2::1", "2001:db8:1::10", 1460);
	return 0;
}

static inline struct error good4(void)
{
	return (struct error){.family = 4,
			      .type = 3,
			      .code = 4,
			      .mtu = 1400,
			      .to = "192.0.2.10",
			      .src = "192.0.2.10",
			      .dst = "198.51.100.1",
			      .len = 1500,
			      .proto = 4,
			      .inner_dst = "10.1.0.9",
			      .quoted = 20};
}

static inline struct error good6(void)
{
	return (struct error){.family = 6,
			      .type = 2,
			      .mtu = 1400,
			      .to = "2001:db8:1::10",
			      .src = "2001:db8:1::10",
			      .dst = "2001:db8:2::1",
			      .len = 1500,
			      .proto = 41,
			      .inner_dst = "fd00:2::9",
			      .quoted = 40};
}

static inline size_t put_header(uint8_t *at, uint8_t family, uint8_t proto,
				const char *src, const char *dst, uint16_t len)
{
	return family == 4 ? put_ip4(at, proto, src, dst, len)
			   : put_ip6(at, proto, src, dst, len);
}

/* Writes the checksum of RFC 1071 to `to`, computed a byte at a time. */
static inline void put_checksum(uint8_t *to, const uint8_t *at, size_t n,
				uint32_t sum)
{
	to[0] = to[1] = 0;
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? at[i] : at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	to[0] = ~sum >> 8;
	to[1] = ~sum;
}

/* Writes the checksums of the IPv4 header, and of the message of n bytes behind
 * the IP header (RFC 792, RFC 4443 2.3). */
static inline void put_checksums(uint8_t *at, const struct error *e, size_t n)
{
	uint8_t *icmp = at + ip_hlen(e->family);
	uint32_t pseudo = n + 58;

	for (size_t i = 8; i < 40; i += 2)
		pseudo += at[i] << 8 | at[i + 1];
	put_checksum(icmp + 2, icmp, n, e->family == 4 ? 0 : pseudo);
	icmp[2] ^= e->wrong >> 8;
	icmp[3] ^= e->wrong;
	if (e->family == 4) {
		put_checksum(at + 10, at, 20, 0);
		at[11] ^= e->wrong_ip;
	}
}

/* Writes the error; returns its length without the padding. */
static inline size_t put_error(uint8_t *at, const struct error *e)
{
	uint8_t inner = e->proto == 4 ? 4 : 6;
	uint8_t outer = ip_hlen(e->family);
	size_t n = outer;

	at[n++] = e->type;
	at[n++] = e->code;
	n += 2; /* the checksum is made at the end */
	for (int shift = 24; shift >= 0; shift -= 8)
		at[n++] = e->mtu >> shift;
	put_header(at + n, e->family, e->proto, e->src, e->dst, e->len);
	if (e->family == 4) {
		at[n + 4] = e->id >> 8;
		at[n + 5] = e->id;
		at[n + 6] = e->no_df ? 0 : 0x40;
	}
	n += outer;
	put_header(at + n, inner, 17, inner == 4 ? "172.22.2.2" : "fd00:22::2",
		   e->inner_dst, e->len - outer + e->inner_len);
	n += e->quoted;
	put_header(at, e->family, e->family == 4 ? 1 : 58,
		   e->family == 4 ? "203.0.113.1" : "2001:db8:77::1", e->to,
		   n + e->more);
	put_checksums(at, e, n - outer + e->more);
	return n;
}

static inline enum tl_verdict arrive(const struct error *e)
{
	uint8_t bytes[2048], *at;
	struct view view;
	struct rx rx = {0};
	size_t n, whole;

	for (n = 0; n < sizeof(bytes); n++)
		bytes[n] = n;
	whole = put_error(bytes, e) + e->padding;
	n = whole - e->unreadable;
	at = exact(bytes, n);
	view = (struct view){
		.at = at, .end = at + n, .len = whole, .whole = n == whole};
	rx.outcome.verdict = ingress(
		&view, htons(e->family == 4 ? ETH_P_IP : ETH_P_IPV6), &rx);
	if (is_icmp_verdict(rx.outcome.verdict))
		icmp_verified(&rx,
			      csum_is_right(at + rx.message_at, rx.message_len,
					    view.end, rx.pseudo_sum));
	if (is_icmp_verdict(rx.outcome.verdict))
		assert_int_equal(rx.outcome.peer, e->family == 4 ? FOUR : SIX);
	else
		assert_int_equal(rx.outcome.peer, TL_PEER_NONE);
	free(at);
	return rx.outcome.verdict;
}

/* The MTU learned from an error, which must be counted as "too big". */
static inline uint32_t learnt(const struct error *e)
{
	struct tl_learned *row = &fake_learned[e->family == 4 ? FOUR : SIX];

	row->mtu = 0;
	assert_int_equal(arrive(e), TL_rx_icmp_too_big);
	return row->mtu;
}

#endif
