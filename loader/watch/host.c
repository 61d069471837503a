// SPDX-License-Identifier: GPL-2.0-only
/* Part: hears of the host's changes by rtnetlink. */
#include "loop.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

int host_open(struct watch *w)
{
	static const int groups[] = {
		RTNLGRP_LINK,	    RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,	 RTNLGRP_IPV4_RULE,
		RTNLGRP_IPV6_RULE,  RTNLGRP_NEIGH,	 RTNLGRP_TC,
	};
	bool ok;

	w->host = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* Binding clears the groups. */
	ok = w->host && !mnl_socket_bind(w->host, 0, MNL_SOCKET_AUTOPID);
	for (size_t i = 0; ok && i < sizeof(groups) / sizeof(*groups); i++)
		ok = !mnl_socket_setsockopt(w->host, NETLINK_ADD_MEMBERSHIP,
					    (void *)&groups[i], sizeof(int));
	return ok ? OK
		  : fail("cannot listen to the kernel's changes: %s",
			 strerror(errno));
}

void host_close(struct watch *w)
{
	if (w->host)
		mnl_socket_close(w->host);
}

static void wait_host(const struct watch *w, struct fds *fds)
{
	fds_add(fds, mnl_socket_get_fd(w->host));
}

/* True if a gateway's entry is no longer as we made it. The host's other
 * neighbours come and go all the time, and concern nobody here. */
static bool is_gateway_lost(const struct watch *w, const struct nlmsghdr *nlh)
{
	const struct ndmsg *n = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NDA_MAX + 1];
	struct ip ip;
	uint32_t id;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*n) ||
	    (uint32_t)n->ndm_ifindex != w->now.ifindex)
		return false;
	if (nlh->nlmsg_type == RTM_NEWNEIGH && n->ndm_state & NUD_PERMANENT)
		return false;
	nl_attrs(nlh, sizeof(*n), tb, NDA_MAX);
	ip = nl_ip(tb[NDA_DST], nl_family(n->ndm_family));
	return gateway_id(&ip, &id) || conf_has_gateway(&w->now, &ip);
}

static bool is_our_filter(const struct watch *w, const struct nlmsghdr *nlh)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*t) &&
	       (uint32_t)t->tcm_ifindex == w->now.ifindex;
}

static bool concerns(const struct watch *w, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return is_gateway_lost(w, nlh);
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
		return is_our_filter(w, nlh);
	default:
		return true;
	}
}

static int on_change(const struct nlmsghdr *nlh, void *data)
{
	struct watch *w = data;

	if (concerns(w, nlh))
		align_soon(w);
	return MNL_CB_OK;
}

/* Messages are lost (ENOBUFS) when there are too many: then anything may have
 * changed. */
static void take_changes(struct watch *w, uint64_t now_ns)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	ssize_t len;

	(void)now_ns;
	while ((len = mnl_socket_recvfrom(w->host, buf, sizeof(buf))) > 0 ||
	       errno == ENOBUFS || errno == ENOSPC) {
		if (len > 0)
			mnl_cb_run(buf, len, 0, 0, on_change, w);
		else
			align_soon(w);
	}
}

const struct part host_part = {.wait = wait_host, .work = take_changes};
