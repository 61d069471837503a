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

/* Adds to a verdict's counter; takes off what is negative. */
static __always_inline void add(struct tl_verdicts *v, enum tl_verdict verdict,
				__s64 packets, __s64 bytes)
{
	struct tl_counter *counter = (struct tl_counter *)v;

	if (verdict >= TL_VERDICT_COUNT)
		return;
	counter += verdict;
	counter->packets += packets;
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

/* True for a packet that is counted in `traffic`. */
static __always_inline bool is_traffic(enum tl_verdict verdict)
{
	return is_received(verdict) || is_sent(verdict);
}

/* The kind of such a packet. */
static __always_inline enum tl_traffic_kind
traffic_kind(enum tl_verdict verdict)
{
	switch (verdict) {
	case TL_rx_decap:
		return TL_TRAFFIC_rx_decap;
	case TL_tx_encap:
		return TL_TRAFFIC_tx_encap;
	case TL_rx_forward:
		return TL_TRAFFIC_rx_forward;
	default:
		return TL_TRAFFIC_tx_forward;
	}
}

/* Where a peer's row keeps the time of its last packet in that direction. */
static __always_inline __u64 *last_of(struct tl_peer_stats *stats,
				      enum tl_verdict verdict)
{
	return is_received(verdict) ? &stats->last_rx_ns : &stats->last_tx_ns;
}

/* Moves what is in a slot to the row of its peer, if that peer still exists. */
static __always_inline void traffic_flush(const struct tl_traffic *slot,
					  enum tl_verdict verdict)
{
	struct tl_peer_stats *stats = peer_stats_of(slot->peer);
	__u64 *last;

	if (!stats)
		return;
	add(&stats->verdicts, verdict, slot->counter.packets,
	    slot->counter.bytes);
	last = last_of(stats, verdict);
	if (slot->last_ns > *last)
		*last = slot->last_ns;
}

/* Gives a slot to the peer of a packet, if no other peer is using it. What XDP
 * forwards has no time: there, two peers in turns have a slot that both use. */
static __attribute__((noinline, unused)) bool
traffic_take(struct tl_traffic *slot, __u32 peer, __u32 verdict)
{
	const struct tl_traffic taken = {.peer = peer,
					 .last_ns = bpf_ktime_get_coarse_ns()};

	if (slot->peer != TL_PEER_NONE) {
		if (taken.last_ns - slot->last_ns < TL_TRAFFIC_IDLE_NS)
			return false;
		traffic_flush(slot, verdict);
	}
	*slot = taken;
	return true;
}

/* The slot of a tunnelled packet's peer; NULL if another peer is using it. */
static __always_inline struct tl_traffic *traffic_of(__u32 peer,
						     enum tl_verdict verdict)
{
	const __u32 slot = traffic_slot(traffic_kind(verdict), peer);
	struct tl_traffic *traffic_at = bpf_map_lookup_elem(&traffic, &slot);

	if (!traffic_at || traffic_at->peer == peer ||
	    traffic_take(traffic_at, peer, verdict))
		return traffic_at;
	return NULL;
}

/* Counts a verdict in the row of its peer. */
static __always_inline void count_row(const struct outcome *o)
{
	struct tl_peer_stats *stats = peer_stats_of(o->peer);

	if (!stats)
		return;
	add(&stats->verdicts, o->verdict, 1, o->bytes);
	if (o->now_ns && is_traffic(o->verdict))
		*last_of(stats, o->verdict) = o->now_ns;
}

/* The same as a function of its own: it keeps what few tunnelled packets need
 * out of the way of all others. */
static __attribute__((noinline, unused)) void
count_in_row(__u32 verdict, __u32 peer, __u32 bytes, __u64 now_ns)
{
	const struct outcome o = {verdict, peer, bytes, now_ns};

	count_row(&o);
}

/* Counts a verdict in the slot of its peer, or in the peer's row if slot is
 * NULL. On the short ways now_ns is 0: the time of a peer's last packet is that
 * of the last one on the full way or, of what arrives, by count_time(), up to a
 * second ago. */
static __always_inline void count_slot(struct tl_traffic *slot,
				       const struct outcome *o)
{
	if (!slot) {
		count_in_row(o->verdict, o->peer, o->bytes, o->now_ns);
		return;
	}
	slot->counter.packets++;
	slot->counter.bytes += o->bytes;
	if (o->now_ns)
		slot->last_ns = o->now_ns;
}

/* Keeps the time of a packet from this peer; it is counted apart. */
static __always_inline void count_time(__u32 peer)
{
	const __u64 now = bpf_ktime_get_coarse_ns();
	struct tl_traffic *slot = traffic_of(peer, TL_rx_decap);
	struct tl_peer_stats *stats;

	if (slot) {
		slot->last_ns = now;
		return;
	}
	stats = peer_stats_of(peer);
	if (stats)
		stats->last_rx_ns = now;
}

/* Counts a verdict for its peer. */
static __always_inline void count_peer(const struct outcome *o)
{
	if (o->peer == TL_PEER_NONE)
		return;
	count_slot(is_traffic(o->verdict) ? traffic_of(o->peer, o->verdict)
					  : NULL,
		   o);
}

/* Counts a verdict for the interface. */
static __always_inline void count_interface(enum tl_verdict verdict,
					    __u32 bytes)
{
	const __u32 zero = 0;
	struct tl_verdicts *all = bpf_map_lookup_elem(&verdicts, &zero);

	if (all)
		add(all, verdict, 1, bytes);
}

static __always_inline void count(const struct outcome *o)
{
	count_interface(o->verdict, o->bytes);
	count_peer(o);
}

/* Counts a packet that is tunnelled next: its peer's counters may come from a
 * far cache, and the kernel moves bytes meanwhile. If that fails, uncount()
 * takes it back. */
static __always_inline void count_ahead(const struct outcome *o)
{
	count_interface(o->verdict, o->bytes);
	count_slot(traffic_of(o->peer, o->verdict), o);
}

/* Takes back that a packet was counted as rx_decap or tx_encap, as the kernel
 * refused to change it. */
static __attribute__((noinline, unused)) void uncount(__u32 verdict, __u32 peer,
						      __u32 bytes)
{
	const __u32 zero = 0;
	struct tl_verdicts *all = bpf_map_lookup_elem(&verdicts, &zero);
	struct tl_traffic *slot = traffic_of(peer, verdict);
	struct tl_peer_stats *stats = slot ? NULL : peer_stats_of(peer);

	if (all)
		add(all, verdict, -1, -(__s64)bytes);
	if (stats)
		add(&stats->verdicts, verdict, -1, -(__s64)bytes);
	if (slot) {
		slot->counter.packets--;
		slot->counter.bytes -= bytes;
	}
}

/* The same for a packet that was not tunnelled; needs less stack. */
static __always_inline void count_untunnelled(const struct outcome *o)
{
	count_interface(o->verdict, o->bytes);
	if (o->peer != TL_PEER_NONE)
		count_row(o);
}

#endif
