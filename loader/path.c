// SPDX-License-Identifier: GPL-2.0-only
#include "path.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "gateway.h"
#include "nl.h"

/* The next hop, of a family of its own (RTA_VIA) or of the destination's. */
static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_MAX + 1];
	struct ip *gateway = data;

	nl_attrs(nlh, sizeof(*msg), tb, RTA_MAX);
	*gateway = nl_ip(tb[RTA_GATEWAY], nl_family(msg->rtm_family));
	if (tb[RTA_VIA] &&
	    mnl_attr_get_payload_len(tb[RTA_VIA]) >= sizeof(uint16_t) + 16) {
		const struct rtvia *via = mnl_attr_get_payload(tb[RTA_VIA]);

		gateway->family = nl_family(via->rtvia_family);
		memcpy(gateway->addr, via->rtvia_addr, 16);
	}
	return MNL_CB_OK;
}

uint32_t path_peer(uint32_t oif, const struct ip *source, const struct ip *dst)
{
	struct ip gateway = {0};
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
	if (nl_talk(&r, on_route, &gateway) || !gateway_id(&gateway, &id))
		return TL_PEER_NONE;
	return id;
}
