/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way of ingress() for nearly every packet: no options, no fragment,
 * no SYN, all headers readable, nothing wrong, and its addresses looked up
 * before (record/cache.h). Each function returns false for a packet that it
 * does not pass, and changes nothing; ingress() then finds the verdict.
 */
#ifndef TUNLOAD_LEAN_H
#define TUNLOAD_LEAN_H

#include "core/mss.h"
#include "flows.h"
#include "ingress.h"

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
	entry = flow_find(v->at, outer, inner);
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
