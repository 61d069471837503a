// SPDX-License-Identifier: GPL-2.0-only
/* Lists the kernel's own IP-in-IP tunnels. */
#include "host.h"

#include <linux/if_tunnel.h>
#include <linux/ip6_tunnel.h>
#include <linux/rtnetlink.h>
#include <string.h>

bool ip_tunnel_parse(const struct nlmsghdr *nlh, struct ip_tunnel *out)
{
	const struct nlattr *tb[IFLA_LINKINFO + 1], *data;
	const char *kind;
	uint8_t family;

	nl_attrs(nlh, sizeof(struct ifinfomsg), tb, IFLA_LINKINFO);
	kind = nl_str(nl_nested(tb[IFLA_LINKINFO], IFLA_INFO_KIND));
	data = nl_nested(tb[IFLA_LINKINFO], IFLA_INFO_DATA);
	if (strcmp(kind, "ipip") && strcmp(kind, "sit") &&
	    strcmp(kind, "ip6tnl"))
		return false;
	family = strcmp(kind, "ip6tnl") ? 4 : 6;
	*out = (struct ip_tunnel){
		.remote = nl_ip(nl_nested(data, IFLA_IPTUN_REMOTE), family),
		/* The flag means that the limit is not put in. */
		.options = family == 6 &&
			   !(nl_u32(nl_nested(data, IFLA_IPTUN_FLAGS)) &
			     IP6_TNL_F_IGN_ENCAP_LIMIT),
	};
	snprintf(out->name, sizeof(out->name), "%s", nl_str(tb[IFLA_IFNAME]));
	snprintf(out->kind, sizeof(out->kind), "%s", kind);
	return out->remote.family;
}

static void ask_ip_tunnels(union nl_request *r, const struct nl_dump *d)
{
	(void)d;
	nl_begin(r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
}

static bool take_tunnel(const struct nlmsghdr *nlh, const struct nl_dump *d,
			void *element)
{
	(void)d;
	return ip_tunnel_parse(nlh, element);
}

int ip_tunnel_list(struct ip_tunnel **out, size_t *n)
{
	struct nl_dump d = {
		.what = "tunnels",
		.ask = ask_ip_tunnels,
		.take = take_tunnel,
		.size = sizeof(**out),
		.only = 4, /* the list is the same for both families */
	};

	return nl_dump(&d, (void **)out, n);
}
