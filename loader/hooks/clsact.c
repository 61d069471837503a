// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "bpf_log.h"
#include "hooks.h"
#include "host/nl.h"

/* Ours among the filters of others: "tl" in ASCII, and IP-in-IP's number. */
#define FILTER_HANDLE	0x746c
#define FILTER_PRIORITY 94

static struct bpf_tc_hook tc_hook(enum hook h, uint32_t ifindex)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = ifindex,
		.attach_point =
			h == HOOK_TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS,
	};
}

/* Id of the program behind our preference and handle, 0: none. */
static uint32_t filter_prog_id(enum hook h, uint32_t ifindex)
{
	struct bpf_tc_hook hook = tc_hook(h, ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE,
			    .priority = FILTER_PRIORITY);

	bpf_log_start();
	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

/* 0: not there. */
static uint32_t pinned_prog_id(const struct pins *p, enum hook h, bool staged)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int fd, err;

	if (programs_path(path, p, h, staged))
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return err ? 0 : info.id;
}

bool filter_holds(const struct pins *p, enum hook h, uint32_t ifindex,
		  bool staged)
{
	uint32_t prog = filter_prog_id(h, ifindex);

	return prog && prog == pinned_prog_id(p, h, staged);
}

bool filter_exists(const struct pins *p, enum hook h, uint32_t ifindex)
{
	return filter_holds(p, h, ifindex, false) ||
	       filter_holds(p, h, ifindex, true);
}

int filter_put(const struct pins *p, enum hook h, uint32_t ifindex, int prog)
{
	struct bpf_tc_hook hook = tc_hook(h, ifindex);
	bool ours = filter_exists(p, h, ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE,
			    .priority = FILTER_PRIORITY, .prog_fd = prog,
			    .flags = ours ? BPF_TC_F_REPLACE : 0);
	int err;

	if (!ours && filter_prog_id(h, ifindex))
		return -EBUSY;
	bpf_log_start();
	err = bpf_tc_attach(&hook, &opts);
	return err == -EEXIST ? -EBUSY : err;
}

void filter_drop(const struct pins *p, enum hook h, uint32_t ifindex)
{
	struct bpf_tc_hook hook = tc_hook(h, ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE,
			    .priority = FILTER_PRIORITY);

	if (filter_exists(p, h, ifindex))
		bpf_tc_detach(&hook, &opts);
}

static int tc_dump(uint16_t type, uint32_t ifindex, uint32_t parent,
		   mnl_cb_t each, void *data)
{
	union nl_request r;
	struct tcmsg *tcm = nl_begin(&r, type, NLM_F_DUMP, sizeof(*tcm));

	tcm->tcm_ifindex = ifindex;
	tcm->tcm_parent = parent;
	return nl_talk(&r, each, data) ? -errno : 0;
}

struct name_search {
	const char *name;
	bool found;
};

/* libbpf calls a filter "PROGRAM:[ID]". */
static int find_name(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_MAX + 1], *attr;
	struct name_search *s = data;
	size_t len = strlen(s->name);

	if (tcm->tcm_handle != FILTER_HANDLE ||
	    TC_H_MAJ(tcm->tcm_info) >> 16 != FILTER_PRIORITY)
		return MNL_CB_OK;
	nl_attrs(nlh, sizeof(*tcm), tb, TCA_MAX);
	if (!tb[TCA_OPTIONS])
		return MNL_CB_OK;
	mnl_attr_for_each_nested(attr, tb[TCA_OPTIONS])
	{
		if (mnl_attr_get_type(attr) != TCA_BPF_NAME ||
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			continue;
		if (!strncmp(mnl_attr_get_str(attr), s->name, len) &&
		    mnl_attr_get_str(attr)[len] == ':')
			s->found = true;
	}
	return MNL_CB_OK;
}

bool filter_of_tunload(enum hook h, uint32_t ifindex)
{
	bool egress = h == HOOK_TC_EGRESS;
	struct name_search s = {.name = egress ? "tc_egress" : "tc_ingress"};
	uint32_t parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS
							: TC_H_MIN_INGRESS);

	return !tc_dump(RTM_GETTFILTER, ifindex, parent, find_name, &s) &&
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
	const struct nlattr *kind;

	if ((uint32_t)tcm->tcm_ifindex != s->ifindex ||
	    tcm->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	nl_attrs(nlh, sizeof(*tcm), tb, TCA_MAX);
	kind = tb[TCA_KIND];
	if (kind && mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(s->kind, IFNAMSIZ, "%s", mnl_attr_get_str(kind));
	return MNL_CB_OK;
}

/* The kernel dumps the qdiscs of every interface: find_kind() chooses. */
int clsact_kind(uint32_t ifindex, char kind[static IFNAMSIZ])
{
	struct kind_search s = {.ifindex = ifindex, .kind = kind};

	*kind = 0;
	return tc_dump(RTM_GETQDISC, ifindex, 0, find_kind, &s);
}

int clsact_create(uint32_t ifindex)
{
	struct bpf_tc_hook hook = tc_hook(HOOK_TC_INGRESS, ifindex);

	bpf_log_start();
	return bpf_tc_hook_create(&hook);
}

static int count_filter(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(size_t *)data;
	return MNL_CB_OK;
}

void clsact_drop(uint32_t ifindex)
{
	struct bpf_tc_hook hook = tc_hook(HOOK_TC_INGRESS, ifindex);
	size_t filters = 0;

	if (tc_dump(RTM_GETTFILTER, ifindex,
		    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), count_filter,
		    &filters) ||
	    tc_dump(RTM_GETTFILTER, ifindex,
		    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), count_filter,
		    &filters) ||
	    filters)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_log_start();
	bpf_tc_hook_destroy(&hook);
}
