// SPDX-License-Identifier: GPL-2.0-only
/* Opens and locks the running state of an interface for a change. */
#include "tunnel.h"

int running_open(struct running *r, const char *ifname)
{
	int ret;

	*r = (struct running){0};
	ret = pins_open(&r->pins, ifname, false);
	if (ret)
		return ret;
	ret = maps_open(&r->maps, ifname);
	if (!ret)
		ret = state_read_keep(&r->maps, ifname, &r->now);
	if (ret)
		running_close(r);
	return ret;
}

void running_close(struct running *r)
{
	conf_free(&r->now);
	maps_close(&r->maps);
	pins_close(&r->pins);
}
