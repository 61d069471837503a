/* SPDX-License-Identifier: GPL-2.0-only */
/* Routes of ours that somebody else has removed: the kernel when the link went
 * down, or a network manager. */
#ifndef TUNLOAD_ROUTES_MISSING_H
#define TUNLOAD_ROUTES_MISSING_H

#include "netlink.h"

/* The destinations of our routes that are there, sorted. */
struct routes_there {
	struct prefix *dst;
	size_t n;
	bool none_wanted; /* routes = no: none is missing */
};

/* A status, its error printed; no endpoint need be reachable for this. */
int routes_there_read(const struct conf *c, struct routes_there *out);
void routes_there_free(struct routes_there *t);

/* How many allowed prefixes of c have no route. */
size_t routes_missing(const struct routes_there *t, const struct conf *c);
/* The longest allowed prefix of p that holds ip has no route. */
bool route_missing_to(const struct routes_there *t, const struct peer *p,
		      const struct ip *ip);

#endif
