// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "base/base.h"

struct path {
	struct ip gateway; /* its family may be another than the source's */
	struct ip source;
};

/* The next hop, of a family of its own (RTA_VIA) or of the destination's. */
static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_MAX + 1];
	struct path *path = data;
	struct ip *gateway = &path->gateway;

	nl_attrs(nlh, sizeof(*msg), tb, RTA_MAX);
	*gateway = nl_ip(tb[RTA_GATEWAY], nl_family(msg->rtm_family));
	path->source = nl_ip(tb[RTA_PREFSRC], nl_family(msg->rtm_family));
	if (tb[RTA_VIA] &&
	    mnl_attr_get_payload_len(tb[RTA_VIA]) >= sizeof(uint16_t) + 16) {
		const struct rtvia *via = mnl_attr_get_payload(tb[RTA_VIA]);

		gateway->family = nl_family(via->rtvia_family);
		memcpy(gateway->addr, via->rtvia_addr, 16);
	}
	return MNL_CB_OK;
}

/* The id of the peer, or TL_PEER_NONE. */
static uint32_t look_up(uint32_t oif, const struct ip *source,
			const struct ip *dst, struct path *out)
{
	uint32_t id = TL_PEER_NONE;
	union nl_request r;
	struct rtmsg *msg;

	msg = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*msg));
	msg->rtm_family = nl_af(dst->family);
	msg->rtm_dst_len = dst->family == 4 ? 32 : 128;
	nl_put_ip(&r, RTA_DST, dst);
	if (source->family == dst->family) {
		msg->rtm_src_len = msg->rtm_dst_len;
		nl_put_ip(&r, RTA_SRC, source);
	}
	mnl_attr_put_u32(&r.nlh, RTA_OIF, oif);
	*out = (struct path){0};
	if (nl_talk(&r, on_route, out) || !gateway_id(&out->gateway, &id))
		return TL_PEER_NONE;
	return id;
}

uint32_t path_peer(uint32_t oif, const struct ip *source, const struct ip *dst)
{
	struct path path;

	return look_up(oif, source, dst, &path);
}

struct ip path_wrong_source(const struct conf *c, const struct peer *p,
			    const struct ip *dst)
{
	const struct ip none = {0};
	struct path path;

	if ((dst->family == 4 ? &c->source4 : &c->source6)->family ||
	    look_up(c->ifindex, &none, dst, &path) != p->id)
		return none;
	if (ip_equal(&path.source, &p->local) ||
	    ip_equal(&path.source, &c->local4) ||
	    ip_equal(&path.source, &c->local6) ||
	    ip_is_link_local(&path.source))
		return path.source;
	return none;
}
