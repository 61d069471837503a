// SPDX-License-Identifier: GPL-2.0-only
/* Filters on a clsact qdisc, for kernels without TCX. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "bpf_log.h"
#include "one_hook.h"

static struct bpf_tc_hook clsact_hook(enum hook h, uint32_t ifindex)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = ifindex,
		.attach_point =
			h == HOOK_TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS,
	};
}

/* The id of the program at our preference and handle, 0: none. */
static uint32_t filter_prog_id(enum hook h, uint32_t ifindex)
{
	struct bpf_tc_hook hook = clsact_hook(h, ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE,
			    .priority = FILTER_PRIORITY);

	bpf_log_start();
	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

/* The id of the pinned or staged program, 0: not there. */
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
	struct bpf_tc_hook hook = clsact_hook(h, ifindex);
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
	struct bpf_tc_hook hook = clsact_hook(h, ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE,
			    .priority = FILTER_PRIORITY);

	if (filter_exists(p, h, ifindex))
		bpf_tc_detach(&hook, &opts);
}

int clsact_create(uint32_t ifindex)
{
	struct bpf_tc_hook hook = clsact_hook(HOOK_TC_INGRESS, ifindex);

	bpf_log_start();
	return bpf_tc_hook_create(&hook);
}

void clsact_drop(uint32_t ifindex)
{
	struct bpf_tc_hook hook = clsact_hook(HOOK_TC_INGRESS, ifindex);
	size_t filters = 0;

	if (hooked_filters(HOOK_TC_INGRESS, ifindex, &filters) ||
	    hooked_filters(HOOK_TC_EGRESS, ifindex, &filters) || filters)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_log_start();
	bpf_tc_hook_destroy(&hook);
}
