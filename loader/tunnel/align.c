// SPDX-License-Identifier: GPL-2.0-only
/* Brings the running state in line with a configuration and with the host. */
#include "tunnel.h"

#include <stdlib.h>
#include <string.h>

#include "resolve/resolve.h"

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
	struct pins p = {0};
	struct hooks is;

	strcpy(p.ifname, ifname);
	hooks_query(&p, iface->ifindex, &is);
	missing[HOOK_XDP] = native && !is.on[HOOK_XDP];
	missing[HOOK_TC_INGRESS] = !native && !is.on[HOOK_TC_INGRESS];
	missing[HOOK_TC_EGRESS] = !is.on[HOOK_TC_EGRESS];
	return missing[HOOK_XDP] || missing[HOOK_TC_INGRESS] ||
	       missing[HOOK_TC_EGRESS];
}

static void hooks_restore(const struct running *r,
			  const struct tl_interface *before)
{
	struct tl_interface iface;
	struct programs old;

	if (interface_read(&r->maps, &iface) || programs_open(&old, &r->pins))
		return;
	memcpy(iface.mode_reason, before->mode_reason,
	       sizeof(iface.mode_reason));
	hooks_attach(&old, &r->pins, &r->maps, &iface, before->mode_asked);
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
		return hooks_attach(g, &r->pins, &r->maps, iface, want->mode);
	ret = programs_open(&pinned, &r->pins);
	if (ret)
		return ret;
	ret = hooks_attach(&pinned, &r->pins, &r->maps, iface, want->mode);
	programs_close(&pinned);
	return ret;
}

/* Aligns, given what is on the host. */
static int align_from(const struct running *r, const struct programs *g,
		      struct conf *want, const char *how, struct mended *mended,
		      struct footprint *have)
{
	struct tl_interface iface, before;
	bool gone;
	int ret = interface_read(&r->maps, &iface);

	if (ret)
		return ret;
	before = iface;
	gone = hooks_missing(r->pins.ifname, &iface, mended->hooks);
	if (routes_pending(&r->now, have, &mended->routes))
		mended->routes = 0;
	if (g || gone)
		ret = put_hooks(r, g, &iface, want, how);
	if (ret)
		return ret;
	ret = apply(&r->maps, &r->now, want, have);
	if (ret && g)
		hooks_restore(r, &before);
	return ret;
}

int align(const struct running *r, const struct programs *g, struct conf *want,
	  const char *how, struct mended *mended)
{
	struct footprint *have;
	int ret = routes_read(want->ifindex, &have);

	*mended = (struct mended){0};
	if (!ret)
		ret = align_from(r, g, want, how, mended, have);
	routes_free(have);
	return ret;
}

int align_exchange(const struct running *r, const struct programs *g,
		   struct conf *want, const char *how, struct mended *mended)
{
	int ret = programs_stage(g, &r->pins, r->now.ifindex);

	if (!ret)
		ret = align(r, g, want, how, mended);
	if (ret)
		programs_unstage(&r->pins);
	return ret ?: programs_commit(&r->pins);
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
	bool missing[HOOK_COUNT];
	struct tl_interface iface;
	struct footprint *have;
	size_t routes = 0;
	int ret = interface_read(m, &iface);

	*any = !ret && hooks_missing(want->ifname, &iface, missing);
	if (!ret)
		ret = routes_read(want->ifindex, &have);
	if (ret)
		return ret;
	ret = routes_foresee(want, have, &routes);
	*any |= routes;
	if (!ret && !*any)
		ret = look_at_maps(m, want, have, any);
	routes_free(have);
	return ret;
}

/* Resolves the running state again, and tells whether that changes anything. */
static int foresee(const char *ifname, struct conf *want, bool *any)
{
	struct conf now;
	struct maps m;
	int ret = maps_open(&m, ifname);

	if (ret)
		return ret;
	ret = state_read_keep(&m, ifname, &now);
	if (!ret) {
		ret = resolve_again(&now, NULL, want);
		if (!ret) {
			ret = look(&m, want, any);
			if (ret)
				conf_free(want);
		}
		conf_free(&now);
	}
	maps_close(&m);
	return ret;
}

/* Reads the state again: it may have changed before the lock was taken. */
static int align_locked(const char *ifname, const struct conf *names,
			FILE *said)
{
	struct mended mended;
	struct running r;
	struct conf want;
	int ret = running_open(&r, ifname);

	if (ret)
		return ret;
	ret = resolve_again(&r.now, names, &want);
	if (!ret) {
		ret = align(&r, NULL, &want, NULL, &mended);
		if (!ret)
			mended_write(said, &mended, &r.now, &want);
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

int align_due(const char *ifname, char **said)
{
	struct conf want;
	size_t size;
	FILE *out;
	bool any;
	int ret;

	*said = NULL;
	/* No route can be made through an interface that is down; a call after
	 * it is up makes them. */
	if (!is_up(ifname))
		return OK;
	ret = foresee(ifname, &want, &any);
	if (ret)
		return ret;
	out = open_memstream(said, &size);
	if (!out)
		ret = fail("out of memory");
	else if (any)
		ret = align_locked(ifname, &want, out);
	if (out)
		fclose(out);
	conf_free(&want);
	return ret;
}
