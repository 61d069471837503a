/* SPDX-License-Identifier: GPL-2.0-only */
/* Which inner address the trigger asks where none is configured. */
#ifndef TUNLOAD_RESOLVE_PROBE_H
#define TUNLOAD_RESOLVE_PROBE_H

#include "conf/conf.h"

/*
 * Sets the probes that are not configured: the first host of the first allowed
 * prefix that leads to this peer (no other peer has a longer one) and is no
 * address of this host; else the second host of one; else none. A default
 * route has no hosts to name.
 */
int resolve_probes(struct conf *c);

#endif
