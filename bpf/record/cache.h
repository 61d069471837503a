/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembers, on each CPU, what the look-ups of a packet's addresses came to:
 * `flows` has tunnel packets that passed, `sources` plain packets that the
 * guard let pass, `strays` destinations that no tunnel leads to. An entry holds
 * for a second at most, and not after a change by the loader, which moves the
 * generation on: so an edit of the maps by hand takes effect within a second.
 * The time is that of jiffies, one load, and no clock is read for a packet that
 * is remembered.
 */
#ifndef TUNLOAD_CACHE_H
#define TUNLOAD_CACHE_H

#include "maps.h"

/* In jiffies, of which a second has 100 (HZ=100) to 1000. A constant that tests
 * change, as slow machines run two packets in more than that. */
const volatile __u64 cache_ttl = 100;

/* The generation of the maps. It is read before the look-ups whose result is
 * kept, so that a change during them makes the entry stale. */
static __always_inline __u32 generation_now(void)
{
	const __u32 zero = 0;
	const volatile __u32 *now = bpf_map_lookup_elem(&generations, &zero);

	return now ? *now : 0;
}

/* 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming,
 * 6.4). */
#define CACHE_HASH 0x9e3779b97f4a7c15ULL

/* The size of `flows`, bits: the loader makes it larger for many prefixes. */
const volatile __u32 flow_bits = CACHE_BITS;

/* The slot of `map`, of 2^bits, for a key of n words, a constant. */
static __always_inline struct cached *
cache_slot(void *map, __u32 bits, const struct cache_key *key, const __u32 n)
{
	__u64 hash = 0;
	__u32 slot;

	for (__u32 i = 0; i < n; i++)
		hash = (hash ^ key->words[i]) * CACHE_HASH;
	slot = hash >> (64 - bits);
	return bpf_map_lookup_elem(map, &slot);
}

/* True if the entry is of that packet, and still holds. */
static __always_inline bool cache_hit(const struct cached *entry,
				      const struct cache_key *key,
				      const __u32 n, const __u8 kind,
				      __u32 generation)
{
	if (entry->kind != kind || entry->generation != generation ||
	    bpf_jiffies64() >= entry->until)
		return false;
	for (__u32 i = 0; i < n; i++)
		if (entry->key.words[i] != key->words[i])
			return false;
	return true;
}

static __always_inline void cache_keep(struct cached *entry,
				       const struct cache_key *key,
				       const __u32 n, const __u8 kind,
				       __u32 generation, __u32 peer)
{
	/* With PREEMPT_RT another packet of this CPU may come in between; it
	 * must not find half of each. */
	entry->kind = 0;
	barrier();
	for (__u32 i = 0; i < n; i++)
		entry->key.words[i] = key->words[i];
	entry->until = bpf_jiffies64() + cache_ttl;
	entry->generation = generation;
	entry->peer = peer;
	barrier();
	entry->kind = kind;
}

#endif
