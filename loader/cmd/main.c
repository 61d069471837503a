// SPDX-License-Identifier: GPL-2.0-only
/* The command line: global options, and the command. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include "maps/maps.h"

/* Returns the value of the global option --bpffs at argv[*i] and moves *i to
 * its last word. NULL for another word, or with an error in *ret. */
static const char *bpffs_option(int argc, char **argv, int *i, int *ret)
{
	const char *arg = argv[*i], *dir = NULL;

	if (!strncmp(arg, "--bpffs=", 8))
		dir = arg + 8;
	else if (strcmp(arg, "--bpffs"))
		return NULL;
	else if (*i + 1 < argc)
		dir = argv[++*i];
	if (!dir || !*dir)
		*ret = fail_usage("--bpffs: no directory behind it: give one");
	return dir;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return true;
	}
	return false;
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

static int run_command(int argc, char **argv)
{
	const struct command *command = command_find(argv[0]);

	if (!command)
		return USAGE;
	if (asks_for_help(argc, argv)) {
		command_help(command);
		return check_output(OK);
	}
	return check_output(command->run(argc, argv));
}

int main(int argc, char **argv)
{
	int ret = OK;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *dir = bpffs_option(argc, argv, &i, &ret);

		if (ret)
			return ret;
		if (dir)
			pins_set_bpffs(dir);
		else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return check_output(cmd_help.run(1, argv));
		else if (!strcmp(argv[i], "--version") ||
			 !strcmp(argv[i], "-V"))
			return check_output(cmd_version.run(1, argv));
		else
			return fail_usage(
				"unknown option \"%s\": see `tunload help`",
				argv[i]);
	}
	if (i == argc)
		return fail_usage("no command given: see `tunload help`");
	return run_command(argc - i, argv + i);
}
