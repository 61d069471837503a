// SPDX-License-Identifier: GPL-2.0-only
/* Finds programs of tunload on an interface that has no pins here. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "one_hook.h"

/* True if the interface has pins under a former name, which it copies. */
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
			iface.netns_cookie == cookie && !pins_dead(p.ifname);
		if (found)
			strcpy(former, names[i]);
	}
	free(names);
	return found;
}

int hooks_must_be_free(const char *ifname, uint32_t ifindex)
{
	char former[IFNAMSIZ];

	if (former_name(ifname, ifindex, former))
		return fail(
			"%s is attached under its former name: `tunload detach %s` first",
			ifname, former);
	for (enum hook h = HOOK_TC_INGRESS; h < HOOK_COUNT; h++) {
		if (hooked_filter(h, ifindex))
			return fail(
				"%s has a filter of tunload whose pins are not in \"%s\": name their bpffs with --bpffs, or `tc filter del dev %s %s pref 94`",
				ifname, pins_bpffs(), ifname,
				h == HOOK_TC_EGRESS ? "egress" : "ingress");
	}
	if (hooked_links(ifindex))
		return fail(
			"%s is attached from another bpffs than \"%s\": name it with --bpffs",
			ifname, pins_bpffs());
	return OK;
}
