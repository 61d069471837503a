/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the beginning of a leaving frame. */
#ifndef TUNLOAD_FRAME_H
#define TUNLOAD_FRAME_H

#include "core/gateway.h"
#include "core/load.h"

/* The beginning of a frame, up to the protocol field of an IP header. */
struct frame_head {
	__u8 mac[ETH_ALEN], from[ETH_ALEN];
	__be16 proto;
	__u8 ip[10];
} __attribute__((aligned(8)));

/* Loads the head; of a shorter frame only the destination. */
static __always_inline bool load_head(struct __sk_buff *skb,
				      struct frame_head *head)
{
	const void *data = (void *)(long)skb->data;

	if (data + sizeof(*head) <= (const void *)(long)skb->data_end) {
		__builtin_memcpy(head, data, sizeof(*head));
		return true;
	}
	if (!bpf_skb_load_bytes(skb, 0, head, sizeof(*head)))
		return true;
	__builtin_memset(head, 0, sizeof(*head));
	return !bpf_skb_load_bytes(skb, 0, head->mac, sizeof(head->mac));
}

/* True for a frame to no gateway that has nothing else of what tc_egress looks
 * for: no ARP and no ICMP, which also has the solicitations of IPv6. */
static __always_inline bool is_other_traffic(const void *data, const void *end)
{
	const __u8 *ip = data + ETH_HLEN;
	__be16 proto;

	if (data + sizeof(struct frame_head) > end)
		return false;
	proto = ((const struct ethhdr *)data)->h_proto;
	if (proto == bpf_htons(ETH_P_IP))
		return ip[9] != IPPROTO_ICMP;
	return proto == bpf_htons(ETH_P_IPV6) && ip[6] != IPPROTO_ICMPV6;
}

#endif
