/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits the rate of what would cost a CPU too much. */
#ifndef TUNLOAD_LIMIT_H
#define TUNLOAD_LIMIT_H

#include "maps.h"

/* True if this CPU may do that (TL_LIMIT_*) once more; counts it. */
static __always_inline bool within_limit(__u32 kind, __u64 now)
{
	struct tl_limit *limit = bpf_map_lookup_elem(&limits, &kind);

	if (!limit)
		return false;
	if (now - limit->window_ns > TL_LIMIT_WINDOW_NS) {
		limit->window_ns = now;
		limit->done = 0;
	}
	return limit->done++ < TL_LIMIT_A_WINDOW;
}

#endif
