// SPDX-License-Identifier: GPL-2.0-only
/* Sizes of the maps of prefixes, and their freezing. */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#define ROOM_LEAST (1 << 16) /* rows: 1 MiB */
#define ROOM_OTHER 4096	     /* rows for the host's own networks */

static size_t n_prefixes(const struct conf *c, uint8_t family)
{
	size_t n = 0;

	for_each_peer (p, c) {
		for (size_t i = 0; i < p->n_allowed; i++)
			n += p->allowed[i].ip.family == family;
	}
	return n;
}

uint32_t room_wanted(const struct conf *c, uint8_t family)
{
	size_t n = n_prefixes(c, family);
	uint32_t rows = ROOM_LEAST;

	while (rows < TL_MAX_PREFIXES && rows < 2 * n)
		rows *= 2;
	return rows;
}

uint32_t room_pinned(const char *ifname, uint8_t family)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int fd;

	if (pins_path(path, ifname, family == 4 ? "prefixes4" : "prefixes6"))
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.max_entries = 0;
	close(fd);
	return info.max_entries;
}

static bool suffices(const char *ifname, const struct conf *c, uint8_t family)
{
	uint32_t rows = room_pinned(ifname, family);

	return rows >= TL_MAX_PREFIXES ||
	       rows >= n_prefixes(c, family) + ROOM_OTHER;
}

bool room_suffices(const char *ifname, const struct conf *c)
{
	return suffices(ifname, c, 4) && suffices(ifname, c, 6);
}

/* The kernel refuses to freeze a map again: EBUSY, or EPERM from Linux 6.18 on.
 */
static int freeze(const char *name, int fd)
{
	if (!bpf_map_freeze(fd) || errno == EBUSY || errno == EPERM)
		return OK;
	return fail("cannot freeze the map \"%s\": %s", name, strerror(errno));
}

int prefixes_freeze(const struct maps *m)
{
	return freeze("prefixes4", m->prefixes4)
		       ?: freeze("prefixes6", m->prefixes6)
		       ?: freeze("lengths", m->lengths);
}
