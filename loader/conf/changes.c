// SPDX-License-Identifier: GPL-2.0-only
/* Prints the differences between two configurations. */
#include "conf.h"

#include <string.h>

static bool same_peer(const struct peer *a, const struct peer *b)
{
	return keys_same(peer_keys, a, b) &&
	       ip_equal(&a->endpoint, &b->endpoint) &&
	       ip_equal(&a->local, &b->local) &&
	       ip_equal(&a->probe, &b->probe) && a->mtu == b->mtu &&
	       !strcmp(a->waiting, b->waiting);
}

static bool same_settings(const struct conf *a, const struct conf *b)
{
	return keys_same(interface_keys, a, b) &&
	       ip_equal(&a->local4, &b->local4) &&
	       ip_equal(&a->local6, &b->local6);
}

bool conf_differs(const struct conf *file, const struct conf *now)
{
	bool differs = file->n_peers != now->n_peers ||
		       !keys_same(interface_keys, file, now);
	struct names names;

	if (differs || names_init(&names, now))
		return differs;
	for (size_t i = 0; i < file->n_peers && !differs; i++) {
		const struct peer *p = names_find(&names, file->peers[i].name);

		differs = !p || !keys_same(peer_keys, &file->peers[i], p);
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

	for_each_peer (p, c) {
		if (!is(p, other))
			continue;
		if (!any)
			printf("%s %s", first ? ":" : ";", verb);
		printf(" %s", p->name);
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
