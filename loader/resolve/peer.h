/* SPDX-License-Identifier: GPL-2.0-only */
/* What one peer needs from the host; for resolve.c. */
#ifndef TUNLOAD_RESOLVE_PEER_H
#define TUNLOAD_RESOLVE_PEER_H

#include "names.h"
#include "resolve.h"

/* A configuration that is being resolved, and what is known. */
struct resolver {
	struct conf *c;
	const struct conf *now; /* what runs, or NULL */
	struct names was;	/* of now */
	struct names looked_up; /* their endpoints are used again */
	struct host host;
	struct own_addrs own;
	bool strict;	  /* the interface's own settings must be there */
	bool no_look_ups; /* other names were tried a moment ago */
	size_t kept;	  /* endpoints, as their names do not resolve */
	const struct peer *lacks_address; /* the first that waits for one */
};

/* Local and mtu of p, and whether its endpoint can be used. USAGE only for what
 * the file or the command line says about p. */
int resolve_peer(struct resolver *r, struct peer *p);
/* Of peers with equal outer addresses only the first one works; one whose
 * address came from a name is behind the others. */
int resolve_conflicts(struct resolver *r);

#endif
