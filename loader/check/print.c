// SPDX-License-Identifier: GPL-2.0-only
/* Prints findings as text and as JSON. */
#include "check.h"

#include <string.h>

#define WIDTH	    80
#define WHAT_COLUMN 9
#define WHY_COLUMN  30

/* Findings of one condition that the text lists. */
#define ALIKE_AT_MOST 5

/* Prints text from column `at`, wrapped at words to WHY_COLUMN; returns the
 * column behind it. */
static int print_words(const char *text, int at)
{
	for (int n; *text; text += n + strspn(text + n, " ")) {
		n = strcspn(text, " ");
		if (at > WHY_COLUMN && at + 1 + n > WIDTH)
			at = printf("\n%*s", WHY_COLUMN, "") - 1;
		at += printf("%s%.*s", at > WHY_COLUMN ? " " : "", n, text);
	}
	return at;
}

static void print_finding(const struct finding *f)
{
	int at = printf("%-*s%s", WHAT_COLUMN, level_names[f->level], f->what);

	if (at >= WHY_COLUMN - 1)
		at = printf("\n") - 1;
	at += printf("%*s", WHY_COLUMN - at, "");
	if (*f->peer) {
		at = print_words("peer", at);
		at += printf(" %s:", f->peer);
	}
	print_words(f->why, at);
	putchar('\n');
	/* On a line of its own, not wrapped, to be copied. */
	if (f->command)
		printf("%*s-> %s\n", WHAT_COLUMN, "", f->command);
}

/* Counts the findings of the condition of f before it. */
static size_t alike_before(const struct check *c, const struct finding *f)
{
	size_t n = 0;

	for (const struct finding *other = c->findings; other < f; other++)
		n += !strcmp(other->what, f->what);
	return n;
}

static bool is_last_alike(const struct check *c, const struct finding *f)
{
	for (const struct finding *o = f + 1; o < c->findings + c->n; o++)
		if (!strcmp(o->what, f->what))
			return false;
	return true;
}

void findings_text(const struct check *c)
{
	for (const struct finding *f = c->findings; f < c->findings + c->n;
	     f++) {
		size_t before = alike_before(c, f);

		if (before < ALIKE_AT_MOST)
			print_finding(f);
		else if (is_last_alike(c, f))
			printf("%-*s%s: %zu more (--json lists them)\n",
			       WHAT_COLUMN, level_names[f->level], f->what,
			       before + 1 - ALIKE_AT_MOST);
	}
}

static json_t *finding_json(const struct finding *f)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s?}", "level",
			 level_names[f->level], "area", f->area, "what",
			 f->what, "peer", *f->peer ? f->peer : NULL, "why",
			 f->why, "command", f->command);
}

int findings_json(const struct check *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++)
		if (json_array_append_new(list,
					  finding_json(&c->findings[i]))) {
			json_decref(list);
			list = NULL;
			break;
		}
	return json_print(list, JSON_INDENT(2));
}
