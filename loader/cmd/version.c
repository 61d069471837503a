// SPDX-License-Identifier: GPL-2.0-only
/* `tunload version` */
#include "cmd.h"

#include <bpf/libbpf.h>

static int run_version(int argc, char **argv)
{
	if (argc > 1)
		return fail_usage(
			"version: one argument too many \"%s\": see `tunload help version`",
			argv[1]);
	printf("tunload %s (map layout %u, libbpf %u.%u)\n", VERSION, TL_LAYOUT,
	       libbpf_major_version(), libbpf_minor_version());
	return OK;
}

const struct command cmd_version = {
	.name = "version",
	.run = run_version,
	.args = "",
	.brief = "print the version",
	.text = "",
};
