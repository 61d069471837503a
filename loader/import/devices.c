// SPDX-License-Identifier: GPL-2.0-only
/* Finds the tunnel devices of this host, with their routes and addresses. */
#include "import.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip6_tunnel.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* The traffic class in a flow label, in host order. */
#define TCLASS(flowinfo) (ntohl(flowinfo) >> 20 & 0xff)

static bool is_tunnel_kind(const char *kind)
{
	return !strcmp(kind, "ipip") || !strcmp(kind, "sit") ||
	       !strcmp(kind, "ip6tnl");
}

/* A 6rd prefix other than that of 6to4, which a sit device has by default. */
static bool has_6rd(const struct nlattr *data)
{
	static const struct prefix six_to_four = {{6, {0x20, 0x02}}, 16};
	const struct nlattr *len = nl_nested(data, IFLA_IPTUN_6RD_PREFIXLEN);
	struct prefix prefix = {
		.ip = nl_ip(nl_nested(data, IFLA_IPTUN_6RD_PREFIX), 6)};

	if (!prefix.ip.family || !len)
		return false;
	prefix.len = mnl_attr_get_u16(len);
	return !prefix_equal(&prefix, &six_to_four);
}

static bool is_isatap(const struct nlattr *data)
{
	const struct nlattr *flags = nl_nested(data, IFLA_IPTUN_FLAGS);

	return flags && mnl_attr_get_u16(flags) & SIT_ISATAP;
}

static bool has_fou(const struct nlattr *data)
{
	const struct nlattr *type = nl_nested(data, IFLA_IPTUN_ENCAP_TYPE);

	return type && mnl_attr_get_u16(type) != TUNNEL_ENCAP_NONE;
}

/* Returns why such a device is nothing that a peer can be, or NULL. */
static const char *link_fault(const struct nlattr *data, bool sit)
{
	if (nl_nested(data, IFLA_IPTUN_COLLECT_METADATA))
		return "it is controlled by routes and filters (external)";
	if (has_fou(data))
		return "it puts UDP around its packets (FOU or GUE)";
	if (sit && is_isatap(data))
		return "it is an ISATAP tunnel";
	if (sit && has_6rd(data))
		return "it is a 6rd tunnel";
	if (nl_u32(nl_nested(data, IFLA_IPTUN_FWMARK)))
		return "it gives its outer packets a mark (fwmark)";
	return NULL;
}

static void take_ip6tnl(const struct nlattr *data, struct found *f)
{
	uint32_t flags = nl_u32(nl_nested(data, IFLA_IPTUN_FLAGS));

	f->limit = !(flags & IP6_TNL_F_IGN_ENCAP_LIMIT);
	f->tos = flags & IP6_TNL_F_USE_ORIG_TCLASS
			 ? TOS_COPY
			 : TCLASS(nl_u32(nl_nested(data, IFLA_IPTUN_FLOWINFO)));
}

/* The address of an attribute; family 0 for none and for "any". */
static struct ip outer_ip(const struct nlattr *a, uint8_t family)
{
	static const uint8_t any[16];
	struct ip ip = nl_ip(a, family);

	return memcmp(ip.addr, any, sizeof(any)) ? ip : (struct ip){0};
}

bool found_from_link(const struct nlmsghdr *nlh, struct found *f,
		     const char **kind)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_LINKINFO + 1], *data;
	uint8_t family;

	nl_attrs(nlh, sizeof(*msg), tb, IFLA_LINKINFO);
	*kind = nl_str(nl_nested(tb[IFLA_LINKINFO], IFLA_INFO_KIND));
	data = nl_nested(tb[IFLA_LINKINFO], IFLA_INFO_DATA);
	*f = (struct found){
		.ifindex = msg->ifi_index,
		.mtu = nl_u32(tb[IFLA_MTU]),
	};
	snprintf(f->name, sizeof(f->name), "%s", nl_str(tb[IFLA_IFNAME]));
	if (!is_tunnel_kind(*kind) || !data)
		return false;
	family = strcmp(*kind, "ip6tnl") ? 4 : 6;
	f->local = outer_ip(nl_nested(data, IFLA_IPTUN_LOCAL), family);
	f->remote = outer_ip(nl_nested(data, IFLA_IPTUN_REMOTE), family);
	f->ttl = nl_u8(nl_nested(data, IFLA_IPTUN_TTL));
	f->tos = nl_u8(nl_nested(data, IFLA_IPTUN_TOS));
	f->refused = link_fault(data, !strcmp(*kind, "sit"));
	if_indextoname(nl_u32(nl_nested(data, IFLA_IPTUN_LINK)), f->under);
	if (family == 6)
		take_ip6tnl(data, f);
	return true;
}

/* The devices that the drivers make for themselves. */
static bool is_fallback(const struct found *f)
{
	return !f->remote.family &&
	       (!strcmp(f->name, "tunl0") || !strcmp(f->name, "sit0") ||
		!strcmp(f->name, "ip6tnl0"));
}

/* d->filter is the name of the wanted device, or NULL. With a name, a device
 * of another kind is taken, too, as refused. */
static bool take_device(const struct nlmsghdr *nlh, const struct nl_dump *d,
			void *element)
{
	struct found *f = element;
	const char *kind;
	bool tunnel = found_from_link(nlh, f, &kind);

	if (d->filter && strcmp(f->name, d->filter))
		return false;
	if (d->filter && !tunnel)
		f->refused = "it is no ipip, sit or ip6tnl device";
	return d->filter || (tunnel && !is_fallback(f));
}

static void ask_links(union nl_request *r, const struct nl_dump *d)
{
	(void)d;
	nl_begin(r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
}

/* The kernel has a route to an IPv6 address of the device itself. */
static bool is_own_address(const struct found *f, const struct prefix *dst)
{
	return dst->len == 128 && found_has_address(f, &dst->ip);
}

/* Takes a route into the device over, unless no packet behind a tunnel can have
 * such an address. */
static int take_behind(struct import *im, struct found *f,
		       const struct route *r)
{
	struct ip *source = r->dst.ip.family == 4 ? &f->source4 : &f->source6;
	char text[PREFIX_STRLEN];

	if (prefix_is_special(&r->dst) || r->type != RTN_UNICAST ||
	    is_own_address(f, &r->dst))
		return OK;
	if (r->table != RT_TABLE_MAIN) {
		import_note(im,
			    "%s: the route to %s in table %u is not imported",
			    f->name, prefix_str(&r->dst, text), r->table);
		return OK;
	}
	/* The kernel's own routes have an address of the device as source. */
	if (r->prefsrc.family && r->protocol != RTPROT_KERNEL)
		*source = r->prefsrc;
	return push(f->behind, f->n_behind, &r->dst);
}

static int read_behind(struct import *im, struct found *f)
{
	const struct route_filter filter = {.oif = f->ifindex};
	struct route *routes;
	size_t n;
	int ret = route_list(&filter, &routes, &n);

	for (size_t i = 0; !ret && i < n; i++)
		ret = take_behind(im, f, &routes[i]);
	free(routes);
	return ret;
}

static int read_own_addresses(struct found *f)
{
	struct addrs addrs;
	int ret = addr_list(f->ifindex, &addrs);

	for (size_t i = 0; !ret && i < addrs.n; i++) {
		const struct ip *ip = &addrs.all[i].ip;

		if (!ip_is_link_local(ip))
			ret = push(f->addresses, f->n_addresses, ip);
	}
	free(addrs.all);
	return ret;
}

/* Finds the interface with the local address. */
static int find_under(struct found *f)
{
	struct addrs addrs;
	int ret = OK;

	if (*f->under || !f->local.family)
		return OK;
	ret = addr_list(0, &addrs);
	for (size_t i = 0; !ret && i < addrs.n; i++)
		if (ip_equal(&addrs.all[i].ip, &f->local))
			if_indextoname(addrs.all[i].ifindex, f->under);
	free(addrs.all);
	return ret;
}

static int add_device(struct import *im, struct found *f)
{
	int ret = OK;

	if (!f->refused)
		ret = read_own_addresses(f) ?: read_behind(im, f) ?:
		      find_under(f);
	return ret ?: import_add(im, f);
}

int import_devices(struct import *im, const char *name)
{
	struct nl_dump d = {
		.what = "devices",
		.ask = ask_links,
		.take = take_device,
		.size = sizeof(struct found),
		.filter = name,
		.only = 4,
	};
	struct found *all;
	size_t n;
	int ret = nl_dump(&d, (void **)&all, &n);

	if (!ret && name && !n)
		ret = fail_no_interface(name);
	for (size_t i = 0; !ret && i < n; i++)
		ret = add_device(im, &all[i]);
	found_free(all, n);
	return ret;
}
