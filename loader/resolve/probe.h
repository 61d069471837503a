/* SPDX-License-Identifier: GPL-2.0-only */
/* Chooses the inner address that the trigger probes if none is configured. */
#ifndef TUNLOAD_RESOLVE_PROBE_H
#define TUNLOAD_RESOLVE_PROBE_H

#include "conf/conf.h"

/*
 * Sets the probes that are not configured: the first host of the first allowed
 * prefix that leads to this peer (no other peer has a longer prefix) and is not
 * an address of this host; else the second host of a prefix; else none. Default
 * routes are skipped.
 */
int resolve_probes(struct conf *c);

#endif
