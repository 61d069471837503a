// SPDX-License-Identifier: GPL-2.0-only
/* Neighbours by rtnetlink, and the way to the next hop. */
#include "host.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

struct neigh_dump {
	struct neigh *neighs;
	size_t n;
};

static struct neigh parse(const struct nlmsghdr *nlh)
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
	if (tb[NDA_PROTOCOL])
		n.protocol = mnl_attr_get_u8(tb[NDA_PROTOCOL]);
	return n;
}

static int on_neigh(const struct nlmsghdr *nlh, void *data)
{
	struct neigh_dump *d = data;
	struct neigh n = parse(nlh);

	if (!n.ip.family)
		return MNL_CB_OK;
	if (!array_grow((void **)&d->neighs, d->n, sizeof(n)))
		return MNL_CB_ERROR;
	d->neighs[d->n++] = n;
	return MNL_CB_OK;
}

int neigh_list(uint32_t ifindex, struct neigh **out, size_t *n)
{
	struct neigh_dump d = {0};
	union nl_request r;
	int ret, tries = 0;

	do {
		d.n = 0;
		free(d.neighs);
		d.neighs = NULL;
		nl_begin(&r, RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg));
		mnl_attr_put_u32(&r.nlh, NDA_IFINDEX, ifindex);
		ret = nl_talk(&r, on_neigh, &d);
	} while (ret && errno == EINTR && ++tries < NL_DUMP_TRIES);
	if (ret && errno != ENODEV) {
		free(d.neighs);
		return fail("cannot list neighbours: %s", nl_error());
	}
	*out = d.neighs;
	*n = d.n;
	return OK;
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

static int on_next_hop(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	uint8_t family = nl_family(msg->rtm_family);
	const struct nlattr *tb[RTA_MAX + 1];
	const struct rtvia *via;
	struct ip *hop = data;

	nl_attrs(nlh, sizeof(*msg), tb, RTA_MAX);
	*hop = nl_ip(tb[RTA_GATEWAY], family);
	if (tb[RTA_VIA]) {
		via = mnl_attr_get_payload(tb[RTA_VIA]);
		hop->family = nl_family(via->rtvia_family);
		memcpy(hop->addr, via->rtvia_addr,
		       mnl_attr_get_payload_len(tb[RTA_VIA]) - sizeof(*via));
	}
	return MNL_CB_OK;
}

/* The outer packet's next hop; the endpoint itself if it is on the link. */
static bool next_hop(const struct ip *endpoint, const struct ip *local,
		     uint32_t oif, struct ip *hop)
{
	struct rtmsg *msg;
	union nl_request r;

	*hop = (struct ip){0};
	msg = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*msg));
	msg->rtm_family = nl_af(endpoint->family);
	msg->rtm_dst_len = endpoint->family == 4 ? 32 : 128;
	nl_put_ip(&r, RTA_DST, endpoint);
	if (local->family == endpoint->family) {
		msg->rtm_src_len = msg->rtm_dst_len;
		nl_put_ip(&r, RTA_SRC, local);
	}
	mnl_attr_put_u32(&r.nlh, RTA_OIF, oif);
	if (nl_talk(&r, on_next_hop, hop))
		return false;
	if (!hop->family)
		*hop = *endpoint;
	return true;
}

static int on_state(const struct nlmsghdr *nlh, void *data)
{
	uint16_t *state = data;

	*state = parse(nlh).state;
	return MNL_CB_OK;
}

/* Not there: nothing was sent lately, which is no fault. */
static uint16_t neigh_state(const struct ip *hop, uint32_t oif)
{
	union nl_request r;
	uint16_t state;

	begin(&r, RTM_GETNEIGH, 0, oif, hop);
	return nl_talk(&r, on_state, &state) ? NUD_NONE : state;
}

bool next_hop_fault(const struct ip *endpoint, const struct ip *local,
		    const char *ifname, struct next_hop *last, char *buf,
		    size_t len)
{
	char ip[IP_STRLEN];
	struct ip hop;
	uint32_t peer;

	if (!next_hop(endpoint, local, last->oif, &hop)) {
		snprintf(buf, len, "no route to %s through %s",
			 ip_str(endpoint, ip), ifname);
		return true;
	}
	if (gateway_id(&hop, &peer)) {
		snprintf(buf, len, "the route to %s leads into a tunnel of %s",
			 ip_str(endpoint, ip), ifname);
		return true;
	}
	if (!ip_equal(&hop, &last->ip))
		last->state = neigh_state(&hop, last->oif);
	last->ip = hop;
	if (!(last->state & (NUD_FAILED | NUD_INCOMPLETE)))
		return false;
	snprintf(buf, len, "next hop %s does not answer (neighbour %s)",
		 ip_str(&hop, ip),
		 last->state & NUD_FAILED ? "FAILED" : "INCOMPLETE");
	return true;
}
