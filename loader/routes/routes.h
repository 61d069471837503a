/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * routes/: leads inner prefixes to the data plane: the routes, rules,
 * neighbours and addresses that a configuration wants, and the changes to them;
 * and the exceptions for the data plane.
 */
#ifndef TUNLOAD_ROUTES_H
#define TUNLOAD_ROUTES_H

#include "host/host.h"

/* What tunload has on the host now, for c->ifindex, and the routes of others if
 * they can be exceptions of c: a router may have a million. Read once for the
 * functions below, as reading takes longest with many peers. */
struct footprint;
int routes_read(const struct conf *c, struct footprint **out);
void routes_free(struct footprint *have);

/*
 * Makes what tunload has on the host for c->ifindex equal to what c wants,
 * changing only differences:
 * - the source as a point-to-point address towards 240.0.0.0/8, and the
 *   addresses of the key `address`;
 * - a permanent neighbour for each gateway that is used or, with routes = no,
 *   could be by the user's routes;
 * - a route for each allowed prefix via its peer's gateway, in c->table;
 *   default routes, and prefixes that contain an endpoint, in a table of ours
 *   with rules.
 * A peer whose route exists and is not ours, or is not possible here, gets the
 * reason in `waiting`, unless it waits already; that is not a failure. On
 * failure the changes are undone.
 */
int routes_sync(struct conf *c, const struct footprint *have);

/* The first half of a sync under traffic: removes only the routes of prefixes
 * that c no longer wants, so that no route leads to a missing peer. Removes
 * them from have too. */
int routes_prune(struct conf *c, struct footprint *have);

/* Sets *out to what c, a part of a configuration, wants, without reading the
 * host: for the two functions above, which then undo nothing on failure.
 * *there: the kernel has the routes. */
int routes_assume(struct conf *c, struct footprint **out, bool *there);

/* Removes everything of ours for ifindex, which may be gone. */
int routes_clear(uint32_t ifindex);

/* Counts the changes that routes_sync() would make, without routes that exist
 * and are not ours. have NULL: it is read. */
int routes_pending(const struct conf *c, const struct footprint *have,
		   size_t *n);
/* The same, and sets `waiting` of the peers that would have to wait. */
int routes_foresee(struct conf *c, const struct footprint *have, size_t *n);

/* For --dry-run: prints a line for each route, rule or address to add ("+ ...")
 * or remove ("- ..."). */
int routes_print_plan(struct conf *c);

/* The exceptions of c: the host's routes that are not ours, link-local and
 * multicast prefixes, endpoints, addresses of the host; each only if a shorter
 * allowed prefix of c contains it and none equals it. *out is malloc()ed. */
int routes_exceptions(const struct conf *c, const struct footprint *have,
		      struct exception **out, size_t *n);

/* Sets *any if c has exceptions on the host now. */
int routes_any_exception(const struct conf *c, bool *any);

/* The IPv4 broadcast addresses of the host's networks, sorted, without
 * duplicates. *out is malloc()ed. */
int host_broadcasts(struct ip **out, size_t *n);

#endif
