// SPDX-License-Identifier: GPL-2.0-only
/* Lists and changes addresses by rtnetlink. */
#include "host.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

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

/* True for an address made by tunload: an IPv4 one has a gateway network's
 * other end, an IPv6 one our IFA_PROTO. */
static bool addr_ours(const struct if_addr *a)
{
	if (a->ip.family == 4)
		return a->prefixlen == gateway_net4.len &&
		       ip_equal(&a->peer, &gateway_net4.ip);
	return a->protocol == RTPROT_TUNLOAD;
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

int addr_list(uint32_t ifindex, struct if_addr **out, size_t *n)
{
	struct nl_dump d = {
		.what = "addresses",
		.ask = ask_addrs,
		.take = take_addr,
		.size = sizeof(**out),
		.filter = &ifindex,
	};

	return nl_dump(&d, (void **)out, n);
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
	if (!new || a->ip.family == 4)
		return;
	mnl_attr_put_u32(&r->nlh, IFA_FLAGS, a->flags);
	mnl_attr_put_u8(&r->nlh, IFA_PROTO, RTPROT_TUNLOAD);
}
