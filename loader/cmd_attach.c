// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "attach.h"
#include "commands.h"
#include "conf_set.h"
#include "hooks.h"
#include "resolve.h"
#include "trigger.h"

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
	const struct key *mode =
		key_find(interface_keys, &line, "interface", "mode");

	if (a->no_routes)
		c->routes = false;
	if (!a->mode)
		return OK;
	c->lines[KEY_MODE] = 0;
	return mode->set(c, &line, a->mode);
}

static int want_conf(const struct args *a, struct conf *c)
{
	bool found;
	int ret = conf_load(c, a->ifname, a->file, &found);

	if (ret)
		return ret;
	ret = override(a, c);
	if (!ret)
		ret = resolve(c);
	if (ret)
		conf_free(c);
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

/* What the first packets hit is no failure of attach: the paths may come up
 * later. */
static void trigger_all(const struct conf *c, const struct maps *m)
{
	struct trigger_result *r = calloc(c->n_peers + 1, sizeof(*r));
	const struct peer **peers = calloc(c->n_peers + 1, sizeof(*peers));

	for (size_t i = 0; r && peers && i < c->n_peers; i++)
		peers[i] = &c->peers[i];
	if (r && peers && trigger_send(c, m, peers, c->n_peers, 0, r) == OK) {
		for (size_t i = 0; i < c->n_peers; i++) {
			if (!r[i].sent)
				warn("peer %s: no first packet sent: %s",
				     peers[i]->name, r[i].hint);
		}
	}
	free(peers);
	free(r);
}

static void report_no_file(const struct conf *c)
{
	printf("%s: no file %s/tunload/%s.conf, so no peers (add some with "
	       "`tunload peer add`)\n",
	       c->ifname, SYSCONFDIR, c->ifname);
}

static void report(const struct tl_interface *iface, const char *verb,
		   const struct conf *c)
{
	printf("%s: %s, %s (%s), %zu %s\n", iface->name, verb,
	       iface->mode == TL_MODE_NATIVE ? "native XDP" : "tc",
	       iface->mode_reason, c->n_peers,
	       c->n_peers == 1 ? "peer" : "peers");
}

/* Identity first: what follows can then be found and taken down. */
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

static int start(const struct args *a, const struct programs *g,
		 const struct pins *p, struct conf *c)
{
	struct tl_interface iface;
	struct conf empty;
	int ret = write_identity(&g->maps, c, &iface);

	conf_init(&empty, c->ifname);
	empty.ifindex = c->ifindex;
	empty.routes = c->routes;
	mode_reason_asked(&iface, c->mode, mode_how(a));
	if (!ret)
		ret = programs_stage(g, p, c->ifindex) ?: programs_commit(p);
	if (!ret)
		ret = hooks_attach(g, p, &g->maps, &iface, c->mode);
	if (!ret)
		ret = apply(&g->maps, &empty, c);
	if (!ret)
		ret = mark_ready(&g->maps, &iface);
	if (!ret)
		report(&iface, "attached", c);
	if (!ret && !*c->file)
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
		trigger_all(c, &g.maps);
	programs_close(&g);
	return ret;
}

/* On failure what runs is as it was. */
static int exchange(const struct programs *g, const struct pins *p,
		    const struct conf *now, struct conf *want, const char *how)
{
	int ret = programs_stage(g, p, now->ifindex);

	if (!ret)
		ret = change_attached(g, p, &g->maps, now, want, how);
	if (ret)
		programs_unstage(p);
	return ret ?: programs_commit(p);
}

/* want is the file's configuration, or NULL: what runs stays. */
static int upgrade_to(const struct args *a, const struct programs *g,
		      const struct pins *p, struct conf *want)
{
	struct tl_interface iface;
	struct conf now, same;
	int ret = state_read(&g->maps, p->ifname, &now);

	if (ret)
		return ret;
	ret = conf_copy(&same, &now);
	if (!ret && !want)
		ret = override(a, &same);
	if (!ret)
		ret = exchange(g, p, &now, want ?: &same,
			       want || a->mode ? mode_how(a) : NULL);
	if (!ret)
		ret = interface_read(&g->maps, &iface);
	if (!ret)
		report(&iface, "upgraded in place", want ?: &same);
	if (!ret && !a->no_trigger)
		trigger_all(want ?: &same, &g->maps);
	conf_free(&same);
	conf_free(&now);
	return ret;
}

static int upgrade(const struct args *a, struct pins *p, struct conf *want)
{
	struct programs g;
	int ret = programs_load(&g, p);

	if (ret)
		return ret;
	ret = upgrade_to(a, &g, p, want);
	programs_close(&g);
	return ret;
}

/* An attach that came to its end, on this very interface. */
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

	if (runs(a->ifname))
		return upgrade(a, p, a->file ? c : NULL);
	if (!*have) {
		ret = want_conf(a, c);
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

/* What an upgrade or a first attach would come to. */
static int dry_run(const struct args *a)
{
	bool keep = !a->file && runs(a->ifname);
	struct conf c;
	int ret = keep ? state_running(a->ifname, &c) : want_conf(a, &c);

	if (ret)
		return ret;
	if (keep)
		ret = override(a, &c);
	if (!ret)
		ret = print_plan(&c);
	if (!ret && !keep && !*c.file)
		report_no_file(&c);
	conf_free(&c);
	return ret;
}

/* An upgrade without -c does not look at the default file: the peers that run
 * stay. The file is read before anything is touched. */
static int attach(const struct args *a)
{
	bool have = a->file || !runs(a->ifname);
	struct conf c;
	struct pins p;
	int ret = have ? want_conf(a, &c) : OK;

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

/* Also says no to a mode that is none, before anything is looked at. */
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

	int ret = parse_args(&a, argc, argv) ?: require_bpf();

	if (ret)
		return ret;
	return a.dry_run ? dry_run(&a) : attach(&a);
}
