// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints what man pages and completion have from the lists: verdicts and keys
 * as rows of a table (tbl(1)), or keys with the words of their values, one key
 * a line. Runs while building.
 */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

#define FATE_WORD_TUNNEL "tunnel"
#define FATE_WORD_PASS	 "pass"
#define FATE_WORD_DROP	 "drop"
#define FATE_WORD_ANSWER "answer"

#define VERDICT_ROW(name, fate, report, from, text)                            \
	printf("%s\t%s\tT{\n%s\nT}\n", #name, FATE_WORD_##fate, text);

static void print_verdicts(void)
{
	TL_VERDICTS(VERDICT_ROW)
}

/* In roff a '-' alone is a hyphen. */
static void print_word(const char *word)
{
	for (; *word; word++)
		printf("%s%c", *word == '-' ? "\\" : "", *word);
	putchar('\t');
}

static void print_rows(const struct key *keys)
{
	char text[KEY_STRLEN];

	for (const struct key *k = keys; k->name; k++) {
		print_word(k->name);
		print_word(key_values(k, text));
		print_word(key_default(k, text));
		printf("T{\n%s\nT}\n", k->help);
	}
}

/* A line a key: its name, and the words that its value can be. */
static void print_words(const struct key *keys)
{
	char buf[KEY_STRLEN], text[KEY_STRLEN];

	for (const struct key *k = keys; k->name; k++) {
		printf("%s", k->name);
		snprintf(text, sizeof(text), "%s", key_values(k, buf));
		for (char *word = strtok(text, "|"); word;
		     word = strtok(NULL, "|"))
			if (*word >= 'a' && *word <= 'z')
				printf(" %.*s", (int)strcspn(word, " "), word);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "verdicts"))
		print_verdicts();
	else if (!strcmp(what, "interface-keys"))
		print_rows(interface_keys);
	else if (!strcmp(what, "peer-keys"))
		print_rows(peer_keys);
	else if (!strcmp(what, "interface-words"))
		print_words(interface_keys);
	else if (!strcmp(what, "peer-words"))
		print_words(peer_keys);
	else
		return 1;
	return 0;
}
