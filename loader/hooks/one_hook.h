/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of hooks/. Functions for a single hook: unless noted,
 * they return 0 or -errno and print nothing. */
#ifndef TUNLOAD_ONE_HOOK_H
#define TUNLOAD_ONE_HOOK_H

#include "hooks.h"

/* Links: XDP and TCX. True for a pinned link whose interface still
 * exists. */
bool link_exists(const char *ifname, enum hook h);
/* Puts prog on the hook: replaces the program of the existing link atomically,
 * or makes and pins a link. */
int link_put(const char *ifname, enum hook h, uint32_t ifindex, int prog);
void link_drop(const char *ifname, enum hook h);
/* The same for a link that is pinned at path. */
int link_put_at(const char *path, enum hook h, uint32_t ifindex, int prog);
void link_drop_at(const char *path);

/* Filters, for kernels before 6.6. True if our filter has the program that is
 * pinned or staged. */
bool filter_exists(const char *ifname, enum hook h, uint32_t ifindex);
/* The same for only the pinned or only the staged program. */
bool filter_holds(const char *ifname, enum hook h, uint32_t ifindex,
		  bool staged);
/* -EBUSY: another filter has our preference and handle. */
int filter_put(const char *ifname, enum hook h, uint32_t ifindex, int prog);
void filter_drop(const char *ifname, enum hook h, uint32_t ifindex);
int clsact_create(uint32_t ifindex);
/* Removes the qdisc if it has no filters. */
void clsact_drop(uint32_t ifindex);

/* True if a program is on the XDP hook in any mode; says which. */
bool xdp_taken(uint32_t ifindex, char words[static TL_REASON_LEN]);
/* Why link_put() could not put prog on the XDP hook, in words. */
void xdp_refusal(const char *ifname, uint32_t ifindex, int prog, int err,
		 char words[static TL_REASON_LEN]);

#endif
