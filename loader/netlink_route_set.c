// SPDX-License-Identifier: GPL-2.0-only
/* Our own routes: add, replace, remove. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"
#include "nl.h"

static void put_gateway(union nl_request *r, const struct route *route)
{
	const struct ip *gw = &route->gateway;
	size_t len = gw->family == 4 ? 4 : 16;
	struct {
		__kernel_sa_family_t family;
		uint8_t addr[16];
	} via = {.family = nl_af(gw->family)};

	if (gw->family == route->dst.ip.family) {
		nl_put_ip(r, RTA_GATEWAY, gw);
		return;
	}
	memcpy(via.addr, gw->addr, len);
	mnl_attr_put(&r->nlh, RTA_VIA, sizeof(via.family) + len, &via);
}

/* What a route is found by. */
static struct rtmsg *begin(union nl_request *r, uint16_t type, uint16_t flags,
			   const struct route *route)
{
	struct rtmsg *msg = nl_begin(r, type, flags, sizeof(*msg));

	msg->rtm_family = nl_af(route->dst.ip.family);
	msg->rtm_dst_len = route->dst.len;
	msg->rtm_table = RT_TABLE_MAIN;
	msg->rtm_protocol = RTPROT_TUNLOAD;
	msg->rtm_type = RTN_UNICAST;
	nl_put_ip(r, RTA_DST, &route->dst.ip);
	mnl_attr_put_u32(&r->nlh, RTA_OIF, route->oif);
	mnl_attr_put_u32(&r->nlh, RTA_PRIORITY, route->metric);
	return msg;
}

static const char *protocol_name(uint8_t protocol, char buf[static 16])
{
	/* The same that iproute2 prints. */
	static const char *const names[256] = {
		[RTPROT_KERNEL] = "kernel",   [RTPROT_BOOT] = "boot",
		[RTPROT_STATIC] = "static",   [RTPROT_RA] = "ra",
		[RTPROT_ZEBRA] = "zebra",     [RTPROT_BIRD] = "bird",
		[RTPROT_DHCP] = "dhcp",	      [RTPROT_BABEL] = "babel",
		[RTPROT_BGP] = "bgp",	      [RTPROT_OSPF] = "ospf",
		[RTPROT_TUNLOAD] = "tunload",
	};

	if (names[protocol])
		return names[protocol];
	snprintf(buf, 16, "%u", protocol);
	return buf;
}

/* Names the route that is in the way: same prefix and metric, any interface. */
static int fail_exists(const struct route *route)
{
	char prefix[PREFIX_STRLEN], ifname[IFNAMSIZ], proto[16];
	const struct route *found = NULL;
	struct route *routes;
	size_t i, n;
	int ret;

	if (route_list(0, 0, &routes, &n))
		return FAILED;
	prefix_str(&route->dst, prefix);
	for (i = 0; i < n && !found; i++)
		if (prefix_equal(&routes[i].dst, &route->dst) &&
		    routes[i].metric == route->metric)
			found = &routes[i];
	if (found && if_indextoname(found->oif, ifname))
		ret = conf_fail(&route->origin,
				"route \"%s\" already exists on %s (proto %s): "
				"remove it, or attach with --no-routes",
				prefix, ifname,
				protocol_name(found->protocol, proto));
	else
		ret = conf_fail(&route->origin,
				"route \"%s\" already exists (blackhole or "
				"without an interface): remove it, or attach "
				"with --no-routes",
				prefix);
	free(routes);
	return ret;
}

int route_add(const struct route *route, bool replace)
{
	char prefix[PREFIX_STRLEN], ifname[IFNAMSIZ] = "?";
	struct nlattr *metrics;
	struct rtmsg *msg;
	union nl_request r;

	msg = begin(&r, RTM_NEWROUTE,
		    NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
		    route);
	if (route->gateway.family) {
		put_gateway(&r, route);
		/* It is a next hop the kernel uses already: no other route,
		 * one of ours least of all, must make it doubt that. */
		msg->rtm_flags |= RTNH_F_ONLINK;
	} else if (route->dst.ip.family == 4) {
		msg->rtm_scope = RT_SCOPE_LINK;
	}
	if (route->prefsrc.family)
		nl_put_ip(&r, RTA_PREFSRC, &route->prefsrc);
	if (route->mtu) {
		/* advmss follows from it (ip_default_advmss of the kernel). */
		metrics = mnl_attr_nest_start(&r.nlh, RTA_METRICS);
		mnl_attr_put_u32(&r.nlh, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(&r.nlh, metrics);
	}
	if (!nl_talk(&r, NULL, NULL))
		return OK;
	if (errno == EEXIST)
		return fail_exists(route);
	if_indextoname(route->oif, ifname);
	return conf_fail(&route->origin, "cannot add route \"%s\" on %s: %s",
			 prefix_str(&route->dst, prefix), ifname, nl_error());
}

int route_del(const struct route *route)
{
	char prefix[PREFIX_STRLEN];
	union nl_request r;
	struct rtmsg *msg = begin(&r, RTM_DELROUTE, 0, route);

	msg->rtm_scope = RT_SCOPE_NOWHERE;
	/* Gone by itself: removed by hand, or with its interface. */
	if (!nl_talk(&r, NULL, NULL) || errno == ESRCH || errno == ENODEV)
		return OK;
	return fail("cannot remove route %s: %s",
		    prefix_str(&route->dst, prefix), nl_error());
}
