// SPDX-License-Identifier: GPL-2.0-only
#include "tunnel.h"

#include <net/if.h>

/* The ifindex that pins of another namespace name is somebody else's here. */
static uint32_t own_ifindex(const struct pins *p, uint32_t *flags)
{
	struct tl_interface iface;
	uint64_t cookie;

	*flags = 0;
	if (!pins_interface(p->ifname, &iface) || !iface.netns_cookie)
		return if_nametoindex(p->ifname);
	if (netns_cookie(&cookie) || cookie != iface.netns_cookie)
		return 0;
	*flags = iface.flags;
	return iface.ifindex;
}

int take_down(struct pins *p)
{
	uint32_t flags, ifindex = own_ifindex(p, &flags);
	int ret = OK;

	pins_unready(p->ifname);
	/* Rules and a table outlive their interface. */
	if (ifindex)
		ret = routes_clear(ifindex);
	/* The pins say whose a filter is: they stay as long as it does. */
	if (hooks_detach(p, ifindex, flags & TL_IF_F_CLSACT_OURS))
		return FAILED;
	return pins_remove(p) ?: ret;
}
