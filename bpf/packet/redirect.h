/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds ICMP redirects of this host to gateways, which other hosts cannot
 * reach. */
#ifndef TUNLOAD_REDIRECT_H
#define TUNLOAD_REDIRECT_H

#include "record/prefixes.h"
#include "frame.h"

/* Returns the peer of the gateway that an ICMP redirect tells another host to
 * use, or TL_PEER_NONE. The kernel sends redirects if a packet is routed out of
 * the interface it came in by; the other host would look for the gateway on the
 * wire. A global function, so it is verified once. */
__attribute__((noinline)) int redirected_peer(struct __sk_buff *skb, __u32 at,
					      __u32 family)
{
	__u8 message[ND_TARGET_END];

	__builtin_memset(message, 0, sizeof(message));
	if (bpf_skb_load_bytes(skb, at, message, 8))
		return TL_PEER_NONE;
	if (family == 4)
		return message[0] == ICMP_REDIRECT
			       ? gateway_peer(4, message + 4)
			       : TL_PEER_NONE;
	if (message[0] != NDISC_REDIRECT ||
	    bpf_skb_load_bytes(skb, at, message, sizeof(message)))
		return TL_PEER_NONE;
	return gateway_peer(6, message + 8);
}

static __always_inline __u32 redirects_to(struct __sk_buff *skb,
					  const struct frame_head *head)
{
	if (head->proto == bpf_htons(ETH_P_IP) && head->ip[9] == IPPROTO_ICMP)
		return redirected_peer(skb, ETH_HLEN + (head->ip[0] & 0xf) * 4,
				       4);
	if (head->proto == bpf_htons(ETH_P_IPV6) &&
	    head->ip[6] == IPPROTO_ICMPV6)
		return redirected_peer(skb, ETH_HLEN + IP6_HLEN, 6);
	return TL_PEER_NONE;
}

#endif
