// SPDX-License-Identifier: GPL-2.0-only
/* Reads and changes routes and policy rules by rtnetlink. */
#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

static struct ip hop_gateway(const struct rtnexthop *hop, uint8_t family)
{
	const struct nlattr *tb[RTA_MAX + 1] = {0};
	const struct nlattr *a = (const void *)RTNH_DATA(hop);
	int left = hop->rtnh_len - sizeof(*hop);

	for (; mnl_attr_ok(a, left);
	     left -= MNL_ALIGN(a->nla_len), a = mnl_attr_next(a))
		if (mnl_attr_get_type(a) <= RTA_MAX)
			tb[mnl_attr_get_type(a)] = a;
	return nl_gateway(tb, family);
}

/* Sets r->gateway to that of the first next hop, and r->oif to oif if it is one
 * of them, else to 0. */
static void pick_nexthop(const struct nlattr *multipath, uint32_t oif,
			 struct route *r)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	r->oif = 0;
	for (; RTNH_OK(hop, left);
	     left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		if (!r->gateway.family)
			r->gateway = hop_gateway(hop, r->dst.ip.family);
		if ((uint32_t)hop->rtnh_ifindex == oif)
			r->oif = oif;
	}
}

/* The seconds until an IPv6 route expires, 0: never. */
static int32_t expiry(const struct nlattr *a)
{
	const struct rta_cacheinfo *info;

	if (!a || mnl_attr_get_payload_len(a) < sizeof(*info))
		return 0;
	info = mnl_attr_get_payload(a);
	return (int32_t)info->rta_expires / sysconf(_SC_CLK_TCK);
}

static struct route parse_route(const struct nlmsghdr *nlh, uint32_t oif)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	uint8_t family = nl_family(msg->rtm_family);
	const struct nlattr *tb[RTA_MAX + 1];

	nl_attrs(nlh, sizeof(*msg), tb, RTA_MAX);
	struct route r = {
		.dst = {nl_ip(tb[RTA_DST], family), msg->rtm_dst_len},
		.gateway = nl_gateway(tb, family),
		.prefsrc = nl_ip(tb[RTA_PREFSRC], family),
		.table = tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) : msg->rtm_table,
		.oif = nl_u32(tb[RTA_OIF]),
		.mtu = nl_u32(nl_nested(tb[RTA_METRICS], RTAX_MTU)),
		.metric = nl_u32(tb[RTA_PRIORITY]),
		.expires = expiry(tb[RTA_CACHEINFO]),
		.protocol = msg->rtm_protocol,
		.type = msg->rtm_type,
		.scope = msg->rtm_scope,
		.peer = NO_PEER,
	};

	r.dst.ip.family = family;
	if (tb[RTA_MULTIPATH])
		pick_nexthop(tb[RTA_MULTIPATH], oif, &r);
	return r;
}

static bool matches(const struct route_filter *f, const struct route *r)
{
	return (!f->oif || r->oif == f->oif) &&
	       (!f->table || r->table == f->table) &&
	       (!f->protocol || r->protocol == f->protocol) &&
	       (!f->type || r->type == f->type) &&
	       (!f->foreign || r->oif != f->foreign ||
		r->protocol != RTPROT_TUNLOAD);
}

/* Skips other families: a kernel without the requested one lists those that it
 * has. */
static bool take_route(const struct nlmsghdr *nlh, const struct nl_dump *d,
		       void *element)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct route_filter *filter = d->filter;
	struct route *route = element;

	*route = parse_route(nlh, filter->oif);
	return route->dst.ip.family == d->family &&
	       !(msg->rtm_flags & RTM_F_CLONED) && matches(filter, route);
}

static void put_table(union nl_request *r, struct rtmsg *msg, uint32_t table)
{
	msg->rtm_table = table < 256 ? table : RT_TABLE_UNSPEC;
	if (table >= 256)
		mnl_attr_put_u32(&r->nlh, RTA_TABLE, table);
}

/* The kernel filters (strict check), so that a full routing table is not
 * transferred. */
static void ask_routes(union nl_request *r, const struct nl_dump *d)
{
	struct rtmsg *msg = nl_begin(r, RTM_GETROUTE, NLM_F_DUMP, sizeof(*msg));
	const struct route_filter *f = d->filter;

	msg->rtm_family = nl_af(d->family);
	msg->rtm_protocol = f->protocol;
	msg->rtm_type = f->type;
	put_table(r, msg, f->table);
	if (f->oif)
		mnl_attr_put_u32(&r->nlh, RTA_OIF, f->oif);
}

int route_list(const struct route_filter *filter, struct route **out, size_t *n)
{
	struct nl_dump d = {
		.what = "routes",
		.ask = ask_routes,
		.take = take_route,
		.size = sizeof(**out),
		.filter = filter,
		.only = filter->family,
	};

	return nl_dump(&d, (void **)out, n);
}

static int on_used(const struct nlmsghdr *nlh, void *data)
{
	struct route *used = data;

	*used = parse_route(nlh, 0);
	return MNL_CB_OK;
}

/* Asks the kernel for its route; nl_talk()'s result. */
static int ask_route(const struct route_question *q, struct route *out)
{
	uint8_t family = q->dst.family;
	union nl_request r;
	struct rtmsg *msg = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*msg));

	msg->rtm_family = nl_af(family);
	msg->rtm_dst_len = family == 4 ? 32 : 128;
	/* IPv6 always names the table, and refuses to be asked for it. */
	msg->rtm_flags = (q->entry ? RTM_F_FIB_MATCH : 0) |
			 (family == 4 ? RTM_F_LOOKUP_TABLE : 0);
	nl_put_ip(&r, RTA_DST, &q->dst);
	if (q->source.family == family) {
		msg->rtm_src_len = msg->rtm_dst_len;
		nl_put_ip(&r, RTA_SRC, &q->source);
	}
	if (q->oif)
		mnl_attr_put_u32(&r.nlh, RTA_OIF, q->oif);
	return nl_talk(&r, on_used, out);
}

bool route_ask(const struct route_question *q, struct route *out)
{
	*out = (struct route){0};
	return !ask_route(q, out) && out->dst.ip.family;
}

/* The route in the tables; nl_talk()'s result. */
static int find_route(const struct ip *dst, struct route *out)
{
	const struct route_question q = {.dst = *dst, .entry = true};

	return ask_route(&q, out);
}

bool route_is_used(const struct route *route)
{
	struct route used = {0};

	return !find_route(&route->dst.ip, &used) &&
	       prefix_equal(&used.dst, &route->dst) &&
	       used.table == route->table && used.oif == route->oif &&
	       used.metric == route->metric && used.protocol == RTPROT_TUNLOAD;
}

/* True if the route to ip, if there is one, is to a network around p. */
static bool is_around(const struct ip *ip, const struct prefix *p)
{
	struct route used = {0};

	if (find_route(ip, &used))
		return errno == ENETUNREACH;
	return used.dst.len < p->len;
}

bool route_none_within(const struct prefix *p)
{
	struct ip ip = p->ip;
	uint32_t first, i;

	memcpy(&first, ip.addr, sizeof(first));
	for (i = 0; i < 1u << (32 - p->len); i++) {
		uint32_t addr = htonl(ntohl(first) + i);

		memcpy(ip.addr, &addr, sizeof(addr));
		if (!is_around(&ip, p))
			return false;
	}
	return true;
}

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

static void put_next_hop(union nl_request *r, struct rtmsg *msg,
			 const struct route *route)
{
	struct nlattr *metrics;

	/* ONLINK: the kernel does not check that the gateway can be reached,
	 * which fails if the interface has no address in its network. */
	if (route->gateway.family) {
		put_gateway(r, route);
		msg->rtm_flags |= RTNH_F_ONLINK;
	}
	msg->rtm_scope = route->scope;
	if (route->prefsrc.family)
		nl_put_ip(r, RTA_PREFSRC, &route->prefsrc);
	if (!route->mtu)
		return;
	/* The kernel derives advmss from it (ip_default_advmss()). */
	metrics = mnl_attr_nest_start(&r->nlh, RTA_METRICS);
	mnl_attr_put_u32(&r->nlh, RTAX_MTU, route->mtu);
	mnl_attr_nest_end(&r->nlh, metrics);
}

void route_put(union nl_request *r, uint16_t type, uint16_t flags,
	       const struct route *route)
{
	bool new = type == RTM_NEWROUTE;
	struct rtmsg *msg =
		nl_begin(r, type, new ? NLM_F_CREATE | flags : 0, sizeof(*msg));

	msg->rtm_family = nl_af(route->dst.ip.family);
	msg->rtm_dst_len = route->dst.len;
	msg->rtm_protocol = RTPROT_TUNLOAD;
	msg->rtm_type = route->type;
	put_table(r, msg, route->table);
	nl_put_ip(r, RTA_DST, &route->dst.ip);
	mnl_attr_put_u32(&r->nlh, RTA_PRIORITY, route->metric);
	if (route->type == RTN_UNICAST)
		mnl_attr_put_u32(&r->nlh, RTA_OIF, route->oif);
	if (!new)
		msg->rtm_scope = RT_SCOPE_NOWHERE;
	else if (route->type == RTN_UNICAST)
		put_next_hop(r, msg, route);
}

static const char *const refusals[] = {
	[RTN_BLACKHOLE] = "blackhole ",
	[RTN_UNREACHABLE] = "unreachable ",
	[RTN_PROHIBIT] = "prohibit ",
};

bool route_refuses(const struct route *route)
{
	return route->type < sizeof(refusals) / sizeof(*refusals) &&
	       refusals[route->type];
}

const char *route_str(const struct route *route, char buf[static ROUTE_STRLEN])
{
	char prefix[PREFIX_STRLEN], dev[IFNAMSIZ] = "";
	bool refuses = route_refuses(route);

	if (!refuses && route->oif)
		if_indextoname(route->oif, dev);
	snprintf(buf, ROUTE_STRLEN, "%s%s%s%s",
		 refuses ? refusals[route->type] : "",
		 prefix_str(&route->dst, prefix), *dev ? " dev " : "", dev);
	if (route->table != RT_TABLE_MAIN)
		snprintf(buf + strlen(buf), ROUTE_STRLEN - strlen(buf),
			 " table %u", route->table);
	return buf;
}

const char *route_protocol_name(uint8_t protocol, char buf[static 16])
{
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

static void ask_rules(union nl_request *r, const struct nl_dump *d)
{
	struct fib_rule_hdr *msg =
		nl_begin(r, RTM_GETRULE, NLM_F_DUMP, sizeof(*msg));

	msg->family = nl_af(d->family);
}

/* Skips other families: a kernel without the requested one lists those that it
 * has. */
static bool take_rule(const struct nlmsghdr *nlh, const struct nl_dump *d,
		      void *element)
{
	const struct fib_rule_hdr *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[FRA_PROTOCOL + 1];

	nl_attrs(nlh, sizeof(*msg), tb, FRA_PROTOCOL);
	if (nl_family(msg->family) != d->family ||
	    nl_u8(tb[FRA_PROTOCOL]) != RTPROT_TUNLOAD)
		return false;
	*(struct rule *)element = (struct rule){
		.family = d->family,
		.from = nl_ip(tb[FRA_SRC], d->family),
		.table = tb[FRA_TABLE] ? nl_u32(tb[FRA_TABLE]) : msg->table,
		.preference = nl_u32(tb[FRA_PRIORITY]),
		.no_default = tb[FRA_SUPPRESS_PREFIXLEN] &&
			      !nl_u32(tb[FRA_SUPPRESS_PREFIXLEN]),
	};
	return true;
}

int rule_list(struct rule **out, size_t *n)
{
	struct nl_dump d = {
		.what = "rules",
		.ask = ask_rules,
		.take = take_rule,
		.size = sizeof(**out),
	};

	return nl_dump(&d, (void **)out, n);
}

static bool take_foreign_rule(const struct nlmsghdr *nlh,
			      const struct nl_dump *d, void *element)
{
	const struct fib_rule_hdr *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[FRA_PROTOCOL + 1];
	uint8_t *protocol = element;

	nl_attrs(nlh, sizeof(*msg), tb, FRA_PROTOCOL);
	*protocol = nl_u8(tb[FRA_PROTOCOL]);
	return nl_family(msg->family) == d->family &&
	       *protocol != RTPROT_KERNEL && *protocol != RTPROT_TUNLOAD;
}

int rule_any_foreign(uint8_t family, bool *any)
{
	struct nl_dump d = {
		.what = "rules",
		.ask = ask_rules,
		.take = take_foreign_rule,
		.size = sizeof(uint8_t),
		.only = family,
	};
	void *all;
	size_t n;
	int ret = nl_dump(&d, &all, &n);

	*any = n;
	free(all);
	return ret;
}

/* Without NLM_F_EXCL an equal rule is not an error. */
void rule_put(union nl_request *r, uint16_t type, const struct rule *rule)
{
	uint16_t flags = type == RTM_NEWRULE ? NLM_F_CREATE : 0;
	struct fib_rule_hdr *msg = nl_begin(r, type, flags, sizeof(*msg));

	msg->family = nl_af(rule->family);
	msg->action = FR_ACT_TO_TBL;
	if (rule->from.family) {
		msg->src_len = rule->family == 4 ? 32 : 128;
		nl_put_ip(r, FRA_SRC, &rule->from);
	}
	mnl_attr_put_u32(&r->nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u32(&r->nlh, FRA_PRIORITY, rule->preference);
	mnl_attr_put_u8(&r->nlh, FRA_PROTOCOL, RTPROT_TUNLOAD);
	if (rule->no_default)
		mnl_attr_put_u32(&r->nlh, FRA_SUPPRESS_PREFIXLEN, 0);
}
