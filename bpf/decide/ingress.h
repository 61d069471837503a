/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decides about a received packet, for XDP and tc: finds the peer by the outer
 * addresses, checks everything, and determines what to remove.
 */
#ifndef TUNLOAD_INGRESS_H
#define TUNLOAD_INGRESS_H

#include "core/ecn.h"
#include "core/source.h"
#include "icmp.h"

static __always_inline bool guard_suspended(void)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->no_guard_until_ns &&
	       bpf_ktime_get_ns() < iface->no_guard_until_ns;
}

static __always_inline enum tl_verdict
guard(const struct ip_info *ip, enum tl_verdict verdict, struct rx *rx)
{
	__u64 prefix = find_prefix(ip->family, ip->src);

	if (!(prefix_flags(prefix) & TL_PREFIX_F_GUARD) || guard_suspended())
		return verdict;
	rx->outcome.peer = prefix_peer(prefix);
	return TL_rx_borrowed;
}

/* True if the source is in a prefix of the peer. */
static __always_inline bool is_behind(__u64 prefix, const __u8 family,
				      const void *src, __u32 peer)
{
	return prefix_peer(prefix) == peer ||
	       is_shared(prefix, family, src, peer);
}

/* Checks that the inner source is valid, not our own, and allowed for the peer
 * (RFC 4213 3.6), or that routes may allow it (way_back.h). */
static __always_inline enum tl_verdict
check_source(const __u8 family, const void *src, bool routed, struct rx *rx)
{
	const __u32 peer = rx->outcome.peer;
	__u64 prefix;

	if (family == 4 ? ip4_is_martian(*(const __be32 *)src)
			: ip6_is_martian(src))
		return TL_rx_martian;
	prefix = find_prefix(family, src);
	if (prefix_flags(prefix) & TL_PREFIX_F_OWN)
		return TL_rx_own_source;
	rx->lasting = prefix_peer(prefix) == peer;
	return routed || is_behind(prefix, family, src, peer)
		       ? PASSED
		       : TL_rx_not_allowed;
}

/* Refuses IPv4 destinations that only a neighbour on the wire may send to: of
 * link scope, or the broadcast address of one of our networks. A network with
 * one has at most 30 bits, so an address that does not end in two 1 bits needs
 * no look-up. */
static __always_inline enum tl_verdict check_neighbour4(const struct iphdr *ip)
{
	struct tl_broadcast key;

	if (ip4_is_link_scope(ip->daddr))
		return TL_rx_neighbour;
	if (~bpf_ntohl(ip->daddr) & 3)
		return PASSED;
	__builtin_memcpy(key.addr, &ip->daddr, 4);
	return bpf_map_lookup_elem(&broadcasts, &key) ? TL_rx_neighbour
						      : PASSED;
}

/*
 * Refuses packets that only a neighbour on the wire may send. Packets to a
 * link-local destination (RFC 4291 2.5.6) or multicast of link scope (2.7) do
 * not leave their link; through a tunnel they would reach the address of the
 * outer interface from afar. Neighbour discovery is trusted for its hop limit
 * of 255, as it cannot have come through a router (RFC 4861 11.2). A tunnel
 * does not decrement it, so a remote host could change our neighbour entries.
 * The kernel also accepts it after options or a routing header, though nobody
 * sends that, but not in fragments (RFC 6980 5).
 */
static __always_inline enum tl_verdict
check_neighbour6(const struct view *v, const struct ipv6hdr *ip, struct rx *rx)
{
	const __u8 *type = (const void *)(ip + 1);

	/* Never true, but the verifier needs the check. */
	if ((const void *)(ip + 1) > v->end)
		return TL_rx_bad_inner;
	if (ip6_is_link_scope(&ip->daddr))
		return TL_rx_neighbour;
	if (ip->hop_limit != HOP_LIMIT_ND)
		return PASSED;
	if (ip->nexthdr == IPPROTO_HOPOPTS || ip->nexthdr == IPPROTO_ROUTING ||
	    ip->nexthdr == IPPROTO_DSTOPTS)
		return TL_rx_neighbour;
	if (ip->nexthdr != IPPROTO_ICMPV6 || !ip->payload_len)
		return PASSED;
	if ((const void *)(type + 1) > v->end)
		return need_more(v, rx, PASSED, TL_rx_error);
	return icmp6_is_nd(*type) ? TL_rx_neighbour : PASSED;
}

/* Checks the inner header: form, source, destination, ECN. */
static __always_inline enum tl_verdict check_inner(const struct view *v,
						   const struct ip_info *outer,
						   bool routed, struct rx *rx)
{
	const void *at = v->at + outer->hlen;
	const struct ipv6hdr *ip6 = at;
	const struct iphdr *ip4 = at;
	enum tl_verdict verdict;
	__u8 tos;

	rx->inner_family = inner_family(outer->proto);
	if (at + ip_hlen(rx->inner_family) > v->end)
		return need_more(v, rx, TL_rx_bad_inner, TL_rx_error);
	rx->outcome.bytes = outer->tot_len - outer->hlen;
	if (rx->inner_family == 4) {
		verdict = check_inner4(at, v->end, rx->outcome.bytes);
		if (verdict != PASSED)
			return verdict;
		rx->outcome.bytes = bpf_ntohs(ip4->tot_len);
		tos = ip4->tos;
		verdict = check_source(4, &ip4->saddr, routed, rx);
		if (verdict == PASSED)
			verdict = check_neighbour4(ip4);
	} else {
		verdict = check_inner6(at, v->end, rx->outcome.bytes);
		if (verdict != PASSED)
			return verdict;
		rx->outcome.bytes = IP6_HLEN + bpf_ntohs(ip6->payload_len);
		tos = ip6_tclass(ip6);
		verdict = check_source(6, &ip6->saddr, routed, rx);
		if (verdict == PASSED)
			verdict = check_neighbour6(v, ip6, rx);
	}
	if (verdict != PASSED)
		return verdict;
	rx->ecn = ecn_decap(tos, outer->tos);
	if (rx->ecn == ECN_DROP)
		return TL_rx_ecn;
	rx->set_ecn = rx->ecn != (tos & ECN_MASK);
	return PASSED;
}

/* Decides about a packet of protocol 4 or 41 between the addresses of a
 * peer. */
static __always_inline enum tl_verdict
tunnelled(const struct view *v, struct ip_info *outer, struct rx *rx)
{
	const struct tl_peer *peer;
	enum tl_verdict verdict;

	if (outer->fragment)
		return TL_rx_fragment;
	peer = bpf_map_lookup_elem(&peers, &rx->outcome.peer);
	if (!peer)
		return TL_rx_stale_peer;
	verdict = check_outer(v, outer);
	if (verdict != PASSED)
		return verdict;
	if (outer->ttl < peer->min_ttl)
		return TL_rx_low_ttl;
	rx->peer_flags = peer->flags;
	rx->outer_family = outer->family;
	rx->outer_len = outer->hlen;
	return check_inner(v, outer, peer->flags & TL_PEER_F_ROUTED, rx);
}

/* The verdict for a packet with a readable IP header, without the guard. */
static __always_inline enum tl_verdict classify(const struct view *v,
						enum parse_result result,
						struct ip_info *ip,
						struct rx *rx)
{
	if (result == PARSE_SHORT && !v->whole) {
		rx->fallback =
			ip->family == 6 ? TL_rx_too_many_options : TL_rx_error;
		return NEED_MORE;
	}
	if (result == PARSE_MANY_OPTIONS)
		return TL_rx_too_many_options;
	if (result != PARSE_OK && !is_tunnel(ip->proto))
		return TL_rx_plain;
	if (is_tunnel(ip->proto)) {
		rx->outcome.peer = find_peer(ip->family, ip->src, ip->dst);
		if (rx->outcome.peer == TL_PEER_NONE)
			return TL_rx_no_peer;
		return result == PARSE_OK ? tunnelled(v, ip, rx)
					  : TL_rx_bad_outer;
	}
	if (ip->family == 6 && is_gateway6(ip->src))
		return TL_rx_gateway;
	if (!ip->fragment &&
	    ip->proto == (ip->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return icmp(v, ip, rx);
	return TL_rx_plain;
}

/* Refuses ARP from the wire whose sender has a gateway's address. */
static __always_inline enum tl_verdict arp(const struct view *v, struct rx *rx)
{
	const struct arp_packet *arp = v->at;

	if ((const void *)(arp + 1) > v->end)
		return need_more(v, rx, TL_rx_plain, TL_rx_plain);
	return arp_is_ip4(arp) && is_gateway4(arp->spa) ? TL_rx_gateway
							: TL_rx_plain;
}

/*
 * Returns the verdict for the packet with its IP header at v->at and EtherType
 * proto; PASSED if it shall be decapsulated, NEED_MORE if that depends on bytes
 * that are not readable yet. The caller still verifies ICMP errors. Changes
 * nothing.
 */
static __always_inline enum tl_verdict ingress(const struct view *v,
					       __be16 proto, struct rx *rx)
{
	enum parse_result result = PARSE_MALFORMED;
	enum tl_verdict verdict, final;
	struct ip_info ip = {};

	rx->outcome.peer = TL_PEER_NONE;
	rx->outcome.bytes = v->len;
	if (proto == bpf_htons(ETH_P_IP))
		result = parse_ip4(v->at, v->end, &ip);
	else if (proto == bpf_htons(ETH_P_IPV6))
		result = parse_ip6(v->at, v->end, &ip);
	else if (proto == bpf_htons(ETH_P_ARP))
		return arp(v, rx);
	if (!ip.family)
		return result == PARSE_SHORT
			       ? need_more(v, rx, TL_rx_plain, TL_rx_plain)
			       : TL_rx_plain;

	verdict = classify(v, result, &ip, rx);
	final = verdict == NEED_MORE ? rx->fallback : verdict;
	if (is_plain(final))
		final = guard(&ip, final, rx);
	if (verdict != NEED_MORE)
		return final;
	rx->fallback = final;
	return NEED_MORE;
}

#endif
