/* SPDX-License-Identifier: GPL-2.0-only */
/* Verdicts: counted once each, reported while somebody listens. */
#ifndef TUNLOAD_COUNT_H
#define TUNLOAD_COUNT_H

#include "core/verdict.h"
#include "maps.h"

/* A packet, its verdict, and for whom it is counted. */
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

/* The counters of a peer on this CPU, made with its first packet; NULL: there
 * is no such peer, or no memory. */
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

/* Somebody listens, and this CPU has not said too much of late. */
static __always_inline bool event_wanted(__u64 now)
{
	const __u32 zero = 0;
	struct tl_interface *iface = bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->monitor_until_ns >= now &&
	       within_limit(TL_LIMIT_EVENTS, now);
}

/* Room for an event about a verdict that is neither plain nor tunnelled,
 * while somebody listens; the caller fills in head and submits. */
static __always_inline struct tl_event *event_reserve(enum tl_verdict verdict,
						      __u32 peer, __u32 bytes)
{
	__u64 now = bpf_ktime_get_ns();
	struct tl_event *event;

	if (!event_wanted(now))
		return NULL;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return NULL;
	event->time_ns = now;
	event->verdict = verdict;
	event->peer = peer;
	event->length = bytes;
	return event;
}

/* How much of a packet of len bytes goes into an event: 1 to TL_EVENT_HEAD,
 * which the mask tells every verifier; of an empty packet too much, which
 * cannot be read then. */
static __always_inline __u32 event_head_len(__u32 len)
{
	if (len > TL_EVENT_HEAD)
		len = TL_EVENT_HEAD;
	return ((len - 1) & (TL_EVENT_HEAD - 1)) + 1;
}

#endif
