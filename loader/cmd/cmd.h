/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd/: the command line: options, help, and one file per command, which
 * parses, calls and prints.
 */
#ifndef TUNLOAD_CMD_H
#define TUNLOAD_CMD_H

#include <stdio.h>

#include "base/base.h"

struct key;

/* A command. Its file ends with it. */
struct command {
	const char *name;
	/* argv[0] is the command's name, followed by its options and arguments.
	 * Prints its error and returns the exit status. */
	int (*run)(int argc, char **argv);
	const char *args;
	const char *brief;	/* one line */
	const char *text;	/* the rest of its help */
	const struct key *keys; /* keys that the help lists, or NULL */
};

/* All commands, in the order of `tunload help`. A new one is a word here, a
 * file that defines cmd_NAME, and a section of the man page. */
#define COMMANDS(X)                                                            \
	X(attach)                                                              \
	X(detach)                                                              \
	X(reload)                                                              \
	X(status)                                                              \
	X(peer)                                                                \
	X(showconf)                                                            \
	X(monitor)                                                             \
	X(capture)                                                             \
	X(trigger)                                                             \
	X(watch)                                                               \
	X(metrics)                                                             \
	X(check)                                                               \
	X(remote_config)                                                       \
	X(import)                                                              \
	X(version)                                                             \
	X(help)

#define DECLARE(name) extern const struct command cmd_##name;
COMMANDS(DECLARE)
#undef DECLARE

/* Returns NULL after a USAGE error that suggests a command. */
const struct command *command_find(const char *name);
void command_help(const struct command *command);

/* Set by a command that changed something. Its output only reports that, so a
 * failure to write the output does not fail the command. */
extern bool output_is_news;

/* Options and arguments. Errors are one line, with "see `tunload help ...`". */

/* An option; one of flag and value is set. A list ends with an option without a
 * name. */
struct opt {
	const char *name;
	char letter; /* 0: none */
	bool number; /* the value may be missing ("") and else begins with a
			digit or stands behind a = */
	bool *flag;
	const char **value;
};

/* Parses the options; returns a status. opts may be NULL. The arguments then
 * begin at optind. */
int take_options(int argc, char **argv, const struct opt *opts);
/* Takes the IFACE argument at *optind: checks the length and that it is not a
 * path. */
int take_iface(int argc, char **argv, const char **ifname);
/* USAGE if arguments are left over. */
int no_more_args(int argc, char **argv);
/* All three above, for commands whose only argument is IFACE. */
int only_iface(int argc, char **argv, const struct opt *opts,
	       const char **ifname);

/* Calls run() for each interface that is attached in this network namespace,
 * and returns the worst status. */
int each_attached(int (*run)(const char *ifname, const void *arg),
		  const void *arg);

#endif
