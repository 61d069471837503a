/* SPDX-License-Identifier: GPL-2.0-only */
/* One hook at a time, for hooks.c: XDP and TCX links, clsact filters. Where
 * nothing else is said these return 0 or -errno and print nothing. */
#ifndef TUNLOAD_HOOKS_H
#define TUNLOAD_HOOKS_H

#include "programs.h"

/* Attach types since Linux 6.6, not in older headers. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47

/* The links of p are there, but the interface or its namespace is gone. Without
 * links (clsact) this cannot be seen: false. */
bool hooks_dead(const struct pins *p);

/* hooks_link.c. A link pinned under p that still holds its interface. */
bool link_exists(const struct pins *p, enum hook h);
/* Puts prog on the hook: exchanges it in the link that is there, which no
 * packet notices, or makes and pins one. */
int link_put(const struct pins *p, enum hook h, uint32_t ifindex, int prog);
void link_drop(const struct pins *p, enum hook h);

/* hooks_clsact.c, for kernels before 6.6. A filter of ours: the program pinned
 * under p or staged there. */
bool filter_exists(const struct pins *p, enum hook h, uint32_t ifindex);
/* The same for just the pinned or just the staged one. */
bool filter_holds(const struct pins *p, enum hook h, uint32_t ifindex,
		  bool staged);
/* Our preference and handle are taken by a filter with our program's name,
 * whosever pins it has. */
bool filter_of_tunload(enum hook h, uint32_t ifindex);
/* -EBUSY: our preference and handle are somebody else's. */
int filter_put(const struct pins *p, enum hook h, uint32_t ifindex, int prog);
void filter_drop(const struct pins *p, enum hook h, uint32_t ifindex);
/* The kind of qdisc that holds ingress and egress filters: "clsact", "ingress",
 * or "" for none. */
int clsact_kind(uint32_t ifindex, char kind[static IFNAMSIZ]);
int clsact_create(uint32_t ifindex);
/* Only if no filter is left on it. */
void clsact_drop(uint32_t ifindex);

/* hooks_others.c. Programs of tunload are on the interface, whosever pins they
 * have. */
bool hooks_elsewhere(uint32_t ifindex);

/* hooks_xdp.c. The name of the driver of an interface, or "unknown". */
void driver_name(const char *ifname, char name[static 32]);
/* Why link_put() could not put prog on the XDP hook, in words. */
void xdp_refusal(const char *ifname, uint32_t ifindex, int prog, int err,
		 char words[static TL_REASON_LEN]);

#endif
