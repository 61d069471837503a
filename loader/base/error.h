/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors. One error is one line on standard error: what is wrong, the bad value
 * in quotes, what to do. The functions return the exit status, so that a caller
 * writes `return fail("...")` and its caller hands it on.
 */
#ifndef TUNLOAD_ERROR_H
#define TUNLOAD_ERROR_H

#include <stddef.h>
#include <stdbool.h>

/* Exit statuses of the program, and what every function that can fail and has
 * already said why returns. */
enum status {
	OK = 0,
	FAILED = 1, /* the system or the running state refuses */
	USAGE = 2,  /* the command line or the configuration is wrong */
};

/* Prints "tunload: <message>\n" to standard error; returns FAILED. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same; returns USAGE. */
int usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints "tunload: warning: <message>\n"; nothing failed. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* With many peers the first few warnings of a kind are printed, the others only
 * counted in *n: is this one of the few? */
#define WARNINGS_AT_MOST 5
static inline bool warn_few(size_t *n)
{
	return (*n)++ < WARNINGS_AT_MOST;
}
/* "N more what", if there were more. */
void warn_rest(size_t n, const char *what);

#endif
