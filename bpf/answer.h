/* SPDX-License-Identifier: GPL-2.0-only */
/* Sending an ICMP error back to an inner source, from tc egress. */
#ifndef TUNLOAD_ANSWER_H
#define TUNLOAD_ANSWER_H

#include "count.h"
#include "tc.h"
#include "too_big.h"

/* The sum of the first n bytes from the network header on; n a constant, in
 * pieces that the helper takes. */
static __always_inline __s64 csum_quote(struct __sk_buff *skb, const __u32 n)
{
	const __u32 piece = 8 * 8;
	__be32 words[16];
	__s64 sum = 0;

	for (__u32 at = 0; at < n; at += piece) {
		__u32 size = n - at < piece ? n - at : piece;

		__builtin_memset(words, 0, sizeof(words));
		if (bpf_skb_load_bytes(skb, ETH_HLEN + at, words, size))
			return -1;
		sum = bpf_csum_diff(NULL, 0, words, piece, sum);
		if (sum < 0)
			return sum;
	}
	return sum;
}

/* Puts len bytes of IP and ICMP header in front of the quoted bytes, turns the
 * frame around and lets it arrive here. */
static __always_inline int answer(struct __sk_buff *skb, const void *header,
				  const __u32 len)
{
	__u8 macs[2 * ETH_ALEN], turned[2 * ETH_ALEN];

	if (bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, header, len, 0) ||
	    bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return TC_ACT_SHOT;
	__builtin_memcpy(turned, macs + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(turned + ETH_ALEN, macs, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, turned, sizeof(turned), 0))
		return TC_ACT_SHOT;
	skb->mark = MARK_ANSWER;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/* The packet is an ICMP error; proto and at say what it is and where. */
static __always_inline bool is_icmp_error(struct __sk_buff *skb, __u8 family,
					  __u8 proto, __u32 at)
{
	__u8 type;

	return proto == (family == 4 ? NEXT_ICMP : NEXT_ICMPV6) &&
	       (bpf_skb_load_bytes(skb, at, &type, sizeof(type)) ||
		icmp_is_error(family, type));
}

static __always_inline int answer4(struct __sk_buff *skb, __u32 mtu)
{
	struct too_big4 header;
	struct iphdr about;
	__s64 sum;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &about, sizeof(about)) ||
	    !may_be_answered4(&about) ||
	    is_icmp_error(skb, 4, about.protocol,
			  ETH_HLEN + ip4_hlen(&about)) ||
	    bpf_skb_change_tail(skb, ETH_HLEN + QUOTE4, 0))
		return TC_ACT_SHOT;
	sum = csum_quote(skb, QUOTE4);
	if (sum < 0)
		return TC_ACT_SHOT;
	build_too_big4(&header, &about, mtu, sum);
	return answer(skb, &header, sizeof(header));
}

static __always_inline int answer6(struct __sk_buff *skb, __u32 mtu)
{
	struct too_big6 header;
	struct ipv6hdr about;
	__s64 sum;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &about, sizeof(about)) ||
	    !may_be_answered6(&about) ||
	    is_icmp_error(skb, 6, about.nexthdr, ETH_HLEN + IP6_HLEN) ||
	    bpf_skb_change_tail(skb, ETH_HLEN + QUOTE6, 0))
		return TC_ACT_SHOT;
	sum = csum_quote(skb, QUOTE6);
	if (sum < 0)
		return TC_ACT_SHOT;
	build_too_big6(&header, &about, mtu < IP6_MIN_MTU ? IP6_MIN_MTU : mtu,
		       sum);
	return answer(skb, &header, sizeof(header));
}

/* Tells the inner source that its packet is too big (RFC 2003 5.1, 2473 7.1,
 * 4213 3.2), not too often. Returns the action for the packet. */
__attribute__((noinline)) int answer_too_big(struct __sk_buff *skb,
					     __u32 family, __u32 mtu)
{
	if (skb->len < ETH_HLEN + (family == 4 ? QUOTE4 : QUOTE6) ||
	    !within_limit(TL_LIMIT_ICMP, bpf_ktime_get_ns()))
		return TC_ACT_SHOT;
	return family == 4 ? answer4(skb, mtu) : answer6(skb, mtu);
}

#endif
