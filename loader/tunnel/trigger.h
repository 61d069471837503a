/* SPDX-License-Identifier: GPL-2.0-only */
/* The first packet that opens the path to a peer. */
#ifndef TUNLOAD_TRIGGER_H
#define TUNLOAD_TRIGGER_H

#include "maps/state.h"

/* What became of the request to one inner address. */
struct trigger_probe {
	struct ip to; /* family 0: none */
	bool sent;
	bool answered;
	double rtt_ms; /* of the echo reply; < 0: other traffic, or none */
};

struct trigger_result {
	const struct peer *peer;
	struct trigger_probe main;  /* the peer's probe */
	struct trigger_probe other; /* of the other family, where the peer has
				     * prefixes of both */
	char hint[256];		    /* what to look at next, or "" */
};

/*
 * Sends an ICMP or ICMPv6 echo request to the probe of each of the n peers of
 * c, and one of the other family where the peer has prefixes of both, through
 * the interface (SO_BINDTODEVICE) and so through tc_egress, and waits up to
 * wait_s seconds (0: not at all) until every one has answered. Whatever came
 * out of the tunnel is an answer (the peer's counter of decapsulated packets
 * has grown); with two families, of which the counter knows nothing, it takes
 * an echo reply of each as well. results has n entries.
 */
int trigger_send(const struct conf *c, const struct maps *m,
		 const struct peer *const *peers, size_t n, double wait_s,
		 struct trigger_result *results);

/* Sends a first packet to every peer of c that now, what ran before, has not or
 * reaches in another way; to all for NULL. A failure is a warning: the paths
 * may come up later. */
void trigger_first(const struct conf *c, const struct conf *now,
		   const struct maps *m);

#endif
