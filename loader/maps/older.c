// SPDX-License-Identifier: GPL-2.0-only
/* Reads an attachment of an older version (TL_LAYOUT 2 to 7). */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* These layouts have these maps with the same rows, except that `interface` and
 * `peers` lack the fields added at the end since. Their other maps have nothing
 * to keep. */
_Static_assert(offsetof(struct tl_peer, mtu_fixed) == 108,
	       "a peer of layout 2");
_Static_assert(sizeof(struct tl_prefix4) == 8 &&
		       sizeof(struct tl_prefix6) == 20,
	       "prefixes of layout 2");
_Static_assert(sizeof(struct tl_prefix) == 8, "prefixes of layout 2");
_Static_assert(sizeof(struct tl_hostname) == 256, "names of layout 2");
_Static_assert(offsetof(struct tl_interface, address4_len) == 240,
	       "settings of layout 2");

static const char *const kept[] = {"peers",  "prefixes4", "prefixes6",
				   "shared", "hostnames", "interface"};

bool is_older(const struct tl_interface *iface)
{
	return iface->layout >= 2 && iface->layout < TL_LAYOUT;
}

bool older_runs(const char *ifname)
{
	struct tl_interface iface;

	return is_attached(ifname, &iface) && is_older(&iface);
}

static bool is_kept(const char *name)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (!strcmp(name, kept[i]))
			return true;
	return false;
}

static int open_kept(const char *ifname, struct maps *m)
{
	char path[PATH_MAX];
	int ret = OK;

	for (size_t i = 0; i < MAP_COUNT; i++) {
		int *fd = map_fd(m, &map_pins[i]);

		*fd = -1;
		if (ret || !is_kept(map_pins[i].name))
			continue;
		ret = pins_path(path, ifname, map_pins[i].name);
		if (!ret)
			*fd = bpf_obj_get(path);
		/* Layouts 2 and 3 may lack `shared`. */
		if (!ret && *fd < 0 && errno != ENOENT)
			ret = fail("cannot open \"%s\": %s", path,
				   strerror(errno));
	}
	return ret;
}

int older_read(const char *ifname, struct conf *out)
{
	struct maps m = {.write_prefixes = -1};
	int ret = open_kept(ifname, &m);

	if (!ret)
		ret = state_read(&m, ifname, out);
	maps_close(&m);
	return ret;
}
