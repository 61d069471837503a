/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The link layer header towards a peer's endpoint. The kernel finds it:
 * bpf_redirect_neigh() takes the outer packet, asks FIB and neighbours, and
 * sends it through tc_egress a second time with the header. Each CPU keeps the
 * header for up to a second, so that most packets leave at once and none uses
 * an older next hop.
 */
#ifndef TUNLOAD_NEXT_HOP_H
#define TUNLOAD_NEXT_HOP_H

#include "core/gateway.h"
#include "record/count.h"
#include "record/head.h"
#include "marks.h"
#include "skb.h"
#include "tc.h"

/* Keeps the link layer header that the kernel has given an outer packet. */
static __always_inline void next_hop_learn(struct __sk_buff *skb, __u32 peer)
{
	struct tl_next_hop *hop = next_hop_slot(peer);

	if (!hop || bpf_skb_load_bytes(skb, 0, hop->macs, sizeof(hop->macs)))
		return;
	hop->peer = peer;
	hop->until = bpf_jiffies64() + cache_ttl;
}

/* Makes the kernel route and send an outer packet, without the mark of the
 * inner one (like the kernel's tunnels), which the second pass restores. */
static __always_inline int next_hop_ask(struct __sk_buff *skb, __u32 peer)
{
	mark_sent(skb, peer);
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* Lets an outer packet leave with the link layer header that the kernel has
 * found. A gateway's MAC means that its route leads into a tunnel again. */
static __always_inline int sent(struct __sk_buff *skb, const __u8 *mac)
{
	__u32 peer = own_peer(skb), gateway;

	mark_back(skb);
	if (is_gateway_mac(mac, &gateway))
		return count_frame(skb, TL_tx_loop, gateway);
	if (peer != TL_PEER_NONE)
		next_hop_learn(skb, peer);
	return TC_ACT_UNSPEC;
}

#endif
