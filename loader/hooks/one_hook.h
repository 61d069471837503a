/* SPDX-License-Identifier: GPL-2.0-only */
/* One hook at a time, for hooks.c: XDP and TCX links, clsact filters. Where
 * nothing else is said these return 0 or -errno and print nothing. */
#ifndef TUNLOAD_ONE_HOOK_H
#define TUNLOAD_ONE_HOOK_H

#include "hooks.h"

/* link.c. A link pinned under p that still holds its interface. */
bool link_exists(const struct pins *p, enum hook h);
/* Puts prog on the hook: exchanges it in the link that is there, which no
 * packet notices, or makes and pins one. */
int link_put(const struct pins *p, enum hook h, uint32_t ifindex, int prog);
void link_drop(const struct pins *p, enum hook h);

/* clsact.c, for kernels before 6.6. A filter of ours: the program pinned
 * under p or staged there. */
bool filter_exists(const struct pins *p, enum hook h, uint32_t ifindex);
/* The same for just the pinned or just the staged one. */
bool filter_holds(const struct pins *p, enum hook h, uint32_t ifindex,
		  bool staged);
/* -EBUSY: our preference and handle are somebody else's. */
int filter_put(const struct pins *p, enum hook h, uint32_t ifindex, int prog);
void filter_drop(const struct pins *p, enum hook h, uint32_t ifindex);
int clsact_create(uint32_t ifindex);
/* Only if no filter is left on it. */
void clsact_drop(uint32_t ifindex);

/* Why link_put() could not put prog on the XDP hook, in words. */
void xdp_refusal(const char *ifname, uint32_t ifindex, int prog, int err,
		 char words[static TL_REASON_LEN]);

#endif
