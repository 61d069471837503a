// SPDX-License-Identifier: GPL-2.0-only
/* Attaches, upgrades and detaches an interface. */
#include "tunnel.h"

#include <net/if.h>

#include "resolve/resolve.h"

/* The attachment, perhaps a partial one, that the reverse steps work on. */
struct remains {
	struct pins *pins;
	uint32_t ifindex; /* 0: not ours, or gone */
	bool clsact_ours;
	bool filter_left; /* a filter of ours is left on a tc hook */
};

/* Ignores the ifindex in pins of another namespace: it is another interface
 * here. */
static struct remains find_remains(struct pins *p)
{
	struct remains r = {.pins = p};
	struct tl_interface iface;
	uint64_t cookie;

	if (!pins_interface(p->ifname, &iface) || !iface.netns_cookie) {
		r.ifindex = if_nametoindex(p->ifname);
	} else if (!netns_cookie(&cookie) && cookie == iface.netns_cookie) {
		r.ifindex = iface.ifindex;
		r.clsact_ours = iface.flags & TL_IF_F_CLSACT_OURS;
	}
	return r;
}

static int load_programs(struct attachment *a)
{
	int ret = programs_load(&a->programs, a->run.pins.ifname, &a->want);

	a->run.maps = a->programs.maps;
	return ret;
}

/* Keeps the pins if a filter is left, as they identify it. */
static int unpin(struct remains *r)
{
	return r->filter_left ? OK : pins_remove(r->pins);
}

/* Writes the interface record first, so that cleanup can find the rest. */
static int write_record(struct attachment *a)
{
	const struct conf *c = &a->want;
	uint64_t cookie;

	a->iface = (struct tl_interface){
		.layout = TL_LAYOUT,
		.ifindex = c->ifindex,
		.mode_asked = c->mode,
		.path_mtu = c->path_mtu,
		.pmtu_expiry = c->pmtu_expiry,
	};
	strcpy(a->iface.name, c->ifname);
	if (netns_cookie(&cookie))
		return FAILED;
	a->iface.netns_cookie = cookie;
	return interface_write(&a->run.maps, &a->iface);
}

static int pin_programs(struct attachment *a)
{
	return programs_stage(&a->programs, a->run.pins.ifname, a->want.ifindex)
		       ?: programs_commit(a->run.pins.ifname);
}

static const char *mode_how(const struct attachment *a)
{
	return a->options.mode_given ? "--mode tc" : "mode = tc";
}

static int put_on_hooks(struct attachment *a)
{
	mode_reason_asked(&a->iface, a->want.mode, mode_how(a));
	return hooks_attach(&a->programs, a->run.pins.ifname, &a->run.maps,
			    &a->iface, a->want.mode, conf_needs_tc(&a->want))
		       ?: forward_attach(&a->programs, &a->want, a->iface.mode,
					 NULL);
}

static int take_off_hooks(struct remains *r)
{
	int ret = forward_detach(r->pins->ifname);

	r->filter_left =
		hooks_detach(r->pins->ifname, r->ifindex, r->clsact_ours);
	return r->filter_left ? FAILED : ret;
}

/* Fills the empty maps, and makes the routes. */
static int fill_in(struct attachment *a)
{
	struct footprint *have;
	int ret = routes_read(&a->want, &have);

	conf_init(&a->run.now, a->want.ifname);
	a->run.now.ifindex = a->want.ifindex;
	a->run.now.table = a->want.table;
	a->run.now.routes = a->want.routes;
	if (!ret)
		ret = apply(&a->run.maps, &a->run.now, &a->want, have);
	routes_free(have);
	return ret;
}

/* Removes the routes also if the interface is gone, as its rules and table
 * outlive it. */
static int clear_routes(struct remains *r)
{
	return r->ifindex ? routes_clear(r->ifindex) : OK;
}

/* Marks the attachment complete: from here on, the next command can repair what
 * a killed one leaves. */
static int mark_ready(struct attachment *a)
{
	if (interface_read(&a->run.maps, &a->iface))
		return FAILED;
	a->iface.flags |= TL_IF_F_READY;
	return interface_write(&a->run.maps, &a->iface);
}

static int mark_unready(struct remains *r)
{
	pins_unready(r->pins->ifname);
	peers_stop(r->pins->ifname);
	return OK;
}

/* Attach makes the steps in order, detach undoes them in the reverse order. A
 * step can be undone even if it was not made, or only half. */
static const struct {
	int (*make)(struct attachment *a);
	int (*undo)(
		struct remains *r); /* NULL: an earlier step's undo does it */
} steps[] = {
	/* clang-format off */
	{load_programs, unpin}, /* also pins the maps */
	{write_record, NULL},
	{pin_programs, NULL},
	{put_on_hooks, take_off_hooks},
	{fill_in, clear_routes},
	{mark_ready, mark_unready},
	/* clang-format on */
};

#define N_STEPS (sizeof(steps) / sizeof(*steps))

/* Undoes the first n steps; goes on if one fails. */
static int undo_steps(struct pins *p, size_t n)
{
	struct remains r = find_remains(p);
	int ret = OK;

	while (n--)
		if (steps[n].undo)
			ret |= steps[n].undo(&r);
	return ret;
}

static int make_steps(struct attachment *a)
{
	int ret = OK;
	size_t n;

	for (n = 0; !ret && n < N_STEPS; n++)
		ret = steps[n].make(a);
	if (ret)
		undo_steps(&a->run.pins, n);
	return ret;
}

static void override(const struct attach_options *o, struct conf *c)
{
	if (o->no_routes)
		c->routes = false;
	if (!o->mode_given)
		return;
	c->lines[KEY_MODE] = 0;
	c->mode = o->mode;
}

int prepare(struct conf *c, const struct conf *now)
{
	int ret = conf_check(c) ?: resolve(c, now);

	if (ret)
		conf_free(c);
	else
		warn_risks(c);
	return ret;
}

/* Reads and resolves the file; now is the running state, or NULL. */
static int want_file(struct attachment *a, const struct conf *now)
{
	const struct attach_options *o = &a->options;
	bool found;
	int ret = conf_load(&a->want, o->ifname, o->file, &found);

	if (ret)
		return ret;
	override(o, &a->want);
	return prepare(&a->want, now);
}

/* Resolves the running state again. */
static int want_same(struct attachment *a, const struct conf *now)
{
	int ret = resolve_again(now, NULL, NULL, &a->want);

	if (!ret)
		override(&a->options, &a->want);
	return ret;
}

static bool runs(const char *ifname)
{
	struct tl_interface iface;

	return is_attached(ifname, &iface);
}

/* Reads the file before anything is changed. A running configuration that stays
 * is read later, with the lock. */
static int read_wanted(struct attachment *a)
{
	const char *ifname = a->options.ifname, *file = a->options.file;
	bool running = runs(ifname), old = older_runs(ifname);
	struct conf now = {0};
	int ret = OK;

	a->same = running && !file;
	a->wanted = !a->same || old;
	if (!a->wanted)
		return OK;
	if (old && !file)
		ret = older_read(ifname, &now) ?: want_same(a, &now);
	else if (running && !old)
		ret = state_running(ifname, &now) ?: want_file(a, &now);
	else
		ret = want_file(a, NULL);
	conf_free(&now);
	return ret;
}

static int attach_fresh(struct attachment *a)
{
	int ret = hooks_must_be_free(a->options.ifname, a->want.ifindex);

	a->way = ATTACHED;
	return ret ?: make_steps(a);
}

/* Detaches what runs, whose maps cannot be used again, and attaches its peers
 * anew. Traffic pauses meanwhile, so the programs are tried before. */
static int replace(struct attachment *a, enum attach_way way)
{
	int ret = programs_try(&a->want) ?:
		  undo_steps(&a->run.pins, N_STEPS) ?: attach_fresh(a);

	a->way = way;
	return ret;
}

/* The same for maps that are too small. The peers keep their ids, as others may
 * have routes to their gateways. */
static int enlarge(struct attachment *a)
{
	struct maps m;
	int ret = maps_open(&m, a->options.ifname);

	if (ret)
		return ret;
	ret = state_give_ids(&m, &a->want);
	maps_close(&m);
	return ret ?: replace(a, ENLARGED);
}

/* On failure the running state is as before. */
static int exchange_programs(struct attachment *a)
{
	bool asked = !a->same || a->options.mode_given;

	return align_exchange(&a->run, &a->programs, &a->want,
			      asked ? mode_how(a) : NULL, &a->mended);
}

/* Loads the programs with what the new configuration compiles in: without a
 * file, the running one. */
static int load_upgrade(struct attachment *a)
{
	struct tl_interface iface;

	if (a->same && pins_interface(a->options.ifname, &iface)) {
		a->want.forward = iface.forward;
		a->want.cpus = iface.cpus;
	}
	return load_programs(a);
}

static int upgrade(struct attachment *a)
{
	const char *ifname = a->options.ifname;
	int ret;

	a->way = UPGRADED;
	a->same = !a->options.file;
	ret = load_upgrade(a);
	if (!ret)
		ret = state_read(&a->run.maps, ifname, &a->run.now);
	if (!ret && a->same) {
		conf_free(&a->want);
		ret = want_same(a, &a->run.now);
	}
	if (!ret)
		ret = exchange_programs(a);
	return ret ?: interface_read(&a->run.maps, &a->iface);
}

static int attach_locked(struct attachment *a)
{
	const char *ifname = a->options.ifname;
	int ret = OK;

	if (a->wanted && older_runs(ifname))
		return replace(a, REPLACED);
	if (a->wanted && runs(ifname) && !room_suffices(ifname, &a->want))
		return enlarge(a);
	if (runs(ifname))
		return upgrade(a);
	if (!a->wanted)
		ret = want_file(a, NULL);
	a->cleared = !ret && !pins_empty(&a->run.pins);
	if (a->cleared)
		ret = undo_steps(&a->run.pins, N_STEPS);
	return ret ?: attach_fresh(a);
}

static void attach_init(struct attachment *a, const struct attach_options *o)
{
	*a = (struct attachment){.options = *o, .run.pins.lock_fd = -1};
}

int attach(struct attachment *a, const struct attach_options *o)
{
	int ret;

	attach_init(a, o);
	ret = read_wanted(a) ?: pins_open(&a->run.pins, o->ifname, true);
	return ret ?: attach_locked(a);
}

int attach_foresee(struct attachment *a, const struct attach_options *o)
{
	int ret;

	attach_init(a, o);
	ret = read_wanted(a);
	if (ret || a->wanted)
		return ret;
	ret = state_running(o->ifname, &a->run.now);
	return ret ?: want_same(a, &a->run.now);
}

void attach_close(struct attachment *a)
{
	conf_free(&a->want);
	conf_free(&a->run.now);
	if (a->programs.skel)
		programs_close(&a->programs);
	pins_close(&a->run.pins);
}

/* Removes routes of ours without pins: of an interface whose pins have gone
 * with an unmounted bpffs. */
static int detach_routes(const char *ifname, size_t *n)
{
	struct route *routes = NULL;
	struct route_filter ours = {.protocol = RTPROT_TUNLOAD};
	struct link_info link;
	int ret = link_info(ifname, &link);

	ours.oif = link.ifindex;
	if (!ret)
		ret = route_list(&ours, &routes, n);
	free(routes);
	if (!ret)
		ret = hooks_must_be_free(ifname, link.ifindex);
	if (!ret && !*n)
		return fail("%s is not attached: nothing to detach", ifname);
	return ret ?: routes_clear(link.ifindex);
}

int detach(const char *ifname, size_t *stray)
{
	struct pins p;
	int ret;

	*stray = 0;
	if (!pins_exist(ifname))
		return detach_routes(ifname, stray);
	ret = pins_open(&p, ifname, false);
	if (ret)
		return ret;
	ret = undo_steps(&p, N_STEPS);
	pins_close(&p);
	return ret;
}
