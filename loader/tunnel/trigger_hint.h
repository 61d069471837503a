/* SPDX-License-Identifier: GPL-2.0-only */
/* Chooses a hint for a trigger that was not answered. */
#ifndef TUNLOAD_TRIGGER_HINT_H
#define TUNLOAD_TRIGGER_HINT_H

#include "tunnel.h"

void hint_no_probe(struct trigger_result *r);
/* The peer waits; the hint is the reason. */
void hint_waits(struct trigger_result *r);
/* to is not routed into the peer's tunnel. */
void hint_no_route(struct trigger_result *r, const struct ip *to,
		   const struct conf *c);
/* Sending has failed with errno err. */
void hint_not_sent(struct trigger_result *r, const struct ip *to,
		   const struct conf *c, int err);
/* No answer: judges by how the peer's counters changed since sending. */
void hint_silence(struct trigger_result *r, const struct tl_verdicts *before,
		  const struct tl_verdicts *now, const struct conf *c);

#endif
