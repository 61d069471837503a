// SPDX-License-Identifier: GPL-2.0-only
/* Makes the running state equal to a file. */
#include "tunnel.h"

#include <string.h>

/* Copies the ids of running peers. */
static int keep_ids(struct conf *want, const struct conf *now)
{
	struct names names;
	int ret = names_init(&names, now);

	for (size_t i = 0; !ret && i < want->n_peers; i++) {
		const struct peer *was =
			names_find(&names, want->peers[i].name);

		if (was)
			want->peers[i].id = was->id;
	}
	names_free(&names);
	return ret;
}

/* now is the running state. */
static int read_file(const char *ifname, const char *file, struct conf *want,
		     const struct conf *now)
{
	bool found;
	int ret = conf_load(want, ifname, file, &found);

	if (ret)
		return ret;
	if (!found)
		return fail_usage(
			"%s: no file \"%s/%s.conf\": write one, or name one with -c",
			ifname, CONF_DIR, ifname);
	ret = prepare(want, now);
	if (ret)
		return ret;
	ret = keep_ids(want, now);
	if (ret)
		conf_free(want);
	return ret;
}

int reload_read(const char *ifname, const char *file, struct conf *want)
{
	struct conf now;
	int ret = state_running_peers(ifname, &now);

	if (ret)
		return ret;
	ret = read_file(ifname, file, want, &now);
	conf_free(&now);
	return ret;
}

/* Whether XDP forwards is compiled into the programs. */
static int reload_programs(const struct running *r, struct conf *want,
			   struct mended *mended)
{
	struct programs g;
	int ret = programs_load(&g, r->pins.ifname, want);

	if (ret)
		return ret;
	ret = align_exchange(r, &g, want, "mode = tc", mended);
	programs_close(&g);
	return ret;
}

int reload(const struct running *r, struct conf *want, struct mended *mended)
{
	if (r->now.ifindex != want->ifindex)
		return fail(
			"%s is another interface than the attached one of that name: run `tunload attach %s`",
			want->ifname, want->ifname);
	if (want->forward != r->now.forward)
		return reload_programs(r, want, mended);
	return align(r, NULL, want,
		     want->mode == r->now.mode ? NULL : "mode = tc", mended);
}
