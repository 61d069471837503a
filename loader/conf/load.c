// SPDX-License-Identifier: GPL-2.0-only
/* Finds and reads the configuration of an interface. */
#include <limits.h>
#include <unistd.h>

#include "conf.h"

int conf_load(struct conf *c, const char *ifname, const char *file, bool *found)
{
	char path[PATH_MAX];
	int ret;

	conf_init(c, ifname);
	snprintf(path, sizeof(path), CONF_DIR "/%s.conf", ifname);
	*found = file || !access(path, F_OK);
	if (!*found)
		return OK;
	ret = conf_read(c, file ? file : path);
	if (ret)
		conf_free(c);
	return ret;
}
