// SPDX-License-Identifier: GPL-2.0-only
/* `tunload help`, and finding a command by its name. */
#include "cmd.h"

#include <string.h>

#define ROW(name) &cmd_##name,

static const struct command *const commands[] = {COMMANDS(ROW)};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(name, commands[i]->name))
			return commands[i];
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

void command_help(FILE *out, const struct command *command)
{
	fprintf(out, "tunload %s%s%s\n\n%c%s.\n%s", command->name,
		*command->args ? " " : "", command->args,
		command->brief[0] - 'a' + 'A', command->brief + 1,
		command->text);
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
		command_help(stdout, command);
		return OK;
	}
	printf("tunload [--bpffs DIR] COMMAND ...\n\n"
	       "Plain IP-in-IP tunnels (4in4, 6in4, 4in6, 6in6) in XDP and tc.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->brief);
	printf("\n  --bpffs DIR   where pins are kept (TUNLOAD_BPFFS, /sys/fs/bpf)\n\n"
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
