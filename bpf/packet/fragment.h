/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments an inner IPv4 packet that is larger than the peer's MTU and may be
 * fragmented (RFC 791 3.2). Nothing fragments after this hook, and the other
 * end would have to reassemble outer fragments first (RFC 2003 5.1), so the
 * inner packet is fragmented: tc_egress redirects it and copies of it to
 * itself, each marked with the piece it shall become (marks.h). On the second
 * pass each is cut to that piece and tunnelled like any other packet.
 */
#ifndef TUNLOAD_FRAGMENT_H
#define TUNLOAD_FRAGMENT_H

#include "core/checksum.h"
#include "decide/egress.h"
#include "answer.h"
#include "marks.h"
#include "tc.h"

#define FRAGMENTS_MOST 128
/* bpf_skb_adjust_room() takes less than 4096 at a time. */
#define CUT_MOST 4088

/* The payload of a fragment for packets of mtu bytes: bytes, a multiple of
 * eight. */
static __always_inline __u32 fragment_len(__u32 mtu)
{
	return (mtu - IP4_HLEN) & ~7U;
}

/* Sends copies, to become all pieces but the last, of an inner packet without
 * IP options. The packet itself is marked to become the last one, when it is
 * redirected to here; dropping it would make the kernel stop sending the
 * fragments of a datagram. len: payload bytes; piece: payload bytes of a
 * fragment. Returns 0, or -1. */
__attribute__((noinline)) int send_fragments(struct __sk_buff *skb, __u32 len,
					     __u32 piece, __u32 peer)
{
	__u32 at = 0;

	if (!piece || len > 0xffff)
		return -1;
	for (int i = 0; i < FRAGMENTS_MOST; i++, at += piece) {
		own_set(skb, OWN_FRAGMENT, at << 16 | piece, peer);
		if (at + piece >= len)
			return 0;
		if (bpf_clone_redirect(skb, skb->ifindex, 0))
			break;
	}
	own_take(skb);
	return -1;
}

/* Removes n bytes, a multiple of eight, after the IP header. */
static __always_inline bool cut_front(struct __sk_buff *skb, __u32 n)
{
	for (int i = 0; i < 0x10000 / CUT_MOST + 1 && n; i++) {
		__s32 step = n < CUT_MOST ? n : CUT_MOST;

		if (bpf_skb_adjust_room(skb, -step, BPF_ADJ_ROOM_NET, 0))
			return false;
		n -= step;
	}
	return !n;
}

/* Cuts a copy to the fragment that own_set() has marked it for. Returns 0, or
 * -1 on failure. */
__attribute__((noinline)) int cut_fragment(struct __sk_buff *skb)
{
	__u32 data = own_data(skb);
	__u32 offset = data >> 16, piece = data & 0xffff, len;
	struct iphdr ip;
	__u16 field;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return -1;
	len = bpf_ntohs(ip.tot_len) - IP4_HLEN;
	if (offset >= len)
		return -1;
	field = bpf_ntohs(ip.frag_off) + offset / 8;
	if (len - offset > piece)
		field |= IP4_MF;
	else
		piece = len - offset;
	if (bpf_skb_change_tail(skb, ETH_HLEN + IP4_HLEN + offset + piece, 0) ||
	    !cut_front(skb, offset))
		return -1;
	ip.frag_off = bpf_htons(field);
	ip.tot_len = bpf_htons(IP4_HLEN + piece);
	ip.check = 0;
	ip.check = ~csum_fold(csum_ip4(&ip));
	return bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip),
				   BPF_F_RECOMPUTE_CSUM)
		       ? -1
		       : 0;
}

/* Fragments the packet. False if its checksum is not complete or there is no
 * secret for the marks; the source is then told to send less. */
static __always_inline bool fragment(struct __sk_buff *skb, const struct tx *tx)
{
	return own_secret && !is_csum_pending(skb) &&
	       !send_fragments(skb, tx->payload, fragment_len(tx->mtu),
			       tx->outcome.peer);
}

#endif
