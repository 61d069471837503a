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
	const struct maps *m;
	const struct conf *now;	       /* all peers */
	const struct peer *was, *want; /* nobody: added, or removed */
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

static bool has_room(const struct change *c)
{
	size_t n = c->n_added;

	for_each_peer (p, c->now)
		n += p->n_allowed;
	return n <= TL_MAX_PREFIXES;
}

static bool moves_alone(struct change *c)
{
	if (same_prefixes(c))
		return true;
	return has_few_prefixes(c) &&
	       take_alone(c, c->was, c->want, c->removed, &c->n_removed) &&
	       take_alone(c, c->want, c->was, c->added, &c->n_added) &&
	       has_room(c);
}

/* True if another peer has the endpoint: that is an error unless local
 * differs. */
static bool shares_endpoint(const struct change *c)
{
	for_each_peer (p, c->now) {
		if (p->id != c->was->id && c->want->endpoint.family &&
		    ip_equal(&p->endpoint, &c->want->endpoint))
			return true;
	}
	return false;
}

/* True if, by the configuration, the change affects no other peer. */
static bool is_apart(struct change *c)
{
	return c->now->n_peers > ALIGN_PEERS_MAX &&
	       c->now->n_peers < TL_MAX_PEERS && is_settled(c->was) &&
	       is_settled(c->want) && !has_other_guard(c) &&
	       !shares_endpoint(c) && moves_alone(c);
}

/* True for the first peer of its family, whose endpoint decides an automatic
 * local of the interface. */
static bool is_first(const struct change *c, uint8_t family)
{
	for_each_peer (p, c->now)
		if (p->endpoint.family == family)
			return p->id == c->was->id;
	return true;
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

/* True if a peer waits, perhaps for an endpoint that becomes free. */
static bool any_waits(const struct change *c)
{
	for_each_peer (p, c->now)
		if (*p->waiting)
			return true;
	return false;
}

static bool is_endpoint_apart(const struct change *c)
{
	const struct ip *both[] = {&c->was->endpoint, &c->want->endpoint};

	if (ip_equal(both[0], both[1]))
		return true;
	for (size_t i = 0; i < 2; i++)
		if (both[i]->family &&
		    (is_first(c, both[i]->family) || is_tunnelled(c, both[i])))
			return false;
	return !any_waits(c);
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

/* True if all routes of p are in the common table. */
static bool has_plain_routes(const struct change *c, const struct peer *p)
{
	for_each_allowed (a, p) {
		if (!a->len)
			return false;
		for_each_peer (other, c->now)
			if (prefix_contains(a, &other->endpoint))
				return false;
	}
	return true;
}

/* Sets *any if the added prefixes have exceptions. */
static int any_exception(struct change *c, bool *any)
{
	struct peer p = {.allowed = c->added, .n_allowed = c->n_added};
	struct conf added = *c->now;

	added.peers = &p;
	added.n_peers = 1;
	*any = false;
	return c->n_added ? routes_any_exception(&added, any) : OK;
}

/* True if, once resolved, the change still affects no other peer. */
static bool is_enough(struct change *c)
{
	if (!is_settled(c->want) || !is_endpoint_apart(c) || !is_probe_apart(c))
		return false;
	return !changes_routes(c) ||
	       (has_few_prefixes(c) && has_plain_routes(c, c->was) &&
		has_plain_routes(c, c->want));
}

static int change_rows(const struct maps *m, const struct conf *was,
		       const struct conf *want)
{
	int ret = state_apply_peer(m, was, want);

	if (ret)
		state_apply_peer(m, want, was);
	return ret;
}

/*
 * Changes was to want. Each contains one peer; was is empty for a new peer,
 * want for a removed one. Does not align the other peers and the host; the
 * timer does that. *done is false, and nothing is changed, if the change may
 * affect others or depends on the host: names, waiting peers, equal endpoints,
 * default routes, overlapping prefixes, endpoints or the host's networks inside
 * of prefixes. m has the rows of now: state_read_keep().
 */
static int one_peer_change(const struct maps *m, const struct conf *now,
			   struct conf *was, struct conf *want, bool *done)
{
	struct change c = {
		.m = m,
		.now = now,
		.was = only(was),
		.want = only(want),
	};
	bool any;
	int ret;

	*done = false;
	if (!is_apart(&c))
		return OK;
	ret = conf_check(want);
	if (!ret)
		ret = resolve_edited(want, was);
	if (ret || !is_enough(&c))
		return ret;
	ret = any_exception(&c, &any);
	if (ret || any)
		return ret;
	*done = true;
	if (!changes_routes(&c))
		return change_rows(m, was, want);
	if (!was->n_peers)
		ret = state_give_ids(m, want);
	return ret ?: apply_peer(m, now, was, want, done);
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

/* Makes the change to that peer alone; want then contains only it. *done: the
 * change is made. */
static int change_one(const struct running *r, const struct edit *e,
		      struct conf *want, bool *done)
{
	struct conf was = r->now;
	int ret;

	*done = false;
	was.peers = conf_peer(&r->now, e->name);
	was.n_peers = was.peers ? 1 : 0;
	ret = copy_edited(e, &was, want);
	if (ret)
		return ret;
	ret = one_peer_change(&r->maps, &r->now, &was, want, done);
	*done &= !ret;
	if (!*done)
		conf_free(want);
	return ret;
}

int edit_running(const struct running *r, const struct edit *e,
		 struct conf *want, struct mended *mended)
{
	bool done;
	int ret = change_one(r, e, want, &done);

	*mended = (struct mended){0};
	return ret || done ? ret : change_all(r, e, want, mended);
}
