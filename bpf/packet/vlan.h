/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VLAN tags (IEEE 802.1Q). In XDP they are in the frame. In tc the outermost
 * one is in the skb's metadata, and the next one (QinQ) in the frame.
 */
#ifndef TUNLOAD_VLAN_H
#define TUNLOAD_VLAN_H

#include "tc.h"

/* Enough for two VLAN tags. */
#define LINK_HLEN_MAX (ETH_HLEN + 2 * sizeof(struct vlan_hdr))

/* The length of the link layer header with up to two VLAN tags; 0 if the frame
 * is shorter. *proto is the EtherType after them. */
static __always_inline __u32 link_header(const void *data, const void *end,
					 __be16 *proto)
{
	const struct ethhdr *eth = data;
	__u32 len = ETH_HLEN;

	if ((const void *)(eth + 1) > end)
		return 0;
	*proto = eth->h_proto;
	for (int i = 0; i < 2; i++) {
		const struct vlan_hdr *tag = data + len;

		if (!is_vlan(*proto))
			break;
		if ((const void *)(tag + 1) > end)
			return 0;
		*proto = tag->h_vlan_encapsulated_proto;
		len += sizeof(*tag);
	}
	return len;
}

/* A tag, and the EtherType after it. */
struct tag {
	__u32 len;     /* bytes in the frame; 0: no tag */
	__be16 proto;  /* its own EtherType */
	__be16 tci;    /* in network byte order */
	__be16 inside; /* the EtherType after it, or of the frame */
};

/* The tag of an skb that is still in its frame. */
static __always_inline struct tag tag_in_frame(struct __sk_buff *skb)
{
	struct tag tag = {.proto = skb->protocol, .inside = skb->protocol};
	struct vlan_hdr vlan;

	if (is_vlan(tag.proto) &&
	    !bpf_skb_load_bytes(skb, ETH_HLEN, &vlan, sizeof(vlan))) {
		tag.len = sizeof(vlan);
		tag.tci = vlan.h_vlan_TCI;
		tag.inside = vlan.h_vlan_encapsulated_proto;
	}
	tag.len = forget(tag.len, skb->len) & sizeof(vlan);
	return tag;
}

/*
 * Removes the tag in the frame, and first the outermost one, if any, from the
 * metadata: the helpers that resize an skb need an IP packet. Popping moves the
 * next tag to the metadata.
 */
static __always_inline bool take_tags(struct __sk_buff *skb,
				      struct tag *outermost)
{
	outermost->proto = skb->vlan_proto;
	outermost->tci = skb->vlan_tci;
	outermost->len = skb->vlan_present;
	return (!outermost->len || !bpf_skb_vlan_pop(skb)) &&
	       !bpf_skb_vlan_pop(skb);
}

/*
 * Sets skb->protocol to the EtherType in the frame. The kernel does that when a
 * VLAN tag is popped from the frame; a second push moves the first tag from
 * skb->vlan_tci to the frame. An existing tag counts as the first.
 */
static __always_inline bool reload_protocol(struct __sk_buff *skb)
{
	const __be16 tag = bpf_htons(ETH_P_8021Q);
	bool tagged = skb->vlan_present;

	return (tagged || !bpf_skb_vlan_push(skb, tag, 1)) &&
	       !bpf_skb_vlan_push(skb, tag, 1) && !bpf_skb_vlan_pop(skb) &&
	       (tagged || !bpf_skb_vlan_pop(skb));
}

/*
 * Puts the tags back in front of an IP packet of EtherType proto, with tag->len
 * bytes left for them. CHECKSUM_COMPLETE covers the tag, but not the EtherType
 * in front of it.
 */
static __always_inline bool put_tags(struct __sk_buff *skb,
				     const struct tag *outermost,
				     const struct tag *tag, __be16 proto)
{
	struct vlan_hdr vlan = {.h_vlan_TCI = tag->tci,
				.h_vlan_encapsulated_proto = proto};

	return !bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &tag->proto,
				    sizeof(tag->proto), 0) &&
	       !bpf_skb_store_bytes(skb, ETH_HLEN, &vlan, sizeof(vlan),
				    BPF_F_RECOMPUTE_CSUM) &&
	       (!outermost->len ||
		!bpf_skb_vlan_push(skb, outermost->proto, outermost->tci)) &&
	       reload_protocol(skb);
}

#endif
