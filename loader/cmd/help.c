// SPDX-License-Identifier: GPL-2.0-only
/* `tunload help`, and the search for a command by its name. */
#include "cmd.h"

#include <string.h>

#include "conf/conf.h"

#define ROW(name) &cmd_##name,

static const struct command *const commands[] = {COMMANDS(ROW)};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(name, commands[i]->name))
			return commands[i];
	}
	if (habit_of_command(name)) {
		fail_usage("unknown command \"%s\": say \"%s\"", name,
			   habit_of_command(name));
		return NULL;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!word_close(name, commands[i]->name))
			continue;
		fail_usage("unknown command \"%s\": did you mean \"%s\"?", name,
			   commands[i]->name);
		return NULL;
	}
	fail_usage("unknown command \"%s\": see `tunload help`", name);
	return NULL;
}

#define HELP_WIDTH 79

/* Wraps text at the given column; the first line is there already. */
static void print_wrapped(const char *text, int column)
{
	int at = column, n;

	for (; *text; text += n + strspn(text + n, " ")) {
		n = strcspn(text, " ");
		if (at > column && at + 1 + n > HELP_WIDTH) {
			printf("\n%*s", column, "");
			at = column;
		}
		at += printf("%s%.*s", at > column ? " " : "", n, text);
	}
	putchar('\n');
}

#define KEY_COLUMN 22

/* "  ttl 1-255           outer TTL or hop limit (64)" */
static void print_keys(const struct key *keys)
{
	for (const struct key *k = keys; k->name; k++) {
		char values[KEY_STRLEN], initial[KEY_STRLEN], text[256];
		const char *of = key_default(k, initial);
		int at = printf("  %s %s", k->name, key_values(k, values));

		if (at >= KEY_COLUMN)
			at = printf("\n") - 1;
		printf("%*s", KEY_COLUMN - at, "");
		snprintf(text, sizeof(text), *of ? "%s (%s)" : "%s", k->help,
			 of);
		print_wrapped(text, KEY_COLUMN);
	}
}

void command_help(const struct command *command)
{
	printf("tunload %s%s%s\n\n%c%s.\n%s", command->name,
	       *command->args ? " " : "", command->args,
	       command->brief[0] - 'a' + 'A', command->brief + 1,
	       command->text);
	if (command->keys)
		print_keys(command->keys);
}

static int run_help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2)
		return fail_usage(
			"help: one argument too many \"%s\": see `tunload help`",
			argv[2]);
	if (argc == 2) {
		command = command_find(argv[1]);
		if (!command)
			return USAGE;
		command_help(command);
		return OK;
	}
	printf("tunload [--bpffs DIR] COMMAND ...\n\n"
	       "Plain IP-in-IP tunnels (4in4, 6in4, 4in6, 6in6) in XDP and tc.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-13s %s\n", commands[i]->name, commands[i]->brief);
	printf("\n  --bpffs DIR   where pins are kept (TUNLOAD_BPFFS, /sys/fs/bpf)\n\n"
	       "It, --json and -v may stand before the command or anywhere behind it.\n"
	       "Exit status: 0 done, 1 failed, 2 usage or configuration error.\n"
	       "See tunload(8) and tunload.conf(5).\n");
	return OK;
}

const struct command cmd_help = {
	.name = "help",
	.run = run_help,
	.args = "[COMMAND]",
	.brief = "print this, or more about a command",
	.text = "",
};
