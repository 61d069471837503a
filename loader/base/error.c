// SPDX-License-Identifier: GPL-2.0-only
/* Errors and warnings: one line each on standard error. */
#include "base.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Quoted values come from outside: whatever they contain, an error stays one
 * line of readable length without control characters. */
static void print_line(const char *prefix, const char *fmt, va_list args)
{
	char line[1024];
	int n = vsnprintf(line, sizeof(line), fmt, args);
	bool all;

	all = text_printable(line);
	for (char *c = line; *c; c++) {
		if (iscntrl((unsigned char)*c) || (!all && *c & 0x80))
			*c = '?';
	}
	if (n >= (int)sizeof(line))
		strcpy(line + sizeof(line) - 4, "...");
	fprintf(stderr, "tunload: %s%s\n", prefix, line);
}

int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("", fmt, args);
	va_end(args);
	return FAILED;
}

int fail_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("", fmt, args);
	va_end(args);
	return USAGE;
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("warning: ", fmt, args);
	va_end(args);
}

void warn_rest(size_t n, const char *what)
{
	if (n > WARNINGS_AT_MOST)
		warn("%zu more %s", n - WARNINGS_AT_MOST, what);
}
