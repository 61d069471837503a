/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/icmp.h: MTUs that are learnt from valid ICMP errors. */
#include "icmp_lab.h"

static void good_errors(void **state)
{
	struct error e4 = good4(), e6 = good6();
	uint64_t until = 1000 + EXPIRY * 1000000000ULL;

	(void)state;
	assert_int_equal(learnt(&e4), 1380);
	assert_true(fake_learned[FOUR].until_ns == until);
	assert_int_equal(learnt(&e6), 1360);
	assert_true(fake_learned[SIX].until_ns == until);
	e4.proto = 41;
	e4.inner_dst = "fd00:1::9";
	e4.quoted = 40;
	assert_int_equal(learnt(&e4), 1380);
	e6.proto = 4;
	e6.inner_dst = "10.2.0.9";
	e6.quoted = 20;
	assert_int_equal(learnt(&e6), 1360);
}

/* Every path carries 576 or 1280 bytes (RFC 791 3.1, RFC 8200 5); a lower MTU
 * of an IPv6 path is ignored (RFC 8201 4). */
static void floors(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.mtu = 577;
	assert_int_equal(learnt(&e4), 557);
	for (e4.mtu = 1; e4.mtu <= 576; e4.mtu += 115)
		assert_int_equal(learnt(&e4), 556);
	e6.mtu = 1281;
	assert_int_equal(learnt(&e6), 1241);
	e6.mtu = 1280;
	assert_int_equal(learnt(&e6), 1240);
	for (e6.mtu = 1279; e6.mtu > 100; e6.mtu -= 101)
		assert_int_equal(learnt(&e6), 0);
}

/* Routers older than RFC 1191 send an MTU of 0; IPv4's field has 16 bits. */
static void announced(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.mtu = e6.mtu = 0;
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.mtu = 7 << 16 | 1400;
	assert_int_equal(learnt(&e4), 1380);
	e6.mtu = 7 << 16 | 1400;
	assert_int_equal(learnt(&e6), 0);
}

/* The quoted packet must be larger than the announced MTU, and at most as large
 * as we send. */
static void other_lengths(void **state)
{
	struct error good[] = {good4(), good6()};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct error *e = &good[i];

		e->len = 1401;
		assert_int_equal(learnt(e), i ? 1360 : 1380);
		e->len = 1400;
		assert_int_equal(learnt(e), 0);
		e->len = 1501;
		assert_int_equal(learnt(e), 0);
	}
}

static void never_upwards(void **state)
{
	struct error e4 = good4();

	(void)state;
	e4.mtu = 1499;
	assert_int_equal(learnt(&e4), 1479);
	fake_peers[FOUR].mtu = 500; /* below the floor */
	e4.len = 520;
	e4.mtu = 400;
	assert_int_equal(learnt(&e4), 0);
}

/* What is prepared of a peer's headers has the MTU: it is stale then. */
static void headers_are_stale(void **state)
{
	struct tl_generations before = generations;
	struct error e4 = good4();

	(void)state;
	assert_int_equal(learnt(&e4), 1380);
	assert_int_equal(generations.learned, before.learned + 1);
	assert_int_equal(generations.maps, before.maps);
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big); /* not lower */
	assert_int_equal(generations.learned, before.learned + 1);
}

/* A learned MTU is not raised until it expires. */
static void while_it_holds(void **state)
{
	struct tl_learned *row = &fake_learned[FOUR];
	struct error e4 = good4();

	(void)state;
	assert_int_equal(learnt(&e4), 1380);
	fake_now++;
	e4.mtu = 1450;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_int_equal(row->mtu, 1380);
	e4.mtu = 1399;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_int_equal(row->mtu, 1379);
	fake_now = row->until_ns;
	e4.mtu = 1450;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_int_equal(row->mtu, 1430);
}

/* A later, lower MTU holds for its own time. */
static void the_time_of_the_last(void **state)
{
	struct tl_learned *row = &fake_learned[FOUR];
	struct error e4 = good4();
	uint64_t first;

	(void)state;
	assert_int_equal(learnt(&e4), 1380);
	first = row->until_ns;
	fake_now++;
	e4.mtu = 1300;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_true(row->until_ns == first + 1);
	assert_true(fake_learned_until[FOUR] == first + 1);
	fake_interface.pmtu_expiry = 1;
	e4.mtu = 1290;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_true(fake_learned_until[FOUR] == first + 1);
	fake_now = first;
	assert_int_equal(peer_mtu(FOUR, 1480), 1480);
}

static void inner_packet(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.inner_len = 1;
	e6.inner_len = -1;
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4 = good4();
	e6 = good6();
	e4.inner_dst = "10.2.0.9"; /* the other peer's */
	e6.inner_dst = "fd00:1::9";
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.inner_dst = "8.8.8.8"; /* of no peer */
	e6.inner_dst = "2001:db8::8";
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.quoted = 19; /* not quoted: RFC 792 allows that, RFC 4443 does not */
	e6.quoted = 39;
	assert_int_equal(learnt(&e4), 1380);
	assert_int_equal(learnt(&e6), 0);
	e4.quoted = e6.quoted = 8;
	assert_int_equal(learnt(&e4), 1380);
	assert_int_equal(learnt(&e6), 0);
	e4.quoted = e6.quoted = 7; /* less than RFC 792 requires */
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
}

/* The destination is in a prefix of several peers, in `shared`. */
static void shared_destination(void **state)
{
	struct tl_prefix *prefix = &fake_prefixes[2 * FOUR].value;
	struct error e4 = good4();

	(void)state;
	*prefix = (struct tl_prefix){SIX, TL_PREFIX_F_SHARED |
						  16 << TL_PREFIX_LEN_SHIFT};
	assert_int_equal(learnt(&e4), 0);
	fake_shared[0] = (struct fake_shared){
		{32 + 16, 4, {0, 0, FOUR}, {10, FOUR}}, {16}};
	assert_int_equal(learnt(&e4), 1380);
	fake_shared[0].key.family = 6;
	assert_int_equal(learnt(&e4), 0);
	fake_shared[0].key.prefixlen = 0;
}

/* Our outer packets have DF, and an ID of 0 or the number of a segment (RFC
 * 6864 4.1). */
static void quoted_ip4_header_is_ours(void **state)
{
	struct error e = good4();

	(void)state;
	e.id = 44;
	assert_int_equal(learnt(&e), 1380);
	e.id = 255;
	assert_int_equal(learnt(&e), 1380);
	e.id = 256;
	assert_int_equal(learnt(&e), 0);
	e.id = 0;
	e.no_df = true;
	assert_int_equal(learnt(&e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good_errors, peers_up),
		cmocka_unit_test_setup(floors, peers_up),
		cmocka_unit_test_setup(announced, peers_up),
		cmocka_unit_test_setup(other_lengths, peers_up),
		cmocka_unit_test_setup(never_upwards, peers_up),
		cmocka_unit_test_setup(headers_are_stale, peers_up),
		cmocka_unit_test_setup(while_it_holds, peers_up),
		cmocka_unit_test_setup(the_time_of_the_last, peers_up),
		cmocka_unit_test_setup(inner_packet, peers_up),
		cmocka_unit_test_setup(shared_destination, peers_up),
		cmocka_unit_test_setup(quoted_ip4_header_is_ours, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
