/* SPDX-License-Identifier: GPL-2.0-only */
/* Attachments of the first form (TL_LAYOUT 2, until version 0.3), which
 * `attach` takes over: other maps, and routes via the outer next hop. */
#ifndef TUNLOAD_LAYOUT2_H
#define TUNLOAD_LAYOUT2_H

#include "conf/conf.h"

/* The pins of ifname are of that form, and what they hold is on this
 * interface. */
bool layout2_runs(const char *ifname);
/* What runs as a conf, as state_read() would give it: settings, peers, names,
 * prefixes. */
int layout2_read(const char *ifname, struct conf *out);

#endif
