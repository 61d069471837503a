// SPDX-License-Identifier: GPL-2.0-only
/* Opens what runs; brings it in line with a configuration and with the host. */
#include "tunnel.h"

#include <string.h>

#include "resolve/resolve.h"

int running_lock(struct running *r, const char *ifname)
{
	int ret;

	*r = (struct running){0};
	ret = pins_open(&r->pins, ifname, false);
	if (ret)
		return ret;
	ret = maps_open(&r->maps, ifname);
	if (ret)
		running_close(r);
	return ret;
}

int running_open(struct running *r, const char *ifname)
{
	int ret = running_lock(r, ifname);

	if (ret)
		return ret;
	ret = state_read_keep(&r->maps, ifname, &r->now);
	if (ret)
		running_close(r);
	return ret;
}

void running_close(struct running *r)
{
	conf_free(&r->now);
	maps_close(&r->maps);
	pins_close(&r->pins);
}

void mode_reason_asked(struct tl_interface *iface, enum tl_mode asked,
		       const char *how)
{
	if (asked == TL_MODE_TC && how)
		snprintf(iface->mode_reason, sizeof(iface->mode_reason),
			 "asked for by %s", how);
}

bool hooks_missing(const char *ifname, const struct tl_interface *iface,
		   bool missing[static HOOK_COUNT])
{
	bool native = iface->mode == TL_MODE_NATIVE;
	struct hooks is;

	hooks_query(ifname, iface->ifindex, &is);
	missing[HOOK_XDP] = native && !is.on[HOOK_XDP];
	missing[HOOK_TC_INGRESS] = (!native || iface->flags & TL_IF_F_TC_TOO) &&
				   !is.on[HOOK_TC_INGRESS];
	missing[HOOK_TC_EGRESS] = !is.on[HOOK_TC_EGRESS];
	return missing[HOOK_XDP] || missing[HOOK_TC_INGRESS] ||
	       missing[HOOK_TC_EGRESS];
}

/* Puts programs on the hooks of other interfaces. */
static int put_forward(const struct running *r, const struct programs *g,
		       const struct tl_interface *iface,
		       const struct conf *want)
{
	struct programs pinned;
	int ret;

	if (g)
		return forward_attach(g, want, iface->mode, &r->now);
	ret = programs_open(&pinned, r->pins.ifname);
	if (ret)
		return ret;
	ret = forward_attach(&pinned, want, iface->mode, &r->now);
	programs_close(&pinned);
	return ret;
}

static void hooks_restore(const struct running *r,
			  const struct tl_interface *before)
{
	struct tl_interface iface;
	struct programs old;

	if (interface_read(&r->maps, &iface) ||
	    programs_open(&old, r->pins.ifname))
		return;
	memcpy(iface.mode_reason, before->mode_reason,
	       sizeof(iface.mode_reason));
	hooks_attach(&old, r->pins.ifname, &r->maps, &iface, before->mode_asked,
		     conf_needs_tc(&r->now));
	forward_attach(&old, &r->now, iface.mode, &r->now);
	programs_close(&old);
}

static int put_hooks(const struct running *r, const struct programs *g,
		     struct tl_interface *iface, const struct conf *want,
		     const char *how)
{
	struct programs pinned;
	int ret = OK;

	mode_reason_asked(iface, want->mode, how);
	if (g)
		return hooks_attach(g, r->pins.ifname, &r->maps, iface,
				    want->mode, conf_needs_tc(want));
	ret = programs_open(&pinned, r->pins.ifname);
	if (ret)
		return ret;
	ret = hooks_attach(&pinned, r->pins.ifname, &r->maps, iface, want->mode,
			   conf_needs_tc(want));
	programs_close(&pinned);
	return ret;
}

/* Notes which of the interfaces that were named before have got the program
 * that was missing there. */
static void forward_mended(const struct running *r, const struct conf *want,
			   enum tl_mode mode,
			   const bool missed[static TL_FORWARD_FROM],
			   struct mended *mended)
{
	bool still[TL_FORWARD_FROM];
	size_t i = 0;

	forward_missing(want, mode, still);
	for_each_from(name, want)
	{
		mended->from[i] = missed[i] && !still[i] &&
				  r->now.forward == TL_FORWARD_XDP &&
				  conf_has_from(&r->now, name);
		i++;
	}
}

/* Aligns, given what is on the host. */
static int align_from(const struct running *r, const struct programs *g,
		      struct conf *want, const char *how, struct mended *mended,
		      struct footprint *have)
{
	struct tl_interface iface, before;
	bool all = g || how, gone, from[TL_FORWARD_FROM], forwards;
	int ret = interface_read(&r->maps, &iface);

	if (ret)
		return ret;
	before = iface;
	all |= conf_needs_tc(want) != !!(iface.flags & TL_IF_F_TC_TOO);
	gone = hooks_missing(r->pins.ifname, &iface, mended->hooks);
	if (routes_pending(&r->now, have, &mended->routes))
		mended->routes = 0;
	if (all || gone)
		ret = put_hooks(r, g, &iface, want, how);
	if (ret)
		return ret;
	forwards = forward_missing(want, iface.mode, from);
	if (all || forwards)
		ret = put_forward(r, g, &iface, want);
	if (!ret)
		ret = apply(&r->maps, &r->now, want, have);
	if (ret && (all || forwards))
		hooks_restore(r, &before);
	else if (!ret)
		forward_mended(r, want, iface.mode, from, mended);
	return ret;
}

int align(const struct running *r, const struct programs *g, struct conf *want,
	  const char *how, struct mended *mended)
{
	struct footprint *have;
	int ret = routes_read(want, &have);

	*mended = (struct mended){0};
	if (!ret)
		ret = align_from(r, g, want, how, mended, have);
	routes_free(have);
	return ret;
}

int align_exchange(const struct running *r, const struct programs *g,
		   struct conf *want, const char *how, struct mended *mended)
{
	int ret = programs_stage(g, r->pins.ifname, r->now.ifindex);

	if (!ret)
		ret = align(r, g, want, how, mended);
	if (ret)
		programs_unstage(r->pins.ifname);
	return ret ?: programs_commit(r->pins.ifname);
}

static int look_at_maps(const struct maps *m, struct conf *want,
			const struct footprint *have, bool *any)
{
	struct host_facts facts;
	int ret = host_facts_read(want, have, &facts);

	if (!ret)
		ret = state_pending(m, want, &facts, any);
	host_facts_free(&facts);
	return ret;
}

/* Tells, without a lock, whether aligning would change anything. */
static int look(const struct maps *m, struct conf *want, bool *any)
{
	bool missing[HOOK_COUNT], from[TL_FORWARD_FROM];
	struct tl_interface iface;
	struct footprint *have;
	size_t routes = 0;
	int ret = interface_read(m, &iface);

	*any = !ret && (hooks_missing(want->ifname, &iface, missing) ||
			forward_missing(want, iface.mode, from));
	if (!ret)
		ret = routes_read(want, &have);
	if (ret)
		return ret;
	ret = routes_foresee(want, have, &routes);
	*any |= routes;
	if (!ret && !*any)
		ret = look_at_maps(m, want, have, any);
	routes_free(have);
	return ret;
}

static int resolve_due(const struct due *due, const struct conf *now,
		       const struct conf *names, struct conf *want)
{
	int ret = resolve_again(now, names, due->lost, want);

	if (!ret)
		due->change(want, due->data);
	return ret;
}

/* Resolves the running state again, and tells whether that changes anything. */
static int foresee(const struct due *due, struct conf *want, bool *any)
{
	struct conf now = {0};
	struct maps m;
	int ret = maps_open(&m, due->ifname);

	if (ret)
		return ret;
	ret = state_read_keep(&m, due->ifname, &now)
		      ?: resolve_due(due, &now, NULL, want);
	if (!ret) {
		ret = look(&m, want, any);
		if (ret)
			conf_free(want);
	}
	conf_free(&now);
	maps_close(&m);
	return ret;
}

/* Reads the state again: it may have changed before the lock was taken. */
static int align_locked(const struct due *due, const struct conf *names,
			FILE *said)
{
	struct mended mended;
	struct running r;
	struct conf want;
	int ret = running_open(&r, due->ifname);

	if (ret)
		return ret;
	ret = resolve_due(due, &r.now, names, &want);
	if (!ret) {
		ret = align(&r, NULL, &want, NULL, &mended);
		if (!ret)
			mended_write(said, &mended, &r.now, &want);
		if (!ret && due->first_packets)
			trigger_first(&want, &r.now, &r.maps);
		conf_free(&want);
	}
	running_close(&r);
	return ret;
}

static bool is_up(const char *ifname)
{
	struct link_info link;

	return !link_info(ifname, &link) && link.up;
}

int align_due(const struct due *due, char **said)
{
	struct conf want;
	size_t size;
	FILE *out;
	bool any;
	int ret;

	*said = NULL;
	/* No route can be made through an interface that is down; a call after
	 * it is up makes them. */
	if (!is_up(due->ifname))
		return OK;
	ret = foresee(due, &want, &any);
	if (ret)
		return ret;
	out = open_memstream(said, &size);
	if (!out)
		ret = fail("out of memory");
	else if (any)
		ret = align_locked(due, &want, out);
	if (out)
		fclose(out);
	conf_free(&want);
	return ret;
}
