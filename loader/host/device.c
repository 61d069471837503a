// SPDX-License-Identifier: GPL-2.0-only
/* Lists Ethernet interfaces, and asks the kernel, by generic netlink, which of
 * them send frames that XDP redirects to them. */
#include "host.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* <linux/netdev.h> of Linux 6.3, not in older headers. */
#define NETDEV_FAMILY	      "netdev"
#define NETDEV_CMD_DEV_GET    1
#define NETDEV_A_IFINDEX      1
#define NETDEV_A_XDP_FEATURES 3
#define NETDEV_A_MAX	      NETDEV_A_XDP_FEATURES
#define XDP_ACT_NDO_XMIT      4

/* A question by generic netlink. */
struct question {
	uint16_t family; /* its number */
	uint16_t flags;
	uint8_t command;
	const char *name; /* of the family asked for, or NULL */
};

static int ask(struct mnl_socket *s, const struct question *q, mnl_cb_t each,
	       void *data)
{
	union nl_request r;
	struct genlmsghdr *genl =
		nl_begin(&r, q->family, q->flags, sizeof(*genl));

	genl->cmd = q->command;
	genl->version = 1;
	if (q->name)
		mnl_attr_put_strz(&r.nlh, CTRL_ATTR_FAMILY_NAME, q->name);
	return nl_exchange(s, &r, each, data);
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[CTRL_ATTR_FAMILY_ID + 1];
	uint16_t *id = data;

	nl_attrs(nlh, sizeof(struct genlmsghdr), tb, CTRL_ATTR_FAMILY_ID);
	if (tb[CTRL_ATTR_FAMILY_ID])
		*id = mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return MNL_CB_OK;
}

/* The devices of a device_list(). */
struct devices {
	struct device *all;
	size_t n;
};

static int on_device(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NETDEV_A_MAX + 1];
	const struct devices *list = data;
	uint32_t ifindex;

	nl_attrs(nlh, sizeof(struct genlmsghdr), tb, NETDEV_A_MAX);
	ifindex = nl_u32(tb[NETDEV_A_IFINDEX]);
	if (!tb[NETDEV_A_XDP_FEATURES] ||
	    mnl_attr_get_payload_len(tb[NETDEV_A_XDP_FEATURES]) < 8)
		return MNL_CB_OK;
	for (size_t i = 0; i < list->n; i++)
		if (list->all[i].ifindex == ifindex)
			list->all[i].sends =
				mnl_attr_get_u64(tb[NETDEV_A_XDP_FEATURES]) &
				XDP_ACT_NDO_XMIT;
	return MNL_CB_OK;
}

/* A kernel without the family has no answer. */
static int ask_features(struct devices *list)
{
	struct question q = {.family = GENL_ID_CTRL,
			     .command = CTRL_CMD_GETFAMILY,
			     .name = NETDEV_FAMILY};
	struct mnl_socket *s = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	uint16_t id = 0;
	int err = 0;

	if (!s)
		return fail("cannot open a netlink socket: %s",
			    strerror(errno));
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    ask(s, &q, on_family, &id) < 0)
		err = errno == ENOENT ? 0 : errno;
	q = (struct question){.family = id,
			      .command = NETDEV_CMD_DEV_GET,
			      .flags = NLM_F_DUMP};
	if (!err && id && ask(s, &q, on_device, list) < 0)
		err = errno;
	mnl_socket_close(s);
	return err ? fail("cannot ask for the XDP features of interfaces: %s",
			  strerror(err))
		   : OK;
}

/* True for a port of a bridge, a bond and the like: what arrives by it is for
 * that interface, whose rules, VRF and addresses count. An interface in a VRF
 * has its own. */
static bool is_port(const struct nlattr *const *tb)
{
	return tb[IFLA_MASTER] &&
	       strcmp(nl_str(nl_nested(tb[IFLA_LINKINFO],
				       IFLA_INFO_SLAVE_KIND)),
		      "vrf") != 0;
}

static void ask_ethernet(union nl_request *r, const struct nl_dump *d)
{
	(void)d;
	nl_begin(r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
}

static bool take_ethernet(const struct nlmsghdr *nlh, const struct nl_dump *d,
			  void *element)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_LINKINFO + 1];
	struct device *out = element;

	(void)d;
	nl_attrs(nlh, sizeof(*msg), tb, IFLA_LINKINFO);
	if (msg->ifi_type != ARPHRD_ETHER || is_port(tb) || !tb[IFLA_ADDRESS] ||
	    mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) != MAC_LEN)
		return false;
	*out = (struct device){.ifindex = msg->ifi_index};
	memcpy(out->mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]), MAC_LEN);
	return true;
}

int device_list(struct device **out, size_t *n)
{
	struct nl_dump d = {
		.what = "interfaces",
		.ask = ask_ethernet,
		.take = take_ethernet,
		.size = sizeof(**out),
		.only = 4, /* asked for once; links have no family */
	};
	struct devices list;
	int ret =
		nl_dump(&d, (void **)&list.all, &list.n) ?: ask_features(&list);

	if (ret)
		free(list.all);
	*out = ret ? NULL : list.all;
	*n = ret ? 0 : list.n;
	return ret;
}
