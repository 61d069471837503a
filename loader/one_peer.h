/* SPDX-License-Identifier: GPL-2.0-only */
/* A change of one peer among many. */
#ifndef TUNLOAD_ONE_PEER_H
#define TUNLOAD_ONE_PEER_H

#include "state.h"

/* With more peers than that, a change of one does not look at all others. */
#define ALIGN_PEERS_MAX 1000

/*
 * Makes want of was, which are parts of now: they have that one peer, or none
 * where it is added or removed. The other peers and what they have on the host
 * are not looked at, which the timer does. *done is false, and nothing was
 * changed, where that is not enough, as the others or the host have to do with
 * it: names, peers that wait, addresses that clash, default routes, prefixes
 * that overlap, endpoints and the host's own networks inside of them. m has the
 * rows of now: state_read_keep().
 */
int one_peer_change(const struct maps *m, const struct conf *now,
		    struct conf *was, struct conf *want, bool *done);

#endif
