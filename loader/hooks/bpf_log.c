// SPDX-License-Identifier: GPL-2.0-only
/* Keeps the messages of libbpf and the kernel about a refused program. */
#include "one_hook.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static char first[256];	 /* libbpf's first warning */
static char kernel[256]; /* the kernel's message */

static bool debug(void)
{
	const char *env = getenv("TUNLOAD_DEBUG");

	return env && !strcmp(env, "1");
}

/* Keeps one line, without "libbpf: " in front. */
static void keep_line(char to[static 256], const char *from, size_t len)
{
	if (!strncmp(from, "libbpf: ", 8) && len > 8) {
		from += 8;
		len -= 8;
	}
	len = len < 255 ? len : 255;
	memcpy(to, from, len);
	to[len] = 0;
	to[strcspn(to, "\n")] = 0;
}

/* The verifier's reason is the line before its closing "processed N insns". */
static void keep_verifier(const char *log)
{
	const char *end = strstr(log, "\nprocessed ");
	const char *line = end;

	if (!end)
		return;
	while (line > log && line[-1] != '\n')
		line--;
	keep_line(kernel, line, end - line);
}

static void keep_kernel(const char *text)
{
	static const char extack[] = "Kernel error message: ";
	const char *found = strstr(text, extack);

	if (found)
		keep_line(kernel, found + sizeof(extack) - 1,
			  strlen(found) - (sizeof(extack) - 1));
	else if (strstr(text, "-- BEGIN PROG LOAD LOG --"))
		keep_verifier(text);
	else if (!*first)
		keep_line(first, text, strlen(text));
}

static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text;

	if (level == LIBBPF_DEBUG || vasprintf(&text, fmt, args) < 0)
		return 0;
	if (debug())
		fputs(text, stderr);
	if (level == LIBBPF_WARN)
		keep_kernel(text);
	free(text);
	return 0;
}

void bpf_log_start(void)
{
	*first = 0;
	*kernel = 0;
	libbpf_set_print(print);
}

const char *bpf_log_words(void)
{
	return *kernel ? kernel : first;
}
