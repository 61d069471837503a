/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts each verdict once for the interface and once for its peer. */
#ifndef TUNLOAD_COUNT_H
#define TUNLOAD_COUNT_H

#include "core/verdict.h"
#include "maps.h"

/* The verdict on a packet, and the peer it is counted for. */
struct outcome {
	enum tl_verdict verdict;
	__u32 peer;		     /* id, or TL_PEER_NONE */
	__u32 bytes;		     /* of the inner packet, or of the packet */
	struct tl_peer_stats *stats; /* of the peer, once looked up */
	__u64 now_ns;		     /* CLOCK_MONOTONIC, coarse, once read */
};

static __always_inline void add(struct tl_verdicts *v, const struct outcome *o)
{
	struct tl_counter *counter = (struct tl_counter *)v;

	if (o->verdict >= TL_VERDICT_COUNT)
		return;
	counter += o->verdict;
	counter->packets++;
	counter->bytes += o->bytes;
}

static const struct tl_peer_stats no_stats;

/* The counters of a peer on this CPU, made at its first packet; NULL if there
 * is no such peer or no memory. */
static __always_inline struct tl_peer_stats *peer_stats_of(__u32 peer)
{
	struct tl_stats_key key = {peer, bpf_get_smp_processor_id()};
	struct tl_peer_stats *stats = bpf_map_lookup_elem(&peer_stats, &key);

	if (stats || !bpf_map_lookup_elem(&peers, &peer))
		return stats;
	bpf_map_update_elem(&peer_stats, &key, &no_stats, BPF_NOEXIST);
	return bpf_map_lookup_elem(&peer_stats, &key);
}

static __always_inline void count_peer(const struct outcome *o)
{
	struct tl_peer_stats *stats = o->stats;

	if (o->peer == TL_PEER_NONE)
		return;
	if (!stats)
		stats = peer_stats_of(o->peer);
	if (!stats)
		return;
	add(&stats->verdicts, o);
	if (o->verdict == TL_rx_decap)
		stats->last_rx_ns = bpf_ktime_get_coarse_ns();
	else if (o->verdict == TL_tx_encap)
		stats->last_tx_ns = o->now_ns;
}

static __always_inline void count(const struct outcome *o)
{
	const __u32 zero = 0;
	struct tl_verdicts *all = bpf_map_lookup_elem(&verdicts, &zero);

	if (all)
		add(all, o);
	count_peer(o);
}

#endif
