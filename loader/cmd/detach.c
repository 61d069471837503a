// SPDX-License-Identifier: GPL-2.0-only
/* `tunload detach` */
#include "cmd.h"

#include "tunnel/tunnel.h"

static int detach_and_print(const char *ifname, const void *unused)
{
	size_t stray;
	int ret = detach(ifname, &stray);

	(void)unused;
	if (ret)
		return ret;
	if (stray)
		printf("%s: was not attached; %zu routes removed that were left behind\n",
		       ifname, stray);
	else
		printf("%s: detached\n", ifname);
	return OK;
}

static int run_detach(int argc, char **argv)
{
	const char *ifname = NULL;
	bool all = false;
	const struct opt opts[] = {{"all", .flag = &all}, {0}};
	int ret = take_options(argc, argv, opts);

	if (!ret && !all)
		ret = take_iface(argc, argv, &ifname);
	ret = ret ?: no_more_args(argc, argv) ?: require_bpf();
	output_is_news = true;
	if (ret)
		return ret;
	return all ? each_attached(detach_and_print, NULL)
		   : detach_and_print(ifname, NULL);
}

const struct command cmd_detach = {
	.name = "detach",
	.run = run_detach,
	.args = "IFACE | --all",
	.brief = "take everything off an interface again",
	.text = "Removes the routes, programs and pins that attach has made.\n"
		"\n"
		"  --all   do so on every attached interface\n",
};
