/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/lean.h: which packets it passes. That it passes no packet that
 * ingress() does not is checked by tests/packets, which sends every packet
 * twice. */
#include "lean_lab.h"

static void passes_when_remembered(uint8_t outer, uint8_t inner)
{
	struct packet p = tunnel(outer, inner);
	struct rx rx;

	assert_false(passes(&p, &rx));
	through_ingress(&p);
	assert_true(passes(&p, &rx));
	assert_int_equal(rx.outcome.verdict, TL_rx_decap);
	assert_int_equal(rx.outcome.peer, outer == 4 ? 1 : 2);
	assert_int_equal(rx.outcome.bytes, ip_hlen(inner));
	assert_true(rx.outcome.now_ns == 0);
	assert_int_equal(rx.outer_family, outer);
	assert_int_equal(rx.inner_family, inner);
	assert_int_equal(rx.outer_len, ip_hlen(outer));
}

static void tunnel_packets(void **state)
{
	(void)state;
	each_combination(passes_when_remembered);
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
	p.proto = htons(ETH_P_8021Q);
	assert_false(passes(&p, &rx));
	p.proto = htons(0x88cc); /* not IP */
	assert_true(passes(&p, &rx));
	assert_int_equal(rx.outcome.verdict, TL_rx_plain);
	assert_int_equal(rx.outcome.bytes, 20);
}

static void needs_both_headers(uint8_t outer, uint8_t inner)
{
	struct packet p = tunnel(outer, inner);
	struct rx rx;

	through_ingress(&p);
	assert_true(passes(&p, &rx));
	while (p.n--)
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
		assert_true(passes(&p, &rx) && !rx.may_enter);
		assert_true(passes(&other, &rx) && rx.may_enter);
	}
	fake_prefixes[0] = (struct fake_prefix){0};
}

/* A packet whose headers end behind the readable bytes. */
static void short_packets(void **state)
{
	(void)state;
	each_combination(needs_both_headers);
}

/* ARP passes unless it claims a gateway's address. */
static void arp_packets(void **state)
{
	struct packet p = {.n = sizeof(struct arp_packet),
			   .proto = htons(ETH_P_ARP)};
	struct arp_packet arp = {.hrd = htons(1),
				 .pro = htons(ETH_P_IP),
				 .hln = 6,
				 .pln = 4,
				 .op = htons(1),
				 .spa = {203, 0, 113, 9}};
	struct rx rx;

	(void)state;
	memcpy(p.bytes, &arp, sizeof(arp));
	assert_true(passes(&p, &rx));
	assert_int_equal(rx.outcome.verdict, TL_rx_plain);
	arp.spa[0] = TL_GATEWAY_NET4;
	memcpy(p.bytes, &arp, sizeof(arp));
	assert_false(passes(&p, &rx));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tunnel_packets, peers_up),
		cmocka_unit_test_setup(plain_packets, peers_up),
		cmocka_unit_test_setup(own_sources, peers_up),
		cmocka_unit_test_setup(short_packets, peers_up),
		cmocka_unit_test_setup(arp_packets, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
