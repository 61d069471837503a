// SPDX-License-Identifier: GPL-2.0-only
/* Log lines, to standard error or to the journal with fields. */
#include "loop.h"

#include <stdarg.h>
#include <sys/uio.h>

/* True if the journal has taken it. */
static bool log_to_journal(int priority, const struct facts *facts,
			   const char *line)
{
	struct iovec all[FACTS_MAX + 3];
	char message[1100], level[16];
	int n = 0;

	snprintf(message, sizeof(message), "MESSAGE=%s", line);
	snprintf(level, sizeof(level), "PRIORITY=%d", priority);
	all[n++] = (struct iovec){message, strlen(message)};
	all[n++] = (struct iovec){level, strlen(level)};
	all[n++] = (struct iovec){"SYSLOG_IDENTIFIER=tunload", 25};
	for (size_t i = 0; facts && i < facts->n; i++)
		all[n++] = (struct iovec){facts->all[i], strlen(facts->all[i])};
	return journal_send(all, n);
}

void watch_log(int priority, const struct facts *facts, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (!log_to_journal(priority, facts, line))
		fprintf(stderr, "tunload: %s\n", line);
}

void watch_report(void *unused, const char *line)
{
	static char last[1024];

	(void)unused;
	if (strcmp(last, line))
		watch_log(LOG_WARNING, NULL, "%s", line);
	snprintf(last, sizeof(last), "%s", line);
}
