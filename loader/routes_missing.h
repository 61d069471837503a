/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether what is sent to a peer has a route of ours: somebody else may have
 * removed it, the kernel when the link went down, or a network manager. */
#ifndef TUNLOAD_ROUTES_MISSING_H
#define TUNLOAD_ROUTES_MISSING_H

#include "netlink.h"

/* The destinations of our routes that are there, sorted. */
struct routes_there {
	struct prefix *dst;
	size_t n;
	bool none_wanted; /* routes = no: none is missing */
};

/* A status, its error printed. */
int routes_there_read(const struct conf *c, struct routes_there *out);
void routes_there_free(struct routes_there *t);

/* The longest allowed prefix of p that holds ip has no route. */
bool route_missing_to(const struct routes_there *t, const struct peer *p,
		      const struct ip *ip);

#endif
