// SPDX-License-Identifier: GPL-2.0-only
/* Lists the base chains of nftables on the hooks of a device, which libnftables
 * does not tell before 1.0.7. */
#include "host/host.h"
#include "ruleset.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

struct chains {
	const char *ifname;
	struct nf_chain *all;
	size_t n;
};

/* True if the hook names the interface, alone or among others. */
static bool names_device(const struct nlattr *hook, const char *ifname)
{
	const struct nlattr *one = nl_nested(hook, NFTA_HOOK_DEV);
	const struct nlattr *all = nl_nested(hook, NFTA_HOOK_DEVS), *a;

	if (one && !strcmp(nl_str(one), ifname))
		return true;
	if (!all)
		return false;
	mnl_attr_for_each_nested (a, all)
		if (!strcmp(nl_str(a), ifname))
			return true;
	return false;
}

static int on_chain(const struct nlmsghdr *nlh, void *data)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NFTA_CHAIN_HOOK + 1];
	struct chains *list = data;
	struct nf_chain chain;

	nl_attrs(nlh, sizeof(*head), tb, NFTA_CHAIN_HOOK);
	if (!tb[NFTA_CHAIN_TABLE] || !tb[NFTA_CHAIN_NAME] ||
	    !names_device(tb[NFTA_CHAIN_HOOK], list->ifname))
		return MNL_CB_OK;
	chain.netdev = head->nfgen_family == NFPROTO_NETDEV;
	snprintf(chain.table, sizeof(chain.table), "%s",
		 nl_str(tb[NFTA_CHAIN_TABLE]));
	snprintf(chain.name, sizeof(chain.name), "%s",
		 nl_str(tb[NFTA_CHAIN_NAME]));
	return push(list->all, list->n, &chain) ? MNL_CB_ERROR : MNL_CB_OK;
}

#define CHAINS_TRIES 8 /* if the rules change meanwhile */

static int ask_chains(struct mnl_socket *s, struct chains *list)
{
	int ret, tries = 0;
	union nl_request r;

	do {
		list->n = 0;
		nl_begin(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
			 NLM_F_DUMP, sizeof(struct nfgenmsg));
		ret = nl_exchange(s, &r, on_chain, list);
	} while (ret < 0 && errno == EINTR && ++tries < CHAINS_TRIES);
	return ret;
}

int nf_chains_on(const char *ifname, struct nf_chain **out, size_t *n)
{
	struct mnl_socket *s =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct chains list = {.ifname = ifname};
	bool failed = false;

	*out = NULL;
	*n = 0;
	/* A kernel without netfilter; without nftables, EINVAL below. */
	if (!s)
		return OK;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    ask_chains(s, &list) < 0)
		failed = errno != EPERM && errno != EINVAL;
	mnl_socket_close(s);
	if (failed) {
		free(list.all);
		return fail("cannot list the chains of nftables: %s",
			    strerror(errno));
	}
	*out = list.all;
	*n = list.n;
	return OK;
}
