// SPDX-License-Identifier: GPL-2.0-only
/* pcapng blocks, byte for byte, and what follows from a packet's records.
 * Needs: loader/capture/pcapng.c loader/capture/verdict.c
 */
#include "core.h"
#undef fail
#include "../../loader/capture/capture.h"

#define WORD(x) (x) & 0xff, (x) >> 8 & 0xff, (x) >> 16 & 0xff, (x) >> 24

static struct {
	char *bytes;
	size_t len;
	FILE *stream;
} out;

static FILE *start(void)
{
	out.stream = open_memstream(&out.bytes, &out.len);
	assert_non_null(out.stream);
	return out.stream;
}

static void end_is(const void *expected, size_t len)
{
	assert_int_equal(fclose(out.stream), 0);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.bytes, expected, len);
	free(out.bytes);
}

/* The words of the draft's figures; hosts of these tests are little endian. */
static void frame_block(void **state)
{
	const struct pcapng_frame frame = {
		.side = TL_INNER,
		.inbound = true,
		.time_ns = 0x1122334455667788,
		.len = 70,
		.caught = 5,
		.data = "abcde",
		.comment = "c",
	};
	const uint8_t expected[] = {WORD(6u),
				    WORD(60u),
				    WORD(1u),
				    WORD(0x11223344u),
				    WORD(0x55667788u),
				    WORD(5u),
				    WORD(70u),
				    'a',
				    'b',
				    'c',
				    'd',
				    'e',
				    0,
				    0,
				    0,
				    1,
				    0,
				    1,
				    0,
				    'c',
				    0,
				    0,
				    0,
				    2,
				    0,
				    4,
				    0,
				    WORD(1u),
				    WORD(0u),
				    WORD(60u)};

	(void)state;
	pcapng_frame(start(), &frame);
	end_is(expected, sizeof(expected));
}

static void statistics_block(void **state)
{
	const struct pcapng_counts c = {1, 0x200000003, 4, 5};
	const uint8_t expected[] = {
		WORD(5u), WORD(76u), WORD(0u), WORD(2u), WORD(3u), 2, 0,
		8,	  0,	     WORD(0u), WORD(1u), 3,	   0, 8,
		0,	  WORD(2u),  WORD(3u), 4,	 0,	   8, 0,
		WORD(4u), WORD(0u),  5,	       0,	 8,	   0, WORD(5u),
		WORD(0u), WORD(0u),  WORD(76u)};

	(void)state;
	pcapng_counts(start(), TL_OUTER, &c);
	end_is(expected, sizeof(expected));
}

static enum tl_verdict of(enum tl_traced traced, int action, uint32_t entered,
			  uint32_t left, uint32_t flags)
{
	const struct tl_captured end = {
		.traced = traced,
		.action = action,
		.entered = entered,
		.left = left,
		.flags = flags,
		.verdict = TL_UNTOLD,
		.peer = 7,
	};

	return captured_verdict(&end);
}

/* XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT: 1 to 4. */
static void verdicts_of_xdp(void **state)
{
	const uint32_t moved = TL_CAPTURED_F_NEW_MAC;

	(void)state;
	assert_int_equal(of(TL_TRACED_XDP, 1, 9, 9, 0), TL_rx_error);
	assert_int_equal(of(TL_TRACED_XDP, 2, 9, 8, 0), TL_rx_decap);
	assert_int_equal(of(TL_TRACED_XDP, 4, 9, 8, 0), TL_rx_decap);
	assert_int_equal(of(TL_TRACED_XDP, 4, 9, 8, moved), TL_rx_forward);
	assert_int_equal(of(TL_TRACED_XDP, 3, 8, 9, moved), TL_tx_forward);
	assert_int_equal(of(TL_TRACED_XDP, 4, 8, 9, moved), TL_tx_forward);
}

/* TC_ACT_UNSPEC: -1, TC_ACT_REDIRECT: 7. */
static void verdicts_of_tc(void **state)
{
	struct tl_captured told = {.verdict = TL_rx_ecn};
	struct tl_captured second = {.traced = TL_TRACED_EGRESS,
				     .flags = TL_CAPTURED_F_SECOND,
				     .verdict = TL_UNTOLD};

	(void)state;
	assert_int_equal(captured_verdict(&told), TL_rx_ecn);
	assert_int_equal(of(TL_TRACED_INGRESS, -1, 9, 8, 0), TL_rx_decap);
	assert_int_equal(of(TL_TRACED_EGRESS, -1, 8, 9, 0), TL_tx_encap);
	assert_int_equal(of(TL_TRACED_EGRESS, 7, 8, 9, 0), TL_tx_encap);
	assert_int_equal(of(TL_TRACED_EGRESS, 7, 8, 8, 0), TL_tx_tunnelled);
	assert_int_equal(of(TL_TRACED_EGRESS, 7, 8, 8, TL_CAPTURED_F_FRAGMENTS),
			 TL_tx_fragmented);
	assert_int_equal(captured_verdict(&second), TL_tx_tunnelled);
	second.peer = 7;
	assert_int_equal(captured_verdict(&second), TL_tx_encap);
}

/* A frame with a tag, 192.0.2.1 to 192.0.2.2; protocol 4. */
static const uint8_t tagged[] = {
	2, 0, 0,  0, 0, 1, 2, 0,  0, 0, 0, 2,	0x81, 0, 0, 7,	 8, 0, 0x45,
	0, 0, 40, 0, 0, 0, 0, 64, 4, 0, 0, 192, 0,    2, 1, 192, 0, 2, 2};

static void addresses(void **state)
{
	struct tl_endpoint key;
	const uint8_t *endpoint = tagged + sizeof(tagged) - 8;

	(void)state;
	assert_true(captured_addresses(tagged, sizeof(tagged), true, &key));
	assert_int_equal(key.family, 4);
	assert_memory_equal(key.endpoint, endpoint, 4);
	assert_memory_equal(key.local, endpoint + 4, 4);
	assert_true(captured_addresses(tagged, sizeof(tagged), false, &key));
	assert_memory_equal(key.endpoint, endpoint + 4, 4);
	assert_memory_equal(key.local, endpoint, 4);
}

/* Each is in memory of its own length, which the sanitizers watch. */
static void addresses_that_are_cut_off(void **state)
{
	struct tl_endpoint key;

	(void)state;
	for (size_t len = 0; len < sizeof(tagged); len++) {
		uint8_t *frame = malloc(len + 1);

		assert_non_null(frame);
		memcpy(frame, tagged, len);
		assert_false(captured_addresses(frame, len, true, &key));
		free(frame);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_block),
		cmocka_unit_test(statistics_block),
		cmocka_unit_test(verdicts_of_xdp),
		cmocka_unit_test(verdicts_of_tc),
		cmocka_unit_test(addresses),
		cmocka_unit_test(addresses_that_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
