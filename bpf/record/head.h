/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembers, on each CPU, how packets into the tunnel of a peer begin: the link
 * layer header towards its endpoint, which `next_hops` has, and the outer
 * header. It holds as long as the next hop does, a second at most, and not
 * after a change by the loader, or when an MTU was learned.
 */
#ifndef TUNLOAD_HEAD_H
#define TUNLOAD_HEAD_H

#include "cache.h"
#include "learned.h"

static __always_inline struct tl_next_hop *next_hop_slot(__u32 peer)
{
	const __u32 slot = peer_slot(peer);

	return bpf_map_lookup_elem(&next_hops, &slot);
}

/* The header that this CPU keeps for that peer, or NULL. */
static __always_inline const struct tl_next_hop *next_hop_known(__u32 peer)
{
	const struct tl_next_hop *hop = next_hop_slot(peer);

	return hop && hop->peer == peer && bpf_jiffies64() < hop->until ? hop
									: NULL;
}

/* True if the endpoint and the local address of a peer are known. */
static __always_inline bool is_ready(const struct tl_peer *peer)
{
	const __u64 *local = (const __u64 *)peer->local;

	return (peer->family == 4 || peer->family == 6) &&
	       (local[0] | local[1]) != 0;
}

static __always_inline __u64 generations_now(void)
{
	return *(const volatile __u64 *)&generations;
}

static __attribute__((noinline, unused)) bool
head_keep(struct cached_head *entry, __u32 peer)
{
	__u64 generation = generations_now();
	const struct tl_peer *from = bpf_map_lookup_elem(&peers, &peer);
	const struct tl_next_hop *hop = next_hop_known(peer);

	if (!from || !hop || !is_ready(from))
		return false;
	entry->peer = TL_PEER_NONE; /* as in cache_keep() */
	barrier();
	prepare_outer(&entry->head, from, hop->macs);
	entry->head.mtu = peer_mtu(peer, from->mtu);
	entry->until = bpf_jiffies64() + cache_ttl;
	if (hop->until < entry->until)
		entry->until = hop->until;
	entry->generation = generation;
	barrier();
	entry->peer = peer;
	return true;
}

/* How packets to that peer begin; NULL if it is not ready, or its next hop is
 * not known. */
static __always_inline const struct prepared *head_of(__u32 peer)
{
	const __u32 slot = cpu_slot(peer);
	struct cached_head *entry = bpf_map_lookup_elem(&heads, &slot);

	if (!entry)
		return NULL;
	if (entry->peer == peer && entry->generation == generations_now() &&
	    bpf_jiffies64() < entry->until)
		return &entry->head;
	return head_keep(entry, peer) ? &entry->head : NULL;
}

#endif
