/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/checksum.h against a slow sum written from RFC 1071. */
#include "core.h"
#include "../../bpf/core/checksum.h"

/* One's complement sum of big-endian words, end-around carry at each step. */
static uint16_t slow_sum(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2) {
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
		if (sum > 0xffff)
			sum = (sum & 0xffff) + 1;
	}
	return sum;
}

static void fill(uint8_t *bytes, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		bytes[i] = seed >> 16;
	}
}

static void fold_keeps_the_sum(void **state)
{
	(void)state;
	assert_int_equal(csum_fold(0), 0);
	assert_int_equal(csum_fold(0xffff), 0xffff);
	assert_int_equal(csum_fold(0x10000), 1);
	assert_int_equal(csum_fold(0x1fffe), 0xffff);
	assert_int_equal(csum_fold(0xffffffff), 0xffff);
}

/* An IPv4 header with a known checksum, 0xb861. */
static void known_header(void **state)
{
	static const uint8_t header[20] = {
		0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
		0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	struct iphdr ip;

	(void)state;
	memcpy(&ip, header, sizeof(ip));
	assert_int_equal(csum_fold(csum_ip4(&ip)), 0xffff);
	ip.check = 0;
	assert_int_equal((uint16_t)~csum_fold(csum_ip4(&ip)), htons(0xb861));
}

static void random_headers_with_options(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		uint32_t hlen = 20 + i % 11 * 4;
		uint8_t bytes[60];
		struct iphdr *ip;
		uint32_t sum;

		fill(bytes, sizeof(bytes), i);
		ip = exact(bytes, hlen);
		sum = csum_ip4(ip) +
		      csum_ip4_options(ip, hlen, (uint8_t *)ip + hlen);
		assert_int_equal(csum_fold(sum), htons(slow_sum(bytes, hlen)));
		free(ip);
	}
}

/* Options behind the readable end are not read, whatever the header length. */
static void options_end_with_the_packet(void **state)
{
	struct iphdr *ip;
	uint8_t bytes[24] = {0x4f};

	(void)state;
	bytes[20] = 1;
	ip = exact(bytes, sizeof(bytes));
	assert_int_equal(csum_ip4_options(ip, 60, (uint8_t *)ip + 24),
			 htons(0x0100));
	free(ip);
}

/* RFC 1071 1: an odd last byte is the first of a word. Bytes behind the message
 * do not count. `besides` is an arbitrary sum of other covered bytes. */
static void messages_of_all_lengths(void **state)
{
	const uint32_t besides = 0x2fffd;

	(void)state;
	for (uint32_t n = 4; n <= 1502; n++) {
		uint8_t bytes[1504], *at;
		uint16_t check;
		bool right = n <= 1500;

		fill(bytes, sizeof(bytes), n);
		if (!right) /* a sum of the first 1500 bytes would be right */
			memset(bytes + 1500, 0, n - 1500);
		at = exact(bytes, n);
		memset(at + 2, 0, 2);
		memcpy(bytes, at, n);
		bytes[n] = 0;
		check = ~csum_fold(htons(slow_sum(bytes, n)) + besides);
		memcpy(at + 2, &check, 2);
		assert_int_equal(csum_is_right(at, n, at + n, besides), right);
		assert_false(csum_is_right(at, n, at + n, besides + 1));
		assert_false(csum_is_right(at, n, at + n - 1, besides));
		memcpy(bytes, at, n);
		bytes[n] = 0xa5;
		assert_int_equal(
			csum_is_right(bytes, n, bytes + n + 1, besides), right);
		at[n - 1] ^= 1;
		assert_false(csum_is_right(at, n, at + n, besides));
		free(at);
	}
}

/* RFC 8200 8.1: the pseudo-header has both addresses, a length of 32 bits and a
 * protocol. */
static void pseudo_header(void **state)
{
	uint8_t bytes[40];

	(void)state;
	for (unsigned int i = 0; i < 500; i++) {
		uint32_t n = i * 3;

		fill(bytes, 32, i);
		memset(bytes + 32, 0, 8);
		bytes[34] = n >> 8;
		bytes[35] = n;
		bytes[39] = i;
		assert_int_equal(csum_fold(csum_pseudo6(bytes, n, i)),
				 htons(slow_sum(bytes, 40)));
	}
}

/* RFC 1624 4: the example that RFC 1141's method gets wrong. */
static void update_of_rfc_1624(void **state)
{
	(void)state;
	assert_int_equal(
		csum_update(htons(0xdd2f), htons(0x5555), htons(0x3285)),
		htons(0x0000));
}

static void update_equals_a_new_sum(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		uint16_t from, to;
		struct iphdr ip;

		fill((uint8_t *)&ip, sizeof(ip), i + 77);
		ip.check = 0;
		ip.check = ~csum_fold(csum_ip4(&ip));
		from = ip.id;
		to = htons(i * 31);
		ip.id = to;
		ip.check = csum_update(ip.check, from, to);
		assert_int_equal(csum_fold(csum_ip4(&ip)), 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fold_keeps_the_sum),
		cmocka_unit_test(known_header),
		cmocka_unit_test(random_headers_with_options),
		cmocka_unit_test(options_end_with_the_packet),
		cmocka_unit_test(messages_of_all_lengths),
		cmocka_unit_test(pseudo_header),
		cmocka_unit_test(update_of_rfc_1624),
		cmocka_unit_test(update_equals_a_new_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
