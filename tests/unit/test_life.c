/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loader/watch/life.c: whether a peer is up, by keepalives and answers.
 *
 * Needs: loader/watch/life.c
 */
#include "core.h"

#undef fail /* of cmocka */
#include "watch/watch.h"

#define MS	  1000000ull
#define START	  (1000 * NS_PER_S)
#define KEEPALIVE 4 /* seconds; an answer has two */

/* Lets time pass until life_due() is due, and calls it. */
static bool next_due(struct life *l)
{
	return life_due(l, KEEPALIVE, l->due_ns);
}

/* A peer that has answered its first keepalive 10 ms after START. */
static struct life answered_once(void)
{
	struct life l = life_begin(LIFE_IDLE, START);

	assert_true(next_due(&l));
	life_answered(&l, 0, 10, START + 10 * MS);
	return l;
}

/* The same peer, silent, with others in its place. */
static struct life silent_again(void)
{
	struct life l = answered_once();

	while (l.state == LIFE_UP)
		next_due(&l);
	return l;
}

static void others_until_three_answers(void **state)
{
	struct life l = silent_again();

	(void)state;
	assert_true(life_needs_others(&l, false));
	for (int i = 0; i < 3; i++) {
		assert_true(life_needs_others(&l, true));
		assert_true(next_due(&l));
		life_answered(&l, l.sent - 1, 10, l.sent_ns);
		assert_int_equal(l.state, LIFE_UP);
		/* the answer's time is over */
		assert_false(next_due(&l));
	}
	assert_false(life_needs_others(&l, true));
}

static void others_also_between_losses(void **state)
{
	struct life l = silent_again();

	(void)state;
	for (int i = 0; i < 20; i++) {
		next_due(&l);
		if (i % 4 < 2)
			life_answered(&l, l.sent - 1, 10, l.sent_ns);
		next_due(&l);
		assert_true(life_needs_others(&l, true));
		assert_int_equal(life_needs_others(&l, false),
				 l.state == LIFE_SILENT);
	}
}

static void others_end_by_traffic_without_keepalives(void **state)
{
	struct life l = life_begin(LIFE_SILENT, START);

	(void)state;
	assert_true(life_needs_others(&l, true));
	life_heard(&l, START);
	assert_false(life_needs_others(&l, true));
	life_set(&l, LIFE_IDLE, START);
	assert_true(life_needs_others(&l, true));
	assert_false(life_needs_others(&l, false));
}

static void begins_by_asking(void **state)
{
	struct life l = life_begin(LIFE_IDLE, START);

	(void)state;
	assert_int_equal(l.due_ns, START);
	assert_true(l.rtt_ms < 0);
	assert_int_equal(life_loss(&l), 0);
	assert_true(next_due(&l));
	assert_int_equal(l.state, LIFE_IDLE);
	assert_int_equal(l.sent, 1);
	assert_int_equal(life_loss(&l), 0);
}

static void up_by_an_answer(void **state)
{
	struct life l = answered_once();

	(void)state;
	assert_int_equal(l.state, LIFE_UP);
	assert_int_equal(l.since_ns, START + 10 * MS);
	/* the answer's time is over, then the keepalive's */
	assert_int_equal(l.due_ns, START + 2 * NS_PER_S);
	assert_false(next_due(&l));
	assert_int_equal(l.due_ns, START + 4 * NS_PER_S);
	assert_true(next_due(&l));
	assert_int_equal(l.sent, 2);
	assert_int_equal(l.state, LIFE_UP);
}

static void up_by_other_packets(void **state)
{
	struct life l = life_begin(LIFE_IDLE, START);

	(void)state;
	next_due(&l);
	life_heard(&l, START + MS);
	assert_int_equal(l.state, LIFE_UP);
	assert_true(l.rtt_ms < 0);
	for (int i = 0; i < 10; i++) {
		next_due(&l);
		life_heard(&l, l.due_ns - MS);
	}
	assert_int_equal(l.state, LIFE_UP);
	assert_int_equal(l.missed, 0);
}

/* Heard at START; silent less than three keepalives later. */
static void silent_in_time(void **state)
{
	struct life l = answered_once();

	(void)state;
	assert_false(next_due(&l));
	assert_true(next_due(&l)); /* unanswered: 4 s */
	assert_true(next_due(&l)); /* 6 s */
	assert_true(next_due(&l)); /* 8 s */
	assert_int_equal(l.state, LIFE_UP);
	assert_int_equal(l.missed, 2);
	assert_int_equal(l.due_ns, START + 10 * NS_PER_S);
	assert_false(next_due(&l));
	assert_int_equal(l.state, LIFE_SILENT);
	assert_int_equal(l.since_ns, START + 10 * NS_PER_S);
	assert_true(10 < LIFE_MISSES * KEEPALIVE);
}

/* Asked at the usual pace. */
static void while_silent(void **state)
{
	struct life l = answered_once();
	uint64_t sent_ns;

	(void)state;
	for (int i = 0; i < 5; i++)
		next_due(&l);
	assert_int_equal(l.state, LIFE_SILENT);
	for (int i = 0; i < 3; i++) {
		sent_ns = l.sent_ns;
		assert_int_equal(l.due_ns, sent_ns + 4 * NS_PER_S);
		assert_true(next_due(&l));
		assert_false(next_due(&l));
		assert_int_equal(l.missed, LIFE_MISSES);
	}
	life_heard(&l, l.due_ns);
	assert_int_equal(l.state, LIFE_UP);
	assert_int_equal(l.missed, 0);
}

/* The time for an answer is not as long as a long keepalive is. */
static void long_keepalive(void **state)
{
	struct life l = life_begin(LIFE_IDLE, START);

	(void)state;
	assert_true(life_due(&l, 600, START));
	assert_int_equal(l.due_ns, START + 3 * NS_PER_S);
	life_heard(&l, START + MS);
	assert_false(life_due(&l, 600, l.due_ns));
	assert_int_equal(l.due_ns, START + 600 * NS_PER_S);
}

/* One that is lost now and then is no silence. */
static void lost_now_and_then(void **state)
{
	struct life l = answered_once();

	(void)state;
	for (int i = 0; i < 20; i++) {
		while (!next_due(&l))
			;
		if (i % 3 == 0)
			life_answered(&l, l.sent - 1, 10, l.sent_ns + MS);
		assert_int_equal(l.state, LIFE_UP);
	}
}

static void late_answers(void **state)
{
	struct life l = answered_once();

	(void)state;
	next_due(&l);
	assert_true(next_due(&l)); /* number 1 */
	assert_true(next_due(&l)); /* number 2 */
	assert_int_equal(life_loss(&l), 50);
	life_answered(&l, 1, 2500, l.sent_ns + MS);
	assert_int_equal(life_loss(&l), 0);
	assert_int_equal(l.missed, 0);
	/* too old to count, and numbers of eight bits */
	l.sent = 300;
	life_answered(&l, 0, 10, l.sent_ns + MS);
	assert_int_equal(l.answered, 3 << 1);
	life_answered(&l, (uint8_t)(299 - 31), 10, l.sent_ns + MS);
	assert_int_equal(l.answered, 3 << 1 | 1u << 31);
}

static void loss_of_the_last_ones(void **state)
{
	struct life l = life_begin(LIFE_IDLE, START);

	(void)state;
	for (int i = 0; i < 100; i++) {
		while (!next_due(&l))
			;
		if (i % 2 == 0)
			life_answered(&l, l.sent - 1, 10, l.sent_ns + MS);
	}
	/* of 31 that are over, 16 were answered */
	assert_true(l.open);
	assert_int_equal(life_loss(&l), 100 * 15 / 31);
	next_due(&l);
	for (int i = 0; i < 80; i++)
		next_due(&l);
	assert_int_equal(life_loss(&l), 100);
}

static void round_trip_time(void **state)
{
	struct life l = answered_once();

	(void)state;
	assert_true(l.rtt_ms == 10);
	life_answered(&l, 0, 18, START + 20 * MS);
	assert_true(l.rtt_ms == 11);
}

static void sets_a_state_once(void **state)
{
	struct life l = life_begin(LIFE_WAITING, START);

	(void)state;
	assert_false(life_set(&l, LIFE_WAITING, START + 1));
	assert_int_equal(l.since_ns, START);
	assert_true(life_set(&l, LIFE_IDLE, START + 2));
	assert_int_equal(l.since_ns, START + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_by_asking),
		cmocka_unit_test(others_until_three_answers),
		cmocka_unit_test(others_also_between_losses),
		cmocka_unit_test(others_end_by_traffic_without_keepalives),
		cmocka_unit_test(up_by_an_answer),
		cmocka_unit_test(up_by_other_packets),
		cmocka_unit_test(silent_in_time),
		cmocka_unit_test(while_silent),
		cmocka_unit_test(long_keepalive),
		cmocka_unit_test(lost_now_and_then),
		cmocka_unit_test(late_answers),
		cmocka_unit_test(loss_of_the_last_ones),
		cmocka_unit_test(round_trip_time),
		cmocka_unit_test(sets_a_state_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
