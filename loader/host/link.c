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
	const struct nlattr *family, *a;
	const int32_t *sysctls;

	if (!af_spec)
		return false;
	mnl_attr_for_each_nested (family, af_spec) {
		if (mnl_attr_get_type(family) != AF_INET6)
			continue;
		mnl_attr_for_each_nested (a, family) {
			sysctls = mnl_attr_get_payload(a);
			if (mnl_attr_get_type(a) == IFLA_INET6_CONF &&
			    mnl_attr_get_payload_len(a) >
				    DEVCONF_DISABLE_IPV6 * sizeof(*sysctls))
				return sysctls[DEVCONF_DISABLE_IPV6];
		}
		return false;
	}
	return true;
}

struct link_reply {
	struct link_info info;
	uint32_t master;    /* ifindex, 0: none */
	uint32_t vrf_table; /* 0: not a VRF */
};

static uint32_t vrf_table(const struct nlattr *linkinfo)
{
	const struct nlattr *a, *b;
	uint32_t table = 0;
	bool vrf = false;

	if (!linkinfo)
		return 0;
	mnl_attr_for_each_nested (a, linkinfo) {
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			vrf = mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 &&
			      !strcmp(mnl_attr_get_str(a), "vrf");
		if (mnl_attr_get_type(a) != IFLA_INFO_DATA)
			continue;
		mnl_attr_for_each_nested (b, a) {
			if (mnl_attr_get_type(b) == IFLA_VRF_TABLE)
				table = nl_u32(b);
		}
	}
	return vrf ? table : 0;
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
