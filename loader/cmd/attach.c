// SPDX-License-Identifier: GPL-2.0-only
/* `tunload attach` */
#include "cmd.h"

#include "show/show.h"

static void print_no_file(const struct conf *c)
{
	printf("%s: no file %s/%s.conf, so no peers (add some with `tunload peer add`)\n",
	       c->ifname, CONF_DIR, c->ifname);
	warn_lonely_files();
}

/* Warns if the default file, which an upgrade does not apply, differs from the
 * running configuration. */
static void print_file_differs(const struct conf *now)
{
	struct conf file;
	bool found;

	if (conf_load(&file, now->ifname, NULL, &found))
		return;
	if (found && conf_differs(&file, now))
		printf("%s: %s differs from what runs: `tunload reload %s` applies it\n",
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
		printf("%s: upgraded from the map layout of an older version; counters start at 0\n",
		       c->ifname);
	if (a->way == ENLARGED)
		printf("%s: attached anew with larger maps for its peers and prefixes; counters start at 0\n",
		       c->ifname);
}

static int attach_and_print(const struct attach_options *o, bool trigger)
{
	struct attachment a;
	int ret = attach(&a, o);

	if (a.cleared)
		printf("%s: removing what an unfinished attach has left\n",
		       o->ifname);
	if (!ret)
		print_attached(&a);
	if (!ret && trigger)
		trigger_first(&a.want, NULL, &a.run.maps);
	attach_close(&a);
	return ret;
}

/* Prints what an upgrade or a first attach would do. */
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
	ret = key_set(&interface_keys[KEY_MODE], &c, line, text);
	*mode = c.mode;
	return ret;
}

static int run_attach(int argc, char **argv)
{
	struct attach_options o = {0};
	bool no_trigger = false, dry = false;
	const char *mode = NULL;
	const struct opt opts[] = {
		{"config", 'c', .value = &o.file},
		{"mode", .value = &mode},
		{"no-routes", .flag = &o.no_routes},
		{"no-trigger", .flag = &no_trigger},
		{"dry-run", .flag = &dry},
		{0},
	};
	int ret = only_iface(argc, argv, opts, &o.ifname);

	o.mode_given = mode;
	if (!ret && mode)
		ret = parse_mode(mode, &o.mode);
	/* A dry run needs no privileges. */
	if (!ret && dry)
		return print_foreseen(&o);
	if (!ret)
		ret = require_bpf();
	output_is_news = true;
	return ret ?: attach_and_print(&o, !no_trigger);
}

const struct command cmd_attach = {
	.name = "attach",
	.run = run_attach,
	.args = "IFACE [-c FILE] [--mode auto|native|tc] [--no-routes] [--no-trigger] "
		"[--dry-run]",
	.brief = "put the tunnels of a configuration on an interface",
	.text = "Without -c the configuration is " SYSCONFDIR
		"/tunload/IFACE.conf; if\n"
		"that does not exist, IFACE is attached without peers. On an attached\n"
		"interface the programs are upgraded in place, peers and counters stay,\n"
		"and what others changed on the host is mended.\n"
		"A peer that cannot work yet waits; status says why.\n"
		"\n"
		"  -c, --config FILE   read FILE, which must exist\n"
		"  --mode MODE         native: XDP in the driver; tc: behind it; auto:\n"
		"                      native where the driver takes it\n"
		"  --no-routes         install no routes to the allowed prefixes\n"
		"  --no-trigger        send no first packet to the peers\n"
		"  --dry-run           say what would be done and do nothing\n"
		"\n"
		"The keys of [interface] in the file, with their defaults:\n\n",
	.keys = interface_keys,
};
