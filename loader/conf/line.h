/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines of a configuration file in the form that inih can take. */
#ifndef TUNLOAD_CONF_LINE_H
#define TUNLOAD_CONF_LINE_H

#include "conf.h"

#define CONF_LINE_MAX 65536 /* characters of a line of the file */

/* Start with file and name set, the rest zero; free line at the end. */
struct conf_lines {
	FILE *file;
	const char *name;    /* for errors */
	unsigned int number; /* of the line handed out last */
	const char *section; /* its text if that line opens a section */
	char *line;	     /* buffer of CONF_LINE_MAX + 1 */
	char *rest;	     /* of a value handed out in pieces, or NULL */
	int status;	     /* not OK: an error was printed */
};

/*
 * The next line into buf like fgets(): comments and blanks at the ends removed,
 * either empty, [SECTION], or KEY = VALUE. A list too long for inih (its lines
 * end at 199 characters) comes in pieces with the key repeated. NULL at the end
 * and after an error, which is kept in l->status.
 */
char *conf_line(struct conf_lines *l, char *buf, int size);

#endif
