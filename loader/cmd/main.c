// SPDX-License-Identifier: GPL-2.0-only
/* The command line: global options, and the command. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include "maps/maps.h"

/* What the options that belong to no command ask for. */
struct globals {
	bool help, version;
};

/* Sets the directory of --bpffs if argv[*i] is that option, and moves *i to its
 * last word. False for another word. */
static bool take_bpffs(int argc, char **argv, int *i, int *ret)
{
	const char *arg = argv[*i], *dir = NULL;

	if (!strncmp(arg, "--bpffs=", 8))
		dir = arg + 8;
	else if (strcmp(arg, "--bpffs") != 0)
		return false;
	else if (*i + 1 < argc)
		dir = argv[++*i];
	if (dir && *dir)
		pins_set_bpffs(dir);
	else
		*ret = fail_usage("--bpffs: no directory behind it: give one");
	return true;
}

static bool is_one_of(const char *arg, const char *a, const char *b)
{
	return !strcmp(arg, a) || !strcmp(arg, b);
}

/* Takes the global options out of argv, wherever they are. */
static int take_globals(int *argc, char **argv, struct globals *g)
{
	int n = 1, ret = OK;

	for (int i = 1; i < *argc && !ret; i++) {
		if (take_bpffs(*argc, argv, &i, &ret))
			continue;
		if (is_one_of(argv[i], "--help", "-h"))
			g->help = true;
		else if (is_one_of(argv[i], "--version", "-V"))
			g->version = true;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	*argc = n;
	return ret;
}

/* Moves options in front of the command, which take no value, behind it. */
static int command_first(char **argv)
{
	char **at = argv;

	for (; *at && **at == '-'; at++) {
		if (strcmp(*at, "--json") != 0 &&
		    !is_one_of(*at, "-v", "--verbose"))
			return fail_usage(
				"unknown option \"%s\" before the command: see `tunload help`",
				*at);
	}
	if (!*at)
		return fail_usage("no command given: see `tunload help`");
	for (char *command = *at; at >= argv; at--)
		*at = at > argv ? at[-1] : command;
	return OK;
}

bool output_is_news;

/* Fails if the output could not be written (full disk), unless it only reports
 * a change, which is done. */
static int check_output(int ret)
{
	if ((!fflush(stdout) && !ferror(stdout)) || ret)
		return ret;
	if (!output_is_news)
		return fail("cannot write to standard output");
	warn("done, but the output could not be written to standard output");
	return OK;
}

static int run_command(int argc, char **argv, bool help)
{
	const struct command *command = command_find(argv[0]);

	if (!command)
		return USAGE;
	if (!help)
		return command->run(argc, argv);
	command_help(command);
	return OK;
}

int main(int argc, char **argv)
{
	struct globals g = {0};
	int ret = take_globals(&argc, argv, &g);

	if (ret)
		return ret;
	if (g.version)
		return check_output(cmd_version.run(1, argv));
	if (g.help && argc == 1)
		return check_output(cmd_help.run(1, argv));
	ret = command_first(argv + 1);
	return ret ?: check_output(run_command(argc - 1, argv + 1, g.help));
}
