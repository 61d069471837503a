/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/too_big.h: the errors byte for byte, and the packets that must not
 * be answered. */
#include "core.h"
#include "../../bpf/core/too_big.h"

/* 10.1.2.3 to 10.4.5.6, TOS 0xb9. */
static const struct iphdr four = {
	.version = 4, .ihl = 5, .tos = 0xb9, .ttl = 3, .protocol = 17};

static struct iphdr about4(const char *src, uint16_t frag_off)
{
	struct iphdr ip = four;

	ip.frag_off = htons(frag_off);
	inet_pton(AF_INET, src, &ip.saddr);
	inet_pton(AF_INET, "10.4.5.6", &ip.daddr);
	return ip;
}

static struct ipv6hdr about6(const char *src)
{
	struct ipv6hdr ip = {.version = 6, .nexthdr = 17, .hop_limit = 3};

	inet_pton(AF_INET6, src, &ip.saddr);
	inet_pton(AF_INET6, "fd00:4::6", &ip.daddr);
	return ip;
}

/* Writes n bytes to quote, the words 1, 2, 3...; returns their sum. */
static uint32_t quote(uint16_t *words, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n / 2; i++) {
		words[i] = htons(i + 1);
		sum += words[i];
	}
	return sum;
}

/* The one's complement sum of big-endian words (RFC 1071). */
static uint16_t sum_of(uint32_t sum, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i += 2) {
		sum += at[i] << 8 | at[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void error4(void **state)
{
	static const uint8_t want[28] = {
		0x45, 0xb8, 2,	52, 0, 0, 0x40, 0, 64, 1, 0, 0, 10, 4,
		5,    6,    10, 1,  2, 3, 3,	4, 0,  0, 0, 0, 5,  0xb4};
	struct iphdr about = about4("10.1.2.3", IP4_DF);
	uint16_t words[QUOTE4 / 2], check;
	struct too_big4 out;

	(void)state;
	memset(&out, 0xff, sizeof(out));
	build_too_big4(&out, &about, 1460, quote(words, QUOTE4));
	check = sum_of(0, &out.type, 8);
	assert_int_equal(sum_of(check, words, QUOTE4), 0xffff);
	assert_int_equal(sum_of(0, &out.ip, 20), 0xffff);
	out.check = out.ip.check = 0;
	assert_memory_equal(&out, want, sizeof(want));
}

static void error6(void **state)
{
	struct ipv6hdr about = about6("fd00:1::2");
	uint16_t words[QUOTE6 / 2];
	uint8_t want[48] = {0x60, 0, 0, 0, 4, 216, 58, 64};
	struct too_big6 out;
	uint32_t sum;

	(void)state;
	inet_pton(AF_INET6, "fd00:4::6", want + 8);
	inet_pton(AF_INET6, "fd00:1::2", want + 24);
	want[40] = 2;
	want[46] = 5;
	want[47] = 0xb4;
	memset(&out, 0xff, sizeof(out));
	build_too_big6(&out, &about, 1460, quote(words, QUOTE6));
	sum = sum_of(58 + 8 + QUOTE6, &out.ip.saddr, 32);
	sum = sum_of(sum, &out.type, 8);
	assert_int_equal(sum_of(sum, words, QUOTE6), 0xffff);
	out.check = 0;
	assert_memory_equal(&out, want, sizeof(want));
}

static void packets_that_are_answered(void **state)
{
	struct ipv6hdr six = about6("fd00:1::2");
	struct iphdr ip;

	(void)state;
	ip = about4("10.1.2.3", 0);
	assert_true(may_be_answered4(&ip));
	ip = about4("10.1.2.3", IP4_DF | IP4_MF);
	assert_true(may_be_answered4(&ip));
	assert_true(may_be_answered6(&six));
}

static void packets_that_are_not_answered(void **state)
{
	struct ipv6hdr six = about6("ff02::1");
	struct iphdr ip;

	(void)state;
	ip = about4("10.1.2.3", 1);
	assert_false(may_be_answered4(&ip));
	ip = about4("224.0.0.1", 0);
	assert_false(may_be_answered4(&ip));
	ip = about4("0.0.0.0", 0);
	assert_false(may_be_answered4(&ip));
	assert_false(may_be_answered6(&six));
	six = about6("::");
	assert_false(may_be_answered6(&six));
}

/* RFC 792, RFC 4443 2.1. */
static void types_of_errors(void **state)
{
	static const uint8_t errors4[] = {3, 4, 5, 11, 12};

	(void)state;
	for (int type = 0; type < 256; type++) {
		assert_int_equal(icmp_is_error(4, type),
				 memchr(errors4, type, 5) != NULL);
		assert_int_equal(icmp_is_error(6, type), type < 128);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error4),
		cmocka_unit_test(error6),
		cmocka_unit_test(packets_that_are_answered),
		cmocka_unit_test(packets_that_are_not_answered),
		cmocka_unit_test(types_of_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
