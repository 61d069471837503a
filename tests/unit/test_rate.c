/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/record/rate.h: how many packets get through, at which times. */
#include "fake_maps.h"
#include "../../bpf/record/rate.h"

#define SECOND 1000000000ULL

static int start(void **state)
{
	(void)state;
	memset(fake_rates, 0, sizeof(fake_rates));
	return 0;
}

/* How many of n packets at that time get through. */
static uint32_t through(uint32_t peer, uint32_t rate, uint32_t n, uint64_t now)
{
	uint32_t passed = 0;

	while (n--)
		passed += !rate_exceeded(peer, rate, 1, now);
	return passed;
}

static void burst(void **state)
{
	(void)state;
	assert_int_equal(through(1, 10, 1000, SECOND), 16);
	/* A tenth of a second's worth, if that is more. */
	assert_int_equal(through(2, 10000, 5000, SECOND), 1000);
	assert_int_equal(through(3, 1000000000, 100, SECOND), 100);
}

static void rate_afterwards(void **state)
{
	uint64_t now = SECOND;

	(void)state;
	through(1, 1000, 1000, now);
	assert_int_equal(through(1, 1000, 1000, now + SECOND / 1000), 1);
	now += SECOND / 1000;
	assert_int_equal(through(1, 1000, 1000, now + SECOND / 100), 10);
	/* An idle time gives no more than the burst. */
	assert_int_equal(through(1, 1000, 1000, now + 100 * SECOND), 100);
}

static void long_run(void **state)
{
	uint32_t passed = 0;

	(void)state;
	for (uint64_t ms = 0; ms < 10000; ms++)
		passed += through(1, 500, 3, SECOND + ms * (SECOND / 1000));
	assert_in_range(passed, 5000, 5050);
}

static void peers_apart(void **state)
{
	(void)state;
	assert_int_equal(through(1, 10, 100, SECOND), 16);
	assert_int_equal(through(2, 10, 100, SECOND), 16);
}

/* A super-packet counts as its segments, and passes whole or not at all. */
static void segments(void **state)
{
	(void)state;
	assert_false(rate_exceeded(1, 10, 10, SECOND));
	assert_true(rate_exceeded(1, 10, 10, SECOND));
	assert_int_equal(through(1, 10, 100, SECOND), 6);
	assert_true(rate_exceeded(2, 10, 17, SECOND));
}

/* A clock that is behind what other CPUs have written. */
static void earlier(void **state)
{
	(void)state;
	assert_int_equal(through(1, 1000, 50, SECOND), 50);
	assert_int_equal(through(1, 1000, 1000, SECOND - SECOND / 100), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(burst, start),
		cmocka_unit_test_setup(rate_afterwards, start),
		cmocka_unit_test_setup(long_run, start),
		cmocka_unit_test_setup(peers_apart, start),
		cmocka_unit_test_setup(segments, start),
		cmocka_unit_test_setup(earlier, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
