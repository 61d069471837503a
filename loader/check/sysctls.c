// SPDX-License-Identifier: GPL-2.0-only
/* Area: sysctls that make the kernel drop inner packets. */
#include "check.h"

#include <linux/rtnetlink.h>

static int read_number(const char *format, const char *dev)
{
	char path[128];
	int n = 0;

	snprintf(path, sizeof(path), format, dev);
	sysctl_read(path, &n);
	return n;
}

/* 0: off; 1: the route back must leave by the interface; 2: there must be
 * one. */
static int rp_filter(const char *dev)
{
	int all = read_number("net/ipv4/conf/%s/rp_filter", "all");
	int own = read_number("net/ipv4/conf/%s/rp_filter", dev);

	return all > own ? all : own;
}

/* True if the kernel drops what comes from a host of the prefix. With routes of
 * ours the way back is that into the tunnel. */
static bool is_filtered(struct check *c, const struct prefix *a, int filter)
{
	const struct route_question q = {
		.dst = prefix_first_host(a),
		.oif = c->conf.table == RT_TABLE_MAIN ? 0 : c->conf.ifindex,
	};
	const char *dev = c->conf.ifname;
	char prefix[PREFIX_STRLEN];
	struct route r;
	bool any = route_ask(&q, &r);

	if (any && (filter != 1 || r.oif == c->conf.ifindex))
		return false;
	found(c, LEVEL_FAILURE, "rp_filter", NULL,
	      "packets from %s come out of the tunnel on %s, %s, so the reverse path filter drops them",
	      prefix_str(a, prefix), dev,
	      any ? "but the route back leads elsewhere"
		  : "but there is no route back");
	if (any)
		mend(c, "sysctl -w net/ipv4/conf/%s/rp_filter=2", dev);
	else
		mend(c,
		     "sysctl -w net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/%s/rp_filter=0",
		     dev);
	return true;
}

static void look_at_rp_filter(struct check *c)
{
	int filter = rp_filter(c->conf.ifname);

	if (!filter || c->conf.routes)
		return;
	for_each_peer (p, &c->conf)
		for_each_allowed (a, p)
			if (a->ip.family == 4 && a->len &&
			    is_filtered(c, a, filter))
				return;
}

static void mend_forwarding(struct check *c, uint8_t family)
{
	mend(c, "sysctl -w %s=1", forwarding_setting(family));
}

/* Whether packets out of tunnels are for other hosts is only known once some
 * were discarded. */
static void look_at_lost(struct check *c, uint8_t family)
{
	uint64_t lost = packets_lost(&c->now, family);

	if (!lost)
		return;
	found(c, LEVEL_WARNING, "forwarding", NULL,
	      "packets come out of tunnels, and %ju IPv%u packets for other hosts were discarded since the boot, as this host does not forward them",
	      (uintmax_t)lost, family);
	mend_forwarding(c, family);
}

static bool any_inner(const struct conf *c, uint8_t family)
{
	for_each_peer (p, c)
		if (peer_inner(p, family))
			return true;
	return false;
}

/* XDP asks the kernel whether and where to. */
static void look_at_xdp(struct check *c, uint8_t family)
{
	int on = family == 4
			 ? read_number("net/ipv4/conf/%s/forwarding",
				       c->conf.ifname)
			 : read_number("net/ipv6/conf/%s/forwarding", "all");

	if (on || !any_inner(&c->conf, family))
		return;
	found(c, LEVEL_FAILURE, "forwarding", NULL,
	      "forward = xdp, but this host does not forward IPv%u", family);
	mend_forwarding(c, family);
}

static void look_at_routed(struct check *c, uint8_t family)
{
	char setting[64];
	const struct peer *p =
		fib_mute(&c->conf, family, setting, sizeof(setting));

	if (!p)
		return;
	found(c, LEVEL_FAILURE, "forwarding", NULL,
	      "allowed-ips = routed, but the kernel tells the programs no routes while IPv%u forwarding is off%s%s, so what comes from routed networks is dropped",
	      family, *p->vrf ? " in VRF " : "", p->vrf);
	mend(c, "sysctl -w %s=1", setting);
}

int check_sysctls(struct check *c)
{
	look_at_rp_filter(c);
	look_at_routed(c, 4);
	look_at_routed(c, 6);
	for (uint8_t family = 4; family <= 6; family += 2)
		if (c->conf.forward == TL_FORWARD_XDP)
			look_at_xdp(c, family);
		else if (c->attached)
			look_at_lost(c, family);
	return OK;
}
