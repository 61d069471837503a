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
static bool has_caps(char *why, size_t len)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};
	bool admin;

	if (syscall(SYS_capget, &head, d)) {
		snprintf(why, len, "cannot read the capabilities: %s",
			 strerror(errno));
		return false;
	}
	admin = has_cap(d, CAP_SYS_ADMIN);
	if (has_cap(d, CAP_NET_ADMIN) &&
	    (admin || (has_cap(d, CAP_BPF) && has_cap(d, CAP_PERFMON))))
		return true;
	snprintf(
		why, len,
		"not permitted to use BPF: run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
	return false;
}

bool kernel_at_least(unsigned int major, unsigned int minor)
{
	unsigned int is_major = 0, is_minor = 0;
	struct utsname u;

	return !uname(&u) &&
	       sscanf(u.release, "%u.%u", &is_major, &is_minor) == 2 &&
	       (is_major > major || (is_major == major && is_minor >= minor));
}

static bool has_kernel(char *why, size_t len)
{
	struct utsname u;

	if (kernel_at_least(6, 1))
		return true;
	if (uname(&u))
		snprintf(why, len, "uname: %s", strerror(errno));
	else
		snprintf(
			why, len,
			"kernel \"%s\" is too old: tunload needs Linux 6.1 or newer",
			u.release);
	return false;
}

static bool has_btf(char *why, size_t len)
{
	if (!access(BTF_VMLINUX, R_OK))
		return true;
	snprintf(
		why, len,
		"cannot read " BTF_VMLINUX
		": %s; tunload needs a kernel built with CONFIG_DEBUG_INFO_BTF=y",
		strerror(errno));
	return false;
}

const struct requirement requirements[N_REQUIREMENTS] = {
	[REQUIRE_RIGHTS] = {"rights", has_caps},
	[REQUIRE_KERNEL] = {"kernel version", has_kernel},
	[REQUIRE_BTF] = {"BTF", has_btf},
};

int require_bpf(void)
{
	char why[REQUIREMENT_LEN];

	for (size_t i = 0; i < N_REQUIREMENTS; i++)
		if (!requirements[i].is_met(why, sizeof(why)))
			return fail("%s", why);
	return OK;
}
