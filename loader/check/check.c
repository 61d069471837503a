// SPDX-License-Identifier: GPL-2.0-only
/* The table of areas; collects what they find. */
#include "check.h"

#include <stdarg.h>

const char *const level_names[] = {
	[LEVEL_OK] = "ok",
	[LEVEL_WARNING] = "warning",
	[LEVEL_FAILURE] = "failure",
};

struct area {
	const char *name;
	int (*look)(struct check *c);
	const char *fine; /* if nothing is found; NULL: no line */
};

#define ROW(name, fine) {#name, check_##name, fine},
static const struct area areas[] = {CHECKS(ROW)};
#undef ROW

__attribute__((format(printf, 2, 0))) static char *
format(struct check *c, const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) >= 0)
		return text;
	c->no_memory = true;
	return NULL;
}

void found(struct check *c, enum level level, const char *what,
	   const struct peer *p, const char *fmt, ...)
{
	struct finding f = {.level = level, .area = c->area, .what = what};
	va_list args;

	if (p)
		snprintf(f.peer, sizeof(f.peer), "%s", p->name);
	va_start(args, fmt);
	f.why = format(c, fmt, args);
	va_end(args);
	if (!f.why || push(c->findings, c->n, &f))
		c->no_memory = true;
}

void mend(struct check *c, const char *fmt, ...)
{
	va_list args;

	if (c->no_memory)
		return;
	va_start(args, fmt);
	c->findings[c->n - 1].command = format(c, fmt, args);
	va_end(args);
}

int check_run(struct check *c)
{
	int ret = OK;

	for (size_t i = 0; i < sizeof(areas) / sizeof(*areas); i++) {
		size_t before = c->n;

		c->area = areas[i].name;
		ret |= areas[i].look(c);
		if (c->n == before && areas[i].fine)
			found(c, LEVEL_OK, areas[i].name, NULL, "%s",
			      areas[i].fine);
	}
	return c->no_memory ? fail("out of memory") : ret;
}

enum level check_worst(const struct check *c)
{
	enum level worst = LEVEL_OK;

	for (size_t i = 0; i < c->n; i++)
		if (c->findings[i].level > worst)
			worst = c->findings[i].level;
	return worst;
}
