/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/source.h: which inner sources nobody can have. */
#include "core.h"
#include "../../bpf/source.h"

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

static void neighbours_of_martians(void **state)
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
			fail_msg("%s should be no martian", all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(martians),
		cmocka_unit_test(neighbours_of_martians),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
