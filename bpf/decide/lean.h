/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way of ingress() for nearly every packet: no options, no fragment,
 * no SYN, all headers readable, nothing wrong, and its addresses looked up
 * before (record/cache.h). Each function returns false for a packet that it
 * does not pass, and changes nothing; ingress() then finds the verdict.
 */
#ifndef TUNLOAD_LEAN_H
#define TUNLOAD_LEAN_H

#include "core/load.h"
#include "core/mss.h"
#include "record/cache.h"
#include "admit.h"
#include "ingress.h"

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

/* Makes a lasting entry that has expired hold again, if its outer addresses are
 * still the peer's. Prefixes are not looked up again: only the loader can
 * change them, which makes all entries stale. */
static __always_inline bool flow_renew(struct cached *entry, const void *at,
				       const __u8 outer)
{
	/* The first for the verifier: then no entry lasts. */
	if (forward_xdp || !entry->lasting ||
	    flow_peer(at, outer) != entry->peer)
		return false;
	entry->until = bpf_jiffies64() + lasting_ttl();
	return true;
}

/* The entry of a packet that is not in the first slot, or has expired there. */
static __attribute__((noinline, unused)) struct cached *
flow_elsewhere(__u32 slot, const void *at, __u8 kind)
{
	const __u32 generation = generation_now();
	struct cached *entry;
	struct cache_key key;
	__u32 n;

	if (kind == flow_kind(4, 4))
		n = flow_key(&key, at, 4, 4);
	else if (kind == flow_kind(4, 6))
		n = flow_key(&key, at, 4, 6);
	else if (kind == flow_kind(6, 4))
		n = flow_key(&key, at, 6, 4);
	else
		n = flow_key(&key, at, 6, 6);
	entry = flow_search(slot, &key, n, kind, generation);
	if (!entry || cache_holds(entry, generation))
		return entry;
	return (kind >> 4 == 4 ? flow_renew(entry, at, 4)
			       : flow_renew(entry, at, 6))
		       ? entry
		       : NULL;
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

/* The entry of a packet of two constant families whose outer header is at `at`,
 * or NULL. The addresses are read a second time to compare them, as they are
 * more than the registers hold. Sets *now_ns, unless the entry was in its first
 * slot and held: so the time of a peer's last packet moves on. */
static __always_inline struct cached *
flow_find(const void *at, const __u8 outer, const __u8 inner, __u64 *now_ns)
{
	const void *source = at + ip_hlen(outer) + source_at(inner);
	const __u32 slot = flow_slot(at, outer, inner);
	const __u8 kind = flow_kind(outer, inner);
	struct cached *entry = flow_at(slot);
	const __u32 n = outer_words(outer);

	if (entry && entry->kind == kind &&
	    same_packet_words(entry->key.words, at + source_at(outer), n) &&
	    (inner == 4 ? entry->key.words[n] == load32(source)
			: same_packet_words(entry->key.words + n, source, 2)) &&
	    cache_holds(entry, generation_now()))
		return entry;
	entry = flow_elsewhere(slot, at, kind);
	if (entry)
		*now_ns = bpf_ktime_get_coarse_ns();
	return entry;
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

/* The checks of check_inner() of an inner packet of len bytes, without those of
 * its source. Sets *tos and *bytes. */
static __always_inline bool lean_inner4(const struct iphdr *ip, const void *end,
					__u32 len, __u8 *tos, __u32 *bytes)
{
	/* A TCP header behind options is not looked for. */
	if (*(const __u8 *)ip != 0x45 || check_inner4(ip, end, len) != PASSED ||
	    check_neighbour4(ip) != PASSED ||
	    may_be_syn(ip->protocol, ip + 1, end))
		return false;
	*tos = ip->tos;
	*bytes = bpf_ntohs(ip->tot_len);
	return true;
}

static __always_inline bool lean_inner6(const struct ipv6hdr *ip,
					const void *end, __u32 len, __u8 *tos,
					__u32 *bytes)
{
	if (check_inner6(ip, end, len) != PASSED ||
	    ip->hop_limit == HOP_LIMIT_ND || ip6_is_link_scope(&ip->daddr) ||
	    may_be_syn(ip->nexthdr, ip + 1, end))
		return false;
	*tos = ip6_tclass(ip);
	*bytes = IP6_HLEN + bpf_ntohs(ip->payload_len);
	return true;
}

/* What a hook does with a packet that passed, in each place where one does: so
 * the compiler knows the families there, and keeps no `rx` for all of them.
 * take() returns a number other than 0. */
struct lean_hook {
	int (*take)(void *ctx, struct rx *rx);
	void *ctx;
	bool sets_ecn; /* false: packets whose ECN field changes do not pass */
};

/* A tunnel packet of two constant families whose outer header is right; len:
 * bytes behind it. */
static __always_inline int lean_tunnel(const struct view *v, __u32 len,
				       const __u8 outer, const __u8 inner,
				       __u8 outer_tos,
				       const struct lean_hook *hook)
{
	const void *at = v->at + ip_hlen(outer);
	struct cached *entry;
	struct rx rx = {};
	__u8 tos;

	if (at + ip_hlen(inner) > v->end)
		return 0;
	if (outer == 4 && !ip4_checksum_is_right(v->at))
		return 0;
	if (!(inner == 4
		      ? lean_inner4(at, v->end, len, &tos, &rx.outcome.bytes)
		      : lean_inner6(at, v->end, len, &tos, &rx.outcome.bytes)))
		return 0;
	rx.ecn = ecn_decap(tos, outer_tos);
	if (rx.ecn == ECN_DROP)
		return 0;
	rx.set_ecn = rx.ecn != (tos & ECN_MASK);
	if (rx.set_ecn && !hook->sets_ecn)
		return 0;
	entry = flow_find(v->at, outer, inner, &rx.outcome.now_ns);
	if (!entry)
		return 0;
	rx.outcome.verdict = TL_rx_decap;
	rx.outcome.peer = entry->peer;
	rx.generation = entry->generation;
	rx.until = entry->until;
	rx.outer_family = outer;
	rx.inner_family = inner;
	rx.outer_len = ip_hlen(outer);
	return hook->take(hook->ctx, &rx);
}

/* What `sources` keeps of an address of this host, in place of a peer. */
#define SOURCE_OWN 1

static __always_inline void pass_plain(const struct view *v, struct rx *rx)
{
	rx->outcome.verdict = TL_rx_plain;
	rx->outcome.peer = TL_PEER_NONE;
	rx->outcome.bytes = v->len;
}

/* A packet that is of no tunnel: passes if the guard does not know its
 * source. */
static __always_inline bool lean_plain(const struct view *v, const __u8 family,
				       const void *source, struct rx *rx)
{
	__u32 generation = generation_now();
	__u64 prefix;
	struct cached *entry;
	struct cache_key key;
	const __u32 n = put_source(key.words, family, source);

	entry = cache_slot(&sources, CACHE_BITS, &key, n);
	if (!entry)
		return false;
	if (!cache_hit(entry, &key, n, family, generation)) {
		prefix = find_prefix(family, source);
		if (prefix_flags(prefix) & TL_PREFIX_F_GUARD)
			return false;
		cache_keep(entry, &key, n, family, generation,
			   prefix_flags(prefix) & TL_PREFIX_F_OWN
				   ? SOURCE_OWN
				   : TL_PEER_NONE);
	}
	rx->may_enter = entry->peer != SOURCE_OWN;
	rx->inner_family = family;
	pass_plain(v, rx);
	return true;
}

static __always_inline int take_plain(const struct view *v, const __u8 family,
				      const void *source,
				      const struct lean_hook *hook)
{
	struct rx rx = {};

	return lean_plain(v, family, source, &rx) ? hook->take(hook->ctx, &rx)
						  : 0;
}

static __always_inline int lean4(const struct view *v,
				 const struct lean_hook *hook)
{
	const struct iphdr *ip = v->at;
	__u32 len;

	if ((const void *)(ip + 1) > v->end || *(const __u8 *)v->at != 0x45)
		return 0;
	len = bpf_ntohs(ip->tot_len);
	if (!is_tunnel(ip->protocol))
		return ip->protocol != IPPROTO_ICMP && len <= v->len
			       ? take_plain(v, 4, &ip->saddr, hook)
			       : 0;
	if (ip4_is_fragment(ip) || len < IP4_HLEN || len > v->len)
		return 0;
	if (ip->protocol == IPPROTO_IPIP)
		return lean_tunnel(v, len - IP4_HLEN, 4, 4, ip->tos, hook);
	return lean_tunnel(v, len - IP4_HLEN, 4, 6, ip->tos, hook);
}

static __always_inline int lean6(const struct view *v,
				 const struct lean_hook *hook)
{
	const struct ipv6hdr *ip = v->at;
	__u32 len;

	if ((const void *)(ip + 1) > v->end || ip->version != 6)
		return 0;
	len = bpf_ntohs(ip->payload_len);
	if (IP6_HLEN + len > v->len)
		return 0;
	if (ip->nexthdr == IPPROTO_IPIP)
		return lean_tunnel(v, len, 6, 4, ip6_tclass(ip), hook);
	if (ip->nexthdr == IPPROTO_IPV6)
		return lean_tunnel(v, len, 6, 6, ip6_tclass(ip), hook);
	if ((ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP) ||
	    is_gateway6(&ip->saddr))
		return 0;
	return take_plain(v, 6, &ip->saddr, hook);
}

/*
 * Decides about the packet with its IP header at v->at and EtherType proto, of
 * which v->len bytes are readable and v->end is the end, if it is rx_decap or
 * rx_plain. Returns what hook->take() does, or 0 if it is neither.
 */
static __always_inline int lean(const struct view *v, __be16 proto,
				const struct lean_hook *hook)
{
	struct rx rx = {};

	if (proto == bpf_htons(ETH_P_IP))
		return lean4(v, hook);
	if (proto == bpf_htons(ETH_P_IPV6))
		return lean6(v, hook);
	if (is_vlan(proto) ||
	    (proto == bpf_htons(ETH_P_ARP) && arp(v, &rx) != TL_rx_plain))
		return 0;
	pass_plain(v, &rx);
	return hook->take(hook->ctx, &rx);
}

#endif
