/* SPDX-License-Identifier: GPL-2.0-only */
/* What to look at next when a trigger was not answered. */
#ifndef TUNLOAD_TRIGGER_HINT_H
#define TUNLOAD_TRIGGER_HINT_H

#include "tunnel.h"

void hint_no_probe(struct trigger_result *r);
/* The peer waits, and says why. */
void hint_waits(struct trigger_result *r);
/* to is not routed into the peer's tunnel. */
void hint_no_route(struct trigger_result *r, const struct ip *to,
		   const struct conf *c);
/* err: errno of the attempt to send. */
void hint_not_sent(struct trigger_result *r, const struct ip *to,
		   const struct conf *c, int err);
/* From how the peer's counters moved between sending and now. */
void hint_silence(struct trigger_result *r, const struct tl_verdicts *before,
		  const struct tl_verdicts *now, const struct conf *c);

#endif
