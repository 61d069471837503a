/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of commands. */
#ifndef TUNLOAD_HELP_H
#define TUNLOAD_HELP_H

#include <stdio.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *brief; /* one line */
	const char *text;  /* the rest of its help */
};

/* NULL after a USAGE error that names what was probably meant. */
const struct command *command_find(const char *name);
void command_help(FILE *out, const struct command *command);

#endif
