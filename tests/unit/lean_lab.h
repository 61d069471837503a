/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes packets of two peers, and asks lean() about them. */
#ifndef TUNLOAD_LEAN_LAB_H
#define TUNLOAD_LEAN_LAB_H

#include "fake_maps.h"
#include "../../bpf/decide/lean.h"

static inline int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	generations.maps = 7;
	memset(fake_flows, 0, sizeof(fake_flows));
	memset(fake_paths, 0, sizeof(fake_paths));
	memset(fake_sources, 0, sizeof(fake_sources));
	fake_add(1, "198.51.100.1", "192.0.2.10", 1480);
	fake_add(2, "2001:db8:2::1", "2001:db8:1::10", 1460);
	return 0;
}

struct packet {
	uint8_t bytes[2 * IP6_HLEN];
	size_t n;
	__be16 proto;
};

static inline size_t put(uint8_t *at, uint8_t family, uint8_t proto,
			 const char *src, const char *dst, uint16_t len)
{
	return family == 4 ? put_ip4(at, proto, src, dst, len)
			   : put_ip6(at, proto, src, dst, len);
}

static inline void set_checksum(uint8_t *at)
{
	struct iphdr ip;

	memcpy(&ip, at, sizeof(ip));
	ip.check = 0;
	ip.check = ~csum_fold(csum_ip4(&ip));
	memcpy(at, &ip, sizeof(ip));
}

/* A packet of a peer's tunnel; an inner header and nothing behind it. */
static inline struct packet tunnel(uint8_t outer, uint8_t inner)
{
	struct packet p = {.n = ip_hlen(outer) + ip_hlen(inner),
			   .proto = htons(outer == 4 ? ETH_P_IP : ETH_P_IPV6)};
	const char *src[] = {"10.1.0.9", "fd00:1::9", "10.2.0.9", "fd00:2::9"};

	put(p.bytes, outer, inner == 4 ? IPPROTO_IPIP : IPPROTO_IPV6,
	    outer == 4 ? "198.51.100.1" : "2001:db8:2::1",
	    outer == 4 ? "192.0.2.10" : "2001:db8:1::10", p.n);
	put(p.bytes + ip_hlen(outer), inner, IPPROTO_UDP,
	    src[(outer == 4 ? 0 : 2) + (inner == 4 ? 0 : 1)],
	    inner == 4 ? "172.22.2.2" : "fd00:22::2", ip_hlen(inner));
	if (outer == 4)
		set_checksum(p.bytes);
	return p;
}

static inline struct packet plain(uint8_t family, uint8_t proto,
				  const char *src)
{
	struct packet p = {.n = ip_hlen(family),
			   .proto = htons(family == 4 ? ETH_P_IP : ETH_P_IPV6)};

	put(p.bytes, family, proto, src,
	    family == 4 ? "192.0.2.10" : "2001:db8:1::10", p.n);
	return p;
}

static inline int take_it(void *ctx, struct rx *rx)
{
	*(struct rx *)ctx = *rx;
	return 1;
}

/* True if lean() passes the packet. */
static inline bool passes(const struct packet *p, struct rx *rx)
{
	uint8_t *at = exact(p->bytes, p->n);
	struct view view = {
		.at = at, .end = at + p->n, .len = p->n, .whole = true};
	const struct lean_hook hook = {take_it, rx, true};
	bool passed;

	memset(rx, 0, sizeof(*rx));
	passed = lean(&view, p->proto, &hook);
	free(at);
	return passed;
}

/* What the hook does for a packet that lean() does not pass. */
static inline void through_ingress(const struct packet *p)
{
	uint8_t room[2 + ETH_HLEN + sizeof(p->bytes)]
		__attribute__((aligned(8)));
	uint8_t *frame = room + 2; /* aligns the IP header */
	struct view view = {.at = frame + ETH_HLEN,
			    .end = frame + ETH_HLEN + p->n,
			    .len = p->n,
			    .whole = true};
	struct rx rx = {0};

	memcpy(frame + ETH_HLEN, p->bytes, p->n);
	assert_int_equal(ingress(&view, p->proto, &rx), PASSED);
	flow_keep_any(frame, view.end, ETH_HLEN + rx.outer_len,
		      flow_kind_of(&rx), generations.maps, rx.outcome.peer);
}

/* Runs a check with each outer and inner family. */
static inline void each_combination(void (*check)(uint8_t outer, uint8_t inner))
{
	for (uint8_t outer = 4; outer <= 6; outer += 2)
		for (uint8_t inner = 4; inner <= 6; inner += 2)
			check(outer, inner);
}

#endif
