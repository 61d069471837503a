/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/record/head.h: what a prepared header is, and for how long it is used. */
#include "fake_maps.h"
#include "../../bpf/record/head.h"

#define FOUR 1 /* peers' ids by their outer family */
#define SIX  2

static int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	memset(fake_heads, 0, sizeof(fake_heads));
	fake_add(FOUR, "198.51.100.1", "192.0.2.10", 1480);
	fake_add(SIX, "2001:db8:2::1", "2001:db8:1::10", 1460);
	return 0;
}

/* A change of a peer is seen with the next generation, an edit by hand within a
 * second. */
static void changes_of_a_peer(void **state)
{
	struct tl_peer *peer = &fake_peers[FOUR];

	(void)state;
	fake_know_hop(FOUR, fake_now + 10 * cache_ttl);
	assert_int_equal(head_of(FOUR)->mtu, 1480);
	peer->mtu = 1479;
	assert_int_equal(head_of(FOUR)->mtu, 1480);
	generations.maps++;
	assert_int_equal(head_of(FOUR)->mtu, 1479);
	peer->mtu = 1480;
	fake_now += cache_ttl - 1;
	assert_int_equal(head_of(FOUR)->mtu, 1479);
	fake_now++;
	assert_int_equal(head_of(FOUR)->mtu, 1480);
	peer->mtu = 1479;
	generations.learned++; /* an MTU */
	assert_int_equal(head_of(FOUR)->mtu, 1479);
	peer->mtu = 1480;
	generations.maps++;
	/* The slot has another peer. */
	assert_int_equal(head_of(FOUR)->mtu, 1480);
	fake_heads[FOUR].peer = FOUR + TL_PEER_SLOTS;
	fake_heads[FOUR].head.mtu = 100;
	assert_int_equal(head_of(FOUR)->mtu, 1480);
	assert_int_equal(fake_heads[FOUR].peer, FOUR);
	/* Another CPU has slots of its own. */
	fake_cpu = 1;
	peer->mtu = 1479;
	assert_int_equal(head_of(FOUR)->mtu, 1479);
	fake_cpu = 0;
	assert_int_equal(head_of(FOUR)->mtu, 1480);
	generations.maps++;
	peer->family = 0; /* waits */
	assert_null(head_of(FOUR));
}

/* A next hop is used for as long as it is known. */
static void changes_of_a_next_hop(void **state)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, FOUR,
					 2, 0, 0, 0, 0, 99};

	(void)state;
	fake_know_hop(FOUR, fake_now);
	assert_null(head_of(FOUR));
	fake_know_hop(FOUR, fake_now + 5);
	assert_memory_equal(head_of(FOUR)->outer.macs, macs, sizeof(macs));
	fake_now += 4;
	assert_non_null(head_of(FOUR));
	fake_now++;
	assert_null(head_of(FOUR));
	fake_know_hop(FOUR + TL_PEER_SLOTS,
		      fake_now + 5); /* in the same slot */
	assert_null(head_of(FOUR));
	/* An address of ours is missing. */
	fake_know_hop(SIX, fake_now + 5);
	memset(fake_peers[SIX].local, 0, 16);
	assert_null(head_of(SIX));
}

/* A fixed DSCP takes the place of the inner one, not that of ECN. */
static void fixed_dscp(void **state)
{
	struct inner in = {.family = 4, .df = true, .len = 100, .flow = 7};

	(void)state;
	for (int peer = FOUR; peer <= SIX; peer++) {
		for (int i = 0; i < 4; i++) {
			fake_peers[peer].dscp =
				i % 2 ? TL_DSCP_COPY : 0x15; /* 0x54 as TOS */
			in.tos = i / 2 ? 0xfd : 0x03;
			generations.maps++;
			fake_know_hop(peer, fake_now + 5);
			assert_header(head_of(peer), &fake_peers[peer], &in);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(changes_of_a_peer, peers_up),
		cmocka_unit_test_setup(changes_of_a_next_hop, peers_up),
		cmocka_unit_test_setup(fixed_dscp, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
