// SPDX-License-Identifier: GPL-2.0-only
/* Programs of tunload on an interface that has no pins here. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"

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

/* Others may call a program "tc_ingress" too, but hardly with that map. Without
 * CAP_SYS_ADMIN nobody is told: false. */
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

static bool links_of_ours(uint32_t ifindex)
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

bool hooks_elsewhere(uint32_t ifindex)
{
	return filter_of_tunload(HOOK_TC_INGRESS, ifindex) ||
	       filter_of_tunload(HOOK_TC_EGRESS, ifindex) ||
	       links_of_ours(ifindex);
}

/* Pins under another name that hold this interface: it was renamed. */
static bool former_name(const char *ifname, uint32_t ifindex,
			char former[static IFNAMSIZ])
{
	char(*names)[IFNAMSIZ] = NULL;
	struct tl_interface iface;
	struct pins p = {0};
	uint64_t cookie;
	bool found = false;
	size_t n = 0;

	if (netns_cookie(&cookie) || pins_list(&names, &n))
		return false;
	for (size_t i = 0; !found && i < n; i++) {
		strcpy(p.ifname, names[i]);
		found = strcmp(names[i], ifname) &&
			pins_interface(names[i], &iface) &&
			iface.ifindex == ifindex &&
			iface.netns_cookie == cookie && !hooks_dead(&p);
		if (found)
			strcpy(former, names[i]);
	}
	free(names);
	return found;
}

int hooks_free(const char *ifname, uint32_t ifindex)
{
	char former[IFNAMSIZ];

	if (former_name(ifname, ifindex, former))
		return fail("%s is attached under its former name: `tunload "
			    "detach %s` first",
			    ifname, former);
	for (enum hook h = HOOK_TC_INGRESS; h < HOOK_COUNT; h++) {
		if (filter_of_tunload(h, ifindex))
			return fail("%s has a filter of tunload whose pins are "
				    "not in \"%s\": name their bpffs with "
				    "--bpffs, or `tc filter del dev %s %s "
				    "pref 94`",
				    ifname, pins_bpffs(), ifname,
				    h == HOOK_TC_EGRESS ? "egress" : "ingress");
	}
	if (links_of_ours(ifindex))
		return fail("%s is attached by pins that are not in \"%s\": "
			    "name their bpffs with --bpffs",
			    ifname, pins_bpffs());
	return OK;
}
