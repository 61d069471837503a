/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/source.h: invalid inner sources, and addresses of link scope. */
#include "core.h"
#include "../../bpf/core/source.h"

static bool martian(const char *text)
{
	struct in6_addr six;
	uint32_t four;

	if (inet_pton(AF_INET, text, &four) == 1)
		return ip4_is_martian(four);
	assert_int_equal(inet_pton(AF_INET6, text, &six), 1);
	return ip6_is_martian(&six);
}

static void martians(void **state)
{
	static const char *const all[] = {"0.0.0.0",
					  "0.1.2.3",
					  "127.0.0.1",
					  "127.255.255.255",
					  "224.0.0.1",
					  "239.255.255.255",
					  "255.255.255.255",
					  "::",
					  "::1",
					  "::10.1.2.3",
					  "::ffff:10.1.2.3",
					  "::ffff:0.0.0.0",
					  "ff00::",
					  "ff02::1",
					  "ffff::"};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!martian(all[i]))
			fail_msg("%s should be a martian", all[i]);
}

static void addresses_next_to_martians(void **state)
{
	static const char *const all[] = {
		"1.0.0.0",	     "126.255.255.255",
		"128.0.0.0",	     "10.0.0.1",
		"223.255.255.255",   "240.0.0.1",
		"255.255.255.254",   "100::1",
		"::1:0:0:1",	     "::fffe:10.1.2.3",
		"64:ff9b::10.1.2.3", "0:0:1::1",
		"fe80::1",	     "fd00::1",
		"2001:db8::1",	     "0:1::ffff:10.1.2.3"};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (martian(all[i]))
			fail_msg("%s should not be a martian", all[i]);
}

static bool link_scoped(const char *text)
{
	struct in6_addr six;
	uint32_t four;

	if (inet_pton(AF_INET, text, &four) == 1)
		return ip4_is_link_scope(four);
	assert_int_equal(inet_pton(AF_INET6, text, &six), 1);
	return ip6_is_link_scope(&six);
}

/* RFC 3927 2.7, RFC 5771 4, RFC 1122 3.2.1.3; RFC 4291 2.5.6 and 2.7. */
static void link_scope(void **state)
{
	static const char *const yes[] = {
		"0.0.0.0",     "0.255.255.255",	  "127.0.0.1",
		"169.254.0.0", "169.254.255.255", "224.0.0.0",
		"224.0.0.255", "240.0.0.0",	  "255.255.255.255",
		"fe80::",      "febf::1",	  "ff00::1",
		"ff01::1",     "ff02::1",	  "ff72::1"};
	static const char *const no[] = {
		"1.0.0.0",	   "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0",     "224.0.1.0",
		"239.255.255.255", "fe7f::1",	      "fec0::1",
		"ff03::1",	   "ff0e::1",	      "::1",
		"fd02::1"};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!link_scoped(yes[i]))
			fail_msg("%s should be of link scope", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (link_scoped(no[i]))
			fail_msg("%s should not be of link scope", no[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(martians),
		cmocka_unit_test(addresses_next_to_martians),
		cmocka_unit_test(link_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
