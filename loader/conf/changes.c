// SPDX-License-Identifier: GPL-2.0-only
/* Prints the differences between two configurations. */
#include "conf.h"

#include <stdlib.h>
#include <string.h>

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

/* The file says the same of both. */
static bool same_words(const struct peer *a, const struct peer *b)
{
	return !strcmp(a->host, b->host) &&
	       (*a->host || ip_equal(&a->endpoint, &b->endpoint)) &&
	       a->local_fixed == b->local_fixed &&
	       (!a->local_fixed || ip_equal(&a->local, &b->local)) &&
	       a->probe_fixed == b->probe_fixed &&
	       (!a->probe_fixed || ip_equal(&a->probe, &b->probe)) &&
	       a->keepalive == b->keepalive && a->mtu_fixed == b->mtu_fixed &&
	       a->ttl == b->ttl && a->dscp == b->dscp && a->guard == b->guard &&
	       same_allowed(a, b);
}

static bool same_peer(const struct peer *a, const struct peer *b)
{
	return same_words(a, b) && ip_equal(&a->endpoint, &b->endpoint) &&
	       ip_equal(&a->local, &b->local) &&
	       ip_equal(&a->probe, &b->probe) && a->mtu == b->mtu &&
	       !strcmp(a->waiting, b->waiting);
}

static bool same_interface_words(const struct conf *a, const struct conf *b)
{
	return a->local4_fixed == b->local4_fixed &&
	       a->local6_fixed == b->local6_fixed &&
	       (!a->local4_fixed || ip_equal(&a->local4, &b->local4)) &&
	       (!a->local6_fixed || ip_equal(&a->local6, &b->local6)) &&
	       ip_equal(&a->source4, &b->source4) &&
	       ip_equal(&a->source6, &b->source6) &&
	       a->address4_len == b->address4_len &&
	       a->address6_len == b->address6_len && a->mode == b->mode &&
	       a->path_mtu == b->path_mtu && a->pmtu_expiry == b->pmtu_expiry &&
	       a->routes == b->routes;
}

static bool same_settings(const struct conf *a, const struct conf *b)
{
	return same_interface_words(a, b) && ip_equal(&a->local4, &b->local4) &&
	       ip_equal(&a->local6, &b->local6);
}

bool conf_differs(const struct conf *file, const struct conf *now)
{
	bool differs = file->n_peers != now->n_peers ||
		       !same_interface_words(file, now);
	struct names names;

	if (differs || names_init(&names, now))
		return differs;
	for (size_t i = 0; i < file->n_peers && !differs; i++) {
		const struct peer *p = names_find(&names, file->peers[i].name);

		differs = !p || !same_words(&file->peers[i], p);
	}
	names_free(&names);
	return differs;
}

static bool is_added(const struct peer *p, const struct names *now)
{
	return !names_find(now, p->name);
}

static bool is_changed(const struct peer *p, const struct names *now)
{
	const struct peer *was = names_find(now, p->name);

	return was && !same_peer(was, p);
}

/* Prints "; verb name name" for the peers of c for which is(peer, other) is
 * true; returns whether there are any. */
static bool print_peers(const char *verb, const struct conf *c,
			const struct names *other, bool first,
			bool (*is)(const struct peer *, const struct names *))
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
	struct names before = {0}, after = {0};
	bool any;

	if (names_init(&before, now) || names_init(&after, want))
		return names_free(&before);
	printf("%s: reloaded", want->ifname);
	any = print_peers("added", want, &before, true, is_added);
	any |= print_peers("changed", want, &before, !any, is_changed);
	any |= print_peers("removed", now, &after, !any, is_added);
	if (!same_settings(now, want)) {
		printf("%s settings of the interface changed", any ? ";" : ":");
		any = true;
	}
	if (want->exceptions_changed) {
		printf("%s updated the networks that stay outside of the tunnels",
		       any ? ";" : ":");
		any = true;
	}
	puts(any ? "" : ", nothing changed");
	names_free(&before);
	names_free(&after);
}
