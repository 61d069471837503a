/* SPDX-License-Identifier: GPL-2.0-only */
/* A change of one peer among many. */
#ifndef TUNLOAD_ONE_PEER_H
#define TUNLOAD_ONE_PEER_H

#include "maps/state.h"

/* With more peers than that, a change of one does not look at all others. */
#define ALIGN_PEERS_MAX 1000

/*
 * Changes p of want, as edited on the command line, and nothing else: neither
 * the other peers nor the host are looked at, which the timer does anyway.
 * *done is false, and nothing was changed, where that is not enough: the
 * prefixes or the MTU change, and with them routes; the endpoint is in a
 * tunnelled prefix; names, peers that wait, addresses that clash.
 */
int one_peer_change(const struct maps *m, const struct conf *now,
		    struct conf *want, struct peer *p, bool *done);

#endif
