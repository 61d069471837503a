// SPDX-License-Identifier: GPL-2.0-only
/* Reads links, lists and changes their addresses by rtnetlink. */
#include "host.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* IFLA_AF_SPEC has an attribute for each family of the interface; that of
 * AF_INET6 has the sysctls of the interface. */
static bool lacks_ipv6(const struct nlattr *af_spec)
{
	const struct nlattr *six = nl_nested(af_spec, AF_INET6);
	const struct nlattr *conf = nl_nested(six, IFLA_INET6_CONF);
	const int32_t *sysctls;

	if (!conf || mnl_attr_get_payload_len(conf) <=
			     DEVCONF_DISABLE_IPV6 * sizeof(*sysctls))
		return af_spec && !six;
	sysctls = mnl_attr_get_payload(conf);
	return sysctls[DEVCONF_DISABLE_IPV6];
}

struct link_reply {
	struct link_info info;
	uint32_t master; /* ifindex, 0: none */
};

static uint32_t vrf_table(const struct nlattr *linkinfo)
{
	const struct nlattr *data = nl_nested(linkinfo, IFLA_INFO_DATA);

	if (strcmp(nl_str(nl_nested(linkinfo, IFLA_INFO_KIND)), "vrf"))
		return 0;
	return nl_u32(nl_nested(data, IFLA_VRF_TABLE));
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_AF_SPEC + 1];
	struct link_reply *reply = data;
	struct link_info *out = &reply->info;

	nl_attrs(nlh, sizeof(*msg), tb, IFLA_AF_SPEC);
	out->ifindex = msg->ifi_index;
	out->mtu = nl_u32(tb[IFLA_MTU]);
	out->type = msg->ifi_type;
	out->up = msg->ifi_flags & IFF_UP;
	out->loopback = msg->ifi_flags & IFF_LOOPBACK;
	out->no_ipv6 = lacks_ipv6(tb[IFLA_AF_SPEC]);
	if (tb[IFLA_ADDRESS] &&
	    mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == MAC_LEN)
		memcpy(out->mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]),
		       MAC_LEN);
	reply->master = nl_u32(tb[IFLA_MASTER]);
	out->vrf_table = vrf_table(tb[IFLA_LINKINFO]);
	return MNL_CB_OK;
}

/* An interface in a VRF has it as its master. Bridges and bonds are masters
 * too, but have no table. */
static uint32_t table_of(uint32_t master)
{
	struct link_reply reply = {0};
	struct ifinfomsg *msg;
	union nl_request r;

	if (!master)
		return RT_TABLE_MAIN;
	msg = nl_begin(&r, RTM_GETLINK, 0, sizeof(*msg));
	msg->ifi_index = master;
	if (nl_talk(&r, on_link, &reply) || !reply.info.vrf_table)
		return RT_TABLE_MAIN;
	return reply.info.vrf_table;
}

int fail_no_interface(const char *ifname)
{
	struct if_nameindex *all = if_nameindex(), *at = all;
	int ret;

	while (at && at->if_name && !word_close(ifname, at->if_name))
		at++;
	if (at && at->if_name)
		ret = fail("no such interface \"%s\": did you mean \"%s\"?",
			   ifname, at->if_name);
	else
		ret = fail(
			"no such interface \"%s\": `ip link` lists those of this host",
			ifname);
	if_freenameindex(all);
	return ret;
}

int link_find(const char *ifname, struct link_info *out)
{
	struct link_reply reply = {0};
	union nl_request r;
	int ret;

	snprintf(reply.info.name, IFNAMSIZ, "%s", ifname);
	nl_begin(&r, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(&r.nlh, IFLA_IFNAME, reply.info.name);
	ret = nl_talk(&r, on_link, &reply);
	if (!ret)
		reply.info.table = table_of(reply.master);
	*out = reply.info;
	return ret ? -errno : 0;
}

int link_info(const char *ifname, struct link_info *out)
{
	int err = link_find(ifname, out);

	if (!err)
		return OK;
	errno = -err;
	if (errno == ENODEV)
		return fail_no_interface(ifname);
	return fail("cannot read interface \"%s\": %s", ifname, nl_error());
}

/* Addresses that may not be a source (RFC 4862 2, 5.4, 5.5.4), or not for long
 * (RFC 8981). */
#define UNUSABLE6                                                              \
	(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TEMPORARY)

static bool addr_usable(const struct if_addr *a, uint8_t scope)
{
	if (scope != RT_SCOPE_UNIVERSE || a->ours)
		return false;
	/* IFA_F_SECONDARY and IFA_F_TEMPORARY are one bit. */
	return !(a->flags & (a->ip.family == 4 ? IFA_F_SECONDARY : UNUSABLE6));
}

/* True for an address made by tunload: it has our IFA_PROTO or, from former
 * versions, a gateway network's other end. */
static bool addr_ours(const struct if_addr *a)
{
	return a->protocol == RTPROT_TUNLOAD ||
	       (a->prefixlen == gateway_net4.len &&
		ip_equal(&a->peer, &gateway_net4.ip));
}

/* d->filter is an ifindex, 0: all. */
static void ask_addrs(union nl_request *r, const struct nl_dump *d)
{
	struct ifaddrmsg *msg =
		nl_begin(r, RTM_GETADDR, NLM_F_DUMP, sizeof(*msg));

	msg->ifa_family = nl_af(d->family);
	msg->ifa_index = *(const uint32_t *)d->filter;
}

static bool take_addr(const struct nlmsghdr *nlh, const struct nl_dump *d,
		      void *element)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	const uint32_t *ifindex = d->filter;
	const struct nlattr *tb[IFA_PROTO + 1];
	struct if_addr *a = element;

	nl_attrs(nlh, sizeof(*msg), tb, IFA_PROTO);
	/* With a point-to-point address IFA_ADDRESS is the other end's. */
	struct ip address = nl_ip(tb[IFA_ADDRESS], d->family);
	struct ip local = nl_ip(tb[IFA_LOCAL], d->family);

	if (nl_family(msg->ifa_family) != d->family ||
	    (*ifindex && msg->ifa_index != *ifindex) ||
	    (!address.family && !local.family))
		return false;
	*a = (struct if_addr){
		.ip = local.family ? local : address,
		.broadcast = nl_ip(tb[IFA_BROADCAST], d->family),
		.ifindex = msg->ifa_index,
		.prefixlen = msg->ifa_prefixlen,
		.flags = tb[IFA_FLAGS] ? nl_u32(tb[IFA_FLAGS]) : msg->ifa_flags,
		.protocol = nl_u8(tb[IFA_PROTO]),
	};
	if (local.family && address.family && !ip_equal(&local, &address))
		a->peer = address;
	a->ours = addr_ours(a);
	a->usable = addr_usable(a, msg->ifa_scope);
	return true;
}

int addr_list(uint32_t ifindex, struct addrs *out)
{
	struct nl_dump d = {
		.what = "addresses",
		.ask = ask_addrs,
		.take = take_addr,
		.size = sizeof(*out->all),
		.filter = &ifindex,
	};

	return nl_dump(&d, (void **)&out->all, &out->n);
}

void addr_put(union nl_request *r, uint16_t type, const struct if_addr *a)
{
	bool new = type == RTM_NEWADDR;
	struct ifaddrmsg *msg = nl_begin(
		r, type, new ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*msg));

	msg->ifa_family = nl_af(a->ip.family);
	msg->ifa_prefixlen = a->prefixlen;
	msg->ifa_index = a->ifindex;
	nl_put_ip(r, IFA_LOCAL, &a->ip);
	nl_put_ip(r, IFA_ADDRESS, a->peer.family ? &a->peer : &a->ip);
	if (!new)
		return;
	if (a->ip.family == 6)
		mnl_attr_put_u32(&r->nlh, IFA_FLAGS, a->flags);
	if (a->metric)
		mnl_attr_put_u32(&r->nlh, IFA_RT_PRIORITY, a->metric);
	mnl_attr_put_u8(&r->nlh, IFA_PROTO, RTPROT_TUNLOAD);
}
