// SPDX-License-Identifier: GPL-2.0-only
/* Addresses by rtnetlink. */
#include "host.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

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
	if (scope != RT_SCOPE_UNIVERSE || a->ours)
		return false;
	/* IFA_F_SECONDARY and IFA_F_TEMPORARY are one bit. */
	return !(a->flags & (a->ip.family == 4 ? IFA_F_SECONDARY : UNUSABLE6));
}

/* IPv4: by the other end; kernels keep IFA_PROTO for both families. */
static bool addr_ours(const struct if_addr *a)
{
	if (a->ip.family == 4)
		return a->prefixlen == gateway_net4.len &&
		       ip_equal(&a->peer, &gateway_net4.ip);
	return a->protocol == RTPROT_TUNLOAD;
}

static int on_addr(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFA_PROTO + 1];
	uint8_t family = nl_family(msg->ifa_family);
	struct addr_dump *d = data;
	struct if_addr *a;

	nl_attrs(nlh, sizeof(*msg), tb, IFA_PROTO);
	/* With a point-to-point address IFA_ADDRESS is the other end's. */
	struct ip address = nl_ip(tb[IFA_ADDRESS], family);
	struct ip local = nl_ip(tb[IFA_LOCAL], family);

	if ((d->ifindex && msg->ifa_index != d->ifindex) ||
	    (!address.family && !local.family))
		return MNL_CB_OK;
	if (!array_grow((void **)&d->addrs, d->n, sizeof(*a)))
		return MNL_CB_ERROR;
	a = &d->addrs[d->n++];
	*a = (struct if_addr){
		.ip = local.family ? local : address,
		.broadcast = nl_ip(tb[IFA_BROADCAST], family),
		.ifindex = msg->ifa_index,
		.prefixlen = msg->ifa_prefixlen,
		.flags = tb[IFA_FLAGS] ? nl_u32(tb[IFA_FLAGS]) : msg->ifa_flags,
		.protocol = tb[IFA_PROTO] ? mnl_attr_get_u8(tb[IFA_PROTO]) : 0,
	};
	if (local.family && address.family && !ip_equal(&local, &address))
		a->peer = address;
	a->ours = addr_ours(a);
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
