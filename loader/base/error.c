// SPDX-License-Identifier: GPL-2.0-only
/* Errors and warnings: one line each on standard error. */
#include "base.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static report_fn *divert;
static void *divert_to;

void report_divert(report_fn *take, void *to)
{
	divert = take;
	divert_to = to;
}

/* True if standard error is the journal's stream (systemd.exec(5)), and not
 * something that a unit's process has redirected it to. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev &&
	       st.st_ino == inode;
}

/* What the journal takes as the priority of a line (sd-daemon(3)). */
static const char *priority(enum status status)
{
	if (!is_journal())
		return "";
	return status ? "<3>" : "<4>";
}

/* Quoted values come from outside: whatever they contain, an error stays one
 * line of readable length without control characters. */
int report_line(enum status status, const char *fmt, ...)
{
	char line[1024];
	va_list args;
	bool all;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	all = text_printable(line);
	for (char *c = line; *c; c++) {
		if (iscntrl((unsigned char)*c) || (!all && *c & 0x80))
			*c = '?';
	}
	if (n >= (int)sizeof(line))
		strcpy(line + sizeof(line) - 4, "...");
	if (divert)
		divert(divert_to, line);
	else
		fprintf(stderr, "%stunload: %s%s\n", priority(status),
			status ? "" : "warning: ", line);
	return status;
}

void warn_rest(size_t n, const char *what)
{
	if (n > WARNINGS_AT_MOST)
		warn("%zu more %s", n - WARNINGS_AT_MOST, what);
}
