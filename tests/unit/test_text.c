// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, prefixes, numbers and names from text.
 * Needs: loader/base/text.c
 */
#include "base/base.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#undef fail /* of base.h */
#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof(*(array)))

static void test_ip(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} cases[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"2001:DB8:0::1", "2001:db8::1"},
		{"::", "::"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"192.0.2.01", NULL},
		{"192.0.2", NULL},
		{"192.0.2.256", NULL},
		{"192.0.2.1 ", NULL},
		{" 192.0.2.1", NULL},
		{"", NULL},
		{"host", NULL},
		{"[::1]", NULL},
		{"fe80::1%eth0", NULL},
		{"1::2::3", NULL},
		{"192.0.2.1/32", NULL},
	};
	char buf[IP_STRLEN];
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_int_equal(ip_parse(cases[i].in, &ip), !!cases[i].out);
		if (cases[i].out)
			assert_string_equal(ip_str(&ip, buf), cases[i].out);
	}
}

static struct ip ip_of(const char *s)
{
	struct ip ip;

	assert_true(ip_parse(s, &ip));
	return ip;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *ip;
		bool martian, link_local;
	} cases[] = {
		{"192.0.2.1", false, false},
		{"10.0.0.1", false, false},
		{"0.0.0.0", true, false},
		{"0.1.2.3", true, false},
		{"127.0.0.1", true, false},
		{"126.255.255.255", false, false},
		{"223.255.255.255", false, false},
		{"224.0.0.1", true, false},
		{"239.255.255.255", true, false},
		{"255.255.255.255", true, false},
		{"255.255.255.254", false, false},
		{"169.254.0.1", false, true},
		{"169.253.255.255", false, false},
		{"2001:db8::1", false, false},
		{"::", true, false},
		{"::1", true, false},
		{"::2", false, false},
		{"::1:1", false, false},
		{"::ffff:10.0.0.1", true, false},
		{"ff02::1", true, false},
		{"fe80::1", false, true},
		{"febf::1", false, true},
		{"fec0::1", false, false},
		{"fd00::1", false, false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct ip ip = ip_of(cases[i].ip);

		assert_int_equal(ip_is_martian(&ip), cases[i].martian);
		assert_int_equal(ip_is_link_local(&ip), cases[i].link_local);
	}
}

static void test_no_address(void **state)
{
	struct ip none = {0};

	(void)state;
	assert_false(ip_is_martian(&none));
	assert_false(ip_is_link_local(&none));
}

static void test_prefix(void **state)
{
	static const struct {
		/* why: the error, NULL for none; out with an error: the
		 * prefix that is suggested */
		const char *in, *out, *why;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8", NULL},
		{"0.0.0.0/0", "0.0.0.0/0", NULL},
		{"::/0", "::/0", NULL},
		{"192.0.2.1", "192.0.2.1/32", NULL},
		{"2001:db8::1", "2001:db8::1/128", NULL},
		{"2001:DB8::/32", "2001:db8::/32", NULL},
		{"10.0.0.1/8", "10.0.0.0/8", "has host bits set"},
		{"10.1.2.3/31", "10.1.2.2/31", "has host bits set"},
		{"1.0.0.0/0", "0.0.0.0/0", "has host bits set"},
		{"2001:db8::1/127", "2001:db8::/127", "has host bits set"},
		{"10.0.0.0/33", NULL, "has no prefix length from 0 to 32"},
		{"10.0.0.0/", NULL, "has no prefix length from 0 to 32"},
		{"10.0.0.0/-1", NULL, "has no prefix length from 0 to 32"},
		{"10.0.0.0/255.0.0.0", NULL,
		 "has no prefix length from 0 to 32"},
		{"::/129", NULL, "has no prefix length from 0 to 128"},
		{"10.0.0/8", NULL, "is not a prefix"},
		{"/8", NULL, "is not a prefix"},
		{"", NULL, "is not a prefix"},
		{"1111111111111111111111111111111111111111111111111111/8", NULL,
		 "is not a prefix"},
	};
	char buf[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct prefix p;
		const char *why;
		bool ok = prefix_parse(cases[i].in, &p, &why);

		assert_int_equal(ok, !cases[i].why);
		if (!ok)
			assert_string_equal(why, cases[i].why);
		assert_int_equal(p.ip.family != 0, cases[i].out != NULL);
		if (cases[i].out)
			assert_string_equal(prefix_str(&p, buf), cases[i].out);
	}
}

static struct prefix prefix_of(const char *s)
{
	struct prefix p;
	const char *why;

	assert_true(prefix_parse(s, &p, &why));
	return p;
}

static void test_contains(void **state)
{
	static const struct {
		const char *prefix, *ip;
		bool in;
	} cases[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/9", "10.128.0.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::", false},
		{"::/0", "0.0.0.0", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::1", true},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct prefix p = prefix_of(cases[i].prefix);
		struct ip ip = ip_of(cases[i].ip);

		assert_int_equal(prefix_contains(&p, &ip), cases[i].in);
	}
}

static void test_within(void **state)
{
	struct prefix all = prefix_of("0.0.0.0/0"),
		      ten = prefix_of("10.0.0.0/8"),
		      one = prefix_of("10.1.0.0/16"), six = prefix_of("::/0");

	(void)state;
	assert_true(prefix_within(&one, &ten));
	assert_true(prefix_within(&ten, &ten));
	assert_true(prefix_within(&ten, &all));
	assert_false(prefix_within(&ten, &one));
	assert_false(prefix_within(&ten, &six));
	assert_true(prefix_equal(&ten, &ten));
	assert_false(prefix_equal(&ten, &one));
	assert_false(prefix_equal(&all, &six));
}

static void test_first_host(void **state)
{
	static const char *const cases[][2] = {
		{"10.0.0.0/24", "10.0.0.1"},	{"10.0.0.4/30", "10.0.0.5"},
		{"10.0.0.4/31", "10.0.0.4"},	{"10.0.0.4/32", "10.0.0.4"},
		{"fd00:10::/64", "fd00:10::1"}, {"fd00::2/127", "fd00::2"},
		{"fd00::2/128", "fd00::2"},
	};
	char buf[IP_STRLEN];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct prefix p = prefix_of(cases[i][0]);
		struct ip host = prefix_first_host(&p);

		assert_string_equal(ip_str(&host, buf), cases[i][1]);
	}
}

static void test_number(void **state)
{
	uint32_t n;

	(void)state;
	assert_true(number_parse("0", 0, 5, &n) && n == 0);
	assert_true(number_parse("5", 0, 5, &n) && n == 5);
	assert_true(number_parse("007", 0, 7, &n) && n == 7);
	assert_true(number_parse("4294967295", 0, UINT32_MAX, &n));
	assert_int_equal(n, UINT32_MAX);
	assert_false(number_parse("4294967296", 0, UINT32_MAX, &n));
	assert_false(number_parse("18446744073709551617", 0, 9, &n));
	assert_false(number_parse("6", 0, 5, &n));
	assert_false(number_parse("1", 2, 5, &n));
	assert_false(number_parse("", 0, 5, &n));
	assert_false(number_parse("-1", 0, 5, &n));
	assert_false(number_parse("+1", 0, 5, &n));
	assert_false(number_parse(" 1", 0, 5, &n));
	assert_false(number_parse("1s", 0, 5, &n));
	assert_false(number_parse("0x1", 0, 5, &n));
}

static void test_names(void **state)
{
	(void)state;
	assert_true(name_valid("tokyo"));
	assert_true(name_valid("A-b_c.9"));
	assert_true(name_valid("1234567890123456789012345678901"));
	assert_false(name_valid("12345678901234567890123456789012"));
	assert_false(name_valid(""));
	assert_false(name_valid("to kyo"));
	assert_false(name_valid("tokyo/1"));
	assert_false(name_valid("t\xc3\xb3kyo"));
}

static void test_hostnames(void **state)
{
	char longest[260], label[80];

	(void)state;
	assert_true(hostname_valid("example.org"));
	assert_true(hostname_valid("example.org."));
	assert_true(hostname_valid("a_b.x-1.net"));
	assert_true(hostname_valid("1.2.3.4x"));
	assert_false(hostname_valid("1.2.3.4"));
	assert_false(hostname_valid("300.1.1.1"));
	assert_false(hostname_valid(""));
	assert_false(hostname_valid("."));
	assert_false(hostname_valid("a..b"));
	assert_false(hostname_valid(".a"));
	assert_false(hostname_valid("-a.b"));
	assert_false(hostname_valid("a-.b"));
	assert_false(hostname_valid("a b"));
	assert_false(hostname_valid("a:1"));
	memset(label, 'a', 64);
	label[63] = '\0';
	assert_true(hostname_valid(label));
	strcpy(label + 63, "a");
	assert_false(hostname_valid(label));
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 1; i < sizeof(longest); i += 2)
		longest[i] = '.';
	longest[253] = '\0';
	assert_true(hostname_valid(longest));
	longest[253] = '.';
	longest[254] = '\0';
	assert_false(hostname_valid(longest));
}

static void test_close(void **state)
{
	(void)state;
	assert_true(word_close("endpont", "endpoint"));
	assert_true(word_close("Endpoint", "endpoint"));
	assert_true(word_close("AllowedIPs", "allowed-ips"));
	assert_true(word_close("allowed_ips", "allowed-ips"));
	assert_true(word_close("tll", "ttl"));
	assert_true(word_close("mut", "mtu"));
	assert_true(word_close("eht0", "eth0"));
	assert_true(word_close("toyko", "tokyo"));
	assert_false(word_close("eht1", "eth0"));
	assert_false(word_close("a", "b"));
	assert_false(word_close("mut", "ttl"));
	assert_false(word_close("address", "endpoint"));
	assert_false(word_close("", "mtu"));
	assert_false(word_close(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "mtu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_contains),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_first_host),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_hostnames),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
