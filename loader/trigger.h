/* SPDX-License-Identifier: GPL-2.0-only */
/* The first packet that opens the path to a peer. */
#ifndef TUNLOAD_TRIGGER_H
#define TUNLOAD_TRIGGER_H

#include "state.h"

struct trigger_result {
	const struct peer *peer;
	bool sent;
	bool answered;	/* anything came back from the peer */
	double rtt_ms;	/* of the echo reply; < 0: other traffic, or none */
	char hint[256]; /* what to look at next, or "" */
};

/*
 * Sends an ICMP or ICMPv6 echo request to the probe of each of the n peers of
 * c, and one of the other family where the peer has prefixes of both, through
 * the interface (SO_BINDTODEVICE) and so through tc_egress, and waits up to
 * wait_s seconds (0: not at all) until every one has answered: its counter
 * of decapsulated packets has grown, an echo reply alone does not count.
 * results has n entries.
 */
int trigger_send(const struct conf *c, const struct maps *m,
		 const struct peer *const *peers, size_t n, double wait_s,
		 struct trigger_result *results);

#endif
