// SPDX-License-Identifier: GPL-2.0-only
#include "apply.h"

#include <stdlib.h>

static int apply_maps(const struct maps *m, struct conf *c)
{
	struct exception *exceptions = NULL;
	size_t n = 0;
	int ret = routes_exceptions(c, &exceptions, &n);

	if (!ret)
		ret = state_apply(m, c, exceptions, n);
	free(exceptions);
	return ret;
}

/* Its own errors follow the first one, which said what is wrong: they are worth
 * a line each, since the state is then neither the old nor the new one. */
static void restore(const struct maps *m, const struct conf *now)
{
	struct conf old;

	if (conf_copy(&old, now))
		return;
	if (apply_maps(m, &old) || routes_sync(&old))
		warn("%s: the state before could not be restored: run "
		     "`tunload reload %s`",
		     now->ifname, now->ifname);
	conf_free(&old);
}

int apply(const struct maps *m, const struct conf *now, struct conf *want)
{
	int ret = routes_prune(want);

	/* It put back what it had removed. */
	if (ret)
		return ret;
	ret = apply_maps(m, want);
	if (!ret)
		ret = routes_sync(want);
	if (ret)
		restore(m, now);
	return ret;
}
