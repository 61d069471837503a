/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of a kind each CPU may send: events, ICMP errors. */
#ifndef TUNLOAD_LIMIT_H
#define TUNLOAD_LIMIT_H

#include "maps.h"

/* One more of a kind that is limited (TL_LIMIT_*) may be sent by this CPU. */
static __always_inline bool within_limit(__u32 kind, __u64 now)
{
	struct tl_limit *limit = bpf_map_lookup_elem(&limits, &kind);

	if (!limit)
		return false;
	if (now - limit->window_ns > TL_LIMIT_WINDOW_NS) {
		limit->window_ns = now;
		limit->sent = 0;
	}
	return limit->sent++ < TL_LIMIT_A_WINDOW;
}

#endif
