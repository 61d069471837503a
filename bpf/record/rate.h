/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits the packets that are taken from a peer (key `rate`), on all CPUs
 * together, by the generic cell rate algorithm (ITU-T I.371): each packet takes
 * the time that the rate allows it, and how far a peer may be ahead of the
 * clock is the burst.
 */
#ifndef TUNLOAD_RATE_H
#define TUNLOAD_RATE_H

#include "maps.h"

#define RATE_BURST_NS	   100000000ULL
#define RATE_BURST_PACKETS 16 /* at least */
#define RATE_TRIES	   4  /* if other CPUs count at the same moment */

/* Not on the stack, which is small. */
static const struct tl_rate rate_fresh = {};

static __always_inline struct tl_rate *rate_row(__u32 peer)
{
	struct tl_rate *row = bpf_map_lookup_elem(&rates, &peer);

	if (row)
		return row;
	bpf_map_update_elem(&rates, &peer, &rate_fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&rates, &peer);
}

/* Counts that many packets (the segments of a super-packet) at the time now_ns,
 * CLOCK_MONOTONIC; true if they exceed the rate, packets a second. */
static __always_inline bool rate_exceeded(__u32 peer, __u32 rate, __u32 packets,
					  __u64 now_ns)
{
	const __u64 step = 1000000000ULL / rate;
	struct tl_rate *row = rate_row(peer);
	__u64 burst = RATE_BURST_PACKETS * step;

	if (!row)
		return false;
	if (burst < RATE_BURST_NS)
		burst = RATE_BURST_NS;
	for (int i = 0; i < RATE_TRIES; i++) {
		const __u64 was = *(volatile __u64 *)&row->ahead_ns;
		__u64 ahead = was > now_ns ? was : now_ns;

		if (ahead - now_ns + packets * step > burst)
			return true;
		if (__sync_val_compare_and_swap(&row->ahead_ns, was,
						ahead + packets * step) == was)
			break;
	}
	return false;
}

#endif
