// SPDX-License-Identifier: GPL-2.0-only
/* `tunload detach` */
#include "cmd.h"

#include "tunnel/tunnel.h"

static int run_detach(int argc, char **argv)
{
	const char *ifname;
	size_t stray;
	int ret = only_iface(argc, argv, NULL, &ifname) ?: require_bpf();

	output_is_news = true;
	if (!ret)
		ret = detach(ifname, &stray);
	if (ret)
		return ret;
	if (stray)
		printf("%s: was not attached; %zu routes removed that were left behind\n",
		       ifname, stray);
	else
		printf("%s: detached\n", ifname);
	return OK;
}

const struct command cmd_detach = {
	.name = "detach",
	.run = run_detach,
	.args = "IFACE",
	.brief = "take everything off an interface again",
	.text = "Removes the routes, programs and pins that attach has made.\n",
};
