/* SPDX-License-Identifier: GPL-2.0-only */
/* Puts the outer header in front of an skb. */
#ifndef TUNLOAD_ENCAP_H
#define TUNLOAD_ENCAP_H

#include "decide/lean_egress.h"
#include "clamp.h"
#include "frame.h"
#include "kernel.h"
#include "marks.h"
#include "next_hop.h"
#include "resize.h"
#include "vlan.h"

/*
 * Makes room for the outer header. An skb that tc has decapsulated may still be
 * marked as encapsulated (-EALREADY); no helper clears the mark. It is right
 * for us too, but for a super-packet only if both tunnels have the same outer
 * family. skb->protocol then has to be changed in another way: *reload.
 */
static __always_inline bool make_room(struct __sk_buff *skb,
				      const struct tx *tx, bool *reload)
{
	__u8 family = tx->peer->family;
	__u32 len = tunnel_overhead(family);
	long err;

	if (tx->excess && !shrink_segments(skb, tx->excess))
		return false;
	err = bpf_skb_adjust_room(
		skb, len, BPF_ADJ_ROOM_MAC,
		KEEP_GSO | (family == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
					: BPF_F_ADJ_ROOM_ENCAP_L3_IPV6));
	if (err != -EALREADY)
		return !err;
	*reload = tx->inner.family != family;
	if (!segments_fit(skb, family))
		return false;
	return !bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, KEEP_GSO);
}

/* Scratch space, as the stack is small; nothing else uses it between filling
 * and storing. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct outer_header);
} outer_headers SEC(".maps");

/* Writes the outer header, and the MAC addresses of hop unless it is NULL. */
static __always_inline bool store_outer(struct __sk_buff *skb,
					struct outer_header *outer,
					__u32 family,
					const struct tl_next_hop *hop)
{
	__u32 len = tunnel_overhead(family);

	if (!hop)
		return !bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET,
					    &outer->ethertype, 2 + len, 0);
	/* The frame's header is aligned to two bytes. */
	for (int i = 0; i < ETH_ALEN; i++)
		((__u16 *)outer->macs)[i] = ((const __u16 *)hop->macs)[i];
	return !bpf_skb_store_bytes(skb, 0, outer->macs, ETH_HLEN + len, 0);
}

static __always_inline bool skb_encap(struct __sk_buff *skb,
				      const struct tx *tx,
				      const struct tl_next_hop *hop)
{
	__u8 family = tx->peer->family;
	const __u32 zero = 0;
	struct outer_header *outer = bpf_map_lookup_elem(&outer_headers, &zero);
	bool reload = false;

	if (tx->syn)
		skb_clamp(skb, ETH_HLEN, tx->outcome.peer, tx->inner.family);
	if (!outer || !make_room(skb, tx, &reload))
		return false;
	outer->ethertype = ethertype(family);
	if (family == 4)
		build_ip4(&outer->ip4, tx->peer, &tx->inner,
			  tx->inner.df ? 0 : bpf_get_prandom_u32() | 1);
	else
		build_ip6(&outer->ip6, tx->peer, &tx->inner);
	return store_outer(skb, outer, family, hop) &&
	       (!reload || reload_protocol(skb));
}

/* Puts the prepared header in front of a packet that lean_egress() passes.
 * Returns 0, -EALREADY if nothing was changed (see make_room()), or another
 * error. */
static __always_inline long put_outer(struct __sk_buff *skb,
				      const struct inner *in, const __u8 family,
				      const struct prepared *head)
{
	const __u32 len = tunnel_overhead(family);
	const __u64 *from = (const __u64 *)&head->outer;
	struct outer_header outer;
	long err = bpf_skb_adjust_room(
		skb, len, BPF_ADJ_ROOM_MAC,
		KEEP_GSO | (family == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
					: BPF_F_ADJ_ROOM_ENCAP_L3_IPV6));

	if (err)
		return err;
	for (__u32 i = 0; i < (2 + ETH_HLEN + len + 7) / 8; i++)
		((__u64 *)&outer)[i] = from[i];
	if (family == 4)
		finish_ip4(&outer.ip4, head, in);
	else
		finish_ip6(&outer.ip6, head, in);
	return bpf_skb_store_bytes(skb, 0, outer.macs, ETH_HLEN + len, 0);
}

/* Encapsulates and counts a packet to the gateway of a peer, if it is one for
 * lean_egress(); returns LEAN_NOT if it is not. A global function, with its own
 * share of the stack. */
__attribute__((noinline)) int skb_encap_lean(struct __sk_buff *skb, __u32 peer)
{
	const struct prepared *head = head_of(peer);
	struct view view = skb_view(skb, ETH_HLEN);
	struct tx tx = {};
	long err;

	if (!head ||
	    !lean_egress(&view, skb->protocol, skb->gso_size, peer, head,
			 &tx) ||
	    (!is_routed_here(skb) && is_on_interface(skb)))
		return LEAN_NOT;
	count_ahead(&tx.outcome);
	err = head->family == 4 ? put_outer(skb, &tx.inner, 4, head)
				: put_outer(skb, &tx.inner, 6, head);
	if (!err)
		return LEAN_PASS;
	uncount(TL_tx_encap, peer, tx.outcome.bytes);
	return err == -EALREADY
		       ? LEAN_NOT
		       : lean_failed(skb, TL_tx_error, peer, tx.outcome.bytes);
}

/* Handles nearly every frame that leaves: other traffic, and what is for
 * lean_egress(). Returns LEAN_NOT for the rest. */
static __always_inline int skb_leave(struct __sk_buff *skb)
{
	const void *data = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;
	__u32 peer;

	if (data + ETH_HLEN > end)
		return LEAN_NOT;
	if (is_gateway_mac(data, &peer))
		return skb_encap_lean(skb, peer);
	if (!is_other_traffic(data, end))
		return LEAN_NOT;
	count_interface(TL_tx_plain, skb->len - ETH_HLEN);
	return LEAN_PASS;
}

#endif
