// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>

#include "commands.h"
#include "pins.h"
#include "state.h"

static int show(const char *ifname)
{
	struct conf c;
	struct maps m;
	int ret = maps_open(&m, ifname);

	if (ret)
		return ret;
	ret = state_read(&m, ifname, &c);
	maps_close(&m);
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
	ifname = take_iface(argc, argv);
	if (!ifname)
		return USAGE;
	ret = no_more_args(argc, argv);
	if (!ret)
		ret = require_bpf();
	return ret ?: show(ifname);
}
