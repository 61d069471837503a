// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <getopt.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "resolve/resolve.h"
#include "maps/maps.h"
#include "hooks/hooks.h"
#include "tunnel/tunnel.h"

struct args {
	const char *ifname;
	const char *file; /* NULL: the default place */
	const char *mode; /* NULL: as the file says */
	bool no_routes, no_trigger, dry_run;
};

/* --mode and --no-routes override the file. */
static int override(const struct args *a, struct conf *c)
{
	const struct origin line = {0};

	if (a->no_routes)
		c->routes = false;
	if (!a->mode)
		return OK;
	c->lines[KEY_MODE] = 0;
	return key_set(&interface_keys[KEY_MODE], c, &line, a->mode);
}

/* The file's configuration; now is what runs, or NULL. */
static int want_conf(const struct args *a, struct conf *c,
		     const struct conf *now)
{
	bool found;
	int ret = conf_load(c, a->ifname, a->file, &found);

	if (ret)
		return ret;
	ret = override(a, c);
	if (!ret)
		ret = conf_check(c);
	if (!ret)
		ret = resolve(c, now);
	if (ret)
		conf_free(c);
	else
		warn_risks(c);
	return ret;
}

static const char *mode_how(const struct args *a)
{
	return a->mode ? "--mode tc" : "mode = tc";
}

static int mark_ready(const struct maps *m, struct tl_interface *iface)
{
	if (interface_read(m, iface))
		return FAILED;
	iface->flags |= TL_IF_F_READY;
	return interface_write(m, iface);
}

static void report_no_file(const struct conf *c)
{
	printf("%s: no file %s/tunload/%s.conf, so no peers (add some with `tunload peer add`)\n",
	       c->ifname, SYSCONFDIR, c->ifname);
	warn_lonely_files();
}

static void report(const struct tl_interface *iface, const char *verb,
		   const struct conf *c)
{
	printf("%s: %s, %s (%s), %zu %s\n", iface->name, verb,
	       iface->mode == TL_MODE_NATIVE ? "native XDP" : "tc",
	       iface->mode_reason, c->n_peers,
	       c->n_peers == 1 ? "peer" : "peers");
	warn_waiting(c);
}

/* Write the interface record first, so that cleanup can find the rest. */
static int write_identity(const struct maps *m, const struct conf *c,
			  struct tl_interface *iface)
{
	uint64_t cookie;

	*iface = (struct tl_interface){
		.layout = TL_LAYOUT,
		.ifindex = c->ifindex,
		.mode_asked = c->mode,
		.path_mtu = c->path_mtu,
		.pmtu_expiry = c->pmtu_expiry,
	};
	strcpy(iface->name, c->ifname);
	if (netns_cookie(&cookie))
		return FAILED;
	iface->netns_cookie = cookie;
	return interface_write(m, iface);
}

static int apply_first(const struct maps *m, const struct conf *empty,
		       struct conf *c)
{
	struct footprint *have;
	int ret = routes_read(c->ifindex, &have);

	if (!ret)
		ret = apply(m, empty, c, have);
	routes_free(have);
	return ret;
}

static int start(const struct args *a, const struct programs *g,
		 const struct pins *p, struct conf *c)
{
	struct tl_interface iface;
	struct conf empty;
	int ret = write_identity(&g->maps, c, &iface);

	conf_init(&empty, c->ifname);
	empty.ifindex = c->ifindex;
	empty.table = c->table;
	empty.routes = c->routes;
	mode_reason_asked(&iface, c->mode, mode_how(a));
	if (!ret)
		ret = programs_stage(g, p, c->ifindex) ?: programs_commit(p);
	if (!ret)
		ret = hooks_attach(g, p, &g->maps, &iface, c->mode);
	if (!ret)
		ret = apply_first(&g->maps, &empty, c);
	if (!ret)
		ret = mark_ready(&g->maps, &iface);
	if (!ret)
		report(&iface, "attached", c);
	if (!ret && !*c->file && !c->n_peers)
		report_no_file(c);
	return ret;
}

static int attach_fresh(const struct args *a, struct pins *p, struct conf *c)
{
	struct programs g;
	int ret = programs_load(&g, p);

	if (ret)
		return ret;
	ret = start(a, &g, p, c);
	if (ret)
		take_down(p);
	else if (!a->no_trigger)
		trigger_first(c, NULL, &g.maps);
	programs_close(&g);
	return ret;
}

/* The maps of the first form cannot be used again: it is taken down, and the
 * new one attached with its peers. Both together take a moment in which traffic
 * pauses, hence the trial before. */
static int replace_layout2(const struct args *a, struct pins *p, struct conf *c)
{
	int ret = programs_try();

	if (!ret)
		ret = take_down(p);
	if (!ret)
		ret = hooks_free(a->ifname, c->ifindex);
	if (!ret)
		ret = attach_fresh(a, p, c);
	if (!ret)
		printf("%s: upgraded from the form of an older version; counters start at 0\n",
		       a->ifname);
	return ret;
}

/* On failure what runs is as it was. */
static int exchange(const struct programs *g, const struct pins *p,
		    const struct conf *now, struct conf *want, const char *how,
		    struct mended *mended)
{
	int ret = programs_stage(g, p, now->ifindex);

	if (!ret)
		ret = align(g, p, &g->maps, now, want, how, mended);
	if (ret)
		programs_unstage(p);
	return ret ?: programs_commit(p);
}

/* What runs stays; the default file, if there is one, is not applied. */
static void report_file(const struct args *a, const struct conf *now)
{
	struct conf file;
	bool found;

	if (a->file || conf_load(&file, a->ifname, NULL, &found))
		return;
	if (found && conf_differs(&file, now))
		printf("%s: %s is not what runs: `tunload reload %s` applies it\n",
		       a->ifname, file.file, a->ifname);
	conf_free(&file);
}

/* same: want is what runs, resolved again. */
static int upgrade_to(const struct args *a, const struct programs *g,
		      const struct pins *p, const struct conf *now,
		      struct conf *want, bool same)
{
	struct tl_interface iface;
	struct mended mended;
	int ret = exchange(g, p, now, want,
			   !same || a->mode ? mode_how(a) : NULL, &mended);

	if (!ret)
		ret = interface_read(&g->maps, &iface);
	if (ret)
		return ret;
	report(&iface, "upgraded in place", want);
	mended_print(&mended, same ? now : NULL, want);
	report_file(a, want);
	if (!a->no_trigger)
		trigger_first(want, NULL, &g->maps);
	return OK;
}

/* want is the file's configuration, or NULL. */
static int upgrade_from(const struct args *a, const struct programs *g,
			const struct pins *p, struct conf *want)
{
	struct conf now, same;
	int ret = state_read(&g->maps, p->ifname, &now);

	if (ret)
		return ret;
	if (want) {
		ret = upgrade_to(a, g, p, &now, want, false);
	} else {
		ret = resolve_again(&now, NULL, &same);
		if (!ret) {
			ret = override(a, &same);
			if (!ret)
				ret = upgrade_to(a, g, p, &now, &same, true);
			conf_free(&same);
		}
	}
	conf_free(&now);
	return ret;
}

static int upgrade(const struct args *a, struct pins *p, struct conf *want)
{
	struct programs g;
	int ret = programs_load(&g, p);

	if (ret)
		return ret;
	ret = upgrade_from(a, &g, p, want);
	programs_close(&g);
	return ret;
}

/* A completed attach on this interface. */
static bool runs(const char *ifname)
{
	struct tl_interface iface;
	uint64_t cookie;

	return pins_interface(ifname, &iface) && iface.flags & TL_IF_F_READY &&
	       iface.ifindex == if_nametoindex(ifname) &&
	       !netns_cookie(&cookie) && cookie == iface.netns_cookie;
}

/* With the lock held. have: c was read already. */
static int attach_locked(const struct args *a, struct pins *p, struct conf *c,
			 bool *have)
{
	int ret = OK;

	if (*have && layout2_runs(a->ifname))
		return replace_layout2(a, p, c);
	if (runs(a->ifname))
		return upgrade(a, p, a->file ? c : NULL);
	if (!*have) {
		ret = want_conf(a, c, NULL);
		*have = !ret;
	}
	if (!ret && !pins_empty(p)) {
		printf("%s: clearing away what an attach has left behind\n",
		       a->ifname);
		ret = take_down(p);
	}
	if (!ret)
		ret = hooks_free(a->ifname, c->ifindex);
	return ret ?: attach_fresh(a, p, c);
}

/* What runs in the first form, resolved again. */
static int layout2_conf(const struct args *a, struct conf *c)
{
	struct conf now;
	int ret = layout2_read(a->ifname, &now);

	if (ret)
		return ret;
	ret = resolve_again(&now, NULL, c);
	conf_free(&now);
	if (ret)
		return ret;
	ret = override(a, c);
	if (ret)
		conf_free(c);
	return ret;
}

/* The configuration to attach; *have is false where what runs stays, which is
 * read with the lock. The file is read before anything is touched. */
static int first_conf(const struct args *a, struct conf *c, bool *have)
{
	bool running = runs(a->ifname);
	struct conf now;
	int ret;

	*have = a->file || !running || layout2_runs(a->ifname);
	if (!*have)
		return OK;
	if (!a->file && running)
		return layout2_conf(a, c);
	if (!running || layout2_runs(a->ifname))
		return want_conf(a, c, NULL);
	ret = state_running(a->ifname, &now);
	if (ret)
		return ret;
	ret = want_conf(a, c, &now);
	conf_free(&now);
	return ret;
}

/* What an upgrade or a first attach would come to. */
static int dry_run(const struct args *a)
{
	struct conf c, now;
	bool have;
	int ret = first_conf(a, &c, &have);

	if (ret)
		return ret;
	if (!have) {
		ret = state_running(a->ifname, &now);
		if (ret)
			return ret;
		ret = resolve_again(&now, NULL, &c);
		conf_free(&now);
		if (ret)
			return ret;
		ret = override(a, &c);
	}
	if (!ret)
		ret = print_plan(&c);
	if (!ret && have && !*c.file && !c.n_peers)
		report_no_file(&c);
	warn_waiting(&c);
	conf_free(&c);
	return ret;
}

static int attach(const struct args *a)
{
	struct conf c;
	struct pins p;
	bool have;
	int ret = first_conf(a, &c, &have);

	if (ret)
		return ret;
	ret = pins_open(&p, a->ifname, true);
	if (!ret) {
		ret = attach_locked(a, &p, &c, &have);
		pins_close(&p);
	}
	if (have)
		conf_free(&c);
	return ret;
}

/* Rejects an unknown --mode early. */
static int check_args(const struct args *a)
{
	struct conf c;

	conf_init(&c, a->ifname);
	return override(a, &c);
}

static int parse_args(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"mode", required_argument, NULL, 'm'},
		{"no-routes", no_argument, NULL, 'r'},
		{"no-trigger", no_argument, NULL, 't'},
		{"dry-run", no_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = next_option(argc, argv, "c:", options)) != -1) {
		if (c == '?')
			return USAGE;
		if (c == 'c')
			a->file = optarg;
		if (c == 'm')
			a->mode = optarg;
		a->no_routes |= c == 'r';
		a->no_trigger |= c == 't';
		a->dry_run |= c == 'n';
	}
	a->ifname = take_iface(argc, argv);
	if (!a->ifname)
		return USAGE;
	return no_more_args(argc, argv) ?: check_args(a);
}

int cmd_attach(int argc, char **argv)
{
	struct args a = {0};

	int ret = parse_args(&a, argc, argv);

	/* Looking needs no rights. */
	if (!ret && a.dry_run)
		return dry_run(&a);
	if (!ret)
		ret = require_bpf();
	output_is_news = true;
	return ret ?: attach(&a);
}
