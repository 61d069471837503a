/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembers, on each CPU, what the look-ups of a packet's addresses came to:
 * `flows` has tunnel packets that passed, `paths` the outer addresses of peers,
 * `sources` plain packets that the guard let pass, `strays` destinations that
 * no tunnel leads to. An entry holds for a second at most, unless it is renewed
 * (flow_renew() in decide/flows.h), and not after a change by the loader, which
 * moves the generation on: so an edit of the maps by hand takes effect within a
 * second. The time is that of jiffies, one load, and no clock is read for a
 * packet that is remembered.
 */
#ifndef TUNLOAD_CACHE_H
#define TUNLOAD_CACHE_H

#include "maps.h"

/* In jiffies, of which a second has 100 (HZ=100) to 1000. A constant that tests
 * change, as slow machines run two packets in more than that. */
const volatile __u64 cache_ttl = 100;

/* The same of entries that are renewed (flow_renew()): the loader writes the
 * jiffies of a second, of which it can know the number. */
const volatile __u64 renew_ttl = 100;

static __always_inline __u64 lasting_ttl(void)
{
	return renew_ttl > cache_ttl ? renew_ttl : cache_ttl;
}

/* The generation of the maps. It is read before the look-ups whose result is
 * kept, so that a change during them makes the entry stale. */
static __always_inline __u32 generation_now(void)
{
	return generations.maps;
}

/* The size of `flows`, bits: the loader makes it larger for many prefixes. */
const volatile __u32 flow_bits = CACHE_BITS;

/*
 * The number of the slot in a map of 2^bits for n words, a constant. The ends
 * of addresses in network order are the highest bits of a word, and a product
 * never brings those down: so the bytes are reversed after every other word, or
 * a thousand IPv6 peers with a prefix each would have 180 slots. Not after the
 * last: prefixes that follow one another have slots of their own.
 */
static __always_inline __u32 cache_index(__u32 bits, const __u64 *words,
					 const __u32 n)
{
	__u64 hash = 0;

	for (__u32 i = 0; i < n; i++) {
		hash = (hash ^ words[i]) * GOLDEN_RATIO;
		if (i % 2 && i + 1 < n)
			hash = __builtin_bswap64(hash);
	}
	return hash >> (64 - bits);
}

/* The slot itself. */
static __always_inline struct cached *
cache_slot(void *map, __u32 bits, const struct cache_key *key, const __u32 n)
{
	const __u32 slot = cache_index(bits, key->words, n);

	return bpf_map_lookup_elem(map, &slot);
}

/* True if the entry still holds. */
static __always_inline bool cache_holds(const struct cached *entry,
					__u32 generation)
{
	return entry->generation == generation &&
	       bpf_jiffies64() < entry->until;
}

static __always_inline bool one_word_same(const __u64 *a, const __u64 *b,
					  const __u32 i, const __u32 n)
{
	return i >= n || a[i] == b[i];
}

/* True if n words, a constant of at most 10, are the same. As a loop the
 * compiler would leave it one. */
static __always_inline bool same_words(const __u64 *a, const __u64 *b,
				       const __u32 n)
{
	return one_word_same(a, b, 0, n) && one_word_same(a, b, 1, n) &&
	       one_word_same(a, b, 2, n) && one_word_same(a, b, 3, n) &&
	       one_word_same(a, b, 4, n) && one_word_same(a, b, 5, n) &&
	       one_word_same(a, b, 6, n) && one_word_same(a, b, 7, n) &&
	       one_word_same(a, b, 8, n) && one_word_same(a, b, 9, n);
}

/* True if the entry is of that packet, and still holds. */
static __always_inline bool cache_hit(const struct cached *entry,
				      const struct cache_key *key,
				      const __u32 n, const __u8 kind,
				      __u32 generation)
{
	return entry->kind == kind && cache_holds(entry, generation) &&
	       same_words(entry->key.words, key->words, n);
}

/* The slot of that number in this CPU's part of `flows`. */
static __always_inline struct cached *flow_at(__u32 slot)
{
	const __u32 at = bpf_get_smp_processor_id() << flow_bits | slot;

	return bpf_map_lookup_elem(&flows, &at);
}

/* The slot of a peer in this CPU's part of `paths`. */
static __always_inline struct cached_path *path_at(__u32 peer)
{
	const __u32 at = cpu_slot(peer);

	return bpf_map_lookup_elem(&paths, &at);
}

/* In `flows`, neighbouring slots are a set: an entry is in any of them, as a
 * packet that misses costs some thirty times as much as one that does not. */
#define CACHE_SET 4

/* Makes two entries change places; they may be one. */
static __always_inline void cache_swap(struct cached *a, struct cached *b)
{
	const __u32 last = sizeof(*a) / sizeof(__u64) - 1;
	__u64 *words_a = (__u64 *)a, *words_b = (__u64 *)b;
	__u64 last_a = words_a[last], last_b = words_b[last];

	/* The last word has the kind; see cache_keep(). */
	words_a[last] = words_b[last] = 0;
	barrier();
	for (__u32 i = 0; i < last; i++) {
		__u64 word = words_a[i];

		words_a[i] = words_b[i];
		words_b[i] = word;
	}
	barrier();
	words_a[last] = last_b;
	words_b[last] = last_a;
}

/* The slot to keep an entry in: a free one of the set, or one that has expired,
 * if there is one. */
static __always_inline struct cached *flow_place(const __u32 slot,
						 __u32 generation)
{
	struct cached *expired = NULL;

	for (__u32 i = 0; i < CACHE_SET; i++) {
		struct cached *entry = flow_at(slot ^ i);

		if (entry && (!entry->kind || entry->generation != generation))
			return entry;
		if (entry && !expired && !cache_holds(entry, generation))
			expired = entry;
	}
	return expired ?: flow_at(slot);
}

/* In a kind: the entry may be renewed. */
#define FLOW_LASTING 0x80

/* Writes an entry; kind may have FLOW_LASTING. */
static __always_inline void cache_keep(struct cached *entry,
				       const struct cache_key *key,
				       const __u32 n, const __u8 kind,
				       __u32 generation, __u32 peer)
{
	/* With PREEMPT_RT another packet of this CPU may come in between; it
	 * must not find half of each. */
	entry->kind = 0;
	entry->lasting = kind >> 7;
	barrier();
	for (__u32 i = 0; i < n; i++)
		entry->key.words[i] = key->words[i];
	entry->until = bpf_jiffies64() +
		       (kind & FLOW_LASTING ? lasting_ttl() : cache_ttl);
	entry->generation = generation;
	entry->peer = peer;
	barrier();
	entry->kind = kind & ~FLOW_LASTING;
}

#endif
