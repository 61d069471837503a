// SPDX-License-Identifier: GPL-2.0-only
/* Reads sysctls. */
#include "host.h"

#include <limits.h>
#include <stdio.h>

bool sysctl_read(const char *path, int *value)
{
	char full[PATH_MAX];
	bool found;
	FILE *f;

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	f = fopen(full, "re");
	found = f && fscanf(f, "%d", value) == 1;
	if (f)
		fclose(f);
	return found;
}
