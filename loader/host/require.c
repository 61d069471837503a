// SPDX-License-Identifier: GPL-2.0-only
/* Checks what tunload requires of the process and the kernel. */
#include "host.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BTF_VMLINUX "/sys/kernel/btf/vmlinux"

static bool has_cap(const struct __user_cap_data_struct *d, int cap)
{
	return d[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

/* CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, which 5.8 split off. */
static int require_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};
	bool admin;

	if (syscall(SYS_capget, &head, d))
		return fail("cannot read the capabilities: %s",
			    strerror(errno));
	admin = has_cap(d, CAP_SYS_ADMIN);
	if (has_cap(d, CAP_NET_ADMIN) &&
	    (admin || (has_cap(d, CAP_BPF) && has_cap(d, CAP_PERFMON))))
		return OK;
	return fail(
		"not permitted to use BPF: run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
}

bool kernel_at_least(unsigned int major, unsigned int minor)
{
	unsigned int is_major = 0, is_minor = 0;
	struct utsname u;

	return !uname(&u) &&
	       sscanf(u.release, "%u.%u", &is_major, &is_minor) == 2 &&
	       (is_major > major || (is_major == major && is_minor >= minor));
}

static int require_kernel(void)
{
	struct utsname u;

	if (kernel_at_least(6, 1))
		return OK;
	if (uname(&u))
		return fail("uname: %s", strerror(errno));
	return fail(
		"kernel \"%s\" is too old: tunload needs Linux 6.1 or newer",
		u.release);
}

int require_bpf(void)
{
	int ret = require_caps();

	if (!ret)
		ret = require_kernel();
	if (!ret && access(BTF_VMLINUX, R_OK))
		ret = fail(
			"cannot read " BTF_VMLINUX
			": %s; tunload needs a kernel built with CONFIG_DEBUG_INFO_BTF=y",
			strerror(errno));
	return ret;
}
