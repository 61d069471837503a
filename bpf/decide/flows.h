/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tunnel packets that this CPU remembers (record/cache.h): their key, which
 * is all their addresses but the inner destination, where they are kept, and
 * how long.
 */
#ifndef TUNLOAD_FLOWS_H
#define TUNLOAD_FLOWS_H

#include "core/load.h"
#include "record/cache.h"
#include "admit.h"
#include "rx.h"

/* Words of a key of that family: the source of a plain packet, or both outer
 * addresses. */
static __always_inline __u32 source_words(const __u8 family)
{
	return family == 4 ? 1 : 2;
}

static __always_inline __u32 outer_words(const __u8 family)
{
	return family == 4 ? 1 : 4;
}

/* The offset of the source address in an IP header; the destination follows
 * it. */
static __always_inline __u32 source_at(const __u8 family)
{
	return family == 4 ? offsetof(struct iphdr, saddr)
			   : offsetof(struct ipv6hdr, saddr);
}

/* Writes a source address to a key; returns its words. */
static __always_inline __u32 put_source(__u64 *words, const __u8 family,
					const void *source)
{
	words[0] = family == 4 ? load32(source) : load64(source);
	if (family == 6)
		words[1] = load64(source + 8);
	return source_words(family);
}

static __always_inline __u8 flow_kind(const __u8 outer, const __u8 inner)
{
	return outer << 4 | inner;
}

/* The kind of a packet that ingress() has passed, for flow_keep_any(). Where
 * XDP forwards, entries do not last: a packet of each source goes up once in
 * cache_ttl, so that the kernel keeps its neighbour. */
static __always_inline __u8 flow_kind_of(const struct rx *rx)
{
	return flow_kind(rx->outer_family, rx->inner_family) |
	       (rx->lasting && !forward_xdp ? FLOW_LASTING : 0);
}

/* Fills the key of a tunnel packet of two constant families, with its outer
 * header at `at`; returns its words. */
static __always_inline __u32 flow_key(struct cache_key *key, const void *at,
				      const __u8 outer, const __u8 inner)
{
	const void *source = at + ip_hlen(outer) + source_at(inner);
	const __u32 n = outer_words(outer);

	for (__u32 i = 0; i < n; i++)
		key->words[i] = load64(at + source_at(outer) + 8 * i);
	return n + put_source(&key->words[n], inner, source);
}

/* The first slot of its set; the outer destination, which is ours, says
 * little. */
static __always_inline __u32 flow_slot(const void *at, const __u8 outer,
				       const __u8 inner)
{
	const void *addrs = at + source_at(outer);
	__u64 words[4] = {load64(addrs)};
	__u32 n = 1;

	if (outer == 6)
		words[n++] = load64(addrs + 8);
	n += put_source(words + n, inner,
			at + ip_hlen(outer) + source_at(inner));
	return cache_index(flow_bits, words, n);
}

/* The peer of a packet's outer addresses, or TL_PEER_NONE, also for one with
 * special keys. */
static __always_inline __u32 flow_peer(const void *at, const __u8 outer)
{
	const void *addrs = at + source_at(outer);
	const __u32 id = find_peer(outer, addrs, addrs + (outer == 4 ? 4 : 16));

	return id == TL_PEER_NONE || is_special(id) ? TL_PEER_NONE : id;
}

/* True if n words, a constant of at most 4, are those in the packet. */
static __always_inline bool same_packet_words(const __u64 *words,
					      const void *at, const __u32 n)
{
	return words[0] == load64(at) &&
	       (n < 2 || words[1] == load64(at + 8)) &&
	       (n < 3 || words[2] == load64(at + 16)) &&
	       (n < 4 || words[3] == load64(at + 24));
}

/* Until when a packet's outer addresses are known to be the peer's, jiffies; 0
 * if they are not. They are looked up once a second. */
static __always_inline __u64 path_until(const void *at, const __u8 outer,
					__u32 peer)
{
	const void *addrs = at + source_at(outer);
	const __u64 now = bpf_jiffies64(), until = now + lasting_ttl();
	const __u32 generation = generation_now(), n = outer_words(outer);
	struct cached_path *path = path_at(peer);

	if (!path)
		return 0;
	if (path->peer == peer && path->family == outer &&
	    path->generation == generation && now < path->until &&
	    same_packet_words(path->words, addrs, n))
		return path->until;
	if (flow_peer(at, outer) != peer)
		return 0;
	path->peer = TL_PEER_NONE; /* as in cache_keep() */
	barrier();
	for (__u32 i = 0; i < n; i++)
		path->words[i] = load64(addrs + 8 * i);
	path->family = outer;
	path->generation = generation;
	path->until = until;
	barrier();
	path->peer = peer;
	return until;
}

/* Makes a lasting entry that has expired hold again, if its outer addresses are
 * still the peer's. Prefixes are not looked up again: only the loader can
 * change them, which makes all entries stale. */
static __always_inline bool flow_renew(struct cached *entry, const void *at,
				       const __u8 outer)
{
	__u64 until;

	/* The first for the verifier: then no entry lasts. */
	if (forward_xdp || !entry->lasting)
		return false;
	until = path_until(at, outer, entry->peer);
	if (!until)
		return false;
	entry->until = until;
	return true;
}

/* True if an entry is of the packet of two constant families whose outer header
 * is at `at`. The addresses are read a second time to compare them, as they are
 * more than the registers hold. */
static __always_inline bool is_flow(const struct cached *entry, const void *at,
				    const __u8 outer, const __u8 inner)
{
	const void *source = at + ip_hlen(outer) + source_at(inner);
	const __u32 n = outer_words(outer);

	return entry->kind == flow_kind(outer, inner) &&
	       same_packet_words(entry->key.words, at + source_at(outer), n) &&
	       (inner == 4
			? entry->key.words[n] == load32(source)
			: same_packet_words(entry->key.words + n, source, 2));
}

/* The entry of that packet in the set of a slot, or NULL; one that has expired
 * and is renewed if there is no other. */
static __always_inline struct cached *
flow_in_set(__u32 slot, const void *at, const __u8 outer, const __u8 inner)
{
	const __u32 generation = generation_now();
	struct cached *expired = NULL;

	for (__u32 i = 0; i < CACHE_SET; i++) {
		struct cached *entry = flow_at(slot ^ i);

		if (!entry || entry->generation != generation ||
		    !is_flow(entry, at, outer, inner))
			continue;
		if (cache_holds(entry, generation))
			return entry;
		expired = entry;
	}
	return expired && flow_renew(expired, at, outer) ? expired : NULL;
}

/* The entry of a packet that is not in the first slot, or has expired there. It
 * goes to the first slot: so of two flows that want one slot the busy one has
 * it mostly, whichever came first. */
static __always_inline struct cached *
flow_to_first(const void *at, const __u8 outer, const __u8 inner)
{
	const __u32 slot = flow_slot(at, outer, inner);
	struct cached *entry = flow_in_set(slot, at, outer, inner);
	struct cached *first = flow_at(slot);

	if (!entry || !first)
		return NULL;
	cache_swap(first, entry);
	return first;
}

/* The same of a kind. Keeps the time of the packet: entries expire, so the time
 * of a peer's last packet is right to a second. */
static __attribute__((noinline, unused)) struct cached *
flow_elsewhere(const void *at, __u8 kind)
{
	struct cached *entry;

	if (kind == flow_kind(4, 4))
		entry = flow_to_first(at, 4, 4);
	else if (kind == flow_kind(4, 6))
		entry = flow_to_first(at, 4, 6);
	else if (kind == flow_kind(6, 4))
		entry = flow_to_first(at, 6, 4);
	else
		entry = flow_to_first(at, 6, 6);
	if (entry)
		count_time(entry->peer);
	return entry;
}

/* The entry of a packet of two constant families whose outer header is at `at`,
 * or NULL. */
static __always_inline struct cached *
flow_find(const void *at, const __u8 outer, const __u8 inner)
{
	struct cached *entry = flow_at(flow_slot(at, outer, inner));

	if (entry && is_flow(entry, at, outer, inner) &&
	    cache_holds(entry, generation_now()))
		return entry;
	return flow_elsewhere(at, flow_kind(outer, inner));
}

/* Remembers the peer of a packet that ingress() has passed, with its outer
 * header at `at` and without options. lasting: FLOW_LASTING or 0; generation:
 * from before its look-ups. */
static __always_inline void flow_keep(const void *at, const void *end,
				      const __u8 outer, const __u8 inner,
				      __u8 lasting, __u32 generation,
				      __u32 peer)
{
	struct cache_key key;
	struct cached *entry;
	__u32 n;

	if (at + ip_hlen(outer) + ip_hlen(inner) > end)
		return;
	n = flow_key(&key, at, outer, inner);
	entry = flow_place(flow_slot(at, outer, inner), generation);
	if (entry)
		cache_keep(entry, &key, n, flow_kind(outer, inner) | lasting,
			   generation, peer);
}

/* The same of any families; the packet starts with its link layer header, and
 * its inner header is at inner_at. */
static __always_inline void flow_keep_any(const void *data, const void *end,
					  __u32 inner_at, __u8 kind,
					  __u32 generation, __u32 peer)
{
	const __u8 lasting = kind & FLOW_LASTING;
	const void *at = data + ETH_HLEN;

	kind &= ~FLOW_LASTING;
	if (inner_at != ETH_HLEN + ip_hlen(kind >> 4))
		return;
	if (kind == flow_kind(4, 4))
		flow_keep(at, end, 4, 4, lasting, generation, peer);
	else if (kind == flow_kind(4, 6))
		flow_keep(at, end, 4, 6, lasting, generation, peer);
	else if (kind == flow_kind(6, 4))
		flow_keep(at, end, 6, 4, lasting, generation, peer);
	else
		flow_keep(at, end, 6, 6, lasting, generation, peer);
}

#endif
