// SPDX-License-Identifier: GPL-2.0-only
/* Opens the pinned maps; reads and writes the interface record. */
#include "rows.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIN(name)                                                              \
	{                                                                      \
#name, offsetof(struct maps, name)                             \
	}

const struct map_pin map_pins[MAP_COUNT] = {
	PIN(peers),	    PIN(endpoints),   PIN(prefixes4), PIN(prefixes6),
	PIN(shared),	    PIN(broadcasts),  PIN(next_hops), PIN(learned),
	PIN(learned_until), PIN(generations), PIN(traffic),   PIN(peer_stats),
	PIN(names),	    PIN(allowed),     PIN(lengths),   PIN(verdicts),
	PIN(interface),	    PIN(hostnames),   PIN(waiting),   PIN(devices),
	PIN(rates),	    PIN(events),
};

int *map_fd(struct maps *m, const struct map_pin *pin)
{
	return (int *)((char *)m + pin->offset);
}

static int open_one(const char *ifname, const char *name, int *fd)
{
	char path[PATH_MAX];

	if (pins_path(path, ifname, name))
		return FAILED;
	*fd = bpf_obj_get(path);
	if (*fd >= 0)
		return OK;
	if (errno == ENOENT)
		return fail_not_attached(ifname);
	return fail("cannot open \"%s\": %s", path, strerror(errno));
}

static int check_interface(const char *ifname)
{
	struct tl_interface iface;

	if (!pins_interface(ifname, &iface))
		return fail_not_attached(ifname);
	if (iface.netns_cookie && pins_check_netns(ifname, &iface))
		return FAILED;
	if (is_older(&iface))
		return fail(
			"%s was attached by an older version of tunload: run `tunload attach %s` to upgrade",
			ifname, ifname);
	if (iface.layout && iface.layout != TL_LAYOUT)
		return fail(
			"%s was attached by another version of tunload (map layout %u, this one's is %u): `tunload detach %s` and attach again",
			ifname, iface.layout, TL_LAYOUT, ifname);
	if (!(iface.flags & TL_IF_F_READY))
		return fail(
			"%s is half attached: run `tunload attach %s` again, or `tunload detach %s`",
			ifname, ifname, ifname);
	if (if_nametoindex(ifname) != iface.ifindex)
		return fail(
			"%s: the interface that was attached is gone: `tunload detach %s` removes what is left, `tunload attach %s` takes a new one",
			ifname, ifname, ifname);
	return OK;
}

int maps_open(struct maps *m, const char *ifname)
{
	int ret = check_interface(ifname);

	for (size_t i = 0; i < MAP_COUNT; i++)
		*map_fd(m, &map_pins[i]) = -1;
	m->write_prefixes = -1;
	m->rows = NULL;
	for (size_t i = 0; !ret && i < MAP_COUNT; i++)
		ret = open_one(ifname, map_pins[i].name,
			       map_fd(m, &map_pins[i]));
	if (!ret)
		ret = open_one(ifname, PIN_WRITE_PREFIXES, &m->write_prefixes);
	if (ret)
		maps_close(m);
	return ret;
}

void maps_close(struct maps *m)
{
	for (size_t i = 0; i < MAP_COUNT; i++) {
		int *fd = map_fd(m, &map_pins[i]);

		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	if (m->write_prefixes >= 0)
		close(m->write_prefixes);
	m->write_prefixes = -1;
	if (m->rows)
		state_tables_free(m->rows);
	free(m->rows);
	m->rows = NULL;
}

int interface_read(const struct maps *m, struct tl_interface *out)
{
	uint32_t key = 0;

	if (bpf_map_lookup_elem(m->interface, &key, out))
		return fail("cannot read the map \"interface\": %s",
			    strerror(errno));
	return OK;
}

int interface_write(const struct maps *m, const struct tl_interface *in)
{
	uint32_t key = 0;

	if (bpf_map_update_elem(m->interface, &key, in, BPF_ANY))
		return fail("cannot write the map \"interface\": %s",
			    strerror(errno));
	return OK;
}
