// SPDX-License-Identifier: GPL-2.0-only
/* `tunload attach` */
#include "cmd.h"

#include <getopt.h>

#include "conf/conf.h"
#include "resolve/resolve.h"
#include "show/show.h"
#include "tunnel/tunnel.h"

static void print_no_file(const struct conf *c)
{
	printf("%s: no file %s/%s.conf, so no peers (add some with `tunload peer add`)\n",
	       c->ifname, CONF_DIR, c->ifname);
	warn_lonely_files();
}

/* What runs stays; the default file, if there is one, is not applied. */
static void print_file_differs(const struct conf *now)
{
	struct conf file;
	bool found;

	if (conf_load(&file, now->ifname, NULL, &found))
		return;
	if (found && conf_differs(&file, now))
		printf("%s: %s is not what runs: `tunload reload %s` applies it\n",
		       now->ifname, file.file, now->ifname);
	conf_free(&file);
}

static void print_attached(const struct attachment *a)
{
	const struct conf *c = &a->want;
	bool native = a->iface.mode == TL_MODE_NATIVE;

	printf("%s: %s, %s (%s), %zu %s\n", c->ifname,
	       a->way == UPGRADED ? "upgraded in place" : "attached",
	       native ? "native XDP" : "tc", a->iface.mode_reason, c->n_peers,
	       c->n_peers == 1 ? "peer" : "peers");
	warn_waiting(c);
	if (a->way == UPGRADED)
		mended_print(&a->mended, a->same ? &a->run.now : NULL, c);
	else if (!*c->file && !c->n_peers)
		print_no_file(c);
	if (a->way == UPGRADED && a->same)
		print_file_differs(c);
	if (a->way == REPLACED)
		printf("%s: upgraded from the form of an older version; counters start at 0\n",
		       c->ifname);
}

static int run_attach(const struct attach_options *o, bool trigger)
{
	struct attachment a;
	int ret = attach(&a, o);

	if (a.cleared)
		printf("%s: clearing away what an attach has left behind\n",
		       o->ifname);
	if (!ret)
		print_attached(&a);
	if (!ret && trigger)
		trigger_first(&a.want, NULL, &a.run.maps);
	attach_close(&a);
	return ret;
}

/* What an upgrade or a first attach would come to. */
static int print_foreseen(const struct attach_options *o)
{
	struct attachment a;
	int ret = attach_foresee(&a, o);

	if (!ret) {
		ret = print_plan(&a.want);
		if (!ret && a.wanted && !*a.want.file && !a.want.n_peers)
			print_no_file(&a.want);
		warn_waiting(&a.want);
	}
	attach_close(&a);
	return ret;
}

static int parse_mode(const char *text, enum tl_mode *mode)
{
	const struct origin line = {0};
	struct conf c;
	int ret;

	conf_init(&c, "");
	ret = key_find(interface_keys, &line, "interface", "mode")
		      ->set(&c, &line, text);
	*mode = c.mode;
	return ret;
}

int cmd_attach(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"mode", required_argument, NULL, 'm'},
		{"no-routes", no_argument, NULL, 'r'},
		{"no-trigger", no_argument, NULL, 't'},
		{"dry-run", no_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	struct attach_options o = {0};
	bool trigger = true, dry = false;
	const char *mode = NULL;
	int c, ret;

	while ((c = next_option(argc, argv, "c:", options)) != -1) {
		if (c == '?')
			return USAGE;
		if (c == 'c')
			o.file = optarg;
		if (c == 'm')
			mode = optarg;
		o.no_routes |= c == 'r';
		trigger &= c != 't';
		dry |= c == 'n';
	}
	o.ifname = take_iface(argc, argv);
	if (!o.ifname)
		return USAGE;
	ret = no_more_args(argc, argv);
	o.mode_given = mode;
	if (!ret && mode)
		ret = parse_mode(mode, &o.mode);
	/* Looking needs no rights. */
	if (!ret && dry)
		return print_foreseen(&o);
	if (!ret)
		ret = require_bpf();
	output_is_news = true;
	return ret ?: run_attach(&o, trigger);
}
