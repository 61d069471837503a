/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/ingress.h: packets that are readable in part only, and packets
 * over 64 KiB; bpf/record/limit.h and bpf/record/count.h. tests/packets/ has
 * the other cases. */
#include "fake_maps.h"
#include "../../bpf/decide/ingress.h"
#include "../../bpf/record/limit.h"

static int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	fake_add(1, "198.51.100.1", "192.0.2.10", 1480);
	return 0;
}

/* TL_LIMIT_A_WINDOW are allowed in each window of a tenth of a second. */
static void limit_of_a_window(void **state)
{
	uint64_t now = 5 * TL_LIMIT_WINDOW_NS;

	(void)state;
	for (int window = 0; window < 2; window++) {
		for (int i = 0; i < TL_LIMIT_A_WINDOW; i++)
			assert_true(within_limit(TL_LIMIT_ICMP, now));
		assert_false(within_limit(TL_LIMIT_ICMP, now));
		now += TL_LIMIT_WINDOW_NS;
		assert_false(within_limit(TL_LIMIT_ICMP, now));
		now++;
	}
	assert_true(within_limit(TL_LIMIT_EVENTS, now));
}

/* The verdict for a 4in4 packet of len bytes, of which n can be read. *_says:
 * the total lengths in its headers. */
static enum tl_verdict arrive4in4(size_t n, uint32_t len, uint16_t outer_says,
				  uint16_t inner_says, struct rx *rx)
{
	uint8_t bytes[40], *at;
	enum tl_verdict verdict;
	struct iphdr outer;
	struct view view;

	put_ip4(bytes, 4, "198.51.100.1", "192.0.2.10", outer_says);
	put_ip4(bytes + 20, 17, "10.1.0.9", "172.22.2.2", inner_says);
	memcpy(&outer, bytes, sizeof(outer));
	outer.check = ~csum_fold(csum_ip4(&outer));
	memcpy(bytes, &outer, sizeof(outer));
	at = exact(bytes, n);
	view = (struct view){
		.at = at, .end = at + n, .len = len, .whole = len <= n};
	memset(rx, 0, sizeof(*rx));
	verdict = ingress(&view, htons(ETH_P_IP), rx);
	free(at);
	return verdict;
}

/* NEED_MORE is returned if the packet has more bytes than are readable. */
static void more_is_needed(void **state)
{
	struct rx rx;

	(void)state;
	assert_int_equal(arrive4in4(40, 1500, 1500, 1480, &rx), PASSED);
	assert_int_equal(rx.outcome.bytes, 1480);
	for (size_t n = 1; n < 40; n++) {
		assert_int_equal(arrive4in4(n, 1500, 1500, 1480, &rx),
				 NEED_MORE);
		assert_int_equal(rx.fallback,
				 n < 20 ? TL_rx_plain : TL_rx_error);
	}
	for (size_t n = 20; n < 40; n++)
		assert_int_equal(arrive4in4(n, n, n, 20, &rx), TL_rx_bad_inner);
	for (size_t n = 1; n < 20; n++)
		assert_int_equal(arrive4in4(n, n, n, 20, &rx), TL_rx_plain);
}

/* A packet with IPv4 options that cannot be read is dropped, as it cannot be
 * checked. */
static void options_out_of_reach(void **state)
{
	uint8_t bytes[20], *at;
	struct rx rx = {};
	struct view view;

	(void)state;
	put_ip4(bytes, 17, "203.0.113.9", "192.0.2.10", 1500);
	bytes[0] = 0x46;
	at = exact(bytes, 20);
	view = (struct view){.at = at, .end = at + 20, .len = 1500};
	assert_int_equal(ingress(&view, htons(ETH_P_IP), &rx), NEED_MORE);
	assert_int_equal(rx.fallback, TL_rx_error);
	free(at);
}

/* Length 0 in the outer header is valid for a packet over 64 KiB only. */
static void super_packets(void **state)
{
	struct rx rx;

	(void)state;
	assert_int_equal(arrive4in4(40, 0x10000, 0, 0xffec, &rx), PASSED);
	assert_int_equal(arrive4in4(40, 0xffff, 0, 0xffeb, &rx),
			 TL_rx_bad_outer);
	assert_int_equal(arrive4in4(40, 0xffff, 0xffff, 0xffeb, &rx), PASSED);
	assert_int_equal(arrive4in4(40, 0x10000, 0xffff, 0xffeb, &rx), PASSED);
}

/* A peer's counters on a CPU are made at its first packet there, and kept; an
 * absent peer gets none. */
static void rows_of_counters(void **state)
{
	struct tl_peer_stats *here, *there;

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	here = peer_stats_of(1);
	assert_non_null(here);
	here->last_rx_ns = 7;
	fake_cpu = 1;
	there = peer_stats_of(1);
	assert_non_null(there);
	assert_ptr_not_equal(here, there);
	assert_true(there->last_rx_ns == 0);
	fake_cpu = 0;
	assert_ptr_equal(peer_stats_of(1), here);
	assert_true(here->last_rx_ns == 7);
	assert_null(peer_stats_of(2));
	assert_false(fake_stats[2][0].made);
}

static void verdicts_are_counted_for_peers(void **state)
{
	struct outcome o = {
		.verdict = TL_rx_ecn, .peer = 1, .bytes = 100, .now_ns = 1000};
	struct tl_peer_stats *stats = &fake_stats[1][0].value;

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	count_peer(&o);
	assert_true(stats->verdicts.rx_ecn.packets == 1);
	assert_true(stats->verdicts.rx_ecn.bytes == 100);
	assert_true(stats->last_rx_ns == 0 && stats->last_tx_ns == 0);
	o.peer = 2;
	count_peer(&o);
	assert_false(fake_stats[2][0].made);
}

/* Tunnelled packets are counted in the peer's slot. */
static void traffic_is_counted_in_slots(void **state)
{
	struct outcome o = {.verdict = TL_rx_decap,
			    .peer = 1,
			    .bytes = 100,
			    .now_ns = 1000};
	struct tl_traffic *slot = &fake_traffic[1];

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	count_peer(&o);
	assert_true(slot->peer == 1 && slot->rx_decap.packets == 1 &&
		    slot->rx_decap.bytes == 100 && slot->last_rx_ns == 1000);
	assert_true(slot->tx_encap.packets == 0 && slot->last_tx_ns == 0);
	o.verdict = TL_tx_encap;
	o.now_ns = 2000;
	count_peer(&o);
	count_peer(&o);
	assert_true(slot->rx_decap.packets == 1 && slot->last_rx_ns == 1000);
	assert_true(slot->tx_encap.packets == 2 &&
		    slot->tx_encap.bytes == 200 && slot->last_tx_ns == 2000);
	o.verdict = TL_rx_forward;
	o.now_ns = 3000;
	count_peer(&o);
	assert_true(slot->rx_forward.packets == 1 &&
		    slot->rx_forward.bytes == 100 && slot->last_rx_ns == 3000);
	assert_true(slot->rx_decap.packets == 1 && slot->last_tx_ns == 2000);
	o.verdict = TL_tx_forward;
	o.now_ns = 4000;
	count_peer(&o);
	assert_true(slot->tx_forward.packets == 1 &&
		    slot->tx_forward.bytes == 100 && slot->last_tx_ns == 4000);
	assert_true(slot->rx_forward.packets == 1 && slot->last_rx_ns == 3000);
	o.now_ns = 0; /* the clock was not read */
	count_peer(&o);
	assert_true(slot->tx_forward.packets == 2 && slot->last_tx_ns == 4000);
	fake_cpu = 1; /* has slots of its own */
	count_peer(&o);
	fake_cpu = 0;
	assert_true(slot->tx_forward.packets == 2);
	assert_true(slot[TL_PEER_SLOTS].peer == 1 &&
		    slot[TL_PEER_SLOTS].tx_forward.packets == 1);
	assert_false(fake_stats[1][0].made);
}

/* A peer whose slot another one uses is counted in its row until that one is
 * idle for two seconds, whose counters then go to its row. */
static void a_slot_is_taken_over(void **state)
{
	const uint32_t other = 1 + TL_PEER_SLOTS;
	struct outcome o = {.verdict = TL_rx_decap,
			    .peer = 1,
			    .bytes = 100,
			    .now_ns = 5000};
	struct tl_peer_stats *stats = &fake_stats[1][0].value;
	struct tl_traffic *slot = &fake_traffic[1];

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	slot->peer = other;
	slot->tx_encap = (struct tl_counter){7, 700};
	slot->last_tx_ns = 5000;
	fake_now = o.now_ns = 5000 + TL_TRAFFIC_IDLE_NS - 1;
	count_peer(&o);
	assert_true(slot->peer == other);
	assert_true(stats->verdicts.rx_decap.packets == 1 &&
		    stats->last_rx_ns == o.now_ns);
	stats->last_rx_ns = 0;
	count_time(1);
	assert_true(stats->last_rx_ns == fake_now && slot->last_rx_ns == 0);
	o.verdict = TL_tx_encap;
	count_peer(&o);
	assert_true(stats->verdicts.tx_encap.packets == 1 &&
		    stats->last_tx_ns == o.now_ns);
	o.now_ns = 0;
	count_peer(&o);
	assert_true(stats->verdicts.tx_encap.packets == 2 &&
		    stats->last_tx_ns == fake_now);
	slot->last_rx_ns = 5001; /* it has received, too */
	fake_now++;
	count_peer(&o);
	assert_true(slot->peer == other);
	fake_now++; /* the other peer is gone, so its counters are, too */
	count_peer(&o);
	assert_true(slot->peer == 1 && slot->tx_encap.packets == 1 &&
		    slot->rx_decap.packets == 0);
	/* The slot is in use from now on, though the packet has no time. */
	assert_true(slot->last_tx_ns == fake_now && slot->last_rx_ns == 0);
	o.now_ns = fake_now;
	assert_true(stats->verdicts.tx_encap.packets == 3);
}

/* The counters of a peer whose slot is taken go to its row. */
static void a_slot_is_emptied(void **state)
{
	const uint32_t other = 1 + TL_PEER_SLOTS;
	struct outcome o = {.verdict = TL_rx_forward,
			    .peer = 1,
			    .bytes = 100,
			    .now_ns = 5000};
	struct tl_peer_stats *stats = &fake_stats[1][0].value;
	struct tl_traffic *slot = &fake_traffic[1];

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	fake_now = o.now_ns;
	slot->peer = other;
	slot->last_tx_ns = o.now_ns;
	count_peer(&o);
	assert_true(stats->verdicts.rx_forward.packets == 1 &&
		    stats->last_rx_ns == o.now_ns);
	slot->peer = 1;

	stats->verdicts.rx_decap = (struct tl_counter){1, 100};
	slot->rx_decap = (struct tl_counter){3, 30};
	slot->tx_encap = (struct tl_counter){2, 20};
	slot->rx_forward = (struct tl_counter){4, 40};
	slot->tx_forward = (struct tl_counter){5, 50};
	slot->last_rx_ns = o.now_ns + 10;
	fake_now += 2 * TL_TRAFFIC_IDLE_NS;
	assert_true(traffic_of(other, true) == slot);
	assert_true(slot->peer == other && slot->rx_decap.packets == 0);
	assert_true(stats->verdicts.rx_decap.packets == 4 &&
		    stats->verdicts.rx_decap.bytes == 130 &&
		    stats->verdicts.rx_forward.packets == 5 &&
		    stats->verdicts.rx_forward.bytes == 140 &&
		    stats->verdicts.tx_forward.packets == 5 &&
		    stats->verdicts.tx_forward.bytes == 50 &&
		    stats->verdicts.tx_encap.packets == 2 &&
		    stats->verdicts.tx_encap.bytes == 20 &&
		    stats->last_rx_ns == o.now_ns + 10 &&
		    stats->last_tx_ns == o.now_ns);
	slot->peer = 1;
	slot->last_rx_ns = slot->last_tx_ns = 1; /* older than the row */
	assert_non_null(traffic_of(other, true));
	assert_true(stats->last_rx_ns == o.now_ns + 10 &&
		    stats->last_tx_ns == o.now_ns);
}

/* Fails unless both counters have one packet of 100 bytes, and none after it
 * was taken back. */
static void assert_uncounts(bool is_rx, const struct tl_counter *of_interface,
			    const struct tl_counter *of_peer)
{
	const struct outcome o = {.verdict = is_rx ? TL_rx_decap : TL_tx_encap,
				  .peer = 1,
				  .bytes = 100};

	count_ahead(&o);
	assert_true(of_interface->packets == 1 && of_interface->bytes == 100);
	assert_true(of_peer->packets == 1 && of_peer->bytes == 100);
	uncount(is_rx, 1, 100);
	assert_true(of_interface->packets == 0 && of_interface->bytes == 0);
	assert_true(of_peer->packets == 0 && of_peer->bytes == 0);
}

/* What the kernel refuses to change is taken back where it was counted: in the
 * slot of its peer or, if another peer uses that, in its row. */
static void a_packet_is_taken_back(void **state)
{
	struct tl_peer_stats *stats = &fake_stats[1][0].value;
	struct tl_traffic *slot = &fake_traffic[1];

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	memset(&fake_verdicts, 0, sizeof(fake_verdicts));
	assert_uncounts(true, &fake_verdicts.rx_decap, &slot->rx_decap);
	assert_uncounts(false, &fake_verdicts.tx_encap, &slot->tx_encap);
	assert_true(!fake_stats[1][0].made);
	slot->peer = 1 + TL_PEER_SLOTS;
	assert_uncounts(true, &fake_verdicts.rx_decap,
			&stats->verdicts.rx_decap);
	assert_uncounts(false, &fake_verdicts.tx_encap,
			&stats->verdicts.tx_encap);
	assert_true(slot->peer == 1 + TL_PEER_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(limit_of_a_window, peers_up),
		cmocka_unit_test_setup(more_is_needed, peers_up),
		cmocka_unit_test_setup(options_out_of_reach, peers_up),
		cmocka_unit_test_setup(super_packets, peers_up),
		cmocka_unit_test_setup(rows_of_counters, peers_up),
		cmocka_unit_test_setup(verdicts_are_counted_for_peers,
				       peers_up),
		cmocka_unit_test_setup(traffic_is_counted_in_slots, peers_up),
		cmocka_unit_test_setup(a_slot_is_taken_over, peers_up),
		cmocka_unit_test_setup(a_slot_is_emptied, peers_up),
		cmocka_unit_test_setup(a_packet_is_taken_back, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
