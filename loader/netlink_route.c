// SPDX-License-Identifier: GPL-2.0-only
/* Routes of the main table by rtnetlink: list, look up, add, remove. */
#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"
#include "nl.h"

/* RTA_GATEWAY, of the route's family, or RTA_VIA, which names its own. */
static struct ip gateway(const struct nlattr *const *tb, uint8_t family)
{
	const struct rtvia *via;

	if (!tb[RTA_VIA])
		return nl_ip(tb[RTA_GATEWAY], family);
	via = mnl_attr_get_payload(tb[RTA_VIA]);
	struct ip ip = {.family = nl_family(via->rtvia_family)};
	size_t len = ip.family == 4 ? 4 : 16;

	if (mnl_attr_get_payload_len(tb[RTA_VIA]) < sizeof(*via) + len)
		return (struct ip){0};
	memcpy(ip.addr, via->rtvia_addr, len);
	return ip;
}

/* Of several next hops the one through oif, or for 0 the first. */
static bool pick_nexthop(const struct nlattr *multipath, uint32_t oif,
			 struct route *out)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);
	const struct nlattr *a, *tb[RTA_MAX + 1];

	for (; RTNH_OK(hop, left);
	     left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		if (oif && (uint32_t)hop->rtnh_ifindex != oif)
			continue;
		memset(tb, 0, sizeof(tb));
		for (a = (void *)RTNH_DATA(hop);
		     mnl_attr_ok(a, (char *)hop + hop->rtnh_len - (char *)a);
		     a = mnl_attr_next(a))
			if (mnl_attr_get_type(a) <= RTA_MAX)
				tb[mnl_attr_get_type(a)] = a;
		out->oif = hop->rtnh_ifindex;
		out->gateway = gateway(tb, out->dst.ip.family);
		return true;
	}
	return false;
}

/* A nexthop object, and the members of it if it is a group. */
struct nexthop {
	uint32_t oif;
	struct ip gateway;
	struct nexthop_grp group[32];
	size_t n_group;
};

static int on_nexthop(const struct nlmsghdr *nlh, void *data)
{
	const struct nhmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NHA_GATEWAY + 1];
	struct nexthop *hop = data;
	size_t size;

	nl_attrs(nlh, sizeof(*msg), tb, NHA_GATEWAY);
	hop->oif = nl_u32(tb[NHA_OIF]);
	hop->gateway = nl_ip(tb[NHA_GATEWAY], nl_family(msg->nh_family));
	if (tb[NHA_GROUP]) {
		size = mnl_attr_get_payload_len(tb[NHA_GROUP]);
		if (size > sizeof(hop->group))
			size = sizeof(hop->group);
		memcpy(hop->group, mnl_attr_get_payload(tb[NHA_GROUP]), size);
		hop->n_group = size / sizeof(hop->group[0]);
	}
	return MNL_CB_OK;
}

static bool nexthop_get(uint32_t id, struct nexthop *out)
{
	union nl_request r;

	memset(out, 0, sizeof(*out));
	nl_begin(&r, RTM_GETNEXTHOP, 0, sizeof(struct nhmsg));
	mnl_attr_put_u32(&r.nlh, NHA_ID, id);
	return !nl_talk(&r, on_nexthop, out);
}

/* A nexthop object by its id: only that is in the message where the sysctl
 * net.ipv4.nexthop_compat_mode is 0. Groups do not nest. */
static bool follow_nexthop(uint32_t id, uint32_t oif, struct route *out)
{
	struct nexthop hop, member;
	size_t i;

	if (!nexthop_get(id, &hop))
		return false;
	for (i = 0; i < hop.n_group && (!hop.oif || hop.oif != oif); i++)
		if (nexthop_get(hop.group[i].id, &member))
			hop.oif = member.oif, hop.gateway = member.gateway;
	out->oif = hop.oif;
	out->gateway = hop.gateway;
	return hop.oif && (!oif || hop.oif == oif);
}

static uint32_t metrics_mtu(const struct nlattr *metrics)
{
	const struct nlattr *a;

	if (metrics)
		mnl_attr_for_each_nested(
			a, metrics) if (mnl_attr_get_type(a) ==
					RTAX_MTU) return nl_u32(a);
	return 0;
}

/* False for what is no unicast route of the main table through oif. */
static bool parse_route(const struct nlmsghdr *nlh, uint32_t oif,
			struct route *out)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	uint8_t family = nl_family(msg->rtm_family);
	const struct nlattr *tb[RTA_MAX + 1];

	memset(out, 0, sizeof(*out));
	nl_attrs(nlh, sizeof(*msg), tb, RTA_MAX);
	if (!family || msg->rtm_type != RTN_UNICAST ||
	    msg->rtm_flags & RTM_F_CLONED ||
	    (tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) : msg->rtm_table) !=
		    RT_TABLE_MAIN)
		return false;
	out->dst.ip = nl_ip(tb[RTA_DST], family);
	out->dst.ip.family = family;
	out->dst.len = msg->rtm_dst_len;
	out->prefsrc = nl_ip(tb[RTA_PREFSRC], family);
	out->metric = nl_u32(tb[RTA_PRIORITY]);
	out->mtu = metrics_mtu(tb[RTA_METRICS]);
	out->protocol = msg->rtm_protocol;
	if (tb[RTA_MULTIPATH])
		return pick_nexthop(tb[RTA_MULTIPATH], oif, out);
	if (tb[RTA_NH_ID] && !tb[RTA_OIF])
		return follow_nexthop(nl_u32(tb[RTA_NH_ID]), oif, out);
	out->oif = nl_u32(tb[RTA_OIF]);
	out->gateway = gateway(tb, family);
	return !oif || out->oif == oif;
}

struct route_dump {
	uint8_t family;
	uint8_t protocol; /* 0: any */
	uint32_t oif;	  /* 0: any */
	struct route *routes;
	size_t n;
};

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	struct route_dump *d = data;
	struct route route;

	/* A kernel without a family answers with those it has. */
	if (!parse_route(nlh, d->oif, &route) ||
	    route.dst.ip.family != d->family ||
	    (d->protocol && route.protocol != d->protocol))
		return MNL_CB_OK;
	if (!nl_grow((void **)&d->routes, d->n, sizeof(route)))
		return MNL_CB_ERROR;
	d->routes[d->n++] = route;
	return MNL_CB_OK;
}

/* The kernel filters (strict check), so that a full table costs no messages. */
static int dump_family(struct route_dump *d)
{
	size_t before = d->n;
	struct rtmsg *msg;
	union nl_request r;
	int ret, tries = 0;

	do {
		d->n = before;
		msg = nl_begin(&r, RTM_GETROUTE, NLM_F_DUMP, sizeof(*msg));
		msg->rtm_family = nl_af(d->family);
		msg->rtm_table = RT_TABLE_MAIN;
		msg->rtm_protocol = d->protocol;
		if (d->oif)
			mnl_attr_put_u32(&r.nlh, RTA_OIF, d->oif);
		ret = nl_talk(&r, on_route, d);
	} while (ret && errno == EINTR && ++tries < NL_DUMP_TRIES);
	/* No table yet; the interface is gone; no such family. */
	if (ret && (errno == ENOENT || errno == ENODEV ||
		    errno == EAFNOSUPPORT || errno == EOPNOTSUPP))
		return OK;
	return ret ? fail("cannot list routes: %s", nl_error()) : OK;
}

int route_list(uint32_t oif, uint8_t protocol, struct route **out, size_t *n)
{
	struct route_dump d = {.oif = oif, .protocol = protocol};
	int ret = OK;

	for (d.family = 4; !ret && d.family <= 6; d.family += 2)
		ret = dump_family(&d);
	if (ret) {
		free(d.routes);
		return ret;
	}
	*out = d.routes;
	*n = d.n;
	return OK;
}

struct lookup {
	uint32_t oif;
	struct route *out;
	bool found;
};

static int on_lookup(const struct nlmsghdr *nlh, void *data)
{
	struct lookup *l = data;

	l->found = parse_route(nlh, l->oif, l->out);
	return MNL_CB_OK;
}

/* As the kernel would resolve it if ours were not there. */
static int lookup_without_ours(const struct ip *dst, uint32_t oif,
			       struct route *out)
{
	const struct route *best = NULL;
	struct route *routes;
	size_t i, n;

	if (route_list(oif, 0, &routes, &n))
		return FAILED;
	for (i = 0; i < n; i++) {
		const struct route *r = &routes[i];

		if (r->protocol == RTPROT_TUNLOAD ||
		    !prefix_contains(&r->dst, dst))
			continue;
		if (!best || r->dst.len > best->dst.len ||
		    (r->dst.len == best->dst.len && r->metric < best->metric))
			best = r;
	}
	if (best)
		*out = *best;
	free(routes);
	return best ? OK : FAILED;
}

int route_lookup(const struct ip *dst, uint32_t oif, struct route *out)
{
	struct lookup l = {.oif = oif, .out = out};
	struct rtmsg *msg;
	union nl_request r;

	msg = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*msg));
	msg->rtm_family = nl_af(dst->family);
	msg->rtm_dst_len = dst->family == 4 ? 32 : 128;
	/* The route itself, with all next hops and its protocol. */
	msg->rtm_flags = RTM_F_FIB_MATCH;
	nl_put_ip(&r, RTA_DST, dst);
	mnl_attr_put_u32(&r.nlh, RTA_OIF, oif);
	if (nl_talk(&r, on_lookup, &l))
		return FAILED;
	if (l.found && out->protocol != RTPROT_TUNLOAD)
		return OK;
	return lookup_without_ours(dst, oif, out);
}
