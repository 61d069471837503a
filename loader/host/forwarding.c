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

const char *forwarding_setting(uint8_t family)
{
	return family == 4 ? "net/ipv4/ip_forward"
			   : "net/ipv6/conf/all/forwarding";
}

/* True if the kernel answers questions about routes, asked from that interface;
 * sets `setting` to the path of its setting for that. */
static bool fib_answers(const char *ifname, uint8_t family, char *setting,
			size_t len)
{
	snprintf(setting, len, "net/ipv%u/conf/%s/forwarding", family, ifname);
	return is_on(setting);
}

const struct peer *fib_mute(const struct conf *c, uint8_t family, char *setting,
			    size_t len)
{
	const char *asked = "", *from;

	for_each_peer (p, c) {
		from = *p->vrf ? p->vrf : c->ifname;
		if (!peer_is_routed(p, family) || !strcmp(from, asked))
			continue;
		asked = from;
		if (fib_answers(from, family, setting, len) ||
		    (!*p->vrf && fib_answers("lo", family, setting, len)))
			continue;
		if (!*p->vrf)
			snprintf(setting, len, "%s",
				 forwarding_setting(family));
		return p;
	}
	return NULL;
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
