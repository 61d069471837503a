/* SPDX-License-Identifier: GPL-2.0-only */
/* The changes from what is on the host to what is wanted. */
#ifndef TUNLOAD_ROUTES_PLAN_H
#define TUNLOAD_ROUTES_PLAN_H

#include "want.h"

enum change_kind { CHANGE_ADDR, CHANGE_NEIGH, CHANGE_ROUTE, CHANGE_RULE };

/* old NULL: to be added; new NULL: to be removed; both: to be replaced. They
 * point into the plan. */
struct change {
	enum change_kind kind;
	const void *old, *new;
};

struct plan {
	uint32_t ifindex;
	bool everything; /* neighbours that the kernel learnt go, too */
	bool borrowed;	 /* have is somebody else's to free */
	struct footprint have, want;
	struct change *changes; /* in the order in which to make them */
	size_t n;
	bool new_addrs; /* there are addresses to be added */
	bool old_addrs; /* ... to be removed */
};

/* For what c wants, or, for NULL, for nothing of ifindex. have: what is there,
 * or NULL: it is read. plan_free() also on failure. */
int plan_make(struct plan *p, struct conf *c, uint32_t ifindex,
	      const struct footprint *have);
void plan_free(struct plan *p);

/* Compares have with want, both filled in. */
int plan_diff(struct plan *p);

/* Somebody else's routes, to name those that are in the way. */
struct foreign {
	struct route *routes; /* sorted by route_compare() */
	size_t n;
};

int foreign_read(struct foreign *f);
const struct route *foreign_find(const struct foreign *f,
				 const struct route *route);
/* p waits because of found (NULL: not known which), unless it waits already. */
void explain_foreign(struct peer *p, const struct route *route,
		     const struct route *found);

/* Makes all changes. A route that somebody else has makes its peer wait. */
int plan_run(const struct plan *p, struct conf *c);

#endif
