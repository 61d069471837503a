// SPDX-License-Identifier: GPL-2.0-only
/* Long lines, lines that are too long, and lines that are not text.
 * Needs: loader/base/ loader/conf/
 */
#include "conf_lab.h"

/* A list may have thousands of characters, unlike other values. */
static void test_long_list(void **state)
{
	char text[65536] = "[peer a]\nendpoint = 192.0.2.1\nallowed-ips = ";
	size_t n = strlen(text);
	struct conf c;

	(void)state;
	for (int i = 0; i < 2000; i++)
		n += sprintf(text + n, "%s10.%d.%d.0/24", i ? ", " : "",
			     i / 256, i % 256);
	strcpy(text + n, "\nttl = 3\n");
	read_good(&c, text);
	assert_int_equal(c.peers[0].n_allowed, 2000);
	assert_int_equal(c.peers[0].ttl, 3);
	for (int i = 0; i < 2000; i++) {
		char prefix[32];

		sprintf(prefix, "10.%d.%d.0/24", i / 256, i % 256);
		expect_prefix(&c.peers[0].allowed[i], prefix);
	}
	conf_free(&c);
}

static void test_nul(void **state)
{
	static const char text[] = "[interface]\nmode = t\0c\n";
	struct conf c;
	int ret;

	(void)state;
	write_file(text, sizeof(text) - 1);
	assert_string_equal(
		said(read_and_check, &c, &ret),
		"c:2: NUL byte: this is no text file; save it as UTF-8");
	assert_int_equal(ret, USAGE);
	conf_free(&c);
}

static void test_long_lines(void **state)
{
	char *text = malloc(1 << 20);
	char line[400] = "[peer a]\nendpoint = ", error[400];

	(void)state;
	memset(text, 'a', 1 << 20);
	text[(1 << 20) - 1] = '\0';
	read_bad(text, "c:1: line longer than 65536 characters: split the "
		       "list over several lines");
	sprintf(text, "[peer %05000d]", 0);
	snprintf(
		error, sizeof(error),
		"c:1: peer name \"%0242d...\" is not valid: give 1 to 31 of the "
		"characters A-Z a-z 0-9 . _ -",
		0);
	read_bad(text, error);
	sprintf(text, "[peer %05000d", 0);
	snprintf(error, sizeof(error),
		 "c:1: section \"[peer %0241d...\" is not of the form "
		 "[interface] or [peer NAME]",
		 0);
	read_bad(text, error);
	sprintf(text, "%05000d", 0);
	snprintf(error, sizeof(error),
		 "c:1: line \"%0247d...\" is not of the form KEY = VALUE", 0);
	read_bad(text, error);
	sprintf(text, PEER "allowed-ips = %05000d", 0);
	snprintf(error, sizeof(error),
		 "c:4: allowed-ips \"%0250d\" is not a prefix: write "
		 "ADDRESS/LENGTH",
		 0);
	read_bad(text, error);
	free(text);
	memset(line + strlen(line), 'x', 200);
	read_bad(line,
		 "c:2: value of \"endpoint\" is too long: write at most 187 "
		 "characters instead of \""
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
