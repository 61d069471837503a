// SPDX-License-Identifier: GPL-2.0-only
/* Changes the running state as the command line says. */
#include "tunnel.h"

#include "resolve/resolve.h"

/* Makes a copy of now with the change. */
static int copy_edited(const struct edit *e, const struct conf *now,
		       struct conf *want)
{
	int ret = conf_copy(want, now);

	if (ret)
		return ret;
	resolve_forget(want);
	ret = e->make(e, want);
	if (ret)
		conf_free(want);
	return ret;
}

/* Makes the change and aligns all peers with the host. */
static int change_all(const struct running *r, const struct edit *e,
		      struct conf *want, struct mended *mended)
{
	int ret = copy_edited(e, &r->now, want);

	if (ret)
		return ret;
	ret = conf_check(want);
	if (!ret)
		ret = resolve_edited(want, &r->now);
	if (!ret)
		ret = align(r, NULL, want, NULL, mended);
	if (ret)
		conf_free(want);
	return ret;
}

/* Makes the change to that peer alone; want then contains only it. *done: the
 * change is made. */
static int change_one(const struct running *r, const struct edit *e,
		      struct conf *want, bool *done)
{
	struct conf was = r->now;
	int ret;

	*done = false;
	was.peers = conf_peer(&r->now, e->name);
	was.n_peers = was.peers ? 1 : 0;
	ret = copy_edited(e, &was, want);
	if (ret)
		return ret;
	ret = one_peer_change(&r->maps, &r->now, &was, want, done);
	*done &= !ret;
	if (!*done)
		conf_free(want);
	return ret;
}

int edit_running(const struct running *r, const struct edit *e,
		 struct conf *want, struct mended *mended)
{
	bool done;
	int ret = change_one(r, e, want, &done);

	*mended = (struct mended){0};
	return ret || done ? ret : change_all(r, e, want, mended);
}
