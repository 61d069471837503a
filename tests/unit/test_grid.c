/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loader/show/: numbers, ages, wrapped text and tables for people.
 *
 * Needs: loader/show/grid.c loader/show/screen.c loader/base/
 */
#include "core.h"

#undef fail /* of cmocka */
#include "show/show.h"

static void counts(void **state)
{
	static const struct {
		double n;
		const char *text;
	} rows[] = {
		{0, "0"},
		{999, "999"},
		{999.4, "999"},
		{1000, "1.0k"},
		{1049, "1.0k"},
		{9949, "9.9k"},
		{9950, "10k"},
		{999499, "999k"},
		{999500, "1.0M"},
		{4123456, "4.1M"},
		{1e9, "1.0G"},
		{2.5e12, "2.5T"},
		{UINT64_MAX, "18E"},
		{9.5e15, "9.5P"},
	};
	char text[HUMAN_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(human_count(rows[i].n, text), rows[i].text);
}

static void ages(void **state)
{
	static const struct {
		uint64_t s;
		const char *text;
	} rows[] = {
		{0, "0 s"},	    {119, "119 s"}, {120, "2 min"},
		{7199, "119 min"},  {7200, "2 h"},  {172799, "47 h"},
		{172800, "2 days"},
	};
	const uint64_t now = 1000000 * NS_PER_S;
	char text[HUMAN_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(
			human_age(now, now - rows[i].s * NS_PER_S, text),
			rows[i].text);
	assert_string_equal(human_age(now, 0, text), "never");
	assert_string_equal(human_age(now, now + 1, text), "0 s");
}

/* Compares what print() has written, and frees it. */
static void written(FILE *out, char **text, const char *want)
{
	assert_int_equal(fclose(out), 0);
	assert_string_equal(*text, want);
	free(*text);
}

static void wraps(void **state)
{
	struct screen to = {.width = 80};
	char *text;
	size_t len;

	(void)state;
	to.out = open_memstream(&text, &len);
	/* 10 columns are left; a command is never cut */
	print_under(&to, 70, "abcd efghi jklmnopqrst `a b c d e f g` uvw");
	written(to.out, &text,
		"abcd efghi\n"
		"                                                                      jklmnopqrst\n"
		"                                                                      `a b c d e f g`\n"
		"                                                                      uvw\n");
}

static void fits_or_not(void **state)
{
	struct screen to = {.width = 80};
	char left[80];
	char *text;
	size_t len;

	(void)state;
	memset(left, 'l', sizeof(left));
	left[75] = '\0';
	to.out = open_memstream(&text, &len);
	print_ends(&to, left, "rrr", PLAIN);
	print_ends(&to, left + 1, "rrrr", PLAIN);
	print_ends(&to, "l", "", PLAIN);
	fclose(to.out);
	assert_int_equal(strchr(text, '\n') - text, 80);
	assert_null(strstr(text, "l rrrr"));
	assert_non_null(strstr(text, "  rrrr\nl\n"));
	free(text);
}

static const char *const *cells; /* rows of three */

static void cell(const void *data, size_t row, int column,
		 char text[static CELL_STRLEN])
{
	(void)data;
	snprintf(text, CELL_STRLEN, "%s", cells[3 * row + column]);
}

static const struct column columns[] = {
	{.head = "A"},
	{.head = "LONG", .rank = 2},
	{.head = "N", .right = true, .rank = 1},
};

static void printed(int width, const char *const *rows, const char *want)
{
	const struct grid g = {
		.columns = columns,
		.n_columns = 3,
		.n_rows = 2,
		.cell = cell,
		.more = "-v",
	};
	struct screen to = {.width = width};
	char *text;
	size_t len;

	cells = rows;
	to.out = open_memstream(&text, &len);
	grid_print(&to, &g);
	written(to.out, &text, want);
}

static void tables(void **state)
{
	static const char *const rows[] = {"a",	 "bcdefgh", "1",
					   "ij", "k",	    "234"};

	(void)state;
	printed(16, rows,
		"A   LONG       N\n"
		"a   bcdefgh    1\n"
		"ij  k        234\n");
	printed(15, rows,
		"A     N\n"
		"a     1\n"
		"ij  234\n"
		"(no room for LONG: see -v, or a wider terminal)\n");
	printed(1, rows,
		"A\n"
		"a\n"
		"ij\n"
		"(no room for LONG, N: see -v, or a wider terminal)\n");
}

static void prefixes(void **state)
{
	struct prefix all[3] = {{.ip = {.family = 4, .addr = {10}}, .len = 8}};
	struct peer p = {.allowed = all, .n_allowed = 1};
	char text[CELL_STRLEN];

	(void)state;
	assert_string_equal(allowed_str(&p, text), "10.0.0.0/8");
	p.n_allowed = 3;
	assert_string_equal(allowed_str(&p, text), "10.0.0.0/8 +2");
	p.n_allowed = 0;
	assert_string_equal(allowed_str(&p, text), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts), cmocka_unit_test(ages),
		cmocka_unit_test(wraps),  cmocka_unit_test(fits_or_not),
		cmocka_unit_test(tables), cmocka_unit_test(prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
