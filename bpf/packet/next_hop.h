/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The link layer header towards a peer's endpoint. The kernel finds it: the
 * outer packet is given to bpf_redirect_neigh(), which asks FIB and neighbours,
 * and comes by tc_egress a second time with the header on it. That is kept for
 * a second at most, by each CPU, so that most packets leave at once and none
 * goes to a next hop that is older than that.
 */
#ifndef TUNLOAD_NEXT_HOP_H
#define TUNLOAD_NEXT_HOP_H

#include "core/gateway.h"
#include "record/count.h"
#include "marks.h"
#include "skb.h"
#include "tc.h"

static __always_inline struct tl_next_hop *next_hop_slot(__u32 peer)
{
	const __u32 slot = peer % TL_NEXT_HOPS;

	return bpf_map_lookup_elem(&next_hops, &slot);
}

/* What this CPU knows of the way to that peer, or NULL. */
static __always_inline const struct tl_next_hop *next_hop_known(__u32 peer,
								__u64 now)
{
	const struct tl_next_hop *hop = next_hop_slot(peer);

	return hop && hop->peer == peer && now < hop->until_ns ? hop : NULL;
}

/* From an outer packet that the kernel has given its link layer header. */
static __always_inline void next_hop_learn(struct __sk_buff *skb, __u32 peer)
{
	struct tl_next_hop *hop = next_hop_slot(peer);

	if (!hop || bpf_skb_load_bytes(skb, 0, hop->macs, sizeof(hop->macs)))
		return;
	hop->peer = peer;
	hop->until_ns = bpf_ktime_get_coarse_ns() + TL_NEXT_HOP_TTL_NS;
}

/* Has the kernel send an outer packet, by the main rules: the mark that routed
 * the inner packet is not the outer one's (as with the kernel's tunnels); it is
 * put back on the second pass. */
static __always_inline int next_hop_ask(struct __sk_buff *skb, __u32 peer)
{
	mark_sent(skb, peer);
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* An outer packet with the link layer header that the kernel has found. That of
 * a gateway: its route leads into a tunnel again. */
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
