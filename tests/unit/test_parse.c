/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/parse.h. Every packet is on the heap with nothing behind it, so that
 * the sanitizer sees a read past its end. */
#include "core.h"
#include "../../bpf/core/parse.h"

static const uint8_t ip4[24] = {0x46, 0xb8, 0, 60, 1,  2, 0x40, 0, 7, 41, 0, 0,
				10,   1,    2, 3,  10, 4, 5,	6, 1, 1,  1, 0};

static enum parse_result parse(const void *bytes, size_t n, struct ip_info *ip)
{
	uint8_t *at = exact(bytes, n);
	enum parse_result result;

	memset(ip, 0, sizeof(*ip));
	if (n && at[0] >> 4 == 4)
		result = parse_ip4(at, at + n, ip);
	else
		result = parse_ip6(at, at + n, ip);
	if (ip->src)
		ip->src = (void *)((uint8_t *)ip->src - at);
	free(at);
	return result;
}

static void ip4_with_options(void **state)
{
	struct ip_info ip;

	(void)state;
	assert_int_equal(parse(ip4, sizeof(ip4), &ip), PARSE_OK);
	assert_int_equal(ip.family, 4);
	assert_int_equal(ip.proto, 41);
	assert_int_equal(ip.tos, 0xb8);
	assert_int_equal(ip.hlen, 24);
	assert_int_equal(ip.tot_len, 60);
	assert_false(ip.fragment);
	assert_ptr_equal(ip.src, (void *)12);
}

static void ip4_cut_at_every_byte(void **state)
{
	struct ip_info ip;

	(void)state;
	for (size_t n = 1; n < sizeof(ip4); n++) {
		assert_int_equal(parse(ip4, n, &ip), PARSE_SHORT);
		assert_int_equal(ip.family, n < 20 ? 0 : 4);
	}
}

static void ip4_fragments(void **state)
{
	static const uint8_t fields[][2] = {
		{0x20, 0}, {0x60, 0}, {0x00, 1}, {0x1f, 0xff}, {0x20, 7}};
	uint8_t bytes[24];
	struct ip_info ip;

	(void)state;
	memcpy(bytes, ip4, sizeof(bytes));
	for (size_t i = 0; i < sizeof(fields) / 2; i++) {
		memcpy(bytes + 6, fields[i], 2);
		assert_int_equal(parse(bytes, 24, &ip), PARSE_OK);
		assert_true(ip.fragment);
	}
	bytes[6] = 0x80; /* the reserved bit makes no fragment */
	bytes[7] = 0;
	assert_int_equal(parse(bytes, 24, &ip), PARSE_OK);
	assert_false(ip.fragment);
}

static void ip4_malformed(void **state)
{
	uint8_t bytes[24];
	struct ip_info ip;

	(void)state;
	memcpy(bytes, ip4, sizeof(bytes));
	for (int ihl = 0; ihl < 5; ihl++) {
		bytes[0] = 0x40 | ihl;
		assert_int_equal(parse(bytes, 24, &ip), PARSE_MALFORMED);
	}
	bytes[0] = 0x56;
	assert_int_equal(parse_ip4(bytes, bytes + 24, &ip), PARSE_MALFORMED);
	assert_int_equal(parse_ip6(bytes, bytes + 24, &ip), PARSE_SHORT);
}

/* Writes an IPv6 header and n options headers of the given lengths (in units of
 * eight bytes, without the first); the last next header is `last`. Returns the
 * length. */
static size_t ip6(uint8_t *out, const uint8_t *lengths, int n, uint8_t last)
{
	size_t len = 40;

	memset(out, 0, 40 + 2048 * (n + 1));
	out[0] = 0x6b;
	out[1] = 0x81;
	out[4] = 1;
	out[6] = n ? 0 : last;
	out[8] = 0xfd;
	for (int i = 0; i < n; i++) {
		out[len] = i == n - 1 ? last : 60;
		out[len + 1] = lengths[i];
		len += (lengths[i] + 1) * 8;
	}
	return len;
}

static void ip6_options_are_skipped(void **state)
{
	static const uint8_t lengths[MAX_OPTIONS_HEADERS] = {0, 255, 3, 0};
	static uint8_t bytes[40 + 2048 * 8];
	struct ip_info ip;

	(void)state;
	for (int n = 0; n <= MAX_OPTIONS_HEADERS; n++) {
		size_t len = ip6(bytes, lengths, n, 4);

		assert_int_equal(parse(bytes, len, &ip), PARSE_OK);
		assert_int_equal(ip.family, 6);
		assert_int_equal(ip.proto, 4);
		assert_int_equal(ip.hlen, len);
		assert_int_equal(ip.tot_len, 40 + 256);
		assert_int_equal(ip.tos, 0xb8);
	}
}

static void ip6_too_many_options(void **state)
{
	static const uint8_t lengths[MAX_OPTIONS_HEADERS + 1];
	static uint8_t bytes[40 + 2048 * 8];
	struct ip_info ip;
	size_t len;

	(void)state;
	len = ip6(bytes, lengths, MAX_OPTIONS_HEADERS + 1, 4);
	assert_int_equal(parse(bytes, len, &ip), PARSE_MANY_OPTIONS);
}

static void ip6_cut_at_every_byte(void **state)
{
	static const uint8_t lengths[2] = {0, 1};
	static uint8_t bytes[40 + 2048 * 3];
	size_t len = ip6(bytes, lengths, 2, 41);
	struct ip_info ip;

	(void)state;
	for (size_t n = 1; n < len; n++) {
		enum parse_result result = parse(bytes, n, &ip);

		/* The first eight bytes of a header are enough: the next
		 * reader checks the bounds again. */
		assert_int_equal(result, n < 56 ? PARSE_SHORT : PARSE_OK);
	}
}

static void ip6_fragment(void **state)
{
	static const uint8_t lengths[1] = {0};
	static uint8_t bytes[40 + 2048 * 2];
	struct ip_info ip;
	size_t len;

	(void)state;
	for (int n = 0; n < 2; n++) {
		len = ip6(bytes, lengths, n, IPPROTO_FRAGMENT);
		bytes[len] = 41;
		bytes[len + 3] = 1; /* more fragments follow */
		assert_int_equal(parse(bytes, len + 7, &ip), PARSE_SHORT);
		assert_int_equal(parse(bytes, len + 8, &ip), PARSE_OK);
		assert_true(ip.fragment);
		assert_int_equal(ip.proto, 41);
	}
}

/* Parses a packet with an extension header of the kind, with the given bytes 2
 * and 3, in front of protocol 41. */
static enum parse_result with_header(uint8_t kind, uint8_t two, uint8_t three,
				     struct ip_info *ip)
{
	static uint8_t bytes[40 + 2048 * 2];
	size_t len = ip6(bytes, NULL, 0, kind);

	bytes[len] = 41;
	bytes[len + 1] = 1; /* 16 bytes; reserved in a fragment header */
	bytes[len + 2] = two;
	bytes[len + 3] = three;
	return parse(bytes, len + 16, ip);
}

/* Routing headers with no segments left, and atomic fragments, are skipped: RFC
 * 8200 4.4, RFC 6946 4. */
static void ip6_headers_that_are_skipped(void **state)
{
	struct ip_info ip;

	(void)state;
	assert_int_equal(with_header(43, 4, 0, &ip), PARSE_OK);
	assert_int_equal(ip.proto, 41);
	assert_int_equal(ip.hlen, 56);
	for (int left = 1; left < 256; left++) {
		assert_int_equal(with_header(43, 0, left, &ip), PARSE_OK);
		assert_int_equal(ip.proto, 43);
		assert_int_equal(ip.hlen, 40);
		assert_false(ip.fragment);
	}
	for (int bit = 0; bit < 16; bit++) {
		bool whole = bit == 1 || bit == 2; /* reserved */

		assert_int_equal(with_header(44, 1 << bit >> 8, 1 << bit, &ip),
				 PARSE_OK);
		assert_int_equal(ip.proto, 41);
		assert_int_equal(ip.hlen, whole ? 48 : 40);
		assert_int_equal(ip.fragment, !whole);
	}
}

/* Every version but 6 is malformed. */
static void ip6_malformed(void **state)
{
	static uint8_t bytes[40 + 2048];
	struct ip_info ip;
	size_t len;

	(void)state;
	len = ip6(bytes, NULL, 0, 4);
	for (int version = 0; version < 16; version++) {
		memset(&ip, 0, sizeof(ip));
		bytes[0] = version << 4 | 0xb;
		assert_int_equal(parse_ip6(bytes, bytes + len, &ip),
				 version == 6 ? PARSE_OK : PARSE_MALFORMED);
		assert_int_equal(ip.family, version == 6 ? 6 : 0);
	}
}

static enum tl_verdict inner4(uint8_t first, uint16_t tot_len, size_t n,
			      uint32_t len)
{
	uint8_t bytes[60] = {first};
	enum tl_verdict verdict;
	uint8_t *at;

	bytes[2] = tot_len >> 8;
	bytes[3] = tot_len;
	at = exact(bytes, n);
	verdict = check_inner4(at, at + n, len);
	free(at);
	return verdict;
}

static void inner4_lengths(void **state)
{
	(void)state;
	assert_int_equal(inner4(0x45, 20, 20, 20), PASSED);
	assert_int_equal(inner4(0x45, 20, 20, 26), PASSED); /* padding */
	assert_int_equal(inner4(0x45, 20, 19, 20), TL_rx_bad_inner);
	assert_int_equal(inner4(0x45, 19, 20, 20), TL_rx_bad_inner);
	assert_int_equal(inner4(0x45, 21, 21, 20), TL_rx_bad_inner);
	assert_int_equal(inner4(0x46, 20, 24, 24), TL_rx_bad_inner);
	assert_int_equal(inner4(0x46, 24, 24, 24), PASSED);
	assert_int_equal(inner4(0x44, 20, 20, 20), TL_rx_bad_inner);
	assert_int_equal(inner4(0x45, 0, 20, 20), TL_rx_bad_inner);
	assert_int_equal(inner4(0x65, 20, 20, 20), TL_rx_bad_version);
}

static enum tl_verdict inner6(uint8_t first, uint16_t payload, size_t n,
			      uint32_t len)
{
	uint8_t bytes[60] = {first};
	enum tl_verdict verdict;
	uint8_t *at;

	bytes[4] = payload >> 8;
	bytes[5] = payload;
	at = exact(bytes, n);
	verdict = check_inner6(at, at + n, len);
	free(at);
	return verdict;
}

static void inner6_lengths(void **state)
{
	(void)state;
	assert_int_equal(inner6(0x60, 0, 40, 40), PASSED);
	assert_int_equal(inner6(0x60, 0, 40, 46), PASSED);
	assert_int_equal(inner6(0x60, 0, 39, 40), TL_rx_bad_inner);
	assert_int_equal(inner6(0x60, 1, 41, 40), TL_rx_bad_inner);
	assert_int_equal(inner6(0x60, 0xffff, 60, 60), TL_rx_bad_inner);
	assert_int_equal(inner6(0x45, 0, 40, 40), TL_rx_bad_version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_with_options),
		cmocka_unit_test(ip4_cut_at_every_byte),
		cmocka_unit_test(ip4_fragments),
		cmocka_unit_test(ip4_malformed),
		cmocka_unit_test(ip6_options_are_skipped),
		cmocka_unit_test(ip6_too_many_options),
		cmocka_unit_test(ip6_cut_at_every_byte),
		cmocka_unit_test(ip6_fragment),
		cmocka_unit_test(ip6_headers_that_are_skipped),
		cmocka_unit_test(ip6_malformed),
		cmocka_unit_test(inner4_lengths),
		cmocka_unit_test(inner6_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
