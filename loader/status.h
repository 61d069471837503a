/* SPDX-License-Identifier: GPL-2.0-only */
/* What `tunload status` shows of one interface, read at one moment. */
#ifndef TUNLOAD_STATUS_H
#define TUNLOAD_STATUS_H

#include <jansson.h>

#include "programs.h"

struct snapshot {
	uint64_t now_ns; /* CLOCK_MONOTONIC_COARSE, as the programs read it */
	struct conf conf;
	struct tl_interface iface;
	struct hooks hooks;
	bool kernel_has_tcx;
	struct tl_verdicts verdicts; /* of the interface */
	size_t routes_missing;	     /* of ours: somebody else removed them */
	struct tl_peer_stats *peers; /* of conf.peers, in their order */
};

/* For how many more ns what was learnt of the path MTU of p holds, 0: nothing
 * was learnt, or it no longer holds. */
static inline uint64_t mtu_learned_for(const struct snapshot *s,
				       const struct peer *p)
{
	if (!p->learned_mtu || p->learned_mtu >= p->mtu ||
	    p->learned_until_ns <= s->now_ns)
		return 0;
	return p->learned_until_ns - s->now_ns;
}

/* What holds the tc programs: "tcx", "clsact", or NULL for nothing. */
static inline const char *tc_hook(const struct snapshot *s)
{
	if (!s->hooks.on[HOOK_TC_EGRESS])
		return NULL;
	return s->hooks.tcx ? "tcx" : "clsact";
}

/* The contract's object (design: JSON of `status`); NULL: out of memory. */
json_t *status_json(const struct snapshot *s);
/* The same for people. */
void status_text(FILE *out, const struct snapshot *s);

#endif
