/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * routes/: what leads inner prefixes to the data plane: the routes, rules,
 * neighbours and addresses that a configuration wants and the changes to them;
 * and the exceptions that the data plane must know.
 */
#ifndef TUNLOAD_ROUTES_H
#define TUNLOAD_ROUTES_H

#include "host/host.h"

/* What is on the host now, read once for those of the functions below that take
 * it: with many peers, reading takes longer than all else. */
struct footprint;
int routes_read(uint32_t ifindex, struct footprint **out);
void routes_free(struct footprint *have);

/*
 * Makes what is ours on the host for c->ifindex equal to what c wants; only
 * differences are touched:
 * - the source as a point-to-point address towards 240.0.0.0/8, and the
 *   addresses of the key `address`;
 * - a permanent neighbour for each gateway that is used, or, with routes = no,
 *   could be by the user's routes;
 * - a route for each allowed prefix via its peer's gateway, in c->table;
 * default routes, and prefixes that hold an endpoint, in a table of ours with
 * rules. A peer whose route somebody else has, or that cannot have it here,
 * gets `waiting` with the reason, unless it waits already; that is no failure.
 * On failure what was changed is put back.
 */
int routes_sync(struct conf *c, const struct footprint *have);

/* First half of a sync for a change under traffic: removes only the routes of
 * prefixes that c no longer wants, so that none leads to no peer; from have,
 * too. */
int routes_prune(struct conf *c, struct footprint *have);

/* What c, a part of a configuration, wants, as if it was there: for the two
 * functions above when that part changes, which then put nothing back. *there:
 * the kernel has the routes. */
int routes_assume(struct conf *c, struct footprint **out, bool *there);

/* Removes everything of ours for ifindex, which may be gone. */
int routes_clear(uint32_t ifindex);

/* How many changes routes_sync() would make, without the routes that somebody
 * else has. have NULL: it is read. */
int routes_pending(const struct conf *c, const struct footprint *have,
		   size_t *n);
/* The same, and the peers that would have to wait are told. */
int routes_foresee(struct conf *c, const struct footprint *have, size_t *n);

/* For --dry-run: one line a route, rule or address to be added ("+ ...") or
 * removed ("- ..."). */
int routes_print_plan(FILE *out, struct conf *c);

/* The exceptions of c: the host's routes that are not ours, the link-local and
 * multicast prefixes, endpoints, the addresses of the host; each only where an
 * allowed prefix of c holds it, and none that equals an allowed prefix. *out is
 * malloc()ed. */
int routes_exceptions(const struct conf *c, const struct footprint *have,
		      struct exception **out, size_t *n);

/* *any: c has exceptions, as the host is now. */
int routes_any_exception(const struct conf *c, bool *any);

/* The IPv4 broadcast addresses of the host's networks, sorted, none twice. *out
 * is malloc()ed. */
int host_broadcasts(struct ip **out, size_t *n);

#endif
