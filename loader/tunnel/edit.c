// SPDX-License-Identifier: GPL-2.0-only
/* Changes the running state as the command line says; one peer among many
 * without aligning all others. */
#include "tunnel.h"

#include <string.h>

#include "resolve/resolve.h"

/* With more peers, a change of one peer does not align all others. */
#define ALIGN_PEERS_MAX 1000

/* With more prefixes, comparing them takes as long as aligning everything. */
#define PREFIXES_MAX 256

/* Not the id of any peer, so that all rows belong to others. */
#define NO_ID UINT32_MAX

static const struct peer nobody = {.id = NO_ID};

struct change {
	struct maps *m;
	const struct conf *conf;       /* the settings of the interface */
	const struct peer *was, *want; /* nobody: added, or removed */
	struct addrs locals;	       /* the interface's addresses */
	struct prefix added[PREFIXES_MAX], removed[PREFIXES_MAX];
	size_t n_added, n_removed;
};

static const struct peer *only(const struct conf *c)
{
	return c->n_peers ? c->peers : &nobody;
}

/* True if p has no name to look up and does not wait. */
static bool is_settled(const struct peer *p)
{
	return !*p->host && !*p->waiting;
}

/* True if guard changes, and with it the rows of all prefixes. */
static bool has_other_guard(const struct change *c)
{
	return c->was != &nobody && c->want != &nobody &&
	       c->was->guard != c->want->guard;
}

/* True if routes move to another table, a hook may be needed, or an address. */
static bool has_other_place(const struct change *c)
{
	return peer_needs_tc(c->was) != peer_needs_tc(c->want) ||
	       c->was->table != c->want->table ||
	       strcmp(c->was->vrf, c->want->vrf) != 0 ||
	       c->was->priority != c->want->priority ||
	       !ip_equal(&c->was->gateway4, &c->want->gateway4) ||
	       !ip_equal(&c->was->gateway6, &c->want->gateway6);
}

static bool same_prefixes(const struct change *c)
{
	size_t n = c->was->n_allowed;

	return n && n == c->want->n_allowed &&
	       !memcmp(c->was->allowed, c->want->allowed,
		       n * sizeof(*c->was->allowed));
}

static bool has_few_prefixes(const struct change *c)
{
	return c->was->n_allowed <= PREFIXES_MAX &&
	       c->want->n_allowed <= PREFIXES_MAX;
}

static bool allows(const struct peer *p, const struct prefix *prefix)
{
	for_each_allowed (a, p)
		if (prefix_equal(a, prefix))
			return true;
	return false;
}

/* True if no other prefix overlaps this added or removed one, so that it
 * affects no exception and no probe of other peers. */
static bool stands_alone(const struct change *c, const struct prefix *prefix)
{
	if (!prefix->len || state_overlaps(c->m, prefix, c->was->id))
		return false;
	for_each_allowed (other, c->want) {
		if (other != prefix && (prefix_within(other, prefix) ||
					prefix_within(prefix, other)))
			return false;
	}
	return true;
}

/* Takes the prefixes of one peer that the other lacks; true if all stand
 * alone. */
static bool take_alone(struct change *c, const struct peer *from,
		       const struct peer *other, struct prefix *to, size_t *n)
{
	for_each_allowed (prefix, from) {
		if (allows(other, prefix))
			continue;
		to[(*n)++] = *prefix;
		if (!stands_alone(c, prefix))
			return false;
	}
	return true;
}

static bool moves_alone(struct change *c)
{
	if (same_prefixes(c))
		return true;
	return has_few_prefixes(c) &&
	       take_alone(c, c->was, c->want, c->removed, &c->n_removed) &&
	       take_alone(c, c->want, c->was, c->added, &c->n_added);
}

/* True if, by the configuration, the change affects no other peer. */
static bool is_apart(struct change *c)
{
	return is_settled(c->was) && is_settled(c->want) &&
	       !has_other_guard(c) && !has_other_place(c) && moves_alone(c);
}

/* True if another peer has the endpoint: that is an error unless local
 * differs. */
static bool shares_endpoint(const struct change *c)
{
	struct prefix host = ip_prefix(&c->want->endpoint);

	return host.ip.family &&
	       state_any_endpoint(c->m, &host, c->was->id, &c->locals);
}

/* True for the first peer of its family, whose endpoint decides an automatic
 * local of the interface. */
static bool is_first(const struct change *c, uint8_t family)
{
	return !state_any_before(c->m, c->was->id, family);
}

/* True if an allowed prefix contains the endpoint: it is then an exception, and
 * the route of the prefix is in another table. */
static bool is_tunnelled(const struct change *c, const struct ip *endpoint)
{
	struct prefix prefix = ip_prefix(endpoint);

	if (state_overlaps(c->m, &prefix, NO_ID))
		return true;
	for_each_allowed (a, c->want)
		if (prefix_within(&prefix, a))
			return true;
	return false;
}

static bool changes_outer(const struct change *c)
{
	return outer_compare(c->was, c->want) != 0;
}

/* A peer that waits may do so for an endpoint that becomes free. */
static bool is_outer_apart(const struct change *c)
{
	const struct ip *both[] = {&c->was->endpoint, &c->want->endpoint};

	if (!changes_outer(c))
		return true;
	if (shares_endpoint(c) || state_any_waits(c->m))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (both[i]->family && !ip_equal(both[0], both[1]) &&
		    (is_first(c, both[i]->family) || is_tunnelled(c, both[i])))
			return false;
	return true;
}

/* False if another peer has a longer prefix, which would take the packets of
 * the trigger. */
static bool is_probe_apart(const struct change *c)
{
	struct prefix probe = ip_prefix(&c->want->probe);

	return !probe.ip.family ||
	       (same_prefixes(c) &&
		ip_equal(&c->was->probe, &c->want->probe)) ||
	       !state_overlaps(c->m, &probe, c->was->id);
}

static bool changes_routes(const struct change *c)
{
	return c->n_added || c->n_removed || c->was->mtu != c->want->mtu;
}

/* True if all routes of the added prefixes are in the common table. The kernel
 * is asked about those of the other prefixes: routes_assume(). */
static bool adds_plain_routes(const struct change *c)
{
	for (size_t i = 0; i < c->n_added; i++)
		if (state_any_endpoint(c->m, &c->added[i], NO_ID, &c->locals))
			return false;
	return true;
}

/* Sets *any if the added prefixes have exceptions. */
static int any_exception(struct change *c, bool *any)
{
	struct peer p = {.allowed = c->added, .n_allowed = c->n_added};
	struct conf added = *c->conf;

	added.peers = &p;
	added.n_peers = 1;
	*any = false;
	return c->n_added ? routes_any_exception(&added, any) : OK;
}

/* True if, once resolved, the change still affects no other peer. */
static bool is_enough(struct change *c)
{
	return is_settled(c->want) && is_outer_apart(c) && is_probe_apart(c) &&
	       (!changes_routes(c) ||
		(has_few_prefixes(c) && adds_plain_routes(c)));
}

static int change_rows(const struct maps *m, const struct conf *was,
		       const struct conf *want)
{
	int ret = state_apply_peer(m, was, want);

	if (ret)
		state_apply_peer(m, want, was);
	return ret;
}

/* Checks the resolved change, and what it may touch. */
static int check_enough(struct change *c, bool *enough)
{
	bool any = false;
	int ret = addr_list(c->conf->ifindex, &c->locals);

	*enough = !ret && is_enough(c);
	if (*enough)
		ret = any_exception(c, &any);
	*enough &= !any;
	free(c->locals.all);
	return ret;
}

static int make_change(struct change *c, struct conf *was, struct conf *want,
		       bool *done)
{
	if (!changes_routes(c))
		return change_rows(c->m, was, want);
	if (!was->n_peers)
		want->peers->id = state_new_id(c->m);
	*done = !want->n_peers || want->peers->id != TL_PEER_NONE;
	return *done ? apply_peer(c->m, was, want, done) : OK;
}

/*
 * Changes was to want. Each contains one peer; was is empty for a new peer,
 * want for a removed one. Does not align the other peers and the host; the
 * timer does that. *done is false, and nothing is changed, if the change may
 * affect others or depends on the host: names, waiting peers, equal endpoints,
 * default routes, overlapping prefixes, endpoints or the host's networks inside
 * of prefixes.
 */
static int one_peer_change(struct maps *m, struct conf *was, struct conf *want,
			   bool *done)
{
	struct change c = {
		.m = m,
		.conf = was,
		.was = only(was),
		.want = only(want),
	};
	int ret;

	*done = false;
	if (!is_apart(&c))
		return OK;
	ret = conf_check(want) ?: resolve_edited(want, was) ?:
	      check_enough(&c, done);
	return ret || !*done ? ret : make_change(&c, was, want, done);
}

/* Makes a copy of now with the change. */
static int copy_edited(const struct edit *e, const struct conf *now,
		       struct conf *want)
{
	int ret = conf_copy(want, now);

	if (ret)
		return ret;
	resolve_forget(want);
	ret = e->make(e, want);
	if (ret)
		conf_free(want);
	return ret;
}

/* Makes the change and aligns all peers with the host. */
static int change_all(const struct running *r, const struct edit *e,
		      struct conf *want, struct mended *mended)
{
	int ret = copy_edited(e, &r->now, want);

	if (ret)
		return ret;
	ret = conf_check(want) ?: resolve_edited(want, &r->now) ?:
	      align(r, NULL, want, NULL, mended);
	if (ret)
		conf_free(want);
	return ret;
}

/* Makes the change to that peer alone; want, as r->now, then contains only it.
 * *done: the change is made. */
static int change_one(struct running *r, const struct edit *e,
		      struct conf *want, bool *done)
{
	int ret;

	*done = false;
	if (!state_has_more(&r->maps, ALIGN_PEERS_MAX))
		return OK;
	ret = state_read_peer(&r->maps, r->pins.ifname, e->name, &r->now, done);
	*done &= r->now.n_peers || e->adds;
	if (ret || !*done)
		return ret;
	*done = false;
	ret = copy_edited(e, &r->now, want);
	if (ret)
		return ret;
	ret = one_peer_change(&r->maps, &r->now, want, done);
	*done &= !ret;
	if (!*done)
		conf_free(want);
	return ret;
}

int edit_running(struct running *r, const struct edit *e, struct conf *want,
		 struct mended *mended)
{
	bool done;
	int ret = change_one(r, e, want, &done);

	*mended = (struct mended){0};
	if (ret || done)
		return ret;
	conf_free(&r->now);
	ret = state_read_keep(&r->maps, r->pins.ifname, &r->now);
	return ret ?: change_all(r, e, want, mended);
}
