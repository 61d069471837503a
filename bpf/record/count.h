/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts each verdict once for the interface and once for its peer. */
#ifndef TUNLOAD_COUNT_H
#define TUNLOAD_COUNT_H

#include "core/verdict.h"
#include "maps.h"

/* The verdict on a packet, and the peer it is counted for. */
struct outcome {
	enum tl_verdict verdict;
	__u32 peer;   /* id, or TL_PEER_NONE */
	__u32 bytes;  /* of the inner packet, or of the packet */
	__u64 now_ns; /* CLOCK_MONOTONIC, coarse; 0 if it was not read */
};

static __always_inline void add(struct tl_verdicts *v, enum tl_verdict verdict,
				__u32 bytes)
{
	struct tl_counter *counter = (struct tl_counter *)v;

	if (verdict >= TL_VERDICT_COUNT)
		return;
	counter += verdict;
	counter->packets++;
	counter->bytes += bytes;
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

static __always_inline void add_counter(struct tl_counter *to,
					const struct tl_counter *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
}

/* True for a packet that came out of a tunnel. */
static __always_inline bool is_received(enum tl_verdict verdict)
{
	return verdict == TL_rx_decap || verdict == TL_rx_forward;
}

/* True for a packet that went into a tunnel. */
static __always_inline bool is_sent(enum tl_verdict verdict)
{
	return verdict == TL_tx_encap || verdict == TL_tx_forward;
}

/* Moves what is in a slot to the row of its peer, if that peer still exists. */
static __always_inline void traffic_flush(const struct tl_traffic *slot)
{
	struct tl_peer_stats *stats = peer_stats_of(slot->peer);

	if (!stats)
		return;
	add_counter(&stats->verdicts.rx_decap, &slot->rx_decap);
	add_counter(&stats->verdicts.tx_encap, &slot->tx_encap);
	add_counter(&stats->verdicts.rx_forward, &slot->rx_forward);
	add_counter(&stats->verdicts.tx_forward, &slot->tx_forward);
	if (slot->last_rx_ns > stats->last_rx_ns)
		stats->last_rx_ns = slot->last_rx_ns;
	if (slot->last_tx_ns > stats->last_tx_ns)
		stats->last_tx_ns = slot->last_tx_ns;
}

/* Gives a slot to the peer of a packet, if no other peer is using it. */
static __attribute__((noinline, unused)) bool
traffic_take(struct tl_traffic *slot, __u32 peer, bool is_rx)
{
	const struct tl_traffic empty = {.peer = peer};
	__u64 now = bpf_ktime_get_coarse_ns();

	if (slot->peer != TL_PEER_NONE) {
		if (now - slot->last_rx_ns < TL_TRAFFIC_IDLE_NS ||
		    now - slot->last_tx_ns < TL_TRAFFIC_IDLE_NS)
			return false;
		traffic_flush(slot);
	}
	*slot = empty;
	*(is_rx ? &slot->last_rx_ns : &slot->last_tx_ns) = now;
	return true;
}

/* The slot of a tunnelled packet's peer; NULL if another peer is using it. */
static __always_inline struct tl_traffic *traffic_of(__u32 peer, bool is_rx)
{
	const __u32 slot = cpu_slot(peer);
	struct tl_traffic *traffic_at = bpf_map_lookup_elem(&traffic, &slot);

	if (!traffic_at || traffic_at->peer == peer ||
	    traffic_take(traffic_at, peer, is_rx))
		return traffic_at;
	return NULL;
}

/* Counts a verdict in the row of its peer. */
static __always_inline void count_row(const struct outcome *o)
{
	struct tl_peer_stats *stats = peer_stats_of(o->peer);

	if (!stats)
		return;
	add(&stats->verdicts, o->verdict, o->bytes);
	if (!o->now_ns)
		return;
	if (is_received(o->verdict))
		stats->last_rx_ns = o->now_ns;
	else if (is_sent(o->verdict))
		stats->last_tx_ns = o->now_ns;
}

/* The counter of a tunnelled packet. */
static __always_inline struct tl_counter *
traffic_counter(struct tl_traffic *slot, enum tl_verdict verdict)
{
	if (verdict == TL_rx_decap)
		return &slot->rx_decap;
	if (verdict == TL_tx_encap)
		return &slot->tx_encap;
	return verdict == TL_rx_forward ? &slot->rx_forward : &slot->tx_forward;
}

/* Counts a verdict in the slot of its peer, or in the peer's row if slot is
 * NULL. Of a packet that lean() remembers now_ns is 0: the time of the last one
 * is that of the last one which was not, up to cache_ttl ago. */
static __always_inline void count_slot(struct tl_traffic *slot,
				       const struct outcome *o)
{
	struct tl_counter *counter;

	if (!slot) {
		count_row(o);
		return;
	}
	counter = traffic_counter(slot, o->verdict);
	counter->packets++;
	counter->bytes += o->bytes;
	if (o->now_ns)
		*(is_received(o->verdict) ? &slot->last_rx_ns
					  : &slot->last_tx_ns) = o->now_ns;
}

/* Counts a verdict for its peer. */
static __always_inline void count_peer(const struct outcome *o)
{
	bool is_rx = is_received(o->verdict);
	struct tl_traffic *slot = NULL;

	if (o->peer == TL_PEER_NONE)
		return;
	if (is_rx || is_sent(o->verdict))
		slot = traffic_of(o->peer, is_rx);
	count_slot(slot, o);
}

/* Counts a verdict for the interface. */
static __always_inline void count_interface(enum tl_verdict verdict,
					    __u32 bytes)
{
	const __u32 zero = 0;
	struct tl_verdicts *all = bpf_map_lookup_elem(&verdicts, &zero);

	if (all)
		add(all, verdict, bytes);
}

static __always_inline void count(const struct outcome *o)
{
	count_interface(o->verdict, o->bytes);
	count_peer(o);
}

/* The same of a tunnelled packet whose slot (traffic_of()) was looked up before
 * the packet was changed: so the CPU fetches the slot meanwhile. */
static __always_inline void count_found(struct tl_traffic *slot,
					const struct outcome *o)
{
	count_interface(o->verdict, o->bytes);
	count_slot(slot, o);
}

/* The same for a packet that was not tunnelled; needs less stack. */
static __always_inline void count_untunnelled(const struct outcome *o)
{
	count_interface(o->verdict, o->bytes);
	if (o->peer != TL_PEER_NONE)
		count_row(o);
}

#endif
