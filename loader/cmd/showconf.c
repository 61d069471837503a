// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <getopt.h>

#include "maps/maps.h"

static int show(const char *ifname)
{
	struct conf c;
	int ret = state_running(ifname, &c);

	if (ret)
		return ret;
	conf_write(stdout, &c);
	conf_free(&c);
	return OK;
}

int cmd_showconf(int argc, char **argv)
{
	static const struct option none[] = {{NULL, 0, NULL, 0}};
	const char *ifname;
	int ret;

	if (next_option(argc, argv, "", none) != -1)
		return USAGE;
	ret = only_iface(argc, argv, &ifname);
	return ret ?: show(ifname);
}
