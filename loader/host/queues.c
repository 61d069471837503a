// SPDX-License-Identifier: GPL-2.0-only
/* Tells whether the receive queues of an interface use one CPU each, or RPS
 * spreads their packets. */
#include "host.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NET "/sys/class/net/"

/* Reads the first line of a file; false if there is none. */
static bool first_line(const char *path, char *line, int len)
{
	FILE *f = fopen(path, "re");
	bool found = f && fgets(line, len, f);

	if (f)
		fclose(f);
	return found;
}

/* True if /sys is that of this network namespace. */
static bool is_sys_ours(const char *ifname, uint32_t ifindex)
{
	char path[PATH_MAX], line[64];
	unsigned int found = 0;

	snprintf(path, sizeof(path), NET "%s/ifindex", ifname);
	return first_line(path, line, sizeof(line)) &&
	       sscanf(line, "%u", &found) == 1 && found == ifindex;
}

bool rps_is_off(const char *ifname, uint32_t ifindex)
{
	char path[PATH_MAX], line[4096];
	const struct dirent *entry;
	bool off = false;
	DIR *dir;

	if (!is_sys_ours(ifname, ifindex))
		return false;
	snprintf(path, sizeof(path), NET "%s/queues", ifname);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), NET "%s/queues/%s/rps_cpus",
			 ifname, entry->d_name);
		if (!first_line(path, line, sizeof(line)))
			continue;
		off = !line[strspn(line, "0,\n")];
		if (!off)
			break;
	}
	if (dir)
		closedir(dir);
	return off;
}

void rps_all_cpus(char *mask, size_t len)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	long left = (cpus - 1) / 32;

	snprintf(mask, len, "%x", cpus % 32 ? (1U << cpus % 32) - 1 : ~0U);
	while (left-- > 0 && strlen(mask) + 10 < len)
		strcat(mask, ",ffffffff");
}
