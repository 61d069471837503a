// SPDX-License-Identifier: GPL-2.0-only
/* `tunload detach` */
#include "cmd.h"

#include <getopt.h>

#include "tunnel/tunnel.h"

static int run_detach(const char *ifname)
{
	size_t stray;
	int ret = detach(ifname, &stray);

	if (!ret && stray)
		printf("%s: was not attached; %zu routes removed that were left behind\n",
		       ifname, stray);
	else if (!ret)
		printf("%s: detached\n", ifname);
	return ret;
}

int cmd_detach(int argc, char **argv)
{
	static const struct option none[] = {{NULL, 0, NULL, 0}};
	const char *ifname;
	int ret;

	if (next_option(argc, argv, "", none) != -1)
		return USAGE;
	ret = only_iface(argc, argv, &ifname);
	output_is_news = true;
	return ret ?: run_detach(ifname);
}
