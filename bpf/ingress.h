/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of a packet that arrives, the same for XDP and tc: find the peer
 * by the outer addresses, check everything, and say what to take off.
 */
#ifndef TUNLOAD_INGRESS_H
#define TUNLOAD_INGRESS_H

#include "count.h"
#include "ecn.h"
#include "source.h"

/* Not a verdict: more of the packet has to be made readable first. */
#define NEED_MORE TL_VERDICT_COUNT

struct rx {
	struct outcome outcome;
	enum tl_verdict fallback; /* after NEED_MORE, if more cannot be had */
	__u8 outer_family;
	__u8 inner_family;
	__u8 ecn;	 /* the inner ECN field to be */
	bool set_ecn;	 /* and whether it is to be changed */
	__u32 outer_len; /* bytes to take off */
};

/* A packet from its first IP header on. */
struct view {
	const void *at;
	const void *end; /* of what is readable */
	__u32 len;	 /* of the packet, bytes */
	bool whole;	 /* all of it is readable */
};

static __always_inline enum tl_verdict need_more(const struct view *v,
						 struct rx *rx,
						 enum tl_verdict truncated,
						 enum tl_verdict fallback)
{
	if (v->whole)
		return truncated;
	rx->fallback = fallback;
	return NEED_MORE;
}

static __always_inline bool same_addr(__u8 family, const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	if (family == 4)
		return x[0] == y[0];
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

/* The peer of an outer packet that came from `remote` to `local`. */
static __always_inline __u32 find_peer(__u8 family, const void *remote,
				       const void *local)
{
	struct tl_endpoint key = {.family = family};
	struct tl_peer_id *id;

	copy_addr(key.endpoint, remote, family);
	copy_addr(key.local, local, family);
	id = bpf_map_lookup_elem(&endpoints, &key);
	return id ? id->peer : TL_PEER_NONE;
}

static __always_inline const struct tl_prefix *find_prefix(__u8 family,
							   const void *addr)
{
	if (family == 4) {
		struct tl_prefix4 key = {.prefixlen = 32};

		__builtin_memcpy(key.addr, addr, sizeof(key.addr));
		return bpf_map_lookup_elem(&prefixes4, &key);
	} else {
		struct tl_prefix6 key = {.prefixlen = 128};

		__builtin_memcpy(key.addr, addr, sizeof(key.addr));
		return bpf_map_lookup_elem(&prefixes6, &key);
	}
}

static __always_inline bool guard_suspended(void)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->flags & TL_IF_F_NO_GUARD;
}

/* Not from the outer address of a peer in a tunnel: passes, unless its source
 * is a tunnelled prefix that it only borrows. */
static __always_inline bool is_plain(enum tl_verdict verdict)
{
	return verdict == TL_rx_plain || verdict == TL_rx_no_peer ||
	       verdict == TL_rx_too_many_options ||
	       (verdict >= TL_rx_icmp_too_big && verdict <= TL_rx_icmp_other);
}

static __always_inline enum tl_verdict
guard(const struct ip_info *ip, enum tl_verdict verdict, struct rx *rx)
{
	const struct tl_prefix *prefix = find_prefix(ip->family, ip->src);

	if (!prefix || !(prefix->flags & TL_PREFIX_F_GUARD) ||
	    guard_suspended())
		return verdict;
	rx->outcome.peer = prefix->peer;
	return TL_rx_borrowed;
}

/* The verdict for an ICMP type about one of our outer packets (RFC 792; RFC
 * 4443 3), or rx_plain for what is no error. */
static __always_inline enum tl_verdict icmp_verdict(__u8 family, __u8 type,
						    __u8 code)
{
	if (family == 4) {
		switch (type) {
		case 3:
			return code == 4 ? TL_rx_icmp_too_big
					 : TL_rx_icmp_unreachable;
		case 11:
			return TL_rx_icmp_time_exceeded;
		case 4:
		case 12:
			return TL_rx_icmp_other;
		}
		return TL_rx_plain;
	}
	switch (type) {
	case 1:
		return TL_rx_icmp_unreachable;
	case 2:
		return TL_rx_icmp_too_big;
	case 3:
		return TL_rx_icmp_time_exceeded;
	case 4:
		return TL_rx_icmp_other;
	}
	return TL_rx_plain;
}

/* What can be seen of the inner packet in a quoted outer one is what we would
 * have sent to that peer: its version, its length, and if the quotation goes
 * that far, a destination behind the peer. Routers may quote no more than eight
 * bytes of it (RFC 792). */
static __always_inline bool is_ours(const struct view *v, const void *at,
				    const struct ip_info *quoted, __u32 peer)
{
	const struct tl_prefix *prefix;
	const struct ipv6hdr *ip6 = at;
	const struct iphdr *ip4 = at;
	__u32 len = quoted->tot_len - quoted->hlen;

	if (at + 8 > v->end)
		return false;
	if (quoted->proto == NEXT_IPV4) {
		if (ip4->version != 4 || bpf_ntohs(ip4->tot_len) != len)
			return false;
		if ((const void *)(ip4 + 1) > v->end)
			return true;
		prefix = find_prefix(4, &ip4->daddr);
	} else {
		if (ip6->version != 6 ||
		    IP6_HLEN + bpf_ntohs(ip6->payload_len) != len)
			return false;
		if ((const void *)(ip6 + 1) > v->end)
			return true;
		prefix = find_prefix(6, &ip6->daddr);
	}
	return prefix && prefix->peer == peer;
}

/* The peer's MTU: what was learnt from ICMP, while that holds. */
static __always_inline __u32 peer_mtu(const struct tl_peer *peer)
{
	__u32 learned = peer->learned_mtu;

	if (learned && learned < peer->mtu &&
	    bpf_ktime_get_coarse_ns() < peer->learned_until_ns)
		return learned;
	return peer->mtu;
}

/*
 * Learns the path MTU of a peer from an ICMP error that passes all checks: it
 * was sent to us, about a packet that we can have sent, which was larger than
 * the MTU that it announces. Never below what the outer family guarantees: for
 * IPv4 that much is learnt (RFC 791 3.1), for IPv6 the error is discarded (RFC
 * 8201 4). Never upwards; forgotten after a while (RFC 1191 6.3, RFC 8201 4).
 */
static __always_inline void learn_mtu(const struct view *v,
				      const struct ip_info *quoted,
				      const void *inner, __u32 mtu, __u32 peer)
{
	const __u32 least = quoted->family == 4 ? 576 : 1280;
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);
	struct tl_peer *p = bpf_map_lookup_elem(&peers, &peer);
	__u32 header = outer_header_len(quoted->family);

	if (!p || !iface || !mtu || quoted->tot_len <= mtu ||
	    quoted->tot_len > p->mtu + header ||
	    !is_ours(v, inner, quoted, peer))
		return;
	if (mtu < least && quoted->family == 6)
		return;
	if (mtu < least)
		mtu = least;
	mtu -= header;
	if (mtu >= peer_mtu(p))
		return;
	p->learned_until_ns =
		bpf_ktime_get_coarse_ns() + iface->pmtu_expiry * 1000000000ULL;
	p->learned_mtu = mtu;
}

/* The next-hop MTU of an ICMP error that has one (RFC 1191 4, RFC 4443 3.2). */
static __always_inline __u32 icmp_mtu(__u8 family, const struct icmphdr *icmp)
{
	__u32 field = bpf_ntohl(icmp->un.gateway);

	return family == 4 ? field & 0xffff : field;
}

/* An ICMP packet: an error that quotes an outer packet of ours to a peer is
 * counted for that peer; the kernel gets it all the same. */
static __always_inline enum tl_verdict
icmp(const struct view *v, const struct ip_info *ip, struct rx *rx)
{
	const struct icmphdr *icmp = v->at + ip->hlen;
	const void *quoted_at = icmp + 1;
	struct ip_info quoted = {};
	enum parse_result result;
	enum tl_verdict verdict;
	__u32 peer;

	if (quoted_at > v->end)
		return need_more(v, rx, TL_rx_plain, TL_rx_plain);
	verdict = icmp_verdict(ip->family, icmp->type, icmp->code);
	if (verdict == TL_rx_plain)
		return verdict;
	if (ip->family == 4)
		result = parse_ip4(quoted_at, v->end, &quoted);
	else
		result = parse_ip6_header(quoted_at, v->end, &quoted);
	if (result == PARSE_SHORT)
		return need_more(v, rx, TL_rx_plain, TL_rx_plain);
	if (result != PARSE_OK || !is_tunnel(quoted.proto) ||
	    !same_addr(ip->family, ip->dst, quoted.src))
		return TL_rx_plain;
	peer = find_peer(ip->family, quoted.dst, quoted.src);
	if (peer == TL_PEER_NONE)
		return TL_rx_plain;
	rx->outcome.peer = peer;
	if (verdict == TL_rx_icmp_too_big)
		learn_mtu(v, &quoted, quoted_at + quoted.hlen,
			  icmp_mtu(ip->family, icmp), peer);
	return verdict;
}

/* The outer header's own checks: lengths, and for IPv4 the checksum, which the
 * kernel has not looked at yet (RFC 791 3.1). */
static __always_inline enum tl_verdict check_outer(const struct view *v,
						   struct ip_info *ip)
{
	const struct iphdr *ip4 = v->at;
	__u32 sum;

	/* The kernel's super-packets over 64 KiB say 0. */
	if (v->len > 0xffff && ip->tot_len == (ip->family == 4 ? 0 : IP6_HLEN))
		ip->tot_len = v->len;
	if (ip->tot_len < ip->hlen || ip->tot_len > v->len)
		return TL_rx_bad_outer;
	if (ip->family == 6)
		return TL_rx_decap;
	if ((const void *)(ip4 + 1) > v->end)
		return TL_rx_bad_outer;
	sum = csum_ip4(ip4);
	if (ip->hlen > IP4_HLEN)
		sum += csum_ip4_options(ip4, ip->hlen, v->end);
	return csum_fold(sum) == 0xffff ? TL_rx_decap : TL_rx_bad_checksum;
}

/* The inner source: possible, not our own, and within what the peer may use
 * (RFC 4213 3.6). */
static __always_inline enum tl_verdict check_source(__u8 family,
						    const void *src, __u32 peer)
{
	const struct tl_prefix *prefix;

	if (family == 4 ? ip4_is_martian(*(const __be32 *)src)
			: ip6_is_martian(src))
		return TL_rx_martian;
	prefix = find_prefix(family, src);
	if (!prefix)
		return TL_rx_not_allowed;
	if (prefix->flags & TL_PREFIX_F_OWN)
		return TL_rx_own_source;
	return prefix->peer == peer ? TL_rx_decap : TL_rx_not_allowed;
}

/* The inner header: form, source, ECN. */
static __always_inline enum tl_verdict
check_inner(const struct view *v, const struct ip_info *outer, struct rx *rx)
{
	const void *at = v->at + outer->hlen;
	const struct ipv6hdr *ip6 = at;
	const struct iphdr *ip4 = at;
	enum tl_verdict verdict;
	const void *src;
	__u8 tos;

	rx->inner_family = inner_family(outer->proto);
	if (at + outer_header_len(rx->inner_family) > v->end)
		return need_more(v, rx, TL_rx_bad_inner, TL_rx_error);
	rx->outcome.bytes = outer->tot_len - outer->hlen;
	if (rx->inner_family == 4) {
		verdict = check_inner4(at, v->end, rx->outcome.bytes);
		if (verdict != TL_rx_decap)
			return verdict;
		rx->outcome.bytes = bpf_ntohs(ip4->tot_len);
		src = &ip4->saddr;
		tos = ip4->tos;
	} else {
		verdict = check_inner6(at, v->end, rx->outcome.bytes);
		if (verdict != TL_rx_decap)
			return verdict;
		rx->outcome.bytes = IP6_HLEN + bpf_ntohs(ip6->payload_len);
		src = &ip6->saddr;
		tos = ip6_tclass(ip6);
	}
	verdict = check_source(rx->inner_family, src, rx->outcome.peer);
	if (verdict != TL_rx_decap)
		return verdict;
	rx->ecn = ecn_decap(tos, outer->tos);
	if (rx->ecn == ECN_DROP)
		return TL_rx_ecn;
	rx->set_ecn = rx->ecn != (tos & ECN_MASK);
	return TL_rx_decap;
}

/* A packet with protocol 4 or 41 between the addresses of a peer. */
static __always_inline enum tl_verdict
tunnelled(const struct view *v, struct ip_info *outer, struct rx *rx)
{
	enum tl_verdict verdict;

	if (outer->fragment)
		return TL_rx_fragment;
	if (!bpf_map_lookup_elem(&peers, &rx->outcome.peer))
		return TL_rx_stale_peer;
	verdict = check_outer(v, outer);
	if (verdict != TL_rx_decap)
		return verdict;
	rx->outer_family = outer->family;
	rx->outer_len = outer->hlen;
	return check_inner(v, outer, rx);
}

/* A packet with a readable IP header: the verdict, the guard left out. */
static __always_inline enum tl_verdict classify(const struct view *v,
						enum parse_result result,
						struct ip_info *ip,
						struct rx *rx)
{
	if (result == PARSE_SHORT && !v->whole) {
		rx->fallback = TL_rx_error;
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
	if (!ip->fragment &&
	    ip->proto == (ip->family == 4 ? NEXT_ICMP : NEXT_ICMPV6))
		return icmp(v, ip, rx);
	return TL_rx_plain;
}

/*
 * The verdict for the packet whose IP header is at v->at, of EtherType proto;
 * NEED_MORE if it depends on bytes that are not readable yet. Changes nothing.
 */
static __always_inline enum tl_verdict ingress(const struct view *v,
					       __be16 proto, struct rx *rx)
{
	enum parse_result result = PARSE_MALFORMED;
	struct ip_info ip = {};
	enum tl_verdict verdict;

	rx->outcome.peer = TL_PEER_NONE;
	rx->outcome.bytes = v->len;
	if (proto == bpf_htons(ETH_P_IP))
		result = parse_ip4(v->at, v->end, &ip);
	else if (proto == bpf_htons(ETH_P_IPV6))
		result = parse_ip6(v->at, v->end, &ip);
	if (!ip.family)
		return result == PARSE_SHORT
			       ? need_more(v, rx, TL_rx_plain, TL_rx_error)
			       : TL_rx_plain;

	verdict = classify(v, result, &ip, rx);
	if (is_plain(verdict))
		return guard(&ip, verdict, rx);
	return verdict;
}

#endif
