// SPDX-License-Identifier: GPL-2.0-only
/* Finds programs and filters on the hooks of an interface, with or without pins
 * of ours. */
#include "host.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

static int tc_dump(uint16_t type, uint32_t ifindex, uint32_t parent,
		   mnl_cb_t each, void *data)
{
	union nl_request r;
	struct tcmsg *tcm = nl_begin(&r, type, NLM_F_DUMP, sizeof(*tcm));

	tcm->tcm_ifindex = ifindex;
	tcm->tcm_parent = parent;
	return nl_talk(&r, each, data) ? -errno : 0;
}

static uint32_t filter_parent(enum hook h)
{
	return TC_H_MAKE(TC_H_CLSACT, h == HOOK_TC_EGRESS ? TC_H_MIN_EGRESS
							  : TC_H_MIN_INGRESS);
}

struct name_search {
	const char *name;
	bool found;
};

/* Finds a filter by our preference, our handle and the program's name; libbpf
 * names a filter "PROGRAM:[ID]". */
static int find_name(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_MAX + 1];
	struct name_search *s = data;
	size_t len = strlen(s->name);
	const char *name;

	if (tcm->tcm_handle != FILTER_HANDLE ||
	    TC_H_MAJ(tcm->tcm_info) >> 16 != FILTER_PRIORITY)
		return MNL_CB_OK;
	nl_attrs(nlh, sizeof(*tcm), tb, TCA_MAX);
	name = nl_str(nl_nested(tb[TCA_OPTIONS], TCA_BPF_NAME));
	if (!strncmp(name, s->name, len) && name[len] == ':')
		s->found = true;
	return MNL_CB_OK;
}

bool hooked_filter(enum hook h, uint32_t ifindex)
{
	struct name_search s = {
		.name = h == HOOK_TC_EGRESS ? "tc_egress" : "tc_ingress",
	};

	return !tc_dump(RTM_GETTFILTER, ifindex, filter_parent(h), find_name,
			&s) &&
	       s.found;
}

struct kind_search {
	uint32_t ifindex;
	char *kind;
};

static int find_kind(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct kind_search *s = data;
	const struct nlattr *tb[TCA_MAX + 1];

	if ((uint32_t)tcm->tcm_ifindex != s->ifindex ||
	    tcm->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	nl_attrs(nlh, sizeof(*tcm), tb, TCA_MAX);
	snprintf(s->kind, IFNAMSIZ, "%s", nl_str(tb[TCA_KIND]));
	return MNL_CB_OK;
}

/* The kernel lists the qdiscs of all interfaces; find_kind() filters them. */
int hooked_clsact(uint32_t ifindex, char kind[static IFNAMSIZ])
{
	struct kind_search s = {.ifindex = ifindex, .kind = kind};

	*kind = 0;
	return tc_dump(RTM_GETQDISC, ifindex, 0, find_kind, &s);
}

static int count_filter(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(size_t *)data;
	return MNL_CB_OK;
}

int hooked_filters(enum hook h, uint32_t ifindex, size_t *n)
{
	return tc_dump(RTM_GETTFILTER, ifindex, filter_parent(h), count_filter,
		       n);
}

#define MAX_PROGS 64
#define MAX_MAPS  64

static bool is_map_of_ours(uint32_t id)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	bool ours;

	if (fd < 0)
		return false;
	ours = !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       !strcmp(info.name, "peer_stats");
	close(fd);
	return ours;
}

/* Other programs may be named "tc_ingress" too, but hardly have this map.
 * Without CAP_SYS_ADMIN the kernel does not tell: false. */
static bool is_prog_of_ours(uint32_t id)
{
	uint32_t maps[MAX_MAPS];
	struct bpf_prog_info info = {
		.nr_map_ids = MAX_MAPS,
		.map_ids = (uintptr_t)maps,
	};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id), err;
	bool ours = false;

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (err ||
	    (strcmp(info.name, "xdp_ingress") &&
	     strcmp(info.name, "tc_ingress") && strcmp(info.name, "tc_egress")))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAX_MAPS; i++)
		ours |= is_map_of_ours(maps[i]);
	return ours;
}

bool hooked_links(uint32_t ifindex)
{
	static const int types[] = {TCX_INGRESS, TCX_EGRESS};
	uint32_t ids[MAX_PROGS], xdp = 0, n;

	if (!bpf_xdp_query_id(ifindex, 0, &xdp) && xdp && is_prog_of_ours(xdp))
		return true;
	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		n = MAX_PROGS;
		/* EINVAL: no TCX before Linux 6.6. */
		if (bpf_prog_query(ifindex, types[t], 0, NULL, ids, &n))
			continue;
		for (uint32_t i = 0; i < n; i++) {
			if (is_prog_of_ours(ids[i]))
				return true;
		}
	}
	return false;
}

bool hooked_any(uint32_t ifindex)
{
	return hooked_filter(HOOK_TC_INGRESS, ifindex) ||
	       hooked_filter(HOOK_TC_EGRESS, ifindex) || hooked_links(ifindex);
}

/* The programs and filters before ours. */
struct others {
	struct other_prog *all;
	size_t n;
	int err;
	enum hook hook;
};

static void add_other(struct others *o, const struct other_prog *p)
{
	if (push(o->all, o->n, p))
		o->err = -ENOMEM;
}

/* The id of the BPF link that holds a program, 0: none. */
static uint32_t link_of(uint32_t prog)
{
	uint32_t id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id), err;

		if (fd < 0)
			continue;
		err = bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
		if (!err && info.prog_id == prog)
			return id;
	}
	return 0;
}

static void add_prog(struct others *o, uint32_t id, bool generic)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	struct other_prog p = {.hook = o->hook,
			       .id = id,
			       .link = link_of(id),
			       .generic = generic};

	/* Without CAP_SYS_ADMIN it may as well be ours. */
	if (fd < 0)
		return;
	bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	snprintf(p.name, sizeof(p.name), "%s", info.name);
	add_other(o, &p);
}

static void find_xdp(struct others *o, uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, q);
	uint32_t id;

	if (bpf_xdp_query(ifindex, 0, &q))
		return;
	id = q.hw_prog_id ?: q.drv_prog_id ?: q.skb_prog_id ?: q.prog_id;
	if (id && !is_prog_of_ours(id))
		add_prog(o, id, id == q.skb_prog_id);
}

/* False before Linux 6.6, which has no TCX. */
static bool find_tcx(struct others *o, uint32_t ifindex)
{
	int type = o->hook == HOOK_TC_EGRESS ? TCX_EGRESS : TCX_INGRESS;
	uint32_t ids[MAX_PROGS], n = MAX_PROGS;

	if (bpf_prog_query(ifindex, type, 0, NULL, ids, &n))
		return false;
	for (uint32_t i = 0; i < n && !is_prog_of_ours(ids[i]); i++)
		add_prog(o, ids[i], false);
	return true;
}

static int on_filter(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct others *o = data;
	const struct nlattr *tb[TCA_MAX + 1];
	struct other_prog p = {.hook = o->hook,
			       .preference = TC_H_MAJ(tcm->tcm_info) >> 16};

	nl_attrs(nlh, sizeof(*tcm), tb, TCA_MAX);
	snprintf(p.name, sizeof(p.name), "%s", nl_str(tb[TCA_KIND]));
	/* A filter of handle 0 stands for all of its preference. */
	if (tcm->tcm_handle && p.preference < FILTER_PRIORITY)
		add_other(o, &p);
	return MNL_CB_OK;
}

int hooked_before(uint32_t ifindex, struct other_prog **out, size_t *n)
{
	struct others o = {.hook = HOOK_XDP};

	find_xdp(&o, ifindex);
	for (o.hook = HOOK_TC_INGRESS; o.hook <= HOOK_TC_EGRESS; o.hook++)
		if (!find_tcx(&o, ifindex) || hooked_filter(o.hook, ifindex))
			tc_dump(RTM_GETTFILTER, ifindex, filter_parent(o.hook),
				on_filter, &o);
	*out = o.all;
	*n = o.n;
	return o.err;
}
