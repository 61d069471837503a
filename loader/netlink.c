// SPDX-License-Identifier: GPL-2.0-only
/* Links, addresses and neighbours by rtnetlink. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"
#include "nl.h"

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MTU + 1];
	struct link_info *out = data;

	nl_attrs(nlh, sizeof(*msg), tb, IFLA_MTU);
	out->ifindex = msg->ifi_index;
	out->mtu = nl_u32(tb[IFLA_MTU]);
	out->type = msg->ifi_type;
	out->up = msg->ifi_flags & IFF_UP;
	out->loopback = msg->ifi_flags & IFF_LOOPBACK;
	return MNL_CB_OK;
}

int link_info(const char *ifname, struct link_info *out)
{
	union nl_request r;

	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", ifname);
	nl_begin(&r, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(&r.nlh, IFLA_IFNAME, out->name);
	if (!nl_talk(&r, on_link, out))
		return OK;
	if (errno == ENODEV)
		return fail("no such interface \"%s\": `ip link` lists those "
			    "of this host",
			    ifname);
	return fail("cannot read interface \"%s\": %s", ifname, nl_error());
}

struct addr_dump {
	uint32_t ifindex; /* 0: of all */
	struct if_addr *addrs;
	size_t n;
};

/* RFC 4862 and 8981: these may not be used as a source, or not for long. */
#define UNUSABLE6                                                              \
	(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TEMPORARY)

static bool addr_usable(const struct if_addr *a, uint8_t scope)
{
	if (scope != RT_SCOPE_UNIVERSE)
		return false;
	/* IFA_F_SECONDARY and IFA_F_TEMPORARY are one bit. */
	return !(a->flags & (a->ip.family == 4 ? IFA_F_SECONDARY : UNUSABLE6));
}

static int on_addr(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFA_FLAGS + 1], *addr;
	struct addr_dump *d = data;
	struct if_addr *a;

	if (d->ifindex && msg->ifa_index != d->ifindex)
		return MNL_CB_OK;
	nl_attrs(nlh, sizeof(*msg), tb, IFA_FLAGS);
	/* With a point-to-point address IFA_ADDRESS is the other end's. */
	addr = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!nl_ip(addr, nl_family(msg->ifa_family)).family)
		return MNL_CB_OK;
	if (!nl_grow((void **)&d->addrs, d->n, sizeof(*a)))
		return MNL_CB_ERROR;
	a = &d->addrs[d->n++];
	a->ip = nl_ip(addr, nl_family(msg->ifa_family));
	a->prefixlen = msg->ifa_prefixlen;
	a->flags = tb[IFA_FLAGS] ? nl_u32(tb[IFA_FLAGS]) : msg->ifa_flags;
	a->usable = addr_usable(a, msg->ifa_scope);
	return MNL_CB_OK;
}

int addr_list(uint32_t ifindex, struct if_addr **out, size_t *n)
{
	struct addr_dump d = {.ifindex = ifindex};
	struct ifaddrmsg *msg;
	union nl_request r;
	int ret, tries = 0;

	do {
		d.n = 0;
		free(d.addrs);
		d.addrs = NULL;
		msg = nl_begin(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*msg));
		msg->ifa_index = ifindex;
		ret = nl_talk(&r, on_addr, &d);
	} while (ret && errno == EINTR && ++tries < NL_DUMP_TRIES);
	/* A filter on an interface that is gone. */
	if (ret && errno != ENODEV) {
		free(d.addrs);
		return fail("cannot list addresses: %s", nl_error());
	}
	*out = d.addrs;
	*n = d.n;
	return OK;
}

static struct ndmsg *neigh_begin(union nl_request *r, uint16_t type,
				 uint16_t flags, uint32_t oif,
				 const struct ip *ip)
{
	struct ndmsg *msg = nl_begin(r, type, flags, sizeof(*msg));

	msg->ndm_family = nl_af(ip->family);
	msg->ndm_ifindex = oif;
	nl_put_ip(r, NDA_DST, ip);
	return msg;
}

int neigh_add(uint32_t oif, const struct ip *ip, const uint8_t mac[6])
{
	char text[IP_STRLEN];
	union nl_request r;
	struct ndmsg *msg;

	msg = neigh_begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, oif,
			  ip);
	msg->ndm_state = NUD_PERMANENT;
	mnl_attr_put(&r.nlh, NDA_LLADDR, 6, mac);
	mnl_attr_put_u8(&r.nlh, NDA_PROTOCOL, RTPROT_TUNLOAD);
	if (nl_talk(&r, NULL, NULL))
		return fail("cannot add neighbour %s: %s", ip_str(ip, text),
			    nl_error());
	return OK;
}

int neigh_del(uint32_t oif, const struct ip *ip)
{
	char text[IP_STRLEN];
	union nl_request r;

	neigh_begin(&r, RTM_DELNEIGH, 0, oif, ip);
	if (!nl_talk(&r, NULL, NULL) || errno == ENOENT || errno == ENODEV ||
	    errno == EAFNOSUPPORT)
		return OK;
	return fail("cannot remove neighbour %s: %s", ip_str(ip, text),
		    nl_error());
}

void neigh_use(uint32_t oif, const struct ip *ip)
{
	union nl_request r;
	struct ndmsg *msg;

	msg = neigh_begin(&r, RTM_NEWNEIGH, NLM_F_CREATE, oif, ip);
	msg->ndm_flags = NTF_USE;
	nl_talk(&r, NULL, NULL);
}
