/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd/: the command line: the table of commands, options, help, and one file a
 * command, which parses, calls and prints.
 */
#ifndef TUNLOAD_CMD_H
#define TUNLOAD_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include "base/base.h"

/* One function a command; main.c has the table of them. */

/*
 * argv[0] is the command's name, the rest its arguments, options included (each
 * command runs getopt_long on its own). Returns the exit status, its
 * error already printed.
 */
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_peer(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_showconf(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_trigger(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* Set by a command that changed something: what it prints only tells of that,
 * so that output which cannot be written is no failure. */
extern bool output_is_news;

/* Option parsing shared by the commands (args.c): getopt_long() whose errors
 * are ours (one line, USAGE, "see 'tunload help COMMAND'"). */
struct option;
/* Like getopt_long(): next option's val, -1 at the end, '?' after an error that
 * has been printed. */
int next_option(int argc, char **argv, const char *shorts,
		const struct option *longs);
/* Takes the IFACE argument at *optind: checks the length and that it is no
 * path; NULL after an error that has been printed. */
const char *take_iface(int argc, char **argv);
/* For commands whose one argument is IFACE: takes it, and checks that nothing
 * follows and that this process can work with BPF. */
int only_iface(int argc, char **argv, const char **ifname);
/* USAGE if arguments are left over. */
int no_more_args(int argc, char **argv);

/* The table of commands. */

struct key;
struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *brief;	/* one line */
	const char *text;	/* the rest of its help */
	const struct key *keys; /* explained below that, or NULL */
};

/* NULL after a USAGE error that names what was probably meant. */
const struct command *command_find(const char *name);
void command_help(FILE *out, const struct command *command);

#endif
