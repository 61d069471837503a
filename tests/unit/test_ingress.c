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

/* The slot of that peer on this CPU. */
static struct tl_traffic *slot_of(enum tl_traffic_kind kind, uint32_t peer)
{
	return &fake_traffic[traffic_slot(kind, peer)];
}

static void assert_slot(enum tl_traffic_kind kind, uint64_t packets,
			uint64_t last_ns)
{
	const struct tl_traffic *slot = slot_of(kind, 1);

	assert_int_equal(slot->peer, packets ? 1 : TL_PEER_NONE);
	assert_int_equal(slot->counter.packets, packets);
	assert_int_equal(slot->counter.bytes, 100 * packets);
	assert_int_equal(slot->last_ns, last_ns);
}

/* Tunnelled packets are counted in the peer's slots. */
static void traffic_is_counted_in_slots(void **state)
{
	const enum tl_verdict kinds[] = {TL_rx_decap, TL_tx_encap,
					 TL_rx_forward, TL_tx_forward};
	struct outcome o = {.peer = 1, .bytes = 100};

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	for (uint32_t i = 0; i < TL_TRAFFIC_KINDS; i++) {
		o.verdict = kinds[i];
		o.now_ns = 1000 * (i + 1);
		for (uint32_t n = 0; n <= i; n++)
			count_peer(&o);
		for (uint32_t kind = 0; kind < TL_TRAFFIC_KINDS; kind++)
			assert_slot(kind, kind <= i ? kind + 1 : 0,
				    kind <= i ? 1000 * (kind + 1) : 0);
	}
	o.now_ns = 0; /* the clock was not read */
	count_peer(&o);
	assert_slot(TL_TRAFFIC_tx_forward, 5, 4000);
	fake_cpu = 1; /* has slots of its own */
	fake_now = 6000;
	assert_slot(TL_TRAFFIC_tx_forward, 0, 0);
	count_peer(&o);
	assert_slot(TL_TRAFFIC_tx_forward, 1, 6000);
	fake_cpu = 0;
	assert_slot(TL_TRAFFIC_tx_forward, 5, 4000);
	assert_false(fake_stats[1][0].made);
}

/* A peer whose slot another one uses is counted in its row until that one is
 * idle for two seconds. */
static void a_slot_is_taken_over(void **state)
{
	const uint32_t other = 1 + TL_PEER_SLOTS;
	struct outcome o = {.verdict = TL_rx_decap,
			    .peer = 1,
			    .bytes = 100,
			    .now_ns = 5000};
	struct tl_peer_stats *stats = &fake_stats[1][0].value;
	struct tl_traffic *slot = slot_of(TL_TRAFFIC_rx_decap, 1);

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	slot->peer = other;
	slot->counter = (struct tl_counter){7, 700};
	slot->last_ns = 5000;
	fake_now = o.now_ns = 5000 + TL_TRAFFIC_IDLE_NS - 1;
	count_peer(&o);
	assert_true(slot->peer == other && slot->counter.packets == 7);
	assert_true(stats->verdicts.rx_decap.packets == 1 &&
		    stats->last_rx_ns == o.now_ns);
	stats->last_rx_ns = 0;
	count_time(1);
	assert_true(stats->last_rx_ns == fake_now && slot->last_ns == 5000);
	o.now_ns = 0;
	count_peer(&o);
	assert_true(stats->verdicts.rx_decap.packets == 2 &&
		    stats->last_rx_ns == fake_now && !stats->last_tx_ns);
	o.verdict = TL_tx_encap; /* has a slot of its own */
	o.now_ns = fake_now;
	count_peer(&o);
	assert_slot(TL_TRAFFIC_tx_encap, 1, fake_now);
	fake_now++; /* the other peer is gone, so its counters are, too */
	o.verdict = TL_rx_decap;
	o.now_ns = 0;
	count_peer(&o);
	/* The slot is in use from now on, though the packet has no time. */
	assert_slot(TL_TRAFFIC_rx_decap, 1, fake_now);
	assert_true(stats->verdicts.rx_decap.packets == 2);
}

/* The counters of a peer whose slot is taken go to its row. */
static void a_slot_is_emptied(enum tl_verdict verdict,
			      const struct tl_counter *counter,
			      const __u64 *last, const __u64 *other_last)
{
	const uint32_t other = 1 + TL_PEER_SLOTS;
	struct outcome o = {.verdict = verdict, .peer = 1, .bytes = 100};
	struct tl_traffic *slot = slot_of(traffic_kind(verdict), 1);

	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	fake_now = o.now_ns = 2 * TL_TRAFFIC_IDLE_NS;
	slot->peer = other;
	slot->last_ns = fake_now;
	count_peer(&o);
	assert_true(counter->packets == 1 && *last == fake_now);
	*slot = (struct tl_traffic){
		.peer = 1, .counter = {3, 30}, .last_ns = fake_now + 10};
	fake_now += 2 * TL_TRAFFIC_IDLE_NS;
	assert_true(traffic_of(other, verdict) == slot);
	assert_true(slot->peer == other && !slot->counter.packets &&
		    slot->last_ns == fake_now);
	assert_true(counter->packets == 4 && counter->bytes == 130);
	assert_true(*last == o.now_ns + 10 && !*other_last);
	slot->peer = 1;
	slot->last_ns = 1; /* older than the row */
	assert_non_null(traffic_of(other, verdict));
	assert_true(*last == o.now_ns + 10);
}

static void slots_are_emptied(void **state)
{
	const struct tl_peer_stats *stats = &fake_stats[1][0].value;
	const struct tl_verdicts *v = &stats->verdicts;
	const __u64 *rx = &stats->last_rx_ns, *tx = &stats->last_tx_ns;

	(void)state;
	a_slot_is_emptied(TL_rx_decap, &v->rx_decap, rx, tx);
	a_slot_is_emptied(TL_tx_encap, &v->tx_encap, tx, rx);
	a_slot_is_emptied(TL_rx_forward, &v->rx_forward, rx, tx);
	a_slot_is_emptied(TL_tx_forward, &v->tx_forward, tx, rx);
}

/* Fails unless both counters have one packet of 100 bytes, and none after it
 * was taken back. */
static void assert_uncounts(enum tl_verdict verdict,
			    const struct tl_counter *of_interface,
			    const struct tl_counter *of_peer)
{
	const struct outcome o = {.verdict = verdict, .peer = 1, .bytes = 100};

	count_ahead(&o);
	assert_true(of_interface->packets == 1 && of_interface->bytes == 100);
	assert_true(of_peer->packets == 1 && of_peer->bytes == 100);
	uncount(verdict, 1, 100);
	assert_true(of_interface->packets == 0 && of_interface->bytes == 0);
	assert_true(of_peer->packets == 0 && of_peer->bytes == 0);
}

/* What the kernel refuses to change is taken back where it was counted: in the
 * slot of its peer or, if another peer uses that, in its row. */
static void a_packet_is_taken_back(void **state)
{
	struct tl_verdicts *row = &fake_stats[1][0].value.verdicts;
	struct tl_traffic *rx = slot_of(TL_TRAFFIC_rx_decap, 1),
			  *tx = slot_of(TL_TRAFFIC_tx_encap, 1);

	(void)state;
	memset(fake_stats, 0, sizeof(fake_stats));
	memset(fake_traffic, 0, sizeof(fake_traffic));
	memset(&fake_verdicts, 0, sizeof(fake_verdicts));
	assert_uncounts(TL_rx_decap, &fake_verdicts.rx_decap, &rx->counter);
	assert_uncounts(TL_tx_encap, &fake_verdicts.tx_encap, &tx->counter);
	assert_true(!fake_stats[1][0].made);
	rx->peer = tx->peer = 1 + TL_PEER_SLOTS;
	assert_uncounts(TL_rx_decap, &fake_verdicts.rx_decap, &row->rx_decap);
	assert_uncounts(TL_tx_encap, &fake_verdicts.tx_encap, &row->tx_encap);
	assert_true(rx->peer == 1 + TL_PEER_SLOTS && rx->peer == tx->peer);
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
		cmocka_unit_test_setup(slots_are_emptied, peers_up),
		cmocka_unit_test_setup(a_packet_is_taken_back, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
