// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a configuration file with inih. inih splits sections, keys and values;
 * it knows no line numbers, cuts long lines and names off without a word, and
 * glues indented lines to the one before. So it gets its lines from
 * conf_line.c, which hands it only what it can take.
 */
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "line.h"

/* Where the parser is. */
struct parser {
	struct conf_lines lines;
	struct conf *conf;
	struct peer *peer;	/* of the current section; NULL: [interface] */
	const struct key *keys; /* of the current section; NULL: none yet */
	bool interface_seen;
	int status;
};

static struct origin here(const struct parser *parser)
{
	return (struct origin){parser->conf->file, parser->lines.number};
}

static int begin_interface(struct parser *parser)
{
	struct origin from = here(parser);

	if (parser->interface_seen)
		return conf_error(
			&from,
			"second section [interface]: merge it with the first");
	parser->interface_seen = true;
	parser->peer = NULL;
	parser->keys = interface_keys;
	return OK;
}

static int begin_peer(struct parser *parser, const char *name)
{
	struct origin from = here(parser);

	if (peer_name_check(&from, name))
		return USAGE;
	if (parser->conf->n_peers == TL_MAX_PEERS)
		return conf_error(&from, "peer %s: more than %u peers", name,
				  TL_MAX_PEERS);
	parser->peer = conf_add_peer(parser->conf, name);
	if (!parser->peer)
		return fail("out of memory");
	parser->peer->origin = from;
	parser->keys = peer_keys;
	return OK;
}

/* [Interface], [Peer], [peers x]: the habits of other tools. */
static int unknown_section(const struct origin *from, const char *section)
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

/* A section with no keys in it reaches inih's handler never, so this is called
 * by the reader. */
static int begin_section(struct parser *parser, const char *section)
{
	struct origin from = here(parser);

	if (!strcmp(section, "interface"))
		return begin_interface(parser);
	if (!strncmp(section, "peer", 4) && strchr(" \t", section[4])) {
		section += 4;
		return begin_peer(parser, section + strspn(section, " \t"));
	}
	return unknown_section(&from, section);
}

static int set_key(struct parser *parser, const char *name, const char *value)
{
	struct origin from = here(parser);
	char section[TL_NAME_LEN + 8] = "[interface]";
	unsigned int *line;
	const struct key *k;

	if (!parser->keys)
		return conf_error(
			&from,
			"key \"%s\" before any section: write [interface] or [peer NAME] first",
			name);
	if (parser->peer)
		snprintf(section, sizeof(section), "peer %s",
			 parser->peer->name);
	k = key_find(parser->keys, &from, section, name);
	if (!k)
		return USAGE;
	line = parser->peer ? parser->peer->lines : parser->conf->lines;
	line += k - parser->keys;
	if (*line && !k->again)
		return conf_error(
			&from,
			"%s: key \"%s\" again, first in line %u: remove one",
			section, name, *line);
	*line = from.line;
	return k->set(parser->peer ?: (void *)parser->conf, &from, value);
}

/* inih's handler: 0 on error, but inih goes on, so the first one is kept. */
static int handle_key(void *user, const char *section, const char *name,
		      const char *value)
{
	struct parser *parser = user;

	(void)section;
	if (!parser->status)
		parser->status = set_key(parser, name, value);
	return !parser->status;
}

/* inih's reader: like fgets(). */
static char *read_line(char *buf, int size, void *stream)
{
	struct parser *parser = stream;
	struct conf_lines *lines = &parser->lines;

	if (parser->status || !conf_line(lines, buf, size))
		return NULL;
	if (lines->section)
		parser->status = begin_section(parser, lines->section);
	return parser->status ? NULL : buf;
}

static int check_names(const struct conf *c)
{
	struct names names;
	int ret = names_init(&names, c);

	for (size_t i = 1; !ret && i < names.n; i++) {
		const struct peer *first = names.sorted[i - 1];
		const struct peer *second = names.sorted[i];

		if (strcmp(first->name, second->name))
			continue;
		ret = conf_error(
			&second->origin,
			"second section [peer %s], first in line %u: merge or rename one",
			second->name, first->origin.line);
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
	struct parser parser = {.conf = c};
	int ret;

	if (strlen(file) >= sizeof(c->file))
		return fail_usage(
			"%s: file name too long: name another with -c", file);
	ret = open_file(file, &parser.lines.file);
	if (ret)
		return ret;
	strcpy(c->file, file);
	parser.lines.name = c->file;
	ret = ini_parse_stream(read_line, &parser, handle_key, &parser);
	fclose(parser.lines.file);
	free(parser.lines.line);
	if (parser.lines.status)
		return parser.lines.status;
	if (parser.status)
		return parser.status;
	/* conf_line() lets nothing through that inih would not take. */
	if (ret)
		return fail_usage("%s:%d: not understood", file, ret);
	return check_names(c);
}
