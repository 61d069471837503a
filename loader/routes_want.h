/* SPDX-License-Identifier: GPL-2.0-only */
/* Which routes a configuration wants; between routes.c and routes_want.c. */
#ifndef TUNLOAD_ROUTES_WANT_H
#define TUNLOAD_ROUTES_WANT_H

#include "netlink.h"

/*
 * 6in4: an IPv6 route cannot have an IPv4 next hop. This link-local address,
 * "tunload" in ASCII, stands for it, with a permanent neighbour, so that the
 * kernel never asks who has it; the data plane resolves the outer next hop by
 * bpf_redirect_neigh() and the MAC address never reaches the wire.
 */
extern const struct ip placeholder;
extern const uint8_t placeholder_mac[6];

/* Of two equal routes that with the lower rank is made. */
enum rank { RANK_ALLOWED, RANK_HALF, RANK_ENDPOINT };

struct wanted {
	struct route route;
	enum rank rank;
};

/* The routes that c wants, sorted by route_compare(), none twice. *out is
 * malloc()ed, also on failure. */
int routes_wanted(const struct conf *c, struct wanted **out, size_t *n);

/* Of struct route or struct wanted, for qsort(): by prefix and metric, what the
 * kernel holds to be the same route. Longest first, so that an endpoint's route
 * is there before the default's halves. */
int route_compare(const void *a, const void *b);

#endif
