/* SPDX-License-Identifier: GPL-2.0-only */
/* The changes from the host's state to the wanted one. */
#ifndef TUNLOAD_ROUTES_PLAN_H
#define TUNLOAD_ROUTES_PLAN_H

#include "want.h"

enum change_kind { CHANGE_ADDR, CHANGE_NEIGH, CHANGE_ROUTE, CHANGE_RULE };

/* old NULL: an addition; new NULL: a removal; neither: a replacement. Both
 * point into the plan. */
struct change {
	enum change_kind kind;
	const void *old, *new;
};

struct plan {
	uint32_t ifindex;
	bool everything; /* also removes neighbours that the kernel learned */
	bool borrowed;	 /* the caller frees have */
	struct footprint have, want;
	struct change *changes; /* in the order of execution */
	size_t n;
	bool new_addrs; /* adds addresses */
	bool old_addrs; /* removes addresses */
};

/* Makes a plan for c, or, for NULL, for removing everything of ifindex. have:
 * the host's state, or NULL to read it. The caller calls plan_free() also on
 * failure. */
int plan_make(struct plan *p, struct conf *c, uint32_t ifindex,
	      const struct footprint *have);
void plan_free(struct plan *p);

/* Sets the changes from have to want. */
int plan_diff(struct plan *p);

/* Makes the peers of n routes wait, unless they wait already, because of routes
 * of others in their place; *blocked counts these. refused: the kernel says
 * that there are such routes, also where none is listed. */
int explain_foreign(struct conf *c, const struct route **routes, size_t n,
		    bool refused, size_t *blocked);

/* Executes all changes. A route that exists and is not ours makes its peer
 * wait. */
int plan_run(const struct plan *p, struct conf *c);

#endif
