// SPDX-License-Identifier: GPL-2.0-only
/* Reads systemd's configuration files: sections that may come again, keys,
 * values, lines that a backslash continues (systemd.syntax(7)). */
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct ini {
	FILE *in;
	char *line; /* malloc()ed */
	size_t room;
	unsigned int lines; /* read so far */
	struct ini_line now;
	char section[64];
	int (*each)(const struct ini_line *line, void *data);
	void *data;
};

static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	n = strlen(text);
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

static int begin_ini_section(struct ini *ini, char *text)
{
	char *end = strchr(text, ']');

	if (!end || end[1])
		return fail("%s:%u: \"%.60s\" is not a section: repair it",
			    ini->now.file, ini->now.number, text);
	*end = '\0';
	snprintf(ini->section, sizeof(ini->section), "%s", text + 1);
	ini->now.section = ini->section;
	ini->now.key = ini->now.value = NULL;
	return ini->each(&ini->now, ini->data);
}

static int take_ini_key(struct ini *ini, char *text)
{
	char *value = strchr(text, '=');

	if (!value || !ini->now.section)
		return fail(
			"%s:%u: \"%.60s\" is not KEY=VALUE in a section: repair it",
			ini->now.file, ini->now.number, text);
	*value++ = '\0';
	ini->now.key = trim(text);
	ini->now.value = trim(value);
	return ini->each(&ini->now, ini->data);
}

/* Appends the next line to one that ends with a backslash, but for comments. */
static bool continue_line(struct ini *ini, char **line)
{
	char *more = NULL, *joined;
	size_t n = strlen(*line), room = 0;
	bool read;

	(*line)[n - 1] = ' ';
	do {
		read = getline(&more, &room, ini->in) > 0;
		ini->lines += read;
	} while (read && strchr("#;", *trim(more)) && *trim(more));
	joined = read ? realloc(*line, n + room + 1) : NULL;
	if (joined)
		*line = strcat(joined, more);
	free(more);
	return joined;
}

static int read_ini_line(struct ini *ini)
{
	char *line = strdup(trim(ini->line)), *text;
	int ret = OK;

	if (!line)
		return fail("out of memory");
	while (*line && !strchr("#;", *line) &&
	       line[strlen(line) - 1] == '\\' && continue_line(ini, &line))
		trim(line);
	text = trim(line);
	if (*text == '[')
		ret = begin_ini_section(ini, text);
	else if (*text && !strchr("#;", *text))
		ret = take_ini_key(ini, text);
	free(line);
	return ret;
}

int ini_read(const char *file,
	     int (*each)(const struct ini_line *line, void *data), void *data)
{
	struct ini ini = {.now.file = file, .each = each, .data = data};
	int ret = OK;

	ini.in = fopen(file, "re");
	if (!ini.in)
		return fail("%s: cannot read it: %s", file, strerror(errno));
	while (!ret && getline(&ini.line, &ini.room, ini.in) > 0) {
		ini.now.number = ++ini.lines;
		ret = read_ini_line(&ini);
	}
	free(ini.line);
	fclose(ini.in);
	return ret;
}
