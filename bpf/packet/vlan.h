/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VLAN tags (IEEE 802.1Q). XDP finds them in the frame. tc has the outermost
 * one in the skb's metadata, and what was behind it (QinQ) in the frame.
 */
#ifndef TUNLOAD_VLAN_H
#define TUNLOAD_VLAN_H

#include "tc.h"

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) ||
	       proto == bpf_htons(ETH_P_8021AD);
}

/* Enough for two VLAN tags. */
#define LINK_HLEN_MAX (ETH_HLEN + 2 * sizeof(struct vlan_hdr))

/* Length of the link layer header with up to two VLAN tags, and the EtherType
 * behind them; 0 if the frame is shorter. */
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

/* A tag, and what is behind it. */
struct tag {
	__u32 len;     /* bytes it takes in the frame; 0: there is none */
	__be16 proto;  /* its own EtherType */
	__be16 tci;    /* in network byte order */
	__be16 inside; /* the EtherType behind it, or of the frame */
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
 * Takes the tag out of the frame, and the outermost one, if there is one, off
 * the metadata: the helpers that resize an skb want one that is IP. Popping
 * moves the next tag to the metadata.
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
 * Makes skb->protocol what the EtherType in the frame says, which taking a VLAN
 * tag out of the frame does: one that is pushed twice is in the frame, and in
 * skb->vlan_tci. A tag that is there already is one of the two.
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
 * Puts the tags back, in front of an IP packet of EtherType proto for which
 * tag->len bytes were left. The EtherType in front of the tag is not part of
 * what a CHECKSUM_COMPLETE has summed up, the tag is.
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
