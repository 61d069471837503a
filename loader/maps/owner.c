// SPDX-License-Identifier: GPL-2.0-only
/* Tells which interface and network namespace pins belong to. */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* since Linux 5.14, not in older headers */
#endif

int netns_cookie(uint64_t *cookie)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*cookie);
	int err;

	if (fd < 0)
		return fail("cannot open a socket: %s", strerror(errno));
	err = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len);
	close(fd);
	if (err)
		return fail(
			"the kernel does not tell the network namespace's cookie: %s; tunload needs Linux 6.1",
			strerror(errno));
	return OK;
}

int fail_not_attached(const char *ifname)
{
	struct link_info link;

	if (link_info(ifname, &link))
		return FAILED;
	if (hooked_any(link.ifindex))
		return fail(
			"%s is not attached by pins in \"%s\", but programs of tunload are on it, pinned elsewhere: use the --bpffs it was attached with",
			ifname, pins_bpffs());
	return fail("%s is not attached: run `tunload attach %s`", ifname,
		    ifname);
}

/* Opens the pinned map `interface` of any layout and reads its value, of *size
 * bytes, malloc()ed. NULL if it is not there. The caller closes *fd if that is
 * not negative. */
static void *open_interface(const char *ifname, int *fd, size_t *size)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), key = 0;
	char path[PATH_MAX];
	void *value;

	*fd = pins_path(path, ifname, "interface") ? -1 : bpf_obj_get(path);
	if (*fd < 0 || bpf_obj_get_info_by_fd(*fd, &info, &len) ||
	    info.type != BPF_MAP_TYPE_ARRAY)
		return NULL;
	*size = info.value_size;
	value = calloc(1, *size);
	if (value && bpf_map_lookup_elem(*fd, &key, value)) {
		free(value);
		value = NULL;
	}
	return value;
}

/* The head of struct tl_interface, up to its flags, is the same in every
 * TL_LAYOUT, so that a newer tunload can still detach an older one's. */
bool pins_interface(const char *ifname, struct tl_interface *out)
{
	size_t size;
	int fd;
	void *value = open_interface(ifname, &fd, &size);
	bool ok = value;

	memset(out, 0, sizeof(*out));
	if (value)
		memcpy(out, value, size < sizeof(*out) ? size : sizeof(*out));
	free(value);
	if (fd >= 0)
		close(fd);
	return ok;
}

bool is_attached(const char *ifname, struct tl_interface *out)
{
	uint64_t cookie = 0;

	return pins_interface(ifname, out) && out->flags & TL_IF_F_READY &&
	       out->ifindex == if_nametoindex(ifname) &&
	       !netns_cookie(&cookie) && cookie == out->netns_cookie;
}

void pins_unready(const char *ifname)
{
	uint32_t key = 0;
	size_t size;
	int fd;
	struct tl_interface *value = open_interface(ifname, &fd, &size);

	if (value && size >= offsetof(struct tl_interface, mode)) {
		value->flags &= ~TL_IF_F_READY;
		bpf_map_update_elem(fd, &key, value, BPF_ANY);
	}
	free(value);
	if (fd >= 0)
		close(fd);
}

int pins_check_netns(const char *ifname, const struct tl_interface *iface)
{
	uint64_t cookie = 0;
	char dir[PATH_MAX];

	if (netns_cookie(&cookie) || pins_path(dir, ifname, NULL))
		return FAILED;
	if (iface->netns_cookie == cookie)
		return OK;
	return fail(
		"%s belongs to the %s of another network namespace: use --bpffs DIR with a bpffs of this one; if that namespace is gone, `rm -r %s`",
		dir, ifname, dir);
}

int pins_link_path(char buf[static PATH_MAX], const char *ifname, enum hook h)
{
	static const char *const names[HOOK_COUNT] = {
		[HOOK_XDP] = "link_xdp",
		[HOOK_TC_INGRESS] = "link_tcx_ingress",
		[HOOK_TC_EGRESS] = "link_tcx_egress",
	};

	return pins_path(buf, ifname, names[h]);
}

int pins_link_at(const char *path, uint32_t *ifindex)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);

	*ifindex = 0;
	/* TCX keeps the ifindex where XDP does. */
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		*ifindex = info.xdp.ifindex;
	return fd;
}

int pins_link(const char *ifname, enum hook h, bool *dead)
{
	char path[PATH_MAX];
	uint32_t ifindex;
	int fd;

	*dead = false;
	if (pins_link_path(path, ifname, h))
		return -1;
	fd = pins_link_at(path, &ifindex);
	if (fd < 0 || ifindex)
		return fd;
	*dead = true;
	close(fd);
	return -1;
}

bool pins_dead(const char *ifname)
{
	bool any = false, dead;
	int fd;

	for (enum hook h = 0; h < HOOK_COUNT; h++) {
		fd = pins_link(ifname, h, &dead);
		if (fd >= 0) {
			close(fd);
			return false;
		}
		any |= dead;
	}
	return any;
}

bool pins_foreign(const char *ifname)
{
	struct tl_interface iface;
	uint64_t cookie = 0;

	return pins_interface(ifname, &iface) && iface.netns_cookie &&
	       !netns_cookie(&cookie) && cookie != iface.netns_cookie;
}
