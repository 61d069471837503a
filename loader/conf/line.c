// SPDX-License-Identifier: GPL-2.0-only
/* The lines of a configuration file, in the form that inih takes. */
#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX	  49  /* inih's limit for names and sections */
#define QUOTE_MAX 250 /* characters of a line that an error quotes */

static char *give_up(struct conf_lines *l, int status)
{
	l->status = status;
	return NULL;
}

/* Behind a value that is too long, an error still has to say what to do. */
static char *cut(char *text)
{
	if (strlen(text) > QUOTE_MAX)
		strcpy(text + QUOTE_MAX - 3, "...");
	return text;
}

static struct origin line_origin(const struct conf_lines *l)
{
	return (struct origin){l->name, l->number};
}

/* One line of the file without its line end; its length, or -1 at the end of
 * the file and after an error. */
static ssize_t read_raw(struct conf_lines *l)
{
	struct origin from;
	size_t n = 0;
	int c;

	l->number++;
	from = line_origin(l);
	while ((c = getc_unlocked(l->file)) != EOF && c != '\n') {
		if (!c)
			l->status = conf_error(
				&from,
				"NUL byte: this is no text file; save it as UTF-8");
		else if (n == CONF_LINE_MAX)
			l->status = conf_error(
				&from,
				"line longer than %u characters: split the list over several lines",
				CONF_LINE_MAX);
		if (l->status)
			return -1;
		l->line[n++] = c;
	}
	if (ferror(l->file))
		l->status = fail_usage(
			"%s: cannot read the configuration: %s; name another with -c",
			l->name, strerror(errno));
	l->line[n] = '\0';
	return l->status || (c == EOF && !n) ? -1 : (ssize_t)n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Cuts off blanks at both ends and the comment: '#' or ';' at the start or
 * behind a blank. */
static char *strip(char *line)
{
	char *end;

	while (is_blank(*line))
		line++;
	for (end = line; *end; end++) {
		if (strchr("#;", *end) && (end == line || is_blank(end[-1])))
			break;
	}
	while (end > line && is_blank(end[-1]))
		end--;
	*end = '\0';
	return line;
}

static char *take_section(struct conf_lines *l, char *line, char *buf, int size)
{
	struct origin from = line_origin(l);
	size_t n = strlen(line);
	char *text = line + 1;

	if (line[n - 1] != ']' || strpbrk(text, "[]") != line + n - 1)
		return give_up(
			l,
			conf_error(
				&from,
				"section \"%s\" is not of the form [interface] or [peer NAME]",
				cut(line)));
	line[n - 1] = '\0';
	/* Names as long as this are refused, cut or not. */
	l->section = text = cut(strip(text));
	snprintf(buf, size, "[%.*s]\n", KEY_MAX, text);
	return buf;
}

/* As much of l->rest as fits, at a word's end; the key is at l->line. */
static char *take_piece(struct conf_lines *l, char *buf, int size)
{
	int used = snprintf(buf, size, "%s = ", l->line);
	const char *list = l->rest, *word;
	size_t n;

	while ((word = list_next(&list, &n)) && used + (int)n + 3 < size) {
		used += sprintf(buf + used, "%.*s ", (int)n, word);
		l->rest = (char *)list;
	}
	if (!word)
		l->rest = NULL;
	strcpy(buf + used, "\n");
	return buf;
}

/* A list in pieces; each word must fit into one. */
static char *take_list(struct conf_lines *l, const char *key, char *value,
		       char *buf, int size)
{
	struct origin from = line_origin(l);
	const char *list = value, *word;
	size_t n;

	while ((word = list_next(&list, &n))) {
		if (n > PREFIX_STRLEN)
			return give_up(
				l,
				conf_error(
					&from,
					"%s \"%.*s\" is not a prefix: write ADDRESS/LENGTH",
					key, n < QUOTE_MAX ? (int)n : QUOTE_MAX,
					word));
	}
	memmove(l->line, key, strlen(key) + 1);
	l->rest = value;
	return take_piece(l, buf, size);
}

static char *take_key(struct conf_lines *l, char *line, char *buf, int size)
{
	struct origin from = line_origin(l);
	size_t n = strcspn(line, "=:");
	char *key, *value;

	/* inih would take a ':' for '='. */
	if (line[n] != '=' || !n)
		return give_up(
			l,
			conf_error(&from,
				   "line \"%s\" is not of the form KEY = VALUE",
				   cut(line)));
	line[n] = '\0';
	key = strip(line);
	value = strip(line + n + 1);
	if (!*value)
		return give_up(
			l,
			conf_error(
				&from,
				"key \"%s\" has no value: give one or remove the line",
				key));
	n = strlen(key) + strlen(value) + 5;
	if (strlen(key) > KEY_MAX)
		return give_up(
			l,
			conf_error(
				&from,
				"unknown key \"%s\": remove it, or see tunload.conf(5)",
				cut(key)));
	if (n <= (size_t)size) {
		snprintf(buf, size, "%s = %s\n", key, value);
		return buf;
	}
	if (!strcmp(key, "allowed-ips"))
		return take_list(l, key, value, buf, size);
	return give_up(
		l,
		conf_error(
			&from,
			"value of \"%s\" is too long: write at most %zu characters instead of \"%s\"",
			key, size - strlen(key) - 5, cut(value)));
}

char *conf_line(struct conf_lines *l, char *buf, int size)
{
	char *line;

	l->section = NULL;
	if (l->rest)
		return take_piece(l, buf, size);
	if (!l->line)
		l->line = malloc(CONF_LINE_MAX + 1);
	if (!l->line)
		return give_up(l, fail("out of memory"));
	if (read_raw(l) < 0)
		return NULL;
	line = l->line;
	if (l->number == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
		line += 3; /* the UTF-8 byte order mark of some editors */
	line = strip(line);
	if (*line == '[')
		return take_section(l, line, buf, size);
	if (*line)
		return take_key(l, line, buf, size);
	return strcpy(buf, "\n");
}
