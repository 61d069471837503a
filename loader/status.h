/* SPDX-License-Identifier: GPL-2.0-only */
/* What `tunload status` shows of one interface, read at one moment. */
#ifndef TUNLOAD_STATUS_H
#define TUNLOAD_STATUS_H

#include <jansson.h>

#include "state.h"

struct snapshot {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	struct conf conf;
	struct tl_interface iface;
	struct tl_verdicts verdicts; /* of the interface */
	struct tl_peer_stats *peers; /* of conf.peers, in their order */
};

/* The contract's object (design: JSON of `status`); NULL: out of memory. */
json_t *status_json(const struct snapshot *s);
/* The same for people. */
void status_text(FILE *out, const struct snapshot *s);

#endif
