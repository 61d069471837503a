/* SPDX-License-Identifier: GPL-2.0-only */
/* What tunload has on the host for an interface, and what a configuration wants
 * there; shared by the files of routes/. */
#ifndef TUNLOAD_ROUTES_WANT_H
#define TUNLOAD_ROUTES_WANT_H

#include "host/host.h"

/* Each interface has a table of ours, this number plus its ifindex, with
 * default routes and other prefixes that contain an endpoint. */
#define TABLE_BASE 9400000U

/* Just before main's rule, so that rules of the user come first. */
#define RULE_PREFERENCE 32765

struct footprint {
	struct route *routes; /* sorted by route_compare() */
	struct rule *rules;   /* in the kernel's order; of all interfaces */
	struct neigh *neighs; /* sorted by ip_compare() */
	struct if_addr *addrs;
	size_t n_routes, n_rules, n_neighs, n_addrs;
	/* Throw routes in the tables of other interfaces, which record the
	 * rules that these need. */
	struct route *records;
	size_t n_records;
	/* Not ours; if asked for, for the exceptions. */
	struct route *others;
	size_t n_others;
	bool settled; /* routes_prune() has found no difference */
	bool assumed; /* by routes_assume(): nothing is undone */
	/* The IPv6 addresses of this host that can be the source of a route. */
	struct ip *sources6;
	size_t n_sources6;
	/* Addresses of the interface that are not ours, for their networks. */
	struct if_addr *connected;
	size_t n_connected;
};

void footprint_free(struct footprint *f);

/* Reads the host's state, with the routes of others if asked for. The caller
 * calls footprint_free() also on failure. */
int footprint_read(uint32_t ifindex, struct footprint *out, bool others);
/* Only the addresses. */
int footprint_read_addrs(uint32_t ifindex, struct footprint *out);

/*
 * Computes what c wants, or nothing for NULL. All interfaces share the rules,
 * so the rules that others need are always wanted. Sets `waiting` of peers that
 * cannot have their routes.
 */
int footprint_want(struct conf *c, const struct footprint *have,
		   struct footprint *out);

/* The half of it for the rules, from the throw routes that record their need.
 */
int rules_want(const struct footprint *have, struct footprint *want);

/* True if an allowed prefix could contain a route of others. */
bool may_have_exceptions(const struct conf *c);

/* For qsort(): by prefix, longest first, then by table and metric, by which the
 * kernel tells routes apart. */
int route_compare(const void *a, const void *b);
/* By the prefix only, in the same order. */
int route_compare_prefix(const void *a, const void *b);

/* Prefixes that are never tunnelled: their packets stay on a link, or go to the
 * metadata service of a cloud instance. */
extern const struct prefix link_scope[];
extern const size_t n_link_scope;

/* The placeholder neighbour of TL_LAYOUT 2: fe80:: and "tunload". */
extern const struct ip old_placeholder;

#endif
