// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <getopt.h>
#include <net/if.h>
#include <stdlib.h>

#include "hooks/hooks.h"
#include "tunnel/tunnel.h"

/* Without pins there may be routes of ours all the same: of an interface whose
 * pins went with an unmounted bpffs. */
static int detach_routes(const char *ifname)
{
	struct route *routes = NULL;
	struct route_filter ours = {.protocol = RTPROT_TUNLOAD};
	struct link_info link;
	size_t n = 0;
	int ret = link_info(ifname, &link);

	ours.oif = link.ifindex;
	if (!ret)
		ret = route_list(&ours, &routes, &n);
	free(routes);
	if (!ret)
		ret = hooks_free(ifname, link.ifindex);
	if (!ret && !n)
		return fail("%s is not attached: nothing to detach", ifname);
	if (!ret)
		ret = routes_clear(link.ifindex);
	if (!ret)
		printf("%s: was not attached; %zu routes removed that were left behind\n",
		       ifname, n);
	return ret;
}

static int detach(const char *ifname)
{
	struct pins p;
	int ret;

	if (!pins_exist(ifname))
		return detach_routes(ifname);
	ret = pins_open(&p, ifname, false);
	if (ret)
		return ret;
	ret = take_down(&p);
	pins_close(&p);
	if (!ret)
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
	return ret ?: detach(ifname);
}
