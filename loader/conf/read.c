// SPDX-License-Identifier: GPL-2.0-only
/* Finds a configuration file and reads it line by line, up to the first
 * error. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"

#define CONF_LINE_MAX 65536 /* characters of a line */
#define KEY_NAME_MAX  49    /* characters of a key */
#define SETTING_MAX   195   /* of a key and its value, unless that is a list */

/* The state of the reader. */
struct reader {
	struct conf *conf;
	FILE *file;
	char *line;	    /* CONF_LINE_MAX + 1 characters */
	struct origin here; /* that line */
	bool in_section;
	struct peer *peer; /* of the current section; NULL: [interface] */
	bool interface_seen;
};

static int begin_interface(struct reader *r)
{

	if (r->interface_seen)
		return conf_error(
			r->here,
			"second section [interface]: merge it with the first");
	r->interface_seen = true;
	r->peer = NULL;
	return OK;
}

static int begin_peer(struct reader *r, const char *name)
{

	if (peer_name_check(r->here, name))
		return USAGE;
	if (r->conf->n_peers == TL_MAX_PEERS)
		return conf_error(r->here, "peer %s: more than %u peers", name,
				  TL_MAX_PEERS);
	r->peer = conf_add_peer(r->conf, name);
	if (!r->peer)
		return fail("out of memory");
	r->peer->origin = r->here;
	return OK;
}

/* Also suggests a section for [Interface], [Peer] and [peers x] of other
 * tools. */
static int unknown_section(struct origin from, const char *section)
{
	size_t n = strcspn(section, " \t");
	const char *name = section + n + strspn(section + n, " \t");
	char word[16];

	snprintf(word, sizeof(word), "%.*s", (int)n, section);
	if (word_close(word, "interface"))
		return conf_error(
			from, "unknown section [%s]: did you mean [interface]?",
			section);
	if (word_close(word, "peer"))
		return conf_error(
			from, "unknown section [%s]: did you mean [peer %s]?",
			section, *name ? name : "NAME");
	return conf_error(
		from, "unknown section [%s]: write [interface] or [peer NAME]",
		section);
}

static int begin_section(struct reader *r, const char *section)
{

	r->in_section = true;
	if (!strcmp(section, "interface"))
		return begin_interface(r);
	if (!strncmp(section, "peer", 4) && strchr(" \t", section[4])) {
		section += 4;
		return begin_peer(r, section + strspn(section, " \t"));
	}
	return unknown_section(r->here, section);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Cuts off blanks at both ends and the comment: '#' or ';' at the start or
 * behind a blank. */
static char *strip(char *text)
{
	char *end;

	while (is_blank(*text))
		text++;
	for (end = text; *end; end++) {
		if (strchr("#;", *end) && (end == text || is_blank(end[-1])))
			break;
	}
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	return text;
}

/* Shorten quoted text, so that the advice behind it still fits. */
static char *cut(char *text)
{
	if (strlen(text) > QUOTE_MAX)
		strcpy(text + QUOTE_MAX - 3, "...");
	return text;
}

static int take_section(struct reader *r, char *line)
{
	size_t n = strlen(line);

	if (line[n - 1] != ']' || strpbrk(line + 1, "[]") != line + n - 1)
		return conf_error(
			r->here,
			"section \"%s\" is not of the form [interface] or [peer NAME]",
			cut(line));
	line[n - 1] = '\0';
	/* Names this long are invalid, so truncation is safe. */
	return begin_section(r, cut(strip(line + 1)));
}

static int set_key(struct reader *r, const char *name, const char *value)
{
	const struct key *k;
	unsigned int *line;

	if (!r->in_section)
		return conf_error(
			r->here,
			"key \"%s\" before any section: write [interface] or [peer NAME] first",
			name);
	k = key_find(r->peer, r->here, name);
	if (!k)
		return USAGE;
	line = r->peer ? &r->peer->lines[k - peer_keys]
		       : &r->conf->lines[k - interface_keys];
	if (*line && !k->again)
		return conf_error(
			r->here,
			"%s%s: key \"%s\" again, first in line %u: remove one",
			r->peer ? "peer " : "[interface]",
			r->peer ? r->peer->name : "", name, *line);
	*line = r->here.line;
	return key_set(k, r->peer ?: (void *)r->conf, r->here, value);
}

static int take_setting(struct reader *r, char *line)
{
	size_t n = strcspn(line, "=:");
	char *key, *value;

	if (line[n] != '=' || !n)
		return conf_error(r->here,
				  "line \"%s\" is not of the form KEY = VALUE",
				  cut(line));
	line[n] = '\0';
	key = strip(line);
	value = strip(line + n + 1);
	if (!*value)
		return conf_error(
			r->here,
			"key \"%s\" has no value: give one or remove the line",
			key);
	n = strlen(key);
	if (n > KEY_NAME_MAX)
		return conf_error(
			r->here,
			"unknown key \"%s\": remove it, or see tunload.conf(5)",
			cut(key));
	if (n + strlen(value) > SETTING_MAX && strcmp(key, "allowed-ips"))
		return conf_error(
			r->here,
			"value of \"%s\" is too long: write at most %zu characters instead of \"%s\"",
			key, SETTING_MAX - n, cut(value));
	return set_key(r, key, value);
}

static int take_line(struct reader *r)
{
	char *line = r->line;

	if (r->here.line == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
		line += 3; /* the UTF-8 byte order mark of some editors */
	line = strip(line);
	if (*line == '[')
		return take_section(r, line);
	return *line ? take_setting(r, line) : OK;
}

/* Reads a line, without its line end; *end is true after the last line. */
static int read_line(struct reader *r, bool *end)
{
	size_t n = 0;
	int c;

	r->here.line++;
	while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
		if (!c)
			return conf_error(
				r->here,
				"NUL byte: this is no text file; save it as UTF-8");
		if (n == CONF_LINE_MAX)
			return conf_error(
				r->here,
				"line longer than %u characters: split the list over several lines",
				CONF_LINE_MAX);
		r->line[n++] = c;
	}
	if (ferror(r->file))
		return fail_usage(
			"%s: cannot read the configuration: %s; name another with -c",
			r->conf->file, strerror(errno));
	r->line[n] = '\0';
	*end = c == EOF && !n;
	return OK;
}

static int read_lines(struct reader *r)
{
	bool end = false;
	int ret = OK;

	while (!ret && !end) {
		ret = read_line(r, &end);
		if (!ret && !end)
			ret = take_line(r);
	}
	return ret;
}

static int check_names(const struct conf *c)
{
	struct names names;
	int ret = names_init(&names, c);

	for (size_t i = 0; !ret && i < c->n_peers; i++) {
		const struct peer *p = &c->peers[i];
		const struct peer *first = names_find(&names, p->name);

		if (first != p)
			ret = conf_error(
				p->origin,
				"second section [peer %s], first in line %u: merge or rename one",
				p->name, first->origin.line);
	}
	names_free(&names);
	return ret;
}

static int open_file(const char *file, FILE **out)
{
	struct stat st;

	*out = fopen(file, "re");
	if (!*out)
		return fail_usage(
			"%s: cannot read the configuration: %s; name another with -c",
			file, strerror(errno));
	if (!fstat(fileno(*out), &st) && !S_ISDIR(st.st_mode))
		return OK;
	fclose(*out);
	return fail_usage(
		"%s: is a directory, not a configuration file: name a file with -c",
		file);
}

int conf_read(struct conf *c, const char *file)
{
	struct reader r = {.conf = c};
	int ret;

	if (strlen(file) >= sizeof(c->file))
		return fail_usage(
			"%s: file name too long: name another with -c", file);
	ret = open_file(file, &r.file);
	if (ret)
		return ret;
	strcpy(c->file, file);
	r.here.file = c->file;
	r.line = calloc(1, CONF_LINE_MAX + 1);
	ret = r.line ? read_lines(&r) : fail("out of memory");
	free(r.line);
	fclose(r.file);
	return ret ?: check_names(c);
}

int conf_load(struct conf *c, const char *ifname, const char *file, bool *found)
{
	char path[PATH_MAX];
	int ret;

	conf_init(c, ifname);
	snprintf(path, sizeof(path), CONF_DIR "/%s.conf", ifname);
	*found = file || !access(path, F_OK);
	if (!*found)
		return OK;
	ret = conf_read(c, file ? file : path);
	if (ret)
		conf_free(c);
	return ret;
}
