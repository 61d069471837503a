// SPDX-License-Identifier: GPL-2.0-only
/* `tunload reload` */
#include "cmd.h"

#include "show/show.h"

/* Reads the state again: it may have changed before the lock was taken. */
static int reload_and_print(const char *ifname, struct conf *want)
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

static int print_foreseen_changes(struct conf *want)
{
	int ret = print_plan(want);

	warn_waiting(want);
	return ret;
}

static int run_reload(int argc, char **argv)
{
	const char *ifname, *file = NULL;
	struct conf want;
	bool dry = false;
	const struct opt opts[] = {
		{"config", 'c', .value = &file},
		{"dry-run", .flag = &dry},
		{0},
	};
	int ret = only_iface(argc, argv, opts, &ifname) ?: require_bpf();

	output_is_news = !dry;
	/* Resolve names before taking the lock: that may take long. */
	if (!ret)
		ret = reload_read(ifname, file, &want);
	if (ret)
		return ret;
	ret = dry ? print_foreseen_changes(&want)
		  : reload_and_print(ifname, &want);
	conf_free(&want);
	return ret;
}

const struct command cmd_reload = {
	.name = "reload",
	.run = run_reload,
	.args = "IFACE [-c FILE] [--dry-run]",
	.brief = "make the running state equal to the configuration",
	.text = "Only the differences are applied; traffic keeps flowing.\n"
		"\n"
		"  -c, --config FILE   instead of " SYSCONFDIR
		"/tunload/IFACE.conf\n"
		"  --dry-run           say what would be done and do nothing\n",
};
