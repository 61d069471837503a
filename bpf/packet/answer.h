/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends an ICMP error back to an inner source, from tc egress. */
#ifndef TUNLOAD_ANSWER_H
#define TUNLOAD_ANSWER_H

#include "core/mss.h"
#include "core/too_big.h"
#include "record/limit.h"
#include "marks.h"
#include "tc.h"

/* The sum of the first n bytes from the network header on; n is a constant. The
 * bytes are read in pieces. */
static __always_inline __s64 csum_quote(struct __sk_buff *skb, const __u32 n)
{
	const __u32 piece = 16; /* bytes; the stack is small */
	__be32 words[4];
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

/*
 * True if the checksum of the transport header at `at` is left to the network
 * card (CHECKSUM_PARTIAL: packets of containers and virtual machines). *field
 * is then the sum of the pseudo-header. When it is filled in later, also in our
 * quote, the bytes from the transport header on sum up to the complement of
 * *field; the ICMP checksum takes that into account.
 */
static __always_inline bool csum_pending(struct __sk_buff *skb, __u32 at,
					 __u8 proto, __u32 pseudo,
					 __sum16 *field)
{
	if (proto == IPPROTO_TCP)
		at += TCP_CHECK_OFFSET;
	else if (proto == IPPROTO_UDP)
		at += UDP_CHECK_OFFSET;
	else
		return false;
	return !bpf_skb_load_bytes(skb, at, field, sizeof(*field)) &&
	       csum_fold(csum_fold(pseudo)) == *field;
}

static __always_inline bool
csum_pending4(struct __sk_buff *skb, const struct iphdr *ip, __sum16 *field)
{
	__u32 hlen = ip->ihl * 4;
	__u32 pseudo = csum_bytes(0, &ip->saddr, 8) + bpf_htons(ip->protocol) +
		       bpf_htons(bpf_ntohs(ip->tot_len) - hlen);

	return !ip4_is_fragment(ip) &&
	       csum_pending(skb, ETH_HLEN + hlen, ip->protocol, pseudo, field);
}

/* The same for the IPv4 packet in a frame. A global function, so it is verified
 * once. */
__attribute__((noinline)) int is_csum_pending(struct __sk_buff *skb)
{
	struct iphdr ip;
	__sum16 field;

	return !bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) &&
	       csum_pending4(skb, &ip, &field);
}

/* The sum of the quoted part of an IPv4 packet. An IPv4 header with its
 * checksum sums up to 0. */
static __always_inline __s64 csum_quote4(struct __sk_buff *skb,
					 const struct iphdr *about)
{
	__sum16 field;

	if (csum_pending4(skb, about, &field))
		return (__u16)~field;
	return csum_quote(skb, QUOTE4);
}

/* The same for an IPv6 packet. */
static __always_inline __s64 csum_quote6(struct __sk_buff *skb,
					 const struct ipv6hdr *about)
{
	__u32 pseudo = csum_bytes(0, &about->saddr, 32) +
		       bpf_htons(about->nexthdr) + about->payload_len;
	__sum16 field;

	if (csum_pending(skb, ETH_HLEN + IP6_HLEN, about->nexthdr, pseudo,
			 &field))
		return csum_bytes((__u16)~field, about, sizeof(*about));
	return csum_quote(skb, QUOTE6);
}

/* True if tc_ingress is attached, which then sees our answers. */
static __always_inline bool tc_ingress_attached(void)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->mode == TL_MODE_TC;
}

/* Puts len bytes of IP and ICMP header in front of the quoted bytes, swaps the
 * MAC addresses and redirects the frame to ingress of this interface. */
static __always_inline int answer(struct __sk_buff *skb, const void *header,
				  const __u32 len)
{
	__u8 macs[2 * ETH_ALEN];

	if (bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, header, len, 0) ||
	    bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)) ||
	    bpf_skb_store_bytes(skb, 0, macs + ETH_ALEN, ETH_ALEN, 0) ||
	    bpf_skb_store_bytes(skb, ETH_ALEN, macs, ETH_ALEN, 0))
		return TC_ACT_SHOT;
	mark_answer(skb, tc_ingress_attached());
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/* True if the transport header, of proto at offset at, is an ICMP error or
 * unreadable. */
static __always_inline bool is_icmp_error(struct __sk_buff *skb, __u8 family,
					  __u8 proto, __u32 at)
{
	__u8 type;

	return proto == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
	       (bpf_skb_load_bytes(skb, at, &type, sizeof(type)) ||
		icmp_is_error(family, type));
}

/* True if the packet is long enough to quote and this CPU may send one more
 * error. */
static __always_inline bool may_answer(const struct __sk_buff *skb, __u32 quote)
{
	return skb->len >= ETH_HLEN + quote &&
	       within_limit(TL_LIMIT_ICMP, bpf_ktime_get_ns());
}

/*
 * Tells the inner source that its packet is larger than mtu bytes (RFC 2003
 * 5.1, 4213 3.2), rate-limited. Returns the action for the packet. Each family
 * has a global function, as each needs its own stack.
 */
__attribute__((noinline)) int answer4(struct __sk_buff *skb, __u32 mtu)
{
	struct too_big4 header;
	struct iphdr about;
	__s64 sum;

	if (!may_answer(skb, QUOTE4) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &about, sizeof(about)) ||
	    !may_be_answered4(&about) ||
	    is_icmp_error(skb, 4, about.protocol,
			  ETH_HLEN + ip4_hlen(&about)) ||
	    bpf_skb_change_tail(skb, ETH_HLEN + QUOTE4, 0))
		return TC_ACT_SHOT;
	sum = csum_quote4(skb, &about);
	if (sum < 0)
		return TC_ACT_SHOT;
	build_too_big4(&header, &about, mtu, sum);
	return answer(skb, &header, sizeof(header));
}

/* The same for IPv6, with an MTU of at least 1280 (RFC 2473 7.1, RFC 4443
 * 3.2). */
__attribute__((noinline)) int answer6(struct __sk_buff *skb, __u32 mtu)
{
	struct too_big6 header;
	struct ipv6hdr about;
	__s64 sum;

	if (!may_answer(skb, QUOTE6) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &about, sizeof(about)) ||
	    !may_be_answered6(&about) ||
	    is_icmp_error(skb, 6, about.nexthdr, ETH_HLEN + IP6_HLEN) ||
	    bpf_skb_change_tail(skb, ETH_HLEN + QUOTE6, 0))
		return TC_ACT_SHOT;
	sum = csum_quote6(skb, &about);
	if (sum < 0)
		return TC_ACT_SHOT;
	build_too_big6(&header, &about, mtu < IP6_MIN_MTU ? IP6_MIN_MTU : mtu,
		       sum);
	return answer(skb, &header, sizeof(header));
}

#endif
