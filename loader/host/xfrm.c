// SPDX-License-Identifier: GPL-2.0-only
/* Lists the policies of IPsec. */
#include "host.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <string.h>

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
	union nl_request r;

	nl_begin(&r, XFRM_MSG_GETPOLICY, NLM_F_DUMP, 0);
	return nl_exchange(s, &r, on_policy, list);
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
