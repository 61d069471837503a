// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <getopt.h>

#include "resolve/resolve.h"
#include "show/show.h"
#include "tunnel/tunnel.h"

/* now: what runs. */
static int want_conf(struct conf *c, const struct conf *now, const char *ifname,
		     const char *file)
{
	bool found;
	int ret = conf_load(c, ifname, file, &found);

	if (ret)
		return ret;
	if (!found)
		ret = usage(
			"%s: no file \"%s/%s.conf\": write one, or name one with -c",
			ifname, CONF_DIR, ifname);
	return ret ?: prepare(c, now);
}

static int change(const struct running *r, struct conf *want,
		  struct mended *mended)
{
	struct programs g;
	int ret;

	if (r->now.ifindex != want->ifindex)
		return fail(
			"%s is another interface than the attached one of that name: run `tunload attach %s`",
			want->ifname, want->ifname);
	if (want->mode == r->now.mode)
		return align(r, NULL, want, NULL, mended);
	ret = programs_open(&g, &r->pins);
	if (ret)
		return ret;
	ret = align(r, &g, want, "mode = tc", mended);
	programs_close(&g);
	return ret;
}

static int dry_run(const struct conf *now, struct conf *want)
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
	if (!ret)
		ret = print_plan(want);
	warn_waiting(want);
	return ret;
}

/* The state is read again: it may have changed before the lock was ours. */
static int reload_locked(const char *ifname, struct conf *want)
{
	struct mended mended;
	struct running r;
	int ret = running_open(&r, ifname);

	if (ret)
		return ret;
	ret = change(&r, want, &mended);
	if (!ret) {
		print_changes(&r.now, want);
		mended_print(&mended, NULL, want);
		warn_waiting(want);
		trigger_first(want, &r.now, &r.maps);
	}
	running_close(&r);
	return ret;
}

/* Names are resolved before the lock is taken: that may last. */
static int reload(const char *ifname, const char *file, bool dry)
{
	struct conf want, now;
	int ret = state_running_peers(ifname, &now);

	if (ret)
		return ret;
	ret = want_conf(&want, &now, ifname, file);
	if (!ret) {
		ret = dry ? dry_run(&now, &want) : reload_locked(ifname, &want);
		conf_free(&want);
	}
	conf_free(&now);
	return ret;
}

int cmd_reload(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"dry-run", no_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	const char *ifname, *file = NULL;
	bool dry = false;
	int c, ret;

	while ((c = next_option(argc, argv, "c:", options)) != -1) {
		if (c == '?')
			return USAGE;
		if (c == 'c')
			file = optarg;
		dry |= c == 'n';
	}
	ret = only_iface(argc, argv, &ifname);
	output_is_news = !dry;
	return ret ?: reload(ifname, file, dry);
}
