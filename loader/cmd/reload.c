// SPDX-License-Identifier: GPL-2.0-only
/* `tunload reload` */
#include "cmd.h"

#include <getopt.h>

#include "resolve/resolve.h"
#include "show/show.h"
#include "tunnel/tunnel.h"

/* The state is read again: it may have changed before the lock was ours. */
static int run_reload(const char *ifname, struct conf *want)
{
	struct mended mended;
	struct running r;
	int ret = running_open(&r, ifname);

	if (ret)
		return ret;
	ret = reload(&r, want, &mended);
	if (!ret) {
		print_changes(&r.now, want);
		mended_print(&mended, NULL, want);
		warn_waiting(want);
		trigger_first(want, &r.now, &r.maps);
	}
	running_close(&r);
	return ret;
}

static int print_reload(struct conf *want)
{
	int ret = print_plan(want);

	warn_waiting(want);
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
	struct conf want;
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
	/* Names are resolved before the lock is taken: that may last. */
	if (!ret)
		ret = reload_read(ifname, file, &want);
	if (ret)
		return ret;
	ret = dry ? print_reload(&want) : run_reload(ifname, &want);
	conf_free(&want);
	return ret;
}
