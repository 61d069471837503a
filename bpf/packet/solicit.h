/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers ARP requests and neighbour solicitations for gateways at tc egress:
 * each is turned into its answer, which arrives on this interface at once. They
 * do not reach the wire, and the kernel gets its neighbour entry back if it was
 * flushed.
 */
#ifndef TUNLOAD_SOLICIT_H
#define TUNLOAD_SOLICIT_H

#include "core/gateway.h"
#include "answer.h"
#include "device.h"
#include "skb.h"

/* Not an action of a tc program. */
#define NOT_SOLICITED -2

/* The gateway that a request or solicitation asks for. */
struct solicited {
	__u8 family; /* 4, 6; 0: not a gateway */
	__u32 peer;
};

static __always_inline struct solicited solicited_of(__u8 family,
						     const void *addr)
{
	const __u32 peer = gateway_peer(family, addr);

	/* Nobody's gateway must not be asked for on the wire either. */
	if (peer == TL_PEER_NONE && !has_gateway_form(family, addr))
		return (struct solicited){};
	return (struct solicited){family, peer};
}

static __always_inline struct solicited arp_target(struct __sk_buff *skb)
{
	struct solicited none = {};
	struct arp_packet arp;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)) ||
	    !arp_is_ip4(&arp) || arp.op != bpf_htons(ARP_REQUEST))
		return none;
	return solicited_of(4, arp.tpa);
}

static __always_inline struct solicited nd_target(struct __sk_buff *skb)
{
	struct solicited none = {};
	struct {
		struct ipv6hdr ip;
		__u8 icmp[ND_TARGET_END];
	} ask;
	const __u8 *target = ask.icmp + 8;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ask, sizeof(ask)) ||
	    ask.ip.nexthdr != IPPROTO_ICMPV6 ||
	    ask.icmp[0] != NDISC_NEIGHBOUR_SOLICITATION)
		return none;
	return solicited_of(6, target);
}

static __always_inline struct solicited solicited(struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(ETH_P_ARP) ? arp_target(skb)
						     : nd_target(skb);
}

/* Addresses an answer to its requester and redirects it to ingress. */
static __always_inline int let_arrive(struct __sk_buff *skb, __u32 peer)
{
	__u8 macs[2 * ETH_ALEN];

	if (bpf_skb_load_bytes(skb, ETH_ALEN, macs, ETH_ALEN))
		return TC_ACT_SHOT;
	gateway_mac(macs + ETH_ALEN, peer);
	if (bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0))
		return TC_ACT_SHOT;
	mark_answer(skb, tc_ingress_attached());
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

static __always_inline int answer_arp(struct __sk_buff *skb, __u32 peer)
{
	struct arp_packet arp;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)))
		return TC_ACT_SHOT;
	arp_turn_around(&arp, peer);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &arp, sizeof(arp), 0))
		return TC_ACT_SHOT;
	return let_arrive(skb, peer);
}

static __always_inline int answer_nd(struct __sk_buff *skb, __u32 peer)
{
	struct ipv6hdr ask;
	struct nd_packet said;
	__u8 target[16];

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ask, sizeof(ask)) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + IP6_HLEN + 8, target,
			       sizeof(target)) ||
	    bpf_skb_change_tail(skb, ETH_HLEN + sizeof(said), 0))
		return TC_ACT_SHOT;
	build_advertisement(&said, target, &ask.saddr, peer);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &said, sizeof(said), 0))
		return TC_ACT_SHOT;
	return let_arrive(skb, peer);
}

/* True for a frame that may ask for a gateway. A unicast IPv6 probe goes to the
 * gateway itself, where it is found as a packet that must not leave its link.
 */
static __always_inline bool may_solicit(const struct __sk_buff *skb,
					const __u8 *mac)
{
	return skb->protocol == bpf_htons(ETH_P_ARP) ||
	       (skb->protocol == bpf_htons(ETH_P_IPV6) && mac[0] & 1);
}

/* Answers the frame if it is an ARP request or neighbour solicitation for a
 * gateway. Returns the action, or NOT_SOLICITED. A global function, so it is
 * verified once. */
__attribute__((noinline)) int to_solicited(struct __sk_buff *skb)
{
	struct solicited s = solicited(skb);

	if (!s.family)
		return NOT_SOLICITED;
	if (is_on_interface(skb) && looks_foreign(skb))
		return count_frame(skb, TL_tx_not_routed, s.peer);
	if (!bpf_map_lookup_elem(&peers, &s.peer))
		return count_frame(skb, TL_tx_stale_peer, s.peer);
	count_frame(skb, TL_tx_answered, s.peer);
	return s.family == 4 ? answer_arp(skb, s.peer) : answer_nd(skb, s.peer);
}

#endif
