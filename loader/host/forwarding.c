// SPDX-License-Identifier: GPL-2.0-only
/* Tells which packets the kernel did not forward. */
#include "host.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Reads the number from the first line that matches format. */
static uint64_t counter(const char *path, const char *format)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	uintmax_t n = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, format, &n) != 1)
		;
	fclose(f);
	return n;
}

static bool is_on(const char *name)
{
	int value;

	return sysctl_read(name, &value) && value;
}

bool host_forwards(const char *ifname, uint8_t family)
{
	char setting[64];

	/* IPv6: since Linux 6.17. */
	snprintf(setting, sizeof(setting),
		 family == 4 ? "net/ipv4/conf/%s/forwarding"
			     : "net/ipv6/conf/%s/force_forwarding",
		 ifname);
	/* IPv6 forwarding depends on the host's setting. The interface's
	 * `forwarding` only affects router advertisements. */
	return is_on(setting) ||
	       (family == 6 && is_on("net/ipv6/conf/all/forwarding"));
}

bool fib_answers(const char *ifname, uint8_t family)
{
	const char *const names[] = {ifname, "lo"};
	char setting[64];

	for (size_t i = 0; i < 2; i++) {
		snprintf(setting, sizeof(setting),
			 "net/ipv%u/conf/%s/forwarding", family, names[i]);
		if (is_on(setting))
			return true;
	}
	return false;
}

uint64_t not_forwarded(const char *ifname, uint8_t family, char *setting,
		       size_t len)
{
	char path[PATH_MAX];

	if (host_forwards(ifname, family))
		return 0;
	/* The line of names does not match; InAddrErrors is the fifth
	 * number. */
	if (family == 4) {
		snprintf(setting, len, "net/ipv4/conf/%s/forwarding", ifname);
		return counter("/proc/net/snmp", "Ip: %*u %*u %*u %*u %ju");
	}
	snprintf(setting, len, "net/ipv6/conf/all/forwarding");
	snprintf(path, sizeof(path), "/proc/net/dev_snmp6/%s", ifname);
	return counter(path, "Ip6InAddrErrors %ju");
}
