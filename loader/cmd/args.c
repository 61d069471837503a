// SPDX-License-Identifier: GPL-2.0-only
/* Options and arguments of commands; an error is one line. */
#include "cmd.h"

#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"

#define OPTIONS_MAX 8 /* of one command */

static int see_help(const char *command, const char *what, const char *word)
{
	return fail_usage("%s: %s \"%s\": see `tunload help %s`", command, what,
			  word, command);
}

/* c is the return value of getopt_long(). */
static int bad_option(char **argv, int c)
{
	const char *arg = argv[optind - 1];
	/* In a word of several short options, only optopt tells which one is
	 * bad. */
	char word[] = {'-', (char)optopt, '\0'};

	if (c == ':')
		return see_help(argv[0], "no value behind", arg);
	if (strncmp(arg, "--", 2) && optopt)
		return see_help(argv[0], "unknown option", word);
	if (optopt)
		return see_help(argv[0], "option takes no value", arg);
	return see_help(argv[0], "unknown option", arg);
}

/* Returns the next word if it begins with a digit, and skips it; else "". */
static const char *next_number(int argc, char **argv)
{
	if (optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9')
		return argv[optind++];
	return "";
}

/* val is the return value of getopt_long(): the letter, or the index plus 1. */
static void take_option(int argc, char **argv, const struct opt *opts, int val)
{
	const struct opt *opt = opts;

	if (val <= OPTIONS_MAX)
		opt += val - 1;
	else
		while (opt->letter != val)
			opt++;
	if (opt->flag)
		*opt->flag = true;
	else if (opt->number && !optarg)
		*opt->value = next_number(argc, argv);
	else
		*opt->value = optarg;
}

int take_options(int argc, char **argv, const struct opt *opts)
{
	static const struct opt none[] = {{0}};
	struct option longs[OPTIONS_MAX + 1] = {0};
	/* A leading ':' makes getopt_long() tell a missing value from an
	 * unknown option. */
	char shorts[2 * OPTIONS_MAX + 2] = ":", *s = shorts + 1;
	int c;

	opts = opts ?: none;
	for (int i = 0; opts[i].name; i++) {
		longs[i].name = opts[i].name;
		if (opts[i].value)
			longs[i].has_arg = opts[i].number ? optional_argument
							  : required_argument;
		longs[i].val = i + 1;
		if (opts[i].letter)
			*s++ = opts[i].letter;
		if (opts[i].letter && opts[i].value)
			*s++ = ':';
	}
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return bad_option(argv, c);
		take_option(argc, argv, opts, c);
	}
	return OK;
}

int take_iface(int argc, char **argv, const char **ifname)
{
	const char *name;

	if (optind >= argc)
		return fail_usage(
			"%s: no interface named: see `tunload help %s`",
			argv[0], argv[0]);
	name = *ifname = argv[optind++];
	if (*name && strlen(name) < IFNAMSIZ && strcmp(name, ".") &&
	    strcmp(name, "..") && !strpbrk(name, "/: ") && text_printable(name))
		return OK;
	return fail_usage(
		"%s: \"%s\" is not an interface name: give 1 to %d characters without /, : and blanks",
		argv[0], name, IFNAMSIZ - 1);
}

int no_more_args(int argc, char **argv)
{
	if (optind >= argc)
		return OK;
	return see_help(argv[0], "one argument too many", argv[optind]);
}

int only_iface(int argc, char **argv, const struct opt *opts,
	       const char **ifname)
{
	return take_options(argc, argv, opts) ?:
	       take_iface(argc, argv, ifname) ?: no_more_args(argc, argv);
}
