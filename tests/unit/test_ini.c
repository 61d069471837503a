// SPDX-License-Identifier: GPL-2.0-only
/* The reader of systemd's files.
 * Needs: loader/base/ loader/conf/ loader/host/nl.c loader/host/link.c
 * Needs: loader/host/route.c loader/import/
 */
#include "conf_lab.h"

#include "import/import.h"

/* All lines, as "NUMBER SECTION KEY=VALUE|". */
static char seen[4096];

static int note_line(const struct ini_line *l, void *data)
{
	size_t n = strlen(seen);

	(void)data;
	snprintf(seen + n, sizeof(seen) - n, l->key ? "%u %s %s=%s|" : "%u %s|",
		 l->number, l->section, l->key, l->value);
	return OK;
}

static int read_ini(void *arg)
{
	(void)arg;
	seen[0] = '\0';
	return ini_read("c", note_line, NULL);
}

/* Asserts what is read, or the error. */
static void expect(const char *text, const char *lines, const char *error)
{
	const char *got;
	int ret;

	write_file(text, strlen(text));
	got = said(read_ini, NULL, &ret);
	assert_string_equal(got, error);
	assert_int_equal(ret, *error ? FAILED : OK);
	assert_string_equal(seen, lines);
}

static void test_sections_come_again(void **state)
{
	(void)state;
	expect("[Route]\nA=1\n[Route]\n B = 2 3 \n\n[X]",
	       "1 Route|2 Route A=1|3 Route|4 Route B=2 3|6 X|", "");
	expect("", "", "");
	expect("[A]\r\nB=\r\n", "1 A|2 A B=|", "");
}

static void test_comments(void **state)
{
	(void)state;
	expect("# a\n ; b\n[A]\n#B=1\nC=1 # no comment\nD=a;b\n",
	       "3 A|5 A C=1 # no comment|6 A D=a;b|", "");
}

/* A line that goes on has the number of its first line. */
static void test_continued_lines(void **state)
{
	(void)state;
	expect("[A]\nB=1\\\n2\nC=3\n", "1 A|2 A B=1 2|4 A C=3|", "");
	expect("[A]\nB=1 \\\n# not this\n; nor this\n 2 \\\n3\nC=3\n",
	       "1 A|2 A B=1   2  3|7 A C=3|", "");
	expect("[A]\nB=1\\", "1 A|2 A B=1|", "");
	expect("[A]\nB=1\\\n", "1 A|2 A B=1|", "");
	expect("[A]\n# no \\\nB=1\n", "1 A|3 A B=1|", "");
}

static void test_errors(void **state)
{
	(void)state;
	expect("A=1\n", "",
	       "c:1: \"A=1\" is not KEY=VALUE in a section: repair it");
	expect("[A]\n\nB\n", "1 A|",
	       "c:3: \"B\" is not KEY=VALUE in a section: repair it");
	expect("[A\n", "", "c:1: \"[A\" is not a section: repair it");
	expect("[A] x\n", "", "c:1: \"[A] x\" is not a section: repair it");
	expect("\\", "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_come_again),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_continued_lines),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
