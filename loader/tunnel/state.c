// SPDX-License-Identifier: GPL-2.0-only
/* Decides the state of a peer. */
#include "tunnel.h"

const struct peer_state_name peer_states[PEER_STATES] = {
	[PEER_WAITING] = {"waiting", "waiting"},
	[PEER_NO_ANSWER] = {"no answer", "no_answer"},
	[PEER_SILENT] = {"silent", "silent"},
	[PEER_IDLE] = {"idle", "idle"},
	[PEER_UP] = {"up", "up"},
};

/* A peer is sent to every 60 s at least, even if the timer is late: so one lost
 * answer is no silence. */
#define KEEPALIVES   5
#define KEEPALIVE_S  25 /* a shorter one has no effect: the timer's interval */
#define UNANSWERED_S 60

static uint64_t silence_ns(const struct peer *p)
{
	uint64_t s = p->keepalive > KEEPALIVE_S ? p->keepalive : KEEPALIVE_S;

	return KEEPALIVES * s * NS_PER_S;
}

enum peer_state peer_state(const struct peer *p,
			   const struct tl_peer_stats *stats, uint64_t now_ns)
{
	uint64_t last = stats->last_rx_ns;

	if (*p->waiting)
		return PEER_WAITING;
	if (!last)
		return stats->last_tx_ns ? PEER_NO_ANSWER : PEER_IDLE;
	/* A watch asks more often than all this. */
	if (last <= p->silent_ns)
		return PEER_SILENT;
	/* The packet may have come after now_ns was read. */
	if (now_ns <= last || now_ns - last <= silence_ns(p))
		return PEER_UP;
	if (stats->last_tx_ns > last + UNANSWERED_S * NS_PER_S)
		return PEER_SILENT;
	return PEER_IDLE;
}
