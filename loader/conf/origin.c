// SPDX-License-Identifier: GPL-2.0-only
/* Finds a setting's line in the file, and prints errors with it. */
#include "conf.h"

#include <stdarg.h>

/* fail_usage() or fail(). */
typedef int printer(const char *fmt, ...);

static int report(printer *print, const struct origin *from, const char *fmt,
		  va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	if (!from->file)
		return print("%s", text);
	return print("%s:%u: %s", from->file, from->line, text);
}

int conf_error(const struct origin *from, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = report(fail_usage, from, fmt, args);
	va_end(args);
	return ret;
}

int conf_fail(const struct origin *from, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = report(fail, from, fmt, args);
	va_end(args);
	return ret;
}

struct origin interface_origin(const struct conf *c, enum interface_key key)
{
	return (struct origin){c->lines[key] ? c->file : NULL, c->lines[key]};
}

struct origin peer_origin(const struct peer *p, enum peer_key key)
{
	return (struct origin){p->origin.file, p->lines[key] ?: p->origin.line};
}

struct origin allowed_origin(const struct peer *p, const struct prefix *allowed)
{
	struct origin from = {p->origin.file, 0};

	if (p->allowed_lines)
		from.line = p->allowed_lines[allowed - p->allowed];
	return from;
}
