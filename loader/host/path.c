// SPDX-License-Identifier: GPL-2.0-only
/* Asks the host's routing for the next hop and source of a packet; reads and
 * changes neighbours. */
#include "host.h"

#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
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

static struct ndmsg *begin_neigh(union nl_request *r, uint16_t type,
				 uint16_t flags, uint32_t ifindex,
				 const struct ip *ip)
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
		begin_neigh(r, type, 0, ifindex, &neigh->ip);
		return;
	}
	msg = begin_neigh(r, type, NLM_F_CREATE | NLM_F_REPLACE, ifindex,
			  &neigh->ip);
	msg->ndm_state = NUD_PERMANENT;
	mnl_attr_put(&r->nlh, NDA_LLADDR, sizeof(neigh->mac), neigh->mac);
	mnl_attr_put_u8(&r->nlh, NDA_PROTOCOL, RTPROT_TUNLOAD);
}

static int on_neigh(const struct nlmsghdr *nlh, void *data)
{
	*(struct neigh *)data = parse_neigh(nlh);
	return MNL_CB_OK;
}

/* Returns the entry of a neighbour. NUD_NONE: there is none, as nothing was
 * sent lately; this is normal. */
static struct neigh neigh_of(uint32_t ifindex, const struct ip *ip)
{
	const struct neigh none = {.state = NUD_NONE};
	struct neigh found = none;
	union nl_request r;

	begin_neigh(&r, RTM_GETNEIGH, 0, ifindex, ip);
	return nl_talk(&r, on_neigh, &found) ? none : found;
}

bool hop_peer(uint32_t ifindex, const struct ip *hop, uint32_t *id)
{
	struct neigh neigh;

	if (!hop->family || gateway_id(hop, id))
		return hop->family;
	neigh = neigh_of(ifindex, hop);
	*id = gateway_mac_id(neigh.mac);
	return gateway_is_mac(neigh.mac);
}

struct path {
	struct ip gateway; /* may be of another family than source */
	struct ip source;
	uint32_t oif;
};

static int on_path(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	uint8_t family = nl_family(msg->rtm_family);
	const struct nlattr *tb[RTA_MAX + 1];
	struct path *path = data;

	nl_attrs(nlh, sizeof(*msg), tb, RTA_MAX);
	path->gateway = nl_gateway(tb, family);
	path->source = nl_ip(tb[RTA_PREFSRC], family);
	path->oif = nl_u32(tb[RTA_OIF]);
	return MNL_CB_OK;
}

/* False if there is no route. oif 0: by any interface. */
static bool find_path(uint32_t oif, const struct ip *source,
		      const struct ip *dst, struct path *out)
{
	union nl_request r;
	struct rtmsg *msg = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*msg));

	msg->rtm_family = nl_af(dst->family);
	msg->rtm_dst_len = dst->family == 4 ? 32 : 128;
	nl_put_ip(&r, RTA_DST, dst);
	if (source->family == dst->family) {
		msg->rtm_src_len = msg->rtm_dst_len;
		nl_put_ip(&r, RTA_SRC, source);
	}
	if (oif)
		mnl_attr_put_u32(&r.nlh, RTA_OIF, oif);
	*out = (struct path){0};
	return !nl_talk(&r, on_path, out);
}

static const struct ip *hop_on(const struct path *path, const struct ip *dst)
{
	return path->gateway.family ? &path->gateway : dst;
}

/* Returns the id of the peer whose gateway is the next hop, or TL_PEER_NONE. */
static uint32_t peer_on_path(uint32_t oif, const struct ip *source,
			     const struct ip *dst, struct path *out)
{
	uint32_t id;

	return find_path(oif, source, dst, out) &&
			       hop_peer(out->oif, hop_on(out, dst), &id)
		       ? id
		       : TL_PEER_NONE;
}

enum path_end path_end(const struct conf *c, const struct peer *p,
		       const struct ip *dst)
{
	const struct ip *source = conf_source(c, dst->family);
	struct path path;
	uint32_t id = peer_on_path(c->ifindex, source, dst, &path);

	if (id == p->id)
		return PATH_INTO;
	return id != TL_PEER_NONE && peer_allows(p, dst) ? PATH_INTO_RIVAL
							 : PATH_PAST;
}

struct ip path_wrong_source(const struct conf *c, const struct peer *p,
			    const struct ip *dst)
{
	const struct ip none = {0};
	struct path path;

	if (conf_source(c, dst->family)->family ||
	    peer_on_path(c->ifindex, &none, dst, &path) != p->id)
		return none;
	if (ip_equal(&path.source, &p->local) ||
	    ip_equal(&path.source, &c->local4) ||
	    ip_equal(&path.source, &c->local6) ||
	    ip_is_link_local(&path.source))
		return path.source;
	return none;
}

struct ip path_source(const struct conf *c, const struct ip *dst)
{
	const struct ip *source = conf_source(c, dst->family);
	struct path path;

	if (!source->family && find_path(c->ifindex, source, dst, &path))
		return path.source;
	return *source;
}

uint32_t path_outside(const struct ip *dst)
{
	const struct ip any = {0};
	struct link_info link;
	char ifname[IFNAMSIZ];
	struct path path;
	uint32_t peer;

	if (!find_path(0, &any, dst, &path) ||
	    hop_peer(path.oif, hop_on(&path, dst), &peer) ||
	    !if_indextoname(path.oif, ifname) || link_info(ifname, &link) ||
	    link.type != ARPHRD_ETHER)
		return 0;
	return path.oif;
}

enum path_fault next_hop_fault(const struct ip *endpoint,
			       const struct ip *local, const char *ifname,
			       struct next_hop *last, char *buf, size_t len)
{
	char ip[IP_STRLEN];
	struct path path;
	struct ip hop;
	uint32_t peer;

	if (!find_path(last->oif, local, endpoint, &path)) {
		snprintf(buf, len, "no route to %s through %s",
			 ip_str(endpoint, ip), ifname);
		return PATH_NO_ROUTE;
	}
	hop = *hop_on(&path, endpoint);
	if (!ip_equal(&hop, &last->ip) && hop_peer(path.oif, &hop, &peer)) {
		snprintf(buf, len, "the route to %s leads into a tunnel of %s",
			 ip_str(endpoint, ip), ifname);
		return PATH_TUNNELLED;
	}
	if (!ip_equal(&hop, &last->ip))
		last->state = neigh_of(last->oif, &hop).state;
	last->ip = hop;
	if (!(last->state & (NUD_FAILED | NUD_INCOMPLETE)))
		return PATH_FINE;
	snprintf(buf, len, "next hop %s does not answer (neighbour %s)",
		 ip_str(&hop, ip),
		 last->state & NUD_FAILED ? "FAILED" : "INCOMPLETE");
	return PATH_NO_ANSWER;
}
