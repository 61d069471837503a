/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loader/tunnel/state.c: the state of a peer.
 *
 * Needs: loader/tunnel/state.c
 */
#include "core.h"

#undef fail /* of cmocka */
#include "tunnel/tunnel.h"

#define NOW_S 100000

/* The state of a peer that was received from and sent to so many seconds ago;
 * -1: never. */
static enum peer_state state_of(uint32_t keepalive, int64_t rx_s, int64_t tx_s)
{
	struct peer p = {.keepalive = keepalive};
	struct tl_peer_stats stats = {
		.last_rx_ns = rx_s < 0 ? 0 : (NOW_S - rx_s) * NS_PER_S,
		.last_tx_ns = tx_s < 0 ? 0 : (NOW_S - tx_s) * NS_PER_S,
	};

	return peer_state(&p, &stats, NOW_S * NS_PER_S);
}

static void waits(void **state)
{
	struct peer p = {.waiting = "no address"};
	struct tl_peer_stats stats = {.last_rx_ns = NOW_S * NS_PER_S};

	(void)state;
	assert_int_equal(peer_state(&p, &stats, NOW_S * NS_PER_S),
			 PEER_WAITING);
}

static void never_received(void **state)
{
	(void)state;
	assert_int_equal(state_of(25, -1, -1), PEER_IDLE);
	assert_int_equal(state_of(25, -1, 0), PEER_NO_ANSWER);
	assert_int_equal(state_of(25, -1, 90000), PEER_NO_ANSWER);
}

static void received(void **state)
{
	(void)state;
	assert_int_equal(state_of(25, 0, -1), PEER_UP);
	assert_int_equal(state_of(25, 125, 0), PEER_UP);
	assert_int_equal(state_of(25, 126, 0), PEER_SILENT);
	/* a shorter keepalive has no effect, 0 is none */
	assert_int_equal(state_of(5, 125, 0), PEER_UP);
	assert_int_equal(state_of(0, 125, 0), PEER_UP);
	assert_int_equal(state_of(0, 126, 0), PEER_SILENT);
	assert_int_equal(state_of(60, 300, 0), PEER_UP);
	assert_int_equal(state_of(60, 301, 0), PEER_SILENT);
}

static void later_than_the_clock(void **state)
{
	struct peer p = {.keepalive = 25};
	struct tl_peer_stats stats = {.last_rx_ns = NOW_S * NS_PER_S + 1};

	(void)state;
	assert_int_equal(peer_state(&p, &stats, NOW_S * NS_PER_S), PEER_UP);
}

static void unanswered(void **state)
{
	(void)state;
	/* the last word was theirs, or ours a moment later */
	assert_int_equal(state_of(0, 1000, 1001), PEER_IDLE);
	assert_int_equal(state_of(0, 1000, -1), PEER_IDLE);
	assert_int_equal(state_of(0, 1000, 940), PEER_IDLE);
	assert_int_equal(state_of(0, 1000, 939), PEER_SILENT);
}

static void trouble(void **state)
{
	(void)state;
	assert_true(is_trouble(PEER_WAITING) && is_trouble(PEER_NO_ANSWER) &&
		    is_trouble(PEER_SILENT));
	assert_false(is_trouble(PEER_IDLE) || is_trouble(PEER_UP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits),
		cmocka_unit_test(never_received),
		cmocka_unit_test(received),
		cmocka_unit_test(later_than_the_clock),
		cmocka_unit_test(unanswered),
		cmocka_unit_test(trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
