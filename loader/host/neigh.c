// SPDX-License-Identifier: GPL-2.0-only
/* Reads and changes neighbours by rtnetlink. */
#include "host.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct neigh parse_neigh(const struct nlmsghdr *nlh)
{
	const struct ndmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NDA_PROTOCOL + 1];
	struct neigh n = {.state = msg->ndm_state};

	nl_attrs(nlh, sizeof(*msg), tb, NDA_PROTOCOL);
	n.ip = nl_ip(tb[NDA_DST], nl_family(msg->ndm_family));
	if (tb[NDA_LLADDR] &&
	    mnl_attr_get_payload_len(tb[NDA_LLADDR]) == sizeof(n.mac))
		memcpy(n.mac, mnl_attr_get_payload(tb[NDA_LLADDR]),
		       sizeof(n.mac));
	n.protocol = nl_u8(tb[NDA_PROTOCOL]);
	return n;
}

/* d->filter is the ifindex. */
static void ask_neighs(union nl_request *r, const struct nl_dump *d)
{
	struct ndmsg *msg = nl_begin(r, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*msg));

	msg->ndm_family = nl_af(d->family);
	mnl_attr_put_u32(&r->nlh, NDA_IFINDEX, *(const uint32_t *)d->filter);
}

static bool take_neigh(const struct nlmsghdr *nlh, const struct nl_dump *d,
		       void *element)
{
	struct neigh *n = element;

	*n = parse_neigh(nlh);
	return n->ip.family == d->family;
}

int neigh_list(uint32_t ifindex, struct neigh **out, size_t *n)
{
	struct nl_dump d = {
		.what = "neighbours",
		.ask = ask_neighs,
		.take = take_neigh,
		.size = sizeof(**out),
		.filter = &ifindex,
	};

	return nl_dump(&d, (void **)out, n);
}

static struct ndmsg *begin(union nl_request *r, uint16_t type, uint16_t flags,
			   uint32_t ifindex, const struct ip *ip)
{
	struct ndmsg *msg = nl_begin(r, type, flags, sizeof(*msg));

	msg->ndm_family = nl_af(ip->family);
	msg->ndm_ifindex = ifindex;
	nl_put_ip(r, NDA_DST, ip);
	return msg;
}

void neigh_put(union nl_request *r, uint16_t type, uint32_t ifindex,
	       const struct neigh *neigh)
{
	struct ndmsg *msg;

	if (type == RTM_DELNEIGH) {
		begin(r, type, 0, ifindex, &neigh->ip);
		return;
	}
	msg = begin(r, type, NLM_F_CREATE | NLM_F_REPLACE, ifindex, &neigh->ip);
	msg->ndm_state = NUD_PERMANENT;
	mnl_attr_put(&r->nlh, NDA_LLADDR, sizeof(neigh->mac), neigh->mac);
	mnl_attr_put_u8(&r->nlh, NDA_PROTOCOL, RTPROT_TUNLOAD);
}

static int on_state(const struct nlmsghdr *nlh, void *data)
{
	uint16_t *state = data;

	*state = parse_neigh(nlh).state;
	return MNL_CB_OK;
}

uint16_t neigh_state(uint32_t ifindex, const struct ip *ip)
{
	union nl_request r;
	uint16_t state;

	begin(&r, RTM_GETNEIGH, 0, ifindex, ip);
	return nl_talk(&r, on_state, &state) ? NUD_NONE : state;
}
