// SPDX-License-Identifier: GPL-2.0-only
/* Lists the policies of IPsec. */
#include "host.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <string.h>

#define ANSWER_LEN 32768

static struct prefix selector_prefix(const xfrm_address_t *a, uint8_t family,
				     uint8_t len)
{
	struct prefix p = {.ip.family = family};

	memcpy(p.ip.addr, a, family == 4 ? 4 : 16);
	prefix_shorten(&p, len);
	return p;
}

struct policies {
	struct xfrm_rule *all;
	size_t n;
};

/* Leaves out the policies of sockets and interfaces, and those with a mark or
 * an XFRM interface: they are not about all packets. */
static int on_policy(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[XFRMA_IF_ID + 1];
	struct xfrm_userpolicy_info info;
	struct policies *list = data;
	uint8_t family;

	/* The payload is not aligned for its 64-bit fields. */
	memcpy(&info, mnl_nlmsg_get_payload(nlh), sizeof(info));
	family = nl_family(info.sel.family);
	nl_attrs(nlh, sizeof(info), tb, XFRMA_IF_ID);
	if (!family || info.dir > XFRM_POLICY_FWD || info.sel.ifindex ||
	    tb[XFRMA_MARK] || tb[XFRMA_IF_ID])
		return MNL_CB_OK;
	struct xfrm_rule rule = {
		.src = selector_prefix(&info.sel.saddr, family,
				       info.sel.prefixlen_s),
		.dst = selector_prefix(&info.sel.daddr, family,
				       info.sel.prefixlen_d),
		.protocol = info.sel.proto,
		.out = info.dir == XFRM_POLICY_OUT,
		.forward = info.dir == XFRM_POLICY_FWD,
		.blocks = info.action == XFRM_POLICY_BLOCK,
		.transforms = tb[XFRMA_TMPL],
	};

	return push(list->all, list->n, &rule) ? MNL_CB_ERROR : MNL_CB_OK;
}

static int ask_policies(struct mnl_socket *s, struct policies *list)
{
	_Alignas(struct nlmsghdr) char buf[ANSWER_LEN];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int state = MNL_CB_OK;
	ssize_t len;

	nlh->nlmsg_type = XFRM_MSG_GETPOLICY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		return -1;
	while (state > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (len < 0)
			return -1;
		state = mnl_cb_run(buf, len, 0, mnl_socket_get_portid(s),
				   on_policy, list);
	}
	return state;
}

int xfrm_list(struct xfrm_rule **out, size_t *n)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	struct policies list = {0};
	int err;

	*out = NULL;
	*n = 0;
	/* A kernel without IPsec; without CAP_NET_ADMIN, EPERM below. */
	if (!s)
		return OK;
	err = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
			      ask_policies(s, &list) < 0
		      ? errno
		      : 0;
	mnl_socket_close(s);
	if (err && err != EPERM) {
		free(list.all);
		return fail("cannot list the policies of IPsec: %s",
			    strerror(err));
	}
	*out = list.all;
	*n = list.n;
	return OK;
}
