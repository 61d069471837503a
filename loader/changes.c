// SPDX-License-Identifier: GPL-2.0-only
/* In what two configurations differ, for people. */
#include <stdlib.h>
#include <string.h>

#include "attach.h"

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

/* The order in which prefixes were written does not matter. */
static bool same_allowed(const struct peer *a, const struct peer *b)
{
	size_t size = a->n_allowed * sizeof(struct prefix);
	struct prefix *both;
	bool same;

	if (a->n_allowed != b->n_allowed || !a->n_allowed)
		return a->n_allowed == b->n_allowed;
	both = malloc(2 * size);
	if (!both)
		return false;
	memcpy(both, a->allowed, size);
	memcpy(both + a->n_allowed, b->allowed, size);
	qsort(both, a->n_allowed, sizeof(*both), by_value);
	qsort(both + a->n_allowed, a->n_allowed, sizeof(*both), by_value);
	same = !memcmp(both, both + a->n_allowed, size);
	free(both);
	return same;
}

static bool same_peer(const struct peer *a, const struct peer *b)
{
	return !strcmp(a->host, b->host) &&
	       ip_equal(&a->endpoint, &b->endpoint) &&
	       ip_equal(&a->local, &b->local) &&
	       a->local_fixed == b->local_fixed &&
	       ip_equal(&a->probe, &b->probe) &&
	       a->probe_fixed == b->probe_fixed &&
	       a->keepalive == b->keepalive && a->mtu_fixed == b->mtu_fixed &&
	       a->mtu == b->mtu && a->ttl == b->ttl && a->dscp == b->dscp &&
	       a->guard == b->guard && same_allowed(a, b);
}

static bool same_settings(const struct conf *a, const struct conf *b)
{
	return ip_equal(&a->local4, &b->local4) &&
	       ip_equal(&a->local6, &b->local6) &&
	       a->local4_fixed == b->local4_fixed &&
	       a->local6_fixed == b->local6_fixed &&
	       ip_equal(&a->source4, &b->source4) &&
	       ip_equal(&a->source6, &b->source6) && a->mode == b->mode &&
	       a->path_mtu == b->path_mtu && a->pmtu_expiry == b->pmtu_expiry &&
	       a->routes == b->routes;
}

static bool is_added(const struct peer *p, const struct conf *now)
{
	return !conf_peer(now, p->name);
}

static bool is_changed(const struct peer *p, const struct conf *now)
{
	const struct peer *was = conf_peer(now, p->name);

	return was && !same_peer(was, p);
}

/* "; verb name name" for the peers of c of which is() holds about other;
 * whether there was any. */
static bool print_peers(const char *verb, const struct conf *c,
			const struct conf *other, bool first,
			bool (*is)(const struct peer *, const struct conf *))
{
	bool any = false;

	for (size_t i = 0; i < c->n_peers; i++) {
		if (!is(&c->peers[i], other))
			continue;
		if (!any)
			printf("%s %s", first ? ":" : ";", verb);
		printf(" %s", c->peers[i].name);
		any = true;
	}
	return any;
}

void print_changes(const struct conf *now, const struct conf *want)
{
	bool any;

	printf("%s: reloaded", want->ifname);
	any = print_peers("added", want, now, true, is_added);
	any |= print_peers("changed", want, now, !any, is_changed);
	any |= print_peers("removed", now, want, !any, is_added);
	if (!same_settings(now, want)) {
		printf("%s settings of the interface changed", any ? ";" : ":");
		any = true;
	}
	if (want->exceptions_changed) {
		printf("%s exceptions from allowed prefixes changed",
		       any ? ";" : ":");
		any = true;
	}
	puts(any ? "" : ", nothing changed");
}
