/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/egress.h: sizes, super-packets, learnt MTUs, the offset of a SYN,
 * flows, loops, and peers that cannot send; lean_egress.h with each of them. */
#include <stdio.h>

#include "fake_maps.h"
#include "../../bpf/decide/lean_egress.h"

#define FOUR 1 /* peers' ids by their outer family */
#define SIX  2

#define SYN 0x02
#define ACK 0x10

static int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	memset(fake_heads, 0, sizeof(fake_heads));
	fake_add(FOUR, "198.51.100.1", "192.0.2.10", 1480);
	fake_add(SIX, "2001:db8:2::1", "2001:db8:1::10", 1460);
	return 0;
}

/* Writes the headers of a TCP segment to a peer, with 32 bytes of TCP header;
 * returns their length. */
static size_t tcp_segment(uint8_t *at, uint8_t family, int peer, uint32_t len,
			  uint8_t flags)
{
	char dst[32];
	size_t n;

	snprintf(dst, sizeof(dst), family == 4 ? "10.%d.0.9" : "fd00:%d::9",
		 peer);
	n = family == 4 ? put_ip4(at, 6, "172.22.2.2", dst, len)
			: put_ip6(at, 6, "fd00:22::2", dst, len);
	memset(at + n, 0, 32);
	at[n + 12] = 0x80;
	at[n + 13] = flags;
	return n + 32;
}

static bool lean; /* the last packet went the short way */

/* What goes the short way comes to what egress() finds. */
static void check_lean(const struct view *v, __be16 proto, uint32_t gso_size,
		       const struct tx *want, enum tl_verdict verdict)
{
	const struct prepared *head;
	struct tx tx = {};

	fake_know_hop(want->outcome.peer, fake_now + cache_ttl);
	head = head_of(want->outcome.peer);
	lean = head &&
	       lean_egress(v, proto, gso_size, want->outcome.peer, head, &tx);
	if (!lean)
		return;
	assert_int_equal(verdict, PASSED);
	assert_int_equal(want->syn | want->excess, 0);
	assert_int_equal(tx.outcome.verdict, TL_tx_encap);
	assert_int_equal(tx.outcome.peer, want->outcome.peer);
	assert_int_equal(tx.outcome.bytes, want->outcome.bytes);
	assert_true(tx.outcome.now_ns == 0);
	assert_int_equal(tx.mtu, want->mtu);
	assert_int_equal(tx.inner.family, want->inner.family);
	assert_int_equal(tx.inner.tos, want->inner.tos);
	assert_int_equal(tx.inner.df, want->inner.df);
	assert_int_equal(tx.inner.len, want->inner.len);
	assert_int_equal(tx.inner.flow, want->inner.flow);
	assert_header(head, want->peer, &want->inner);
}

/* The verdict for a packet of len bytes, of which n are readable. */
static enum tl_verdict leave(const uint8_t *bytes, size_t n, uint32_t len,
			     uint32_t gso_size, uint32_t peer, struct tx *tx)
{
	uint8_t *at = exact(bytes, n);
	struct view view = {.at = at, .end = at + n, .len = len};
	enum tl_verdict verdict;
	__be16 proto;

	memset(tx, 0, sizeof(*tx));
	tx->outcome.now_ns = fake_now;
	generations.maps++;
	proto = htons(at[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
	verdict = egress(&view, proto, gso_size, peer, tx);
	check_lean(&view, proto, gso_size, tx, verdict);
	free(at);
	assert_int_equal(tx->outcome.peer, peer);
	return verdict;
}

static enum tl_verdict send_size(uint8_t family, int peer, uint32_t len,
				 bool df, struct tx *tx)
{
	uint8_t bytes[128];
	size_t n = tcp_segment(bytes, family, peer, len, ACK);

	if (df)
		bytes[6] = 0x40;
	return leave(bytes, n, len, 0, peer, tx);
}

static void sizes_around_the_mtu(void **state)
{
	struct tx tx;

	(void)state;
	assert_int_equal(send_size(4, FOUR, 1480, true, &tx), PASSED);
	assert_true(tx.inner.df);
	assert_int_equal(tx.inner.len, 1480);
	assert_int_equal(send_size(4, FOUR, 1481, true, &tx), TL_tx_too_big);
	assert_int_equal(tx.mtu, 1480);
	assert_int_equal(send_size(6, FOUR, 1480, false, &tx), PASSED);
	assert_true(tx.inner.df);
	assert_int_equal(send_size(6, FOUR, 1481, false, &tx), TL_tx_too_big);
	assert_int_equal(send_size(6, SIX, 1460, false, &tx), PASSED);
	assert_int_equal(send_size(6, SIX, 1461, false, &tx), TL_tx_too_big);
}

/* RFC 2003 5.1: the packet is fragmented before it is encapsulated. */
static void too_large_without_df(void **state)
{
	struct tx tx;

	(void)state;
	assert_int_equal(send_size(4, FOUR, 1480, false, &tx), PASSED);
	assert_true(tx.inner.df);
	assert_int_equal(send_size(4, FOUR, 1481, false, &tx),
			 TL_tx_fragmented);
	assert_int_equal(tx.mtu, 1480);
	assert_int_equal(tx.payload, 1461);
	assert_int_equal(send_size(4, SIX, 1460, false, &tx), PASSED);
	assert_int_equal(send_size(4, SIX, 1461, false, &tx), TL_tx_fragmented);
	/* a fragment has at least eight bytes of payload */
	fake_peers[FOUR].mtu = 28;
	assert_int_equal(send_size(4, FOUR, 1481, false, &tx),
			 TL_tx_fragmented);
	fake_peers[FOUR].mtu = 27;
	assert_int_equal(send_size(4, FOUR, 1481, false, &tx), PASSED);
	assert_false(tx.inner.df);
}

/* A packet with IP options is left to routers, which fragment the outer packet;
 * IPv6 routers do not. */
static void too_large_with_options(void **state)
{
	uint8_t bytes[128];
	struct tx tx;
	size_t n = tcp_segment(bytes, 4, FOUR, 1481, ACK);

	(void)state;
	bytes[0] = 0x46;
	assert_int_equal(leave(bytes, n, 1481, 0, FOUR, &tx), PASSED);
	assert_false(tx.inner.df);
	assert_int_equal(leave(bytes, n, 1481, 0, SIX, &tx), TL_tx_too_big);
}

/* RFC 2473 7.1, RFC 4213 3.2.2: "too big" must not be sent about 1280 bytes. */
static void ipv6_of_its_least_mtu(void **state)
{
	struct tx tx;

	(void)state;
	fake_peers[FOUR].mtu = 1000;
	assert_int_equal(send_size(6, FOUR, 1280, false, &tx), PASSED);
	assert_false(tx.inner.df);
	assert_int_equal(send_size(6, FOUR, 1281, false, &tx), TL_tx_too_big);
	assert_int_equal(send_size(6, FOUR, 1000, false, &tx), PASSED);
	assert_true(tx.inner.df);
}

/* Bytes behind the inner packet are not part of it. */
static void trailers(void **state)
{
	uint8_t bytes[128];
	struct tx tx;
	size_t n = tcp_segment(bytes, 6, FOUR, 1480, ACK);

	(void)state;
	assert_int_equal(leave(bytes, n, 1500, 0, FOUR, &tx), PASSED);
	assert_int_equal(tx.inner.len, 1480);
	assert_int_equal(tx.outcome.bytes, 1480);
	assert_true(tx.inner.df);
	assert_int_equal(leave(bytes, n, 1479, 0, FOUR, &tx), TL_tx_bad_inner);
}

static void learnt_mtu(void **state)
{
	struct tl_learned *row = &fake_learned[FOUR];
	struct tx tx;

	(void)state;
	row->mtu = 1400;
	row->until_ns = 1001;
	fake_learned_until[FOUR] = 1002; /* of another peer of the slot */
	assert_int_equal(send_size(4, FOUR, 1401, true, &tx), TL_tx_too_big);
	assert_int_equal(tx.mtu, 1400);
	assert_int_equal(send_size(4, FOUR, 1400, true, &tx), PASSED);
	fake_now = 1001; /* expired */
	assert_int_equal(send_size(4, FOUR, 1480, true, &tx), PASSED);
	row->mtu = 0; /* of a former path: deleted */
	assert_int_equal(send_size(4, FOUR, 1480, true, &tx), PASSED);
	row->mtu = 1400;
	fake_now = 5000;
	assert_int_equal(send_size(4, FOUR, 1480, true, &tx), PASSED);
	fake_now = 1000;
	row->mtu = 1490; /* configured smaller since */
	assert_int_equal(send_size(4, FOUR, 1481, true, &tx), TL_tx_too_big);
	assert_int_equal(tx.mtu, 1480);
}

/* A super-packet whose segments have gso_size bytes behind the headers. */
static enum tl_verdict send_super(uint8_t family, int peer, uint8_t proto,
				  uint32_t gso_size, struct tx *tx)
{
	uint8_t bytes[128];
	size_t n = tcp_segment(bytes, family, peer, 60000, ACK);

	bytes[family == 4 ? 9 : 6] = proto;
	bytes[6] |= family == 4 ? 0x40 : 0;
	return leave(bytes, n, 60000, gso_size, peer, tx);
}

static void super_packets_that_fit(void **state)
{
	struct tx tx;

	(void)state;
	assert_int_equal(send_super(4, FOUR, 6, 1428, &tx), PASSED);
	assert_int_equal(tx.excess, 0);
	assert_int_equal(tx.outcome.bytes, 60000);
	assert_int_equal(send_super(6, SIX, 6, 1388, &tx), PASSED);
	assert_int_equal(tx.excess, 0);
	assert_int_equal(send_super(4, FOUR, 17, 1452, &tx), PASSED);
}

static void super_packets_that_do_not_fit(void **state)
{
	struct tx tx;

	(void)state;
	assert_int_equal(send_super(4, FOUR, 6, 1429, &tx), PASSED);
	assert_int_equal(tx.excess, 1);
	assert_int_equal(send_super(6, SIX, 6, 8928, &tx), PASSED);
	assert_int_equal(tx.excess, 7540);
	/* the size of UDP datagrams cannot be decreased */
	assert_int_equal(send_super(4, FOUR, 17, 1453, &tx), TL_tx_too_big);
	/* a TCP segment has at least a byte of data */
	fake_peers[FOUR].mtu = 53;
	assert_int_equal(send_super(4, FOUR, 6, 1429, &tx), PASSED);
	assert_int_equal(tx.excess, 1428);
	fake_peers[FOUR].mtu = 52;
	assert_int_equal(send_super(4, FOUR, 6, 1429, &tx), TL_tx_too_big);
}

/* The length in the header is ignored if the packet is over 64 KiB. */
static void super_packets_over_64k(void **state)
{
	uint8_t bytes[128];
	struct tx tx;
	size_t n = tcp_segment(bytes, 4, FOUR, 0, ACK);

	(void)state;
	assert_int_equal(leave(bytes, n, 150000, 1400, FOUR, &tx), PASSED);
	assert_int_equal(tx.outcome.bytes, 150000);
	assert_int_equal(tx.inner.len, 150000);
	assert_int_equal(leave(bytes, n, 150000, 0, FOUR, &tx),
			 TL_tx_bad_inner);
	/* The payload length of IPv6 is 0 then: the short way, too. */
	n = tcp_segment(bytes, 6, FOUR, 40, ACK);
	assert_int_equal(leave(bytes, n, 150000, 1400, FOUR, &tx), PASSED);
	assert_true(lean);
	assert_int_equal(tx.outcome.bytes, 150000);
}

static bool has_syn(uint8_t family, uint8_t flags, uint8_t frag, size_t n)
{
	uint8_t bytes[128];
	struct tx tx;

	tcp_segment(bytes, family, FOUR, n, flags);
	if (family == 4)
		bytes[7] = frag;
	assert_int_equal(leave(bytes, n, n, 0, FOUR, &tx), PASSED);
	return tx.syn;
}

static void syn(void **state)
{
	(void)state;
	assert_true(has_syn(4, SYN, 0, 52));
	assert_true(has_syn(4, SYN | ACK, 0, 52));
	assert_true(has_syn(6, SYN | 0xc0, 0, 72));
	assert_false(has_syn(4, ACK, 0, 52));
	assert_false(has_syn(4, 0xfd, 0, 52));
	assert_false(has_syn(4, SYN, 1, 52));
	assert_true(has_syn(4, SYN, 0, 34));
	assert_true(has_syn(4, ACK, 0, 33)); /* cannot be read */
}

static uint32_t flow_of(uint8_t port, uint8_t frag)
{
	uint8_t bytes[128];
	struct tx tx;
	size_t n = tcp_segment(bytes, 4, SIX, 52, ACK);

	bytes[21] = port;
	bytes[7] = frag;
	assert_int_equal(leave(bytes, n, n, 0, SIX, &tx), PASSED);
	return tx.inner.flow;
}

static void fragments_are_one_flow(void **state)
{
	(void)state;
	assert_int_not_equal(flow_of(1, 0), flow_of(2, 0));
	assert_int_equal(flow_of(1, 9), flow_of(2, 9));
}

static enum tl_verdict send_from_to(uint8_t proto, const char *src,
				    const char *dst)
{
	uint8_t bytes[28] = {0}; /* a header and that of UDP */
	struct tx tx;

	put_ip4(bytes, proto, src, dst, 28);
	return leave(bytes, 28, 28, 0, FOUR, &tx);
}

static void loops(void **state)
{
	(void)state;
	assert_int_equal(send_from_to(4, "192.0.2.10", "198.51.100.1"),
			 TL_tx_tunnelled);
	assert_int_equal(send_from_to(41, "10.0.0.1", "198.51.100.1"),
			 TL_tx_tunnelled);
	assert_int_equal(send_from_to(17, "192.0.2.10", "198.51.100.1"),
			 PASSED);
	assert_int_equal(send_from_to(4, "192.0.2.10", "198.51.100.2"), PASSED);
	assert_int_equal(send_from_to(17, "198.51.100.1", "10.1.0.9"),
			 TL_tx_loop);
	assert_int_equal(send_from_to(17, "198.51.100.2", "10.1.0.9"), PASSED);
	/* allowed prefixes do not matter: the kernel has routed the packet */
	assert_int_equal(send_from_to(17, "10.0.0.1", "8.8.8.8"), PASSED);
	assert_int_equal(send_from_to(17, "10.0.0.1", "10.2.0.9"), PASSED);
}

static void link_scope(void **state)
{
	static const char *const all[] = {"0.1.2.3",	     "127.0.0.1",
					  "169.254.0.1",     "224.0.0.9",
					  "255.255.255.255", "240.0.0.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_int_equal(send_from_to(17, "10.0.0.1", all[i]),
				 TL_tx_neighbour);
	assert_int_equal(send_from_to(17, "10.0.0.1", "224.0.1.0"), PASSED);
}

/* What is usual goes the short way, and what needs more does not. */
static void the_short_way(void **state)
{
	uint8_t bytes[128];
	size_t n = tcp_segment(bytes, 6, SIX, 100, ACK);
	struct tx tx;

	(void)state;
	for (int peer = FOUR; peer <= SIX; peer++) {
		for (uint8_t family = 4; family <= 6; family += 2) {
			send_size(family, peer, 1460, true, &tx);
			assert_true(lean);
			send_super(family, peer, 6, 1388, &tx);
			assert_true(lean);
			send_size(family, peer, 1481, true, &tx);
			assert_false(lean);
			send_super(family, peer, 6, 1429, &tx);
			assert_false(lean);
		}
	}
	send_super(4, FOUR, 17, 1452, &tx);
	assert_true(lean);
	bytes[0] = 0x50; /* neither version */
	assert_int_equal(leave(bytes, n, 100, 0, SIX, &tx), TL_tx_bad_inner);
	assert_false(lean);
	has_syn(4, SYN, 0, 52);
	assert_false(lean);
	has_syn(4, ACK, 1, 52); /* a fragment */
	assert_false(lean);
	fake_learned[FOUR].mtu = 1400;
	fake_learned[FOUR].until_ns = fake_learned_until[FOUR] = fake_now + 1;
	send_size(4, FOUR, 1400, true, &tx);
	assert_true(lean);
	send_size(4, FOUR, 1401, true, &tx);
	assert_false(lean);
	fake_learned[FOUR].mtu = fake_learned_until[FOUR] = 0;
}

/* A redirect may be to a gateway, so its message is read first. */
static void redirects(void **state)
{
	uint8_t bytes[21];
	struct tx tx;

	(void)state;
	put_ip4(bytes, IPPROTO_ICMP, "10.0.0.1", "10.1.0.9", 28);
	for (int type = 0; type < 256; type++) {
		bytes[20] = type;
		assert_int_equal(leave(bytes, 21, 28, 0, FOUR, &tx), PASSED);
		assert_int_equal(lean, type != ICMP_REDIRECT);
	}
	assert_int_equal(leave(bytes, 20, 28, 0, FOUR, &tx), PASSED);
	assert_false(lean);
}

/* The packet's peer waits for an address, or no longer exists. */
static void peers_that_cannot_send(void **state)
{
	struct tl_peer *peer = &fake_peers[FOUR];
	struct tx tx;

	(void)state;
	memset(peer->local, 0, sizeof(peer->local));
	assert_int_equal(send_size(4, FOUR, 100, true, &tx), TL_tx_waiting);
	for (int at = 0; at < 16; at++) {
		peer->local[at] = 1;
		assert_int_equal(send_size(4, FOUR, 100, true, &tx), PASSED);
		peer->local[at] = 0;
	}
	peer->local[0] = 192;
	peer->family = 5; /* fake_peer() takes 0 for an absent peer */
	assert_int_equal(send_size(4, FOUR, 100, true, &tx), TL_tx_waiting);
	peer->family = 0;
	assert_int_equal(send_size(4, FOUR, 100, true, &tx), TL_tx_stale_peer);
	assert_int_equal(tx.outcome.bytes, 100);
}

/* An IPv6 source that begins with the bytes of an IPv4 endpoint is no loop. */
static void families_are_compared(void **state)
{
	uint8_t bytes[40];
	struct tx tx;

	(void)state;
	put_ip6(bytes, 17, "c633:6401::", "fd00:1::9", 40);
	assert_int_equal(leave(bytes, 40, 40, 0, FOUR, &tx), PASSED);
	put_ip6(bytes, 17, "2001:db8:2::2", "fd00:2::9", 40);
	assert_int_equal(leave(bytes, 40, 40, 0, SIX, &tx), PASSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sizes_around_the_mtu, peers_up),
		cmocka_unit_test_setup(too_large_without_df, peers_up),
		cmocka_unit_test_setup(too_large_with_options, peers_up),
		cmocka_unit_test_setup(ipv6_of_its_least_mtu, peers_up),
		cmocka_unit_test_setup(trailers, peers_up),
		cmocka_unit_test_setup(learnt_mtu, peers_up),
		cmocka_unit_test_setup(super_packets_that_fit, peers_up),
		cmocka_unit_test_setup(super_packets_that_do_not_fit, peers_up),
		cmocka_unit_test_setup(super_packets_over_64k, peers_up),
		cmocka_unit_test_setup(syn, peers_up),
		cmocka_unit_test_setup(fragments_are_one_flow, peers_up),
		cmocka_unit_test_setup(loops, peers_up),
		cmocka_unit_test_setup(link_scope, peers_up),
		cmocka_unit_test_setup(the_short_way, peers_up),
		cmocka_unit_test_setup(redirects, peers_up),
		cmocka_unit_test_setup(peers_that_cannot_send, peers_up),
		cmocka_unit_test_setup(families_are_compared, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
