// SPDX-License-Identifier: GPL-2.0-only
/* Finds the peer whose allowed prefixes hold an address. */
#include "conf.h"

#include <string.h>

int owner_compare_peers(const struct peer *a, const struct peer *b)
{
	return compare_values(a->origin.line, b->origin.line)
		       ?: compare_values(a, b);
}

int outer_compare(const struct peer *a, const struct peer *b)
{
	return ip_compare(&a->endpoint, &b->endpoint)
		       ?: ip_compare(&a->local, &b->local);
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return prefix_compare(x->prefix, y->prefix);
}

static int compare_owned(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return compare_prefixes(a, b) ?:
	       owner_compare_peers(x->peer, y->peer) ?:
	       compare_values(x->prefix, y->prefix);
}

static void take_in(struct owners *o, const struct peer *p)
{
	for_each_allowed (a, p) {
		o->all[o->n++] = (struct owned){a, p};
		o->lengths[a->ip.family == 6][a->len] = true;
	}
}

int owners_init(struct owners *o, const struct conf *c)
{
	size_t total = 0;

	*o = (struct owners){0};
	for_each_peer (p, c)
		total += p->n_allowed;
	if (total > TL_MAX_PREFIXES)
		return fail_usage(
			"%s: %zu allowed-ips are more than the %u that fit",
			c->ifname, total, TL_MAX_PREFIXES);
	o->all = calloc(total + 1, sizeof(*o->all));
	if (!o->all)
		return fail("out of memory");
	for_each_peer (p, c)
		take_in(o, p);
	sort(o->all, o->n, sizeof(*o->all), compare_owned);
	return OK;
}

void owners_free(struct owners *o)
{
	free(o->all);
	o->all = NULL;
	o->n = 0;
}

/* Treats equal elements as less, so that lower_bound() finds the end of
 * them. */
static int compare_last(const void *a, const void *key)
{
	return compare_prefixes(a, key) ?: -1;
}

/* Returns the last owner of this prefix, or NULL. Without routes, all peers may
 * share one. */
static const struct owned *find_last(const struct owners *o,
				     const struct prefix *p)
{
	const struct owned key = {p, NULL};
	size_t end = lower_bound(&key, o->all, o->n, sizeof(key), compare_last);

	if (!end || compare_prefixes(&o->all[end - 1], &key))
		return NULL;
	return &o->all[end - 1];
}

const struct owned *owner_around(const struct owners *o,
				 const struct prefix *prefix)
{
	const struct owned *found = NULL;
	struct prefix p = *prefix;

	for (int len = p.len; !found && len >= 0; len--) {
		if (!o->lengths[p.ip.family == 6][len])
			continue;
		prefix_shorten(&p, len);
		found = find_last(o, &p);
	}
	return found;
}

const struct owned *owner_of(const struct owners *o, const struct ip *ip)
{
	const struct prefix host = ip_prefix(ip);

	return owner_around(o, &host);
}

static int compare_holders(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return compare_prefixes(a, b) ?: owner_compare_peers(x->peer, y->peer);
}

bool owner_is(const struct owners *o, const struct ip *ip, const struct peer *p)
{
	const struct owned *last = owner_of(o, ip);
	struct owned key;

	if (!last)
		return false;
	key = (struct owned){last->prefix, p};
	return bsearch(&key, o->all, o->n, sizeof(*o->all), compare_holders);
}

bool peers_share_table(const struct peer *a, const struct peer *b)
{
	return a->table == b->table && !strcmp(a->vrf, b->vrf);
}

const struct peer *owner_carrying(const struct owners *o,
				  const struct prefix *prefix,
				  const struct peer *p)
{
	const struct owned key = {prefix, NULL};
	size_t i =
		lower_bound(&key, o->all, o->n, sizeof(key), compare_prefixes);

	for (; i < o->n && !compare_prefixes(&o->all[i], &key); i++) {
		const struct peer *other = o->all[i].peer;

		if (peers_share_table(p, other) &&
		    peer_rank(other) < peer_rank(p))
			p = other;
	}
	return p;
}

const struct prefix *endpoint_inside(const struct peer *p)
{
	for_each_allowed (a, p) {
		if (a->len && prefix_contains(a, &p->endpoint))
			return a;
	}
	return NULL;
}
