/* SPDX-License-Identifier: GPL-2.0-only */
/* What resolve.c and peer.c share: the resolver, and resolving one peer. */
#ifndef TUNLOAD_RESOLVE_PEER_H
#define TUNLOAD_RESOLVE_PEER_H

#include "resolve.h"

/* The state of resolving a configuration. */
struct resolver {
	struct conf *c;
	const struct conf *now; /* the running state, or NULL */
	struct names was;	/* of now */
	struct names looked_up; /* results to use again */
	struct host host;
	struct addrs own; /* of this host; no name may resolve to one */
	const struct answers *lost; /* or NULL */
	bool strict;		    /* missing interface addresses are errors */
	bool no_look_ups;	    /* only looked_up is used */
	struct link_info vrf;	    /* the one that was read last */
	size_t kept; /* endpoints kept, as names do not resolve */
	const struct peer *lacks_address; /* the first peer without a local */
};

/* Sets local and mtu of p and checks its endpoint. USAGE only for settings from
 * the file or the command line. */
int resolve_peer(struct resolver *r, struct peer *p);
/* Of peers with equal outer addresses, only the first works; peers whose
 * address is from a name come after the others. */
int resolve_conflicts(struct resolver *r);
/*
 * Sets the probes that are not configured: the first host of the first allowed
 * prefix that leads to this peer (no other peer has a longer prefix) and is not
 * an address of this host; else the second host of a prefix; else none. Default
 * routes are skipped.
 */
int resolve_probes(const struct resolver *r);

#endif
