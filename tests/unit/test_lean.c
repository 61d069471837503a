/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/lean.h: which packets it passes, and for how long it remembers
 * their look-ups. That it passes no packet that ingress() does not is checked
 * by tests/packets, which sends every packet twice. */
#include "fake_maps.h"
#include "../../bpf/decide/lean.h"

static int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	fake_generation = 7;
	memset(fake_flows, 0, sizeof(fake_flows));
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

static size_t put(uint8_t *at, uint8_t family, uint8_t proto, const char *src,
		  const char *dst, uint16_t len)
{
	return family == 4 ? put_ip4(at, proto, src, dst, len)
			   : put_ip6(at, proto, src, dst, len);
}

static void set_checksum(uint8_t *at)
{
	struct iphdr ip;

	memcpy(&ip, at, sizeof(ip));
	ip.check = 0;
	ip.check = ~csum_fold(csum_ip4(&ip));
	memcpy(at, &ip, sizeof(ip));
}

/* A packet of a peer's tunnel; an inner header and nothing behind it. */
static struct packet tunnel(uint8_t outer, uint8_t inner)
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

static struct packet plain(uint8_t family, uint8_t proto, const char *src)
{
	struct packet p = {.n = ip_hlen(family),
			   .proto = htons(family == 4 ? ETH_P_IP : ETH_P_IPV6)};

	put(p.bytes, family, proto, src,
	    family == 4 ? "192.0.2.10" : "2001:db8:1::10", p.n);
	return p;
}

/* True if lean() passes the packet. */
static bool passes(const struct packet *p, struct rx *rx)
{
	uint8_t *at = exact(p->bytes, p->n);
	struct view view = {
		.at = at, .end = at + p->n, .len = p->n, .whole = true};
	bool passed;

	memset(rx, 0, sizeof(*rx));
	passed = lean(&view, p->proto, rx);
	free(at);
	return passed;
}

/* What the hook does for a packet that lean() does not pass. */
static void through_ingress(const struct packet *p)
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
		      flow_kind(rx.outer_family, rx.inner_family),
		      fake_generation, rx.outcome.peer);
}

static void tunnel_packets(void **state)
{
	const uint8_t families[] = {4, 6};
	struct rx rx;

	(void)state;
	for (int i = 0; i < 4; i++) {
		uint8_t outer = families[i / 2], inner = families[i % 2];
		struct packet p = tunnel(outer, inner);

		assert_false(passes(&p, &rx));
		through_ingress(&p);
		assert_true(passes(&p, &rx));
		assert_int_equal(rx.outcome.verdict, TL_rx_decap);
		assert_int_equal(rx.outcome.peer, outer == 4 ? 1 : 2);
		assert_int_equal(rx.outcome.bytes, ip_hlen(inner));
		assert_true(rx.outcome.now_ns == 1000);
		assert_int_equal(rx.outer_family, outer);
		assert_int_equal(rx.inner_family, inner);
		assert_int_equal(rx.outer_len, ip_hlen(outer));
	}
}

/* Another address than the remembered ones, each byte of each. */
static void other_addresses(void **state)
{
	const uint8_t families[] = {4, 6};
	struct rx rx;

	(void)state;
	for (int i = 0; i < 4; i++) {
		uint8_t outer = families[i / 2], inner = families[i % 2];
		struct packet p = tunnel(outer, inner);
		size_t source = ip_hlen(outer) + (inner == 4 ? 12 : 8);
		size_t addrs = outer == 4 ? 12 : 8;

		through_ingress(&p);
		assert_true(passes(&p, &rx));
		for (size_t at = addrs; at < ip_hlen(outer); at++) {
			p.bytes[at] ^= 0x11;
			if (outer == 4)
				set_checksum(p.bytes);
			assert_false(passes(&p, &rx));
			p.bytes[at] ^= 0x11;
			if (outer == 4)
				set_checksum(p.bytes);
		}
		for (size_t at = source; at < source + (inner == 4 ? 4 : 16);
		     at++) {
			p.bytes[at] ^= 0x11;
			assert_false(passes(&p, &rx));
			p.bytes[at] ^= 0x11;
		}
		assert_true(passes(&p, &rx));
	}
}

static void forgets(void **state)
{
	struct packet p = tunnel(4, 4),
		      q = plain(4, IPPROTO_UDP, "203.0.113.9");
	struct rx rx;

	(void)state;
	through_ingress(&p);
	assert_true(passes(&q, &rx));
	fake_now = 1000 + CACHE_TTL_NS - 1;
	assert_true(passes(&p, &rx));
	fake_now++;
	assert_false(passes(&p, &rx));
	through_ingress(&p);
	assert_true(passes(&p, &rx));
	fake_generation++;
	assert_false(passes(&p, &rx));
	/* An edit by hand, of which the generation says nothing. */
	assert_true(passes(&q, &rx));
	fake_prefixes[0] =
		(struct fake_prefix){4, {203}, 8, {1, TL_PREFIX_F_GUARD}};
	assert_true(passes(&q, &rx));
	fake_now += CACHE_TTL_NS;
	assert_false(passes(&q, &rx));
	fake_prefixes[0].value.flags = 0;
	assert_true(passes(&q, &rx));
	fake_prefixes[0].family = 0;
}

/* A plain packet of a source that the guard does not know. */
static void plain_packets(void **state)
{
	struct packet p = plain(4, IPPROTO_TCP, "203.0.113.9");
	struct rx rx;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(passes(&p, &rx));
		assert_int_equal(rx.outcome.verdict, TL_rx_plain);
		assert_int_equal(rx.outcome.peer, TL_PEER_NONE);
		assert_int_equal(rx.outcome.bytes, 20);
	}
	p = plain(6, IPPROTO_UDP, "2001:db8:9::9");
	assert_true(passes(&p, &rx));
	p.bytes[23]++;
	assert_true(passes(&p, &rx));
	p = plain(4, IPPROTO_UDP, "10.1.0.9"); /* tunnelled */
	assert_false(passes(&p, &rx));
	p = plain(6, IPPROTO_UDP, "fd00:1::9");
	assert_false(passes(&p, &rx));
	p = plain(6, IPPROTO_UDP, "fe80::74:6e:0:1"); /* a gateway's */
	assert_false(passes(&p, &rx));
	p = plain(4, IPPROTO_ICMP, "203.0.113.9");
	assert_false(passes(&p, &rx));
	p = plain(6, IPPROTO_ICMPV6, "2001:db8:9::9");
	assert_false(passes(&p, &rx));
	p = plain(6, IPPROTO_HOPOPTS, "2001:db8:9::9");
	assert_false(passes(&p, &rx));
	p = plain(4, IPPROTO_TCP, "203.0.113.9");
	p.proto = htons(ETH_P_ARP);
	assert_false(passes(&p, &rx));
}

/* The address of this host is marked, also when it is remembered. */
static void own_sources(void **state)
{
	struct packet p = plain(4, IPPROTO_TCP, "203.0.113.1");
	struct packet other = plain(4, IPPROTO_TCP, "203.0.113.2");
	struct rx rx;

	(void)state;
	fake_prefixes[0] = (struct fake_prefix){
		4, {203, 0, 113, 1}, 32, {TL_PEER_NONE, TL_PREFIX_F_OWN}};
	for (int i = 0; i < 2; i++) {
		assert_true(passes(&p, &rx) && rx.own_source);
		assert_true(passes(&other, &rx) && !rx.own_source);
	}
	fake_prefixes[0] = (struct fake_prefix){0};
}

/* A packet whose headers end behind the readable bytes. */
static void short_packets(void **state)
{
	const uint8_t families[] = {4, 6};
	struct rx rx;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct packet p = tunnel(families[i / 2], families[i % 2]);

		through_ingress(&p);
		assert_true(passes(&p, &rx));
		while (p.n--)
			assert_false(passes(&p, &rx));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tunnel_packets, peers_up),
		cmocka_unit_test_setup(other_addresses, peers_up),
		cmocka_unit_test_setup(forgets, peers_up),
		cmocka_unit_test_setup(plain_packets, peers_up),
		cmocka_unit_test_setup(own_sources, peers_up),
		cmocka_unit_test_setup(short_packets, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
