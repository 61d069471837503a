/* SPDX-License-Identifier: GPL-2.0-only */
/* What tunload has on the host for an interface, as it is and as a
 * configuration wants it; between routes.c and its parts. */
#ifndef TUNLOAD_ROUTES_WANT_H
#define TUNLOAD_ROUTES_WANT_H

#include "host/host.h"

/* The tables of ours, one an interface: that number and the ifindex. Default
 * routes are there, and what else holds an endpoint. */
#define TABLE_BASE 9400000U

/* Just before main's rule, so that the user's own rules come first. */
#define RULE_PREFERENCE 32765

struct footprint {
	struct route *routes; /* sorted by route_compare() */
	struct rule *rules;   /* in the kernel's order; of all interfaces */
	struct neigh *neighs; /* sorted by neigh_compare() */
	struct if_addr *addrs;
	size_t n_routes, n_rules, n_neighs, n_addrs;
	/* Throw routes in the tables of the other interfaces: their records of
	 * what rules they need. */
	struct route *records;
	size_t n_records;
	/* Not ours; filled in by footprint_read_all(), for the exceptions. */
	struct route *others;
	size_t n_others;
	bool settled; /* routes_prune() has found it as it should be */
	bool assumed; /* of a part: nothing is put back */
	/* The IPv6 addresses of this host that can be sources: a route must
	 * not name another one. */
	struct ip *sources6;
	size_t n_sources6;
};

void footprint_free(struct footprint *f);

/* What is there. footprint_free() also on failure. */
int footprint_read(uint32_t ifindex, struct footprint *out);
/* The same, and the routes of others. */
int footprint_read_all(uint32_t ifindex, struct footprint *out);
/* Only the addresses. */
int footprint_read_addrs(uint32_t ifindex, struct footprint *out);

/*
 * What c wants; for NULL, nothing. The rules are shared by
 * all interfaces, so those that the others need are among the wanted. Sets
 * `waiting` of the peers that cannot have their routes.
 */
int footprint_want(struct conf *c, const struct footprint *have,
		   struct footprint *out);

/* For the above: rules from the tables that are in use. */
int rules_want(const struct footprint *have, struct footprint *want);

/* For qsort(): by prefix, longest first, then by what else the kernel tells
 * routes apart by: table and metric. */
int route_compare(const void *a, const void *b);
/* By the prefix only, in the same order. */
int route_compare_prefix(const void *a, const void *b);
int neigh_compare(const void *a, const void *b);

/* What must never be tunnelled: it never leaves a link, or asks for a cloud
 * instance's metadata. */
extern const struct prefix link_scope[];
extern const size_t n_link_scope;

/* The placeholder of the first form (TL_LAYOUT 2), fe80:: and "tunload". */
extern const struct ip old_placeholder;

#endif
