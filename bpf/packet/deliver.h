/* SPDX-License-Identifier: GPL-2.0-only */
/* Where tc takes a decapsulated packet: up the stack of its interface, with the
 * mark of its peer, or into the peer's VRF. */
#ifndef TUNLOAD_DELIVER_H
#define TUNLOAD_DELIVER_H

#include "clamp.h"
#include "marks.h"
#include "tc.h"
#include "vlan.h"

/* Makes it a packet that the VRF device has received: without the tags of the
 * interface, and to the device's address, as others would be dropped. */
static __always_inline int to_vrf(struct __sk_buff *skb,
				  const struct tl_peer *peer)
{
	__u8 mac[ETH_ALEN];

	for (int i = 0; i < 2 && skb->vlan_present; i++)
		if (bpf_skb_vlan_pop(skb))
			return TC_ACT_SHOT;
	__builtin_memcpy(mac, peer->in_vrf.mac, sizeof(mac));
	if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0))
		return TC_ACT_SHOT;
	return bpf_redirect(peer->in_vrf.ifindex, BPF_F_INGRESS);
}

/* Finishes a decapsulated packet of the peer with that id, whose IP header of
 * that family is at ip_at; returns the action. A global function, so it is
 * verified once. */
__attribute__((noinline)) int deliver(struct __sk_buff *skb, __u32 ip_at,
				      __u32 id, __u32 family)
{
	const struct tl_peer *peer = bpf_map_lookup_elem(&peers, &id);

	skb_clamp(skb, ip_at, id, family);
	if (!peer)
		return TC_ACT_UNSPEC;
	mark_peer(skb, peer->mark);
	return peer->vrf[0] ? to_vrf(skb, peer) : TC_ACT_UNSPEC;
}

#endif
