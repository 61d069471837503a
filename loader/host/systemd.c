// SPDX-License-Identifier: GPL-2.0-only
/* Asks the files of systemd, networkd and NetworkManager who else manages an
 * interface. */
#include "host.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Where systemd looks, the first that has a file wins. */
static const char *const roots[] = {"/etc/systemd", "/run/systemd",
				    "/usr/local/lib/systemd",
				    "/usr/lib/systemd"};

#define N_ROOTS (sizeof(roots) / sizeof(*roots))

bool systemd_runs(void)
{
	return !access("/run/systemd/system", F_OK);
}

bool unit_enabled(const char *unit)
{
	char pattern[PATH_MAX];
	bool found = false;
	glob_t paths;

	for (size_t i = 0; !found && i < N_ROOTS; i++) {
		snprintf(pattern, sizeof(pattern), "%s/system/*.wants/%s",
			 roots[i], unit);
		found = !glob(pattern, 0, NULL, &paths);
		globfree(&paths);
	}
	return found;
}

/* Copies the last value of KEY=VALUE in a file; false if there is none. */
static bool read_value(const char *path, const char *key, char *value,
		       size_t len)
{
	FILE *f = fopen(path, "re");
	size_t n = strlen(key);
	char line[1024];
	bool found = false;

	while (f && fgets(line, sizeof(line), f)) {
		char *s = line + strspn(line, " \t");

		if (strncmp(s, key, n))
			continue;
		s += n + strspn(s + n, " \t");
		if (*s++ != '=')
			continue;
		s += strspn(s, " \t");
		s[strcspn(s, " \t\n")] = '\0';
		snprintf(value, len, "%s", s);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

bool networkd_manages(uint32_t ifindex)
{
	char path[64], state[32];

	snprintf(path, sizeof(path), "/run/systemd/netif/links/%u", ifindex);
	return read_value(path, "ADMIN_STATE", state, sizeof(state)) &&
	       strcmp(state, "unmanaged");
}

static const char *file_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* By the name of the file, then by the order of roots. */
static int compare_dropins(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t i = 0, j = 0;

	while (i < N_ROOTS && strncmp(x, roots[i], strlen(roots[i])))
		i++;
	while (j < N_ROOTS && strncmp(y, roots[j], strlen(roots[j])))
		j++;
	return strcmp(file_name(x), file_name(y)) ?: compare_values(i, j);
}

/* The files that extend networkd.conf, in their order. */
static void read_dropins(const char *key, char *value, size_t len)
{
	char pattern[PATH_MAX];
	glob_t paths = {0};

	for (size_t i = 0; i < N_ROOTS; i++) {
		snprintf(pattern, sizeof(pattern), "%s/networkd.conf.d/*.conf",
			 roots[i]);
		glob(pattern, i ? GLOB_APPEND : 0, NULL, &paths);
	}
	sort(paths.gl_pathv, paths.gl_pathc, sizeof(*paths.gl_pathv),
	     compare_dropins);
	for (size_t i = 0; i < paths.gl_pathc; i++)
		if (!i || strcmp(file_name(paths.gl_pathv[i]),
				 file_name(paths.gl_pathv[i - 1])))
			read_value(paths.gl_pathv[i], key, value, len);
	globfree(&paths);
}

bool networkd_is_on(const char *key)
{
	static const char *const words[] = {"0",     "no", "n",
					    "false", "f",  "off"};
	char path[64], value[32] = "yes";

	for (size_t i = 0; i < N_ROOTS; i++) {
		snprintf(path, sizeof(path), "%s/networkd.conf", roots[i]);
		if (access(path, F_OK))
			continue;
		read_value(path, key, value, sizeof(value));
		break;
	}
	read_dropins(key, value, sizeof(value));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcasecmp(value, words[i]))
			return false;
	return true;
}

bool networkmanager_manages(uint32_t ifindex)
{
	char path[64], managed[16];

	snprintf(path, sizeof(path), "/run/NetworkManager/devices/%u", ifindex);
	return read_value(path, "managed", managed, sizeof(managed)) &&
	       !strcmp(managed, "true");
}
