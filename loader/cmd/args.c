// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "maps/maps.h"

static void see_help(const char *command, const char *what, const char *word)
{
	usage("%s: %s \"%s\": see `tunload help %s`", command, what, word,
	      command);
}

int next_option(int argc, char **argv, const char *shorts,
		const struct option *longs)
{
	char spec[64], word[] = "-?";
	const char *arg;
	int c;

	/* ':' in front: say a missing argument apart from an unknown option. */
	snprintf(spec, sizeof(spec), ":%s", shorts);
	opterr = 0;
	c = getopt_long(argc, argv, spec, longs, NULL);
	if (c != '?' && c != ':')
		return c;
	/* Of short options in one word, only optopt says which. */
	arg = argv[optind - 1];
	word[1] = optopt;
	if (c == ':')
		see_help(argv[0], "no value behind", arg);
	else if (strncmp(arg, "--", 2) && optopt)
		see_help(argv[0], "unknown option", word);
	else if (optopt)
		see_help(argv[0], "option takes no value", arg);
	else
		see_help(argv[0], "unknown option", arg);
	return '?';
}

const char *take_iface(int argc, char **argv)
{
	const char *name;

	if (optind >= argc) {
		usage("%s: no interface named: see `tunload help %s`", argv[0],
		      argv[0]);
		return NULL;
	}
	name = argv[optind++];
	if (*name && strlen(name) < IFNAMSIZ && strcmp(name, ".") &&
	    strcmp(name, "..") && !strpbrk(name, "/: ") && text_printable(name))
		return name;
	usage("%s: \"%s\" is no interface name: give 1 to %d characters without /, : and blanks",
	      argv[0], name, IFNAMSIZ - 1);
	return NULL;
}

int no_more_args(int argc, char **argv)
{
	if (optind >= argc)
		return OK;
	see_help(argv[0], "one argument too many", argv[optind]);
	return USAGE;
}

int only_iface(int argc, char **argv, const char **ifname)
{
	int ret;

	*ifname = take_iface(argc, argv);
	if (!*ifname)
		return USAGE;
	ret = no_more_args(argc, argv);
	return ret ?: require_bpf();
}
