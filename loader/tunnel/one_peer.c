// SPDX-License-Identifier: GPL-2.0-only
/* Changes one peer without a look at all the others. */
#include "tunnel.h"

#include <string.h>

#include "resolve/resolve.h"

/* What a route is made of, or somebody has to be asked for. */
static bool same_routes(const struct peer *a, const struct peer *b)
{
	return a->n_allowed == b->n_allowed &&
	       !memcmp(a->allowed, b->allowed,
		       a->n_allowed * sizeof(*a->allowed)) &&
	       a->guard == b->guard && a->mtu_fixed == b->mtu_fixed &&
	       !*a->host && !*b->host && !*a->waiting;
}

/* The owner by the longest prefix of all peers, or NULL. */
static const struct peer *owner(const struct conf *c, const struct ip *ip)
{
	const struct peer *found = NULL;
	int longest = -1;

	for (size_t i = 0; i < c->n_peers; i++) {
		const struct peer *p = &c->peers[i];

		for (size_t j = 0; j < p->n_allowed; j++) {
			if (p->allowed[j].len <= longest ||
			    !prefix_contains(&p->allowed[j], ip))
				continue;
			longest = p->allowed[j].len;
			found = p;
		}
	}
	return found;
}

/* Such an endpoint is an exception, or its prefix has another table. */
static bool is_endpoint_tunnelled(const struct conf *c, const struct peer *was,
				  const struct peer *p)
{
	return !ip_equal(&was->endpoint, &p->endpoint) &&
	       (owner(c, &was->endpoint) || owner(c, &p->endpoint));
}

static bool has_same_path(const struct conf *c, const struct peer *p)
{
	for (size_t i = 0; i < c->n_peers; i++)
		if (&c->peers[i] != p &&
		    ip_equal(&c->peers[i].endpoint, &p->endpoint) &&
		    ip_equal(&c->peers[i].local, &p->local))
			return true;
	return false;
}

/* What resolve_forget() has taken from the others. */
static void keep_others(struct conf *want, const struct conf *now,
			const struct peer *p)
{
	want->local4 = now->local4;
	want->local6 = now->local6;
	for (size_t i = 0; i < now->n_peers; i++) {
		if (&want->peers[i] == p)
			continue;
		want->peers[i].endpoint = now->peers[i].endpoint;
		want->peers[i].local = now->peers[i].local;
		want->peers[i].probe = now->peers[i].probe;
	}
}

/* As if it was the only one. */
static int resolve_alone(const struct conf *want, const struct conf *now,
			 struct peer *p)
{
	struct conf alone = *want;
	int ret;

	alone.peers = p;
	alone.n_peers = 1;
	ret = conf_check(&alone);
	return ret ?: resolve_edited(&alone, now);
}

static bool is_enough(const struct conf *want, const struct peer *was,
		      const struct peer *p)
{
	return p->mtu == was->mtu && !*p->waiting &&
	       !is_endpoint_tunnelled(want, was, p) &&
	       !has_same_path(want, p) &&
	       (!p->probe_fixed || owner(want, &p->probe) == p);
}

int one_peer_change(const struct maps *m, const struct conf *now,
		    struct conf *want, struct peer *p, bool *done)
{
	const struct peer *was = &now->peers[p - want->peers];
	bool chosen = !p->probe_fixed;
	int ret;

	*done = false;
	if (now->n_peers <= ALIGN_PEERS_MAX || !same_routes(was, p) ||
	    (chosen && was->probe_fixed))
		return OK;
	keep_others(want, now, p);
	ret = resolve_alone(want, now, p);
	if (ret)
		return ret;
	if (chosen)
		p->probe = was->probe;
	if (!is_enough(want, was, p))
		return OK;
	*done = true;
	ret = state_apply_peer(m, was, p);
	if (ret)
		state_apply_peer(m, p, was);
	return ret;
}
