// SPDX-License-Identifier: GPL-2.0-only
/* The headers and the sizes of a probe.
 * Needs: loader/tunnel/probe_packet.c loader/base/array.c loader/base/text.c
 * Needs: loader/base/error.c
 */
#include "core.h"
#undef fail /* error.h has a function of that name */
#include "../../loader/tunnel/probe.h"

#define SIZE 200

static void set_ip(struct ip *ip, const char *text)
{
	assert_true(ip_parse(text, ip));
}

/* The headers of a packet of SIZE bytes, compared with bytes in hex; `label`
 * are the bytes of the flow label, which only have to be there. */
static void compare(const char *outer, const char *local, const char *from,
		    const char *to, bool limit, const char *hex)
{
	struct peer peer = {.ttl = 33, .dscp = 10};
	struct probe_form form = {.peer = &peer, .limit = limit};
	_Alignas(4) uint8_t out[SIZE] = {0};
	char text[2 * SIZE + 1] = "";
	size_t len;

	set_ip(&peer.endpoint, outer);
	set_ip(&peer.local, local);
	set_ip(&form.from, from);
	set_ip(&form.to, to);
	len = probe_headers(&form, out, SIZE);
	if (peer.endpoint.family == 6) {
		assert_true((out[1] & 0xf) || out[2] || out[3]);
		out[1] &= 0xf0;
		out[2] = out[3] = 0;
	}
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(text, hex);
}

/* Made with scapy. */
static void in_ip4(void **state)
{
	(void)state;
	compare("198.51.100.7", "192.0.2.2", "172.22.2.2", "10.10.0.1", false,
		"452800c80000400021046ccdc0000202c6336407"
		"450000b40000400040018226ac1602020a0a0001");
	compare("198.51.100.7", "192.0.2.2", "fd00:22::2", "fd00:10::1", false,
		"452800c80000400021296ca8c0000202c6336407"
		"60000000008c3a40fd0000220000000000000000"
		"00000002fd000010000000000000000000000001");
}

static void in_ip6(void **state)
{
	(void)state;
	compare("2001:db8:2::7", "2001:db8:1::2", "172.22.2.2", "10.10.0.1",
		false,
		"6280000000a0042120010db80001000000000000"
		"0000000220010db8000200000000000000000007"
		"450000a0000040004001823aac1602020a0a0001");
	compare("2001:db8:2::7", "2001:db8:1::2", "fd00:22::2", "fd00:10::1",
		false,
		"6280000000a0292120010db80001000000000000"
		"0000000220010db8000200000000000000000007"
		"6000000000783a40fd0000220000000000000000"
		"00000002fd000010000000000000000000000001");
}

static void with_encapsulation_limit(void **state)
{
	(void)state;
	compare("2001:db8:2::7", "2001:db8:1::2", "172.22.2.2", "10.10.0.1",
		true,
		"6280000000a03c2120010db80001000000000000"
		"0000000220010db8000200000000000000000007"
		"0400040104010100450000980000400040018242"
		"ac1602020a0a0001");
	compare("2001:db8:2::7", "2001:db8:1::2", "fd00:22::2", "fd00:10::1",
		true,
		"6280000000a03c2120010db80001000000000000"
		"0000000220010db8000200000000000000000007"
		"29000401040101006000000000703a40fd000022"
		"000000000000000000000002fd00001000000000"
		"0000000000000001");
}

/* Formats sizes. */
static const char *sizes_str(const uint32_t *sizes, size_t n)
{
	static char text[256];

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%u", i ? " " : "", sizes[i]);
	return text;
}

static void assert_first(uint32_t own, uint32_t link_mtu, const char *text)
{
	uint32_t sizes[PROBE_SIZES];
	size_t n = probe_first_sizes(own, link_mtu, sizes);

	assert_true(n <= PROBE_SIZES);
	assert_string_equal(sizes_str(sizes, n), text);
}

static void first_sizes(void **state)
{
	(void)state;
	assert_first(1500, 1500, "200 1280 1400 1420 1454 1460 1480 1492 1500");
	assert_first(1500, 9001,
		     "200 1280 1400 1420 1454 1460 1480 1492 1500 9001");
	assert_first(1433, 1500,
		     "200 1280 1400 1420 1433 1454 1460 1480 1492 1500");
	/* The interface has got a smaller MTU since. */
	assert_first(1500, 1450, "200 1280 1400 1420 1450");
	assert_first(576, 576, "200 576");
}

static void assert_next(uint32_t passed, uint32_t lost, const char *text)
{
	uint32_t sizes[PROBE_SIZES];
	size_t n = probe_next_sizes(passed, lost, sizes);

	assert_true(n <= PROBE_SIZES);
	assert_string_equal(sizes_str(sizes, n), text);
}

static void next_sizes(void **state)
{
	(void)state;
	assert_next(1400, 1401, "");
	assert_next(1400, 1402, "1401");
	assert_next(1400, 1404, "1401 1402 1403");
	assert_next(1400, 1417,
		    "1401 1402 1403 1404 1405 1406 1407 1408 1409 1410 1411 "
		    "1412 1413 1414 1415 1416");
	assert_next(1500, 9001,
		    "1941 2382 2823 3264 3706 4147 4588 5029 5471 5912 6353 "
		    "6794 7236 7677 8118 8559");
}

/* Whatever the limit is, rounds end, and with the limit itself. */
static void rounds_find_every_limit(void **state)
{
	(void)state;
	for (uint32_t limit = PROBE_SMALL; limit < 9001; limit++) {
		uint32_t passed = PROBE_SMALL, lost = 9001, sizes[PROBE_SIZES];
		int rounds = 0;
		size_t n;

		while ((n = probe_next_sizes(passed, lost, sizes))) {
			for (size_t i = 0; i < n; i++)
				if (sizes[i] <= limit)
					passed = sizes[i];
			for (size_t i = n; i--;)
				if (sizes[i] > limit)
					lost = sizes[i];
			assert_true(++rounds <= 4);
		}
		assert_int_equal(passed, limit);
		assert_int_equal(lost, limit + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_ip4),
		cmocka_unit_test(in_ip6),
		cmocka_unit_test(with_encapsulation_limit),
		cmocka_unit_test(first_sizes),
		cmocka_unit_test(next_sizes),
		cmocka_unit_test(rounds_find_every_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
