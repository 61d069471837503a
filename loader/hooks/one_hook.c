// SPDX-License-Identifier: GPL-2.0-only
/* A single hook: BPF links (XDP in driver mode, TCX), filters on a clsact qdisc
 * for kernels without TCX, and why native XDP was refused. */
#include "one_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int attach_type;
	uint32_t flags;
} links[HOOK_COUNT] = {
	[HOOK_XDP] = {BPF_XDP, XDP_FLAGS_DRV_MODE},
	[HOOK_TC_INGRESS] = {TCX_INGRESS, 0},
	[HOOK_TC_EGRESS] = {TCX_EGRESS, 0},
};

bool link_exists(const char *ifname, enum hook h)
{
	bool dead;
	int fd = pins_link(ifname, h, &dead);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Kernels before 6.6 do not know the attach type: EINVAL. */
bool hooks_have_tcx(uint32_t ifindex)
{
	uint32_t n = 0;

	return !bpf_prog_query(ifindex, TCX_EGRESS, 0, NULL, NULL, &n);
}

static int link_create(const char *path, enum hook h, uint32_t ifindex,
		       int prog)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = links[h].flags);
	int fd, err = 0;

	fd = bpf_link_create(prog, ifindex, links[h].attach_type, &opts);
	if (fd < 0)
		return -errno;
	unlink(path); /* the link in it is dead */
	if (bpf_obj_pin(fd, path)) {
		err = -errno;
		bpf_link_detach(fd);
	}
	close(fd);
	return err;
}

int link_put_at(const char *path, enum hook h, uint32_t ifindex, int prog)
{
	uint32_t at;
	int fd, err;

	bpf_log_start();
	fd = pins_link_at(path, &at);
	if (fd < 0)
		return link_create(path, h, ifindex, prog);
	if (!at)
		err = link_create(path, h, ifindex, prog);
	else
		err = bpf_link_update(fd, prog, NULL) ? -errno : 0;
	close(fd);
	return err;
}

int link_put(const char *ifname, enum hook h, uint32_t ifindex, int prog)
{
	char path[PATH_MAX];

	if (pins_link_path(path, ifname, h))
		return -ENAMETOOLONG;
	return link_put_at(path, h, ifindex, prog);
}

void link_drop(const char *ifname, enum hook h)
{
	char path[PATH_MAX];

	if (!pins_link_path(path, ifname, h))
		link_drop_at(path);
}

void link_drop_at(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return;
	/* Closing and unlinking is not enough: another process may hold a
	 * reference. */
	bpf_link_detach(fd);
	unlink(path);
	close(fd);
}

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
static uint32_t pinned_prog_id(const char *ifname, enum hook h, bool staged)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int fd, err;

	if (programs_path(path, ifname, h, staged))
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return err ? 0 : info.id;
}

bool filter_holds(const char *ifname, enum hook h, uint32_t ifindex,
		  bool staged)
{
	uint32_t prog = filter_prog_id(h, ifindex);

	return prog && prog == pinned_prog_id(ifname, h, staged);
}

bool filter_exists(const char *ifname, enum hook h, uint32_t ifindex)
{
	return filter_holds(ifname, h, ifindex, false) ||
	       filter_holds(ifname, h, ifindex, true);
}

int filter_put(const char *ifname, enum hook h, uint32_t ifindex, int prog)
{
	struct bpf_tc_hook hook = clsact_hook(h, ifindex);
	bool ours = filter_exists(ifname, h, ifindex);
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

void filter_drop(const char *ifname, enum hook h, uint32_t ifindex)
{
	struct bpf_tc_hook hook = clsact_hook(h, ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE,
			    .priority = FILTER_PRIORITY);

	if (filter_exists(ifname, h, ifindex))
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

void driver_name(const char *ifname, char name[static 32])
{
	struct nic nic;

	nic_read(ifname, &nic);
	memcpy(name, nic.driver, sizeof(nic.driver));
}

/* The id of another program that is on the hook in any mode, or 0. */
static uint32_t xdp_foreign(uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query(ifindex, 0, &q))
		return 0;
	return q.drv_prog_id ?: q.skb_prog_id ?: q.hw_prog_id ?: q.prog_id;
}

static void foreign_words(uint32_t id, char words[static TL_REASON_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(words, TL_REASON_LEN,
			 "XDP hook is taken by program \"%s\" (id %u)",
			 info.name, id);
	else
		snprintf(words, TL_REASON_LEN,
			 "XDP hook is taken by program id %u", id);
	if (fd >= 0)
		close(fd);
}

bool xdp_taken(uint32_t ifindex, char words[static TL_REASON_LEN])
{
	uint32_t foreign = xdp_foreign(ifindex);

	if (foreign)
		foreign_words(foreign, words);
	return foreign;
}

/*
 * Attaches by netlink, which returns the driver's message; a link returns only
 * an errno. Success means that the hook was freed meanwhile: the program is
 * taken off again.
 */
static void ask_driver(uint32_t ifindex, int prog)
{
	const uint32_t flags = XDP_FLAGS_DRV_MODE;

	bpf_log_start();
	if (!bpf_xdp_attach(ifindex, prog, flags | XDP_FLAGS_UPDATE_IF_NOEXIST,
			    NULL))
		bpf_xdp_detach(ifindex, flags, NULL);
}

/* What Amazon's driver needs; it says so only in the kernel log. */
static const char *driver_hint(const char *driver)
{
	if (strcmp(driver, "ena"))
		return "";
	return "; ena needs an MTU <= 3498 and half of the channels free";
}

void xdp_refusal(const char *ifname, uint32_t ifindex, int prog, int err,
		 char words[static TL_REASON_LEN])
{
	const char *said;
	char driver[32];

	if (xdp_taken(ifindex, words))
		return;
	driver_name(ifname, driver);
	ask_driver(ifindex, prog);
	said = bpf_log_words();
	if (!*said && err == -EOPNOTSUPP)
		said = "it has none";
	snprintf(words, TL_REASON_LEN, "driver %s refuses native XDP: %s%s",
		 driver, *said ? said : strerror(-err), driver_hint(driver));
}
