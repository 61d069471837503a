/* SPDX-License-Identifier: GPL-2.0-only */
/* Gives decapsulated frames to all CPUs (cpus = all), those of an inner flow to
 * the same one, so that they stay in order. */
#ifndef TUNLOAD_SPREAD_H
#define TUNLOAD_SPREAD_H

#include "core/flow.h"
#include "layout.h"

/* Set by the loader: how many CPUs, and which. With none the verifier removes
 * the code. */
const volatile __u32 spread_cpus;
const volatile __u16 spread_list[TL_SPREAD_CPUS];

/* The loader sets its size and its rows, a kernel thread each. It belongs to
 * one load of the programs and is not pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32)); /* how many frames may wait */
} cpus SEC(".maps");

/* Gives a frame without its outer header to the CPU of its flow. Returns the
 * action. */
static __always_inline int spread(struct xdp_md *ctx, __u32 link_len,
				  __u8 family)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *at = (void *)(long)ctx->data + link_len;
	__u32 slot;

	if (!spread_cpus)
		return XDP_PASS;
	slot = flow_share(family == 4 ? flow_of4(at, end) : flow_of6(at, end),
			  spread_cpus);
	if (slot >= TL_SPREAD_CPUS) /* for the verifier */
		return XDP_PASS;
	return bpf_redirect_map(&cpus, spread_list[slot], XDP_PASS);
}

#endif
