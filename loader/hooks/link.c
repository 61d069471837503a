// SPDX-License-Identifier: GPL-2.0-only
/* BPF links: XDP in driver mode, and TCX. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <unistd.h>

#include "bpf_log.h"
#include "one_hook.h"

static const struct {
	int attach_type;
	uint32_t flags;
} links[HOOK_COUNT] = {
	[HOOK_XDP] = {BPF_XDP, XDP_FLAGS_DRV_MODE},
	[HOOK_TC_INGRESS] = {TCX_INGRESS, 0},
	[HOOK_TC_EGRESS] = {TCX_EGRESS, 0},
};

bool link_exists(const struct pins *p, enum hook h)
{
	bool dead;
	int fd = pins_link(p->ifname, h, &dead);

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

static int link_create(const struct pins *p, enum hook h, uint32_t ifindex,
		       int prog)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = links[h].flags);
	char path[PATH_MAX];
	int fd, err = 0;

	if (pins_link_path(path, p->ifname, h))
		return -ENAMETOOLONG;
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

int link_put(const struct pins *p, enum hook h, uint32_t ifindex, int prog)
{
	bool dead;
	int fd, err;

	bpf_log_start();
	fd = pins_link(p->ifname, h, &dead);
	if (fd < 0)
		return link_create(p, h, ifindex, prog);
	err = bpf_link_update(fd, prog, NULL) ? -errno : 0;
	close(fd);
	return err;
}

void link_drop(const struct pins *p, enum hook h)
{
	char path[PATH_MAX];
	int fd;

	if (pins_link_path(path, p->ifname, h))
		return;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	/* Closing and unlinking is not enough: another process may hold a
	 * reference. */
	bpf_link_detach(fd);
	unlink(path);
	close(fd);
}
