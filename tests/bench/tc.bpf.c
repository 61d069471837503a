/* SPDX-License-Identifier: GPL-2.0-only */
/* tc programs to compare with: they push or pop a constant outer header with
 * the same helpers and flags as ours, and look nothing up. */
#include "core/net.h"
#include "packet/resize.h"
#include "packet/tc.h"

/* Set when the object is loaded. */
const volatile __u32 length; /* of the frames that are meant */
const volatile __u32 outer_family, inner_family;
const volatile __u8 header[ETH_HLEN + IP6_HLEN];

/* Does nothing: its time is that of the harness. */
SEC("tc")
int tc_empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int push(struct __sk_buff *skb)
{
	__u32 len = outer_family == 4 ? IP4_HLEN : IP6_HLEN;

	if (skb->len != length)
		return TC_ACT_UNSPEC;
	if (bpf_skb_adjust_room(
		    skb, len, BPF_ADJ_ROOM_MAC,
		    KEEP_GSO | (outer_family == 4
					? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
					: BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)) ||
	    bpf_skb_store_bytes(skb, 0, (const void *)header, ETH_HLEN + len,
				0))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int pop(struct __sk_buff *skb)
{
	__s32 len = outer_family == 4 ? IP4_HLEN : IP6_HLEN;
	__be16 proto = ethertype(inner_family);

	if (skb->len != length)
		return TC_ACT_UNSPEC;
	if (outer_family == inner_family)
		return bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC,
					   KEEP_GSO)
			       ? TC_ACT_SHOT
			       : TC_ACT_UNSPEC;
	if (bpf_skb_adjust_room(
		    skb, -len, BPF_ADJ_ROOM_MAC,
		    KEEP_GSO | (inner_family == 6
					? BPF_F_ADJ_ROOM_DECAP_L3_IPV6
					: BPF_F_ADJ_ROOM_DECAP_L3_IPV4)) ||
	    bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &proto, sizeof(proto),
				0))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
