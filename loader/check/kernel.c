// SPDX-License-Identifier: GPL-2.0-only
/* Area: the kernel, and the rights of this process. */
#include "check.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#define JIT "net/core/bpf_jit_enable"

static void look_at_requirements(struct check *c)
{
	char why[REQUIREMENT_LEN];

	for (size_t i = 0; i < N_REQUIREMENTS; i++)
		if (!requirements[i].is_met(why, sizeof(why)))
			found(c, LEVEL_FAILURE, requirements[i].name, NULL,
			      "%s", why);
}

/* Only the first network namespace has this sysctl. */
static void look_at_jit(struct check *c)
{
	int on;

	if (!sysctl_read(JIT, &on) || on)
		return;
	found(c, LEVEL_WARNING, "BPF JIT", NULL,
	      "the kernel interprets the programs, which is several times slower");
	mend(c, "sysctl -w net.core.bpf_jit_enable=1");
}

static void look_at_bpffs(struct check *c)
{
	const char *dir = pins_bpffs();
	struct statfs fs;

	if (!statfs(dir, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		return;
	found(c, LEVEL_WARNING, "bpffs", NULL,
	      "no bpf file system is mounted at %s; attach mounts it", dir);
	mend(c, "mkdir -p %s && mount -t bpf bpf %s", dir, dir);
}

int check_kernel(struct check *c)
{
	look_at_requirements(c);
	look_at_jit(c);
	look_at_bpffs(c);
	return OK;
}
