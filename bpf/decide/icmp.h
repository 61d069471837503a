/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors about our outer packets: they are counted for their peer, and
 * teach the path's MTU if they are credible (RFC 2003 4, 5.1; RFC 2473 8; RFC
 * 8201). */
#ifndef TUNLOAD_ICMP_H
#define TUNLOAD_ICMP_H

#include "record/learned.h"
#include "rx.h"

#define ICMP_HLEN 8U

/* The highest outer ID that we send with DF: segments of a super-packet of 64
 * KiB count up from 0, the ID that build_ip4() sets. */
#define MAX_SEGMENTS 255

/* The verdict for an ICMP error about one of our outer packets (RFC 792; RFC
 * 4443 3); rx_plain for a type that is not an error. */
static __always_inline enum tl_verdict icmp_verdict(__u8 family, __u8 type,
						    __u8 code)
{
	if (family == 4) {
		switch (type) {
		case ICMP_DEST_UNREACH:
			return code == ICMP_FRAG_NEEDED
				       ? TL_rx_icmp_too_big
				       : TL_rx_icmp_unreachable;
		case ICMP_TIME_EXCEEDED:
			return TL_rx_icmp_time_exceeded;
		case ICMP_SOURCE_QUENCH:
		case ICMP_PARAMETERPROB:
			return TL_rx_icmp_other;
		}
		return TL_rx_plain;
	}
	switch (type) {
	case ICMPV6_DEST_UNREACH:
		return TL_rx_icmp_unreachable;
	case ICMPV6_PKT_TOOBIG:
		return TL_rx_icmp_too_big;
	case ICMPV6_TIME_EXCEED:
		return TL_rx_icmp_time_exceeded;
	case ICMPV6_PARAMPROB:
		return TL_rx_icmp_other;
	}
	return TL_rx_plain;
}

/* True for a quoted outer IPv4 header as build_ip4() and segmentation make it:
 * with DF, and an ID that counts the segments of a super-packet. */
static __always_inline bool is_our_ip4(const struct iphdr *outer)
{
	return outer->frag_off == bpf_htons(IP4_DF) &&
	       bpf_ntohs(outer->id) <= MAX_SEGMENTS;
}

/* True if packets to that address may go to the peer. Called with a constant
 * family, as the verifier of Linux 6.1 does not relate family and pointer. */
static __always_inline bool goes_to(const __u8 family, const void *dst,
				    __u32 peer)
{
	__u64 prefix = find_prefix(family, dst);

	return prefix_peer(prefix) == peer ||
	       is_shared(prefix, family, dst, peer);
}

/*
 * True if we may have sent the quoted outer packet to that peer: its outer
 * header has no options, and the inner version, length and destination fit. n
 * bytes of the inner packet are quoted; over IPv4 a router may quote only eight
 * (RFC 792), without the destination.
 */
static __always_inline bool is_ours(const struct view *v, const void *outer,
				    const struct ip_info *quoted, __u32 n,
				    __u32 peer)
{
	const void *at = outer + tunnel_overhead(quoted->family);
	bool may_be_short = quoted->family == 4;
	const struct ipv6hdr *ip6 = at;
	const struct iphdr *ip4 = at;
	__u32 len = quoted->tot_len - quoted->hlen;

	if (n < 8 || at + 8 > v->end ||
	    quoted->hlen != tunnel_overhead(quoted->family) ||
	    (quoted->family == 4 && !is_our_ip4(outer)))
		return false;
	if (quoted->proto == IPPROTO_IPIP) {
		if (ip4->version != 4 || bpf_ntohs(ip4->tot_len) != len)
			return false;
		if (n < IP4_HLEN || (const void *)(ip4 + 1) > v->end)
			return may_be_short;
		return goes_to(4, &ip4->daddr, peer);
	} else {
		if (ip6->version != 6 ||
		    IP6_HLEN + bpf_ntohs(ip6->payload_len) != len)
			return false;
		if (n < IP6_HLEN || (const void *)(ip6 + 1) > v->end)
			return may_be_short;
		return goes_to(6, &ip6->daddr, peer);
	}
}

/*
 * Returns the inner MTU to learn from an ICMP error, or 0 unless we may have
 * sent the quoted packet and it was larger than the announced MTU. An MTU below
 * the minimum of the outer family is raised to it for IPv4 (RFC 791 3.1) and
 * ignored for IPv6 (RFC 8201 4).
 */
static __always_inline __u32 mtu_to_learn(const struct view *v,
					  const struct ip_info *quoted,
					  const void *outer, __u32 n, __u32 mtu,
					  __u32 peer)
{
	const __u32 least = quoted->family == 4 ? 576 : 1280;
	struct tl_peer *p = bpf_map_lookup_elem(&peers, &peer);
	__u32 overhead = tunnel_overhead(quoted->family);

	if (!p || !mtu || quoted->tot_len <= mtu ||
	    quoted->tot_len > p->mtu + overhead ||
	    !is_ours(v, outer, quoted, n, peer))
		return 0;
	if (mtu < least && quoted->family == 6)
		return 0;
	if (mtu < least)
		mtu = least;
	return mtu - overhead;
}

/* Lowers the peer's MTU, never raises it, until it expires (RFC 1191 6.3, RFC
 * 8201 4). A function, with its own share of the stack. */
static __attribute__((noinline, unused)) void learn_mtu(__u32 peer, __u32 mtu)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);
	struct tl_peer *p = bpf_map_lookup_elem(&peers, &peer);
	__u64 *until = learned_slot(peer);
	__u64 now = bpf_ktime_get_coarse_ns();
	struct tl_learned row = {.mtu = mtu};

	if (!p || !iface || !until || mtu >= peer_mtu(peer, p->mtu))
		return;
	row.until_ns = now + iface->pmtu_expiry * 1000000000ULL;
	bpf_map_update_elem(&learned, &peer, &row, BPF_ANY);
	if (*until < row.until_ns)
		*until = row.until_ns;
	__sync_fetch_and_add(&generations.learned, 1);
}

/* The next-hop MTU of an ICMP error that has one (RFC 1191 4, RFC 4443 3.2). */
static __always_inline __u32 icmp_mtu(__u8 family, const struct icmphdr *icmp)
{
	__u32 field = bpf_ntohl(icmp->un.gateway);

	return family == 4 ? field & 0xffff : field;
}

/*
 * Sets place and length of the message of an ICMP error, from its IP header
 * (bytes after it are padding), and the sum of the pseudo-header that an ICMPv6
 * checksum covers too (RFC 792; RFC 4443 2.3). False if the message ends before
 * the quoted outer header of quoted_hlen bytes does, or is of more than 64 KiB,
 * as no ICMP error is.
 */
static __always_inline bool find_message(const struct view *v,
					 struct ip_info *ip, __u32 quoted_hlen,
					 struct rx *rx)
{
	if (check_outer(v, ip) != PASSED || ip->tot_len > 0xffff)
		return false;
	rx->message_at = ip->hlen;
	rx->message_len = ip->tot_len - ip->hlen;
	if (ip->family == 6)
		rx->pseudo_sum =
			csum_pseudo6(ip->src, rx->message_len, IPPROTO_ICMPV6);
	return rx->message_len >= ICMP_HLEN + quoted_hlen;
}

/* Checks a neighbour advertisement or redirect from the wire, which sets the
 * link layer address of its target (RFC 4861 4.4, 4.5): the target must not be
 * a gateway. */
static __always_inline enum tl_verdict
check_target(const struct view *v, const void *target, struct rx *rx)
{
	if (target + 16 > v->end)
		return need_more(v, rx, TL_rx_plain, TL_rx_plain);
	return is_gateway6(target) ? TL_rx_gateway : TL_rx_plain;
}

/* Decides about an ICMP packet: a verified error that quotes an outer packet of
 * ours is counted for its peer and still passed to the kernel. */
static __always_inline enum tl_verdict icmp(const struct view *v,
					    struct ip_info *ip, struct rx *rx)
{
	const struct icmphdr *icmp = v->at + ip->hlen;
	const void *quoted_at = icmp + 1;
	struct ip_info quoted = {};
	enum parse_result result;
	enum tl_verdict verdict;
	__u32 peer;

	if (quoted_at > v->end)
		return need_more(v, rx, TL_rx_plain, TL_rx_plain);
	if (ip->family == 6 && (icmp->type == NDISC_NEIGHBOUR_ADVERTISEMENT ||
				icmp->type == NDISC_REDIRECT))
		return check_target(v, quoted_at, rx);
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
	if (peer == TL_PEER_NONE || !find_message(v, ip, quoted.hlen, rx))
		return TL_rx_plain;
	rx->outcome.peer = peer;
	if (verdict == TL_rx_icmp_too_big)
		rx->mtu =
			mtu_to_learn(v, &quoted, quoted_at,
				     rx->message_len - ICMP_HLEN - quoted.hlen,
				     icmp_mtu(ip->family, icmp), peer);
	return verdict;
}

/* Uses an ICMP error if its checksum is right. If not, nothing in it can be
 * trusted, also not its peer; the kernel then drops it. */
static __always_inline void icmp_verified(struct rx *rx, bool right)
{
	if (!right) {
		rx->outcome.verdict = TL_rx_plain;
		rx->outcome.peer = TL_PEER_NONE;
	} else if (rx->mtu) {
		learn_mtu(rx->outcome.peer, rx->mtu);
	}
}

#endif
