// SPDX-License-Identifier: GPL-2.0-only
/* Reads links by rtnetlink. */
#include "host.h"

#include <errno.h>
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
	uint32_t master;    /* ifindex, 0: none */
	uint32_t vrf_table; /* 0: not a VRF */
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
	reply->master = nl_u32(tb[IFLA_MASTER]);
	reply->vrf_table = vrf_table(tb[IFLA_LINKINFO]);
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
	if (nl_talk(&r, on_link, &reply) || !reply.vrf_table)
		return RT_TABLE_MAIN;
	return reply.vrf_table;
}

int link_info(const char *ifname, struct link_info *out)
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
	if (!ret)
		return OK;
	if (errno == ENODEV)
		return fail(
			"no such interface \"%s\": `ip link` lists those of this host",
			ifname);
	return fail("cannot read interface \"%s\": %s", ifname, nl_error());
}
