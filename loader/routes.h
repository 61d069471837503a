/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The routes that lead inner prefixes to the data plane, and the exceptions
 * that the data plane must know.
 */
#ifndef TUNLOAD_ROUTES_H
#define TUNLOAD_ROUTES_H

#include "netlink.h"

/*
 * Makes our routes through c->ifindex equal to what c wants: one for each
 * allowed prefix via the outer next hop with the peer's MTU and the preferred
 * source; for a default route its two halves (0.0.0.0/1 and 128.0.0.0/1), so
 * that the host's own stays, and a host route to every endpoint of that family
 * through the next hop it had; for 6in4 via a link-local address that stands
 * for "ask the kernel" with a permanent neighbour entry. Only differences are
 * touched. Wants no routes at all where c->routes is false.
 * On failure what was changed is put back.
 */
int routes_sync(struct conf *c);
int routes_pending(const struct conf *c, size_t *n);
int host_broadcasts(struct ip **out, size_t *n);

/* First half of a sync for a change under traffic: removes only what c no
 * longer wants, so that no prefix is routed to the interface without a peer. */
int routes_prune(const struct conf *c);

/* Removes every route and neighbour of ours on ifindex. */
int routes_clear(uint32_t ifindex);

/* An inner prefix that must not be tunnelled although a shorter allowed prefix
 * holds it: own is true for an address of this host. */
struct exception {
	struct prefix prefix;
	bool own;
};

/* The exceptions of c: routes through the interface that are not ours, the
 * interface's link-local and multicast prefixes, endpoints, the addresses of
 * the host; each only where an allowed prefix of c holds it, and none that
 * equals an allowed prefix. *out is malloc()ed. */
int routes_exceptions(const struct conf *c, struct exception **out, size_t *n);

/* For `attach --dry-run`: one line a route to be added ("+ ...") or removed. */
int routes_print_plan(FILE *out, const struct conf *c);

#endif
