// SPDX-License-Identifier: GPL-2.0-only
/* Asks the data plane for events. */
#include "maps.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* The record has other fields too, so it is not written while another command,
 * which may change them, holds the lock. */
static int set_until(const struct maps *m, int dir_fd, uint64_t until_ns,
		     bool *asked)
{
	struct tl_interface iface;
	int ret;

	*asked = !flock(dir_fd, LOCK_EX | LOCK_NB);
	if (!*asked)
		return OK;
	ret = interface_read(m, &iface);
	iface.monitor_until_ns = until_ns;
	if (!ret)
		ret = interface_write(m, &iface);
	flock(dir_fd, LOCK_UN);
	return ret;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

/* True if our map is still the pinned one: nobody detached the interface, not
 * even to attach it again. */
static bool is_pinned(const struct maps *m, const char *ifname)
{
	char path[PATH_MAX];
	int fd = pins_path(path, ifname, "events") ? -1 : bpf_obj_get(path);
	uint32_t id = map_id(fd);

	if (fd >= 0)
		close(fd);
	return id && id == map_id(m->events);
}

int events_ask(const struct maps *m, const char *ifname, uint64_t until_ns,
	       bool *asked)
{
	char dir[PATH_MAX];
	int fd, ret = pins_path(dir, ifname, NULL);

	if (ret)
		return ret;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && is_pinned(m, ifname))
		ret = set_until(m, fd, until_ns, asked);
	else
		ret = fail("%s was detached", ifname);
	if (fd >= 0)
		close(fd);
	return ret;
}

bool events_asked(const struct maps *m)
{
	struct tl_interface iface;

	return !interface_read(m, &iface) &&
	       iface.monitor_until_ns > clock_ns(CLOCK_MONOTONIC);
}
