// SPDX-License-Identifier: GPL-2.0-only
/* `tunload import` */
#include "cmd.h"

#include <string.h>
#include <unistd.h>

#include "import/import.h"

#define NETWORKD_FILES "/etc/systemd/network"

static int find_tunnels(struct import *im, const char *from, const char *what)
{
	if (!strcmp(from, "networkd"))
		return import_networkd(im, what ?: NETWORKD_FILES);
	im->strict = what;
	if (!strcmp(from, "iproute2"))
		return import_devices(im, what);
	return fail_usage(
		"import: --from \"%s\" is neither iproute2 nor networkd", from);
}

static int run_import(int argc, char **argv)
{
	const char *from = "iproute2", *what = NULL;
	const struct opt opts[] = {{"from", .value = &from}, {0}};
	struct import im;
	int ret = take_options(argc, argv, opts);

	if (ret)
		return ret;
	if (optind < argc)
		what = argv[optind++];
	ret = no_more_args(argc, argv) ?: import_begin(&im);
	if (ret)
		return ret;
	ret = find_tunnels(&im, from, what) ?: import_print(&im);
	import_end(&im);
	return ret;
}

const struct command cmd_import = {
	.name = "import",
	.run = run_import,
	.args = "[--from iproute2|networkd] [DEVICE|DIR]",
	.brief = "print a configuration made of the tunnels of other tools",
	.text = "Nothing is changed. What has no counterpart becomes a comment.\n"
		"\n"
		"  --from iproute2   the ipip, sit and ip6tnl devices of this host,\n"
		"                    or only DEVICE, with their routes and addresses\n"
		"  --from networkd   the .netdev and .network files in DIR\n"
		"                    (" NETWORKD_FILES ")\n",
};
