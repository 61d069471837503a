/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/mss.h: the place of the MSS option, and the MSS of an MTU. */
#include "core.h"
#include "../../bpf/core/mss.h"

static uint32_t find(const void *bytes, uint32_t len)
{
	uint8_t options[64] = {0};
	uint32_t at;
	uint8_t *copy;

	memcpy(options, bytes, len);
	copy = exact(options, sizeof(options));
	at = mss_find(copy, len);
	free(copy);
	return at;
}

static void found(void **state)
{
	(void)state;
	assert_int_equal(find("\2\4\5\xb4", 4), 2);
	assert_int_equal(find("\2\4\5\xb4\1", 5), 2);
	assert_int_equal(find("\1\2\4\5\xb4", 5), 3);
	assert_int_equal(find("\1\1\4\2\2\4\5\xb4", 8), 6);
	assert_int_equal(find("\3\3\7\2\4\5\xb4\1", 8), 5);
	/* an MSS option of the wrong length is skipped */
	assert_int_equal(find("\2\3\1\2\4\5\xb4\1", 8), 5);
}

static void found_at_every_offset(void **state)
{
	uint8_t options[40];

	(void)state;
	for (uint32_t at = 0; at <= 36; at++) {
		memset(options, TCP_OPTION_NOP, sizeof(options));
		memcpy(options + at, "\2\4\5\xb4", 4);
		assert_int_equal(find(options, 40), at + 2);
		assert_int_equal(find(options, at + 4), at + 2);
		assert_int_equal(find(options, at + 3), 0);
	}
}

static void not_found(void **state)
{
	(void)state;
	assert_int_equal(find("", 0), 0);
	assert_int_equal(find("\2\4\5", 3), 0);
	assert_int_equal(find("\0\2\4\5\xb4", 5), 0);
	assert_int_equal(find("\0\2\2\4\5\xb4\1\1", 8), 0);
	assert_int_equal(find("\4\2\1\1\1\1\1\1", 8), 0);
	assert_int_equal(find("\x8\0\2\4\5\xb4\1\1", 8), 0); /* length 0 */
	assert_int_equal(find("\x8\1\2\4\5\xb4\1\1", 8), 0); /* length 1 */
	assert_int_equal(find("\2\2\5\xb4\1\1\1\1", 8), 0);
}

/* A length that points behind the options ends the search. Here an offset of
 * eight bits would wrap around to 31, which has the bytes of an MSS option. */
static void lengths_do_not_wrap(void **state)
{
	uint8_t options[40];

	(void)state;
	memset(options, TCP_OPTION_NOP, sizeof(options));
	memcpy(options, "\x45\x20", 2);
	memcpy(options + 31, "\2\4\xff", 3);
	assert_int_equal(find(options, 40), 0);
}

static void mss_of_an_mtu(void **state)
{
	(void)state;
	assert_int_equal(mss_of_mtu(1480, 4), 1440);
	assert_int_equal(mss_of_mtu(1460, 6), 1400);
	assert_int_equal(mss_of_mtu(60, 6), 1);
	assert_int_equal(mss_of_mtu(0, 4), 1);
}

/* What is read ends with the flags. */
static void syn_or_unknown(void **state)
{
	uint8_t *tcp = malloc(TCP_FLAGS_END);

	(void)state;
	memset(tcp, 0xff, TCP_FLAGS_END);
	assert_true(may_be_syn(IPPROTO_TCP, tcp, tcp + TCP_FLAGS_END));
	tcp[13] = 0xff & ~TCP_FLAG_SYN;
	assert_false(may_be_syn(IPPROTO_TCP, tcp, tcp + TCP_FLAGS_END));
	assert_true(may_be_syn(IPPROTO_TCP, tcp, tcp + TCP_FLAGS_END - 1));
	assert_false(may_be_syn(IPPROTO_UDP, tcp, tcp));
	free(tcp);
}

static void a_lower_value(void **state)
{
	uint8_t options[65] = "\1\2\4\x23\0\1\1\1";
	struct mss_change mss;

	(void)state;
	assert_false(mss_exceeds(options, 8, 0x2300, &mss));
	assert_true(mss_exceeds(options, 8, 0x22ff, &mss));
	assert_int_equal(mss.at, 3);
	assert_int_equal(mss.from, htons(0x2300));
	assert_int_equal(mss.to, htons(0x22ff));
	/* At an odd offset the bytes are in the other halves of the words. */
	assert_int_equal(mss.csum_from, htons(0x0023));
	assert_int_equal(mss.csum_to, htons(0xff22));
	assert_true(mss_exceeds(options + 1, 7, 0x22ff, &mss));
	assert_int_equal(mss.at, 2);
	assert_int_equal(mss.csum_to, htons(0x22ff));
	assert_false(mss_exceeds(options, 4, 0, &mss));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(found_at_every_offset),
		cmocka_unit_test(not_found),
		cmocka_unit_test(lengths_do_not_wrap),
		cmocka_unit_test(mss_of_an_mtu),
		cmocka_unit_test(syn_or_unknown),
		cmocka_unit_test(a_lower_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
