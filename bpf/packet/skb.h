/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tc programs do to an skb: read it, remove the outer header, and
 * finish with its verdict. The counterpart of xdp.h. */
#ifndef TUNLOAD_SKB_H
#define TUNLOAD_SKB_H

#include "decide/admit.h"
#include "record/report.h"
#include "decide/lean.h"
#include "clamp.h"
#include "marks.h"
#include "resize.h"
#include "vlan.h"
#include "way_back.h"

/* Makes the first `need` bytes readable, if the packet has them. */
static __always_inline void make_readable(struct __sk_buff *skb, __u32 need)
{
	if (need > skb->len)
		need = skb->len;
	if (skb->data_end - skb->data < need)
		bpf_skb_pull_data(skb, need);
}

/* The readable part of the packet from the IP header on. */
static __always_inline struct view skb_view(const struct __sk_buff *skb,
					    __u32 link_len)
{
	struct view view = {.at = (void *)(long)skb->data + link_len,
			    .end = (void *)(long)skb->data_end,
			    .len = skb->len - link_len};

	view.whole = view.len <= view.end - view.at;
	return view;
}

/* A leaving packet, readable up to the end of its TCP header without options,
 * which skb_clamp() reads by a helper. Pulls nothing if the headers are
 * readable already, as in most skbs with their payload in pages. */
static __always_inline struct view skb_egress_view(struct __sk_buff *skb)
{
	bool is_ip4 = skb->protocol == bpf_htons(ETH_P_IP);
	const struct iphdr *ip4;
	struct view view;

	make_readable(skb,
		      ETH_HLEN + (is_ip4 ? IP4_HLEN : IP6_HLEN) + TCP_HLEN);
	view = skb_view(skb, ETH_HLEN);
	ip4 = view.at;
	if (!is_ip4 || (const void *)(ip4 + 1) > view.end || ip4->ihl <= 5)
		return view;
	make_readable(skb, ETH_HLEN + IP4_HLEN_MAX + TCP_HLEN);
	return skb_view(skb, ETH_HLEN);
}

/* True if the checksum of an ICMP message is right; makes the message readable.
 * A global function, like xdp_message(). */
__attribute__((noinline)) int skb_message(struct __sk_buff *skb, __u32 at,
					  __u32 len, __u32 sum)
{
	make_readable(skb, at + len);
	return csum_is_right((void *)(long)skb->data + (at & OFFSET_MASK), len,
			     (void *)(long)skb->data_end, sum);
}

/* Writes the new inner ECN field if it changes (RFC 6040 4.2). */
static __always_inline bool skb_set_ecn(struct __sk_buff *skb, __u32 link_len,
					const struct rx *rx)
{
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	} inner;

	if (!rx->set_ecn)
		return true;
	if (rx->inner_family == 4) {
		if (bpf_skb_load_bytes(skb, link_len, &inner, IP4_HLEN))
			return false;
		ip4_set_ecn(&inner.ip4, rx->ecn);
		return !bpf_skb_store_bytes(skb, link_len, &inner, IP4_HLEN,
					    BPF_F_RECOMPUTE_CSUM);
	}
	if (bpf_skb_load_bytes(skb, link_len, &inner, IP6_HLEN))
		return false;
	ip6_set_ecn(&inner.ip6, rx->ecn);
	return !bpf_skb_store_bytes(skb, link_len, &inner, IP6_HLEN,
				    BPF_F_RECOMPUTE_CSUM);
}

static __always_inline bool skb_decap(struct __sk_buff *skb,
				      const struct tag *in, const struct rx *rx)
{
	__be16 proto = ethertype(rx->inner_family);
	struct tag outermost = {};

	if (in->len && !take_tags(skb, &outermost))
		return false;
	mark_encapsulated(skb, rx->outer_family);
	if (!shrink(skb, rx->outer_len - in->len, rx->outer_family,
		    rx->inner_family) ||
	    !skb_set_ecn(skb, ETH_HLEN + in->len, rx))
		return false;
	if (in->len)
		return put_tags(skb, &outermost, in, proto);
	return rx->outer_family == rx->inner_family ||
	       !bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &proto,
				    sizeof(proto), 0);
}

/* Finishes every packet at this hook: reports and counts it, and returns
 * whether to drop it. */
static __always_inline int skb_finish(struct __sk_buff *skb, __u32 link_len,
				      const struct outcome *o)
{
	if (is_reported(o->verdict))
		report_skb(skb, link_len, o->verdict, o->peer, o->bytes);
	count(o);
	return is_drop(o->verdict) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* The same for an Ethernet frame without a tag and two constant families. */
static __always_inline bool skb_decap_plain(struct __sk_buff *skb,
					    const __u8 outer, const __u8 inner)
{
	const __be16 proto = ethertype(inner);

	mark_encapsulated(skb, outer);
	return shrink(skb, ip_hlen(outer), outer, inner) &&
	       (outer == inner ||
		!bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &proto,
				     sizeof(proto), 0));
}

enum { LEAN_NOT, LEAN_PASS, LEAN_DROP };

/* Finishes a packet of a short way that the kernel refused to change. A
 * function of its own, as it hardly ever happens. */
static __attribute__((noinline, unused)) int
lean_failed(struct __sk_buff *skb, __u32 verdict, __u32 peer, __u32 bytes)
{
	const struct outcome o = {
		.verdict = verdict, .peer = peer, .bytes = bytes};

	return skb_finish(skb, ETH_HLEN, &o) == TC_ACT_SHOT ? LEAN_DROP
							    : LEAN_PASS;
}

/* Removes the outer header of a packet that lean() passes. The families are
 * constants on each way out of lean(). */
static __always_inline bool skb_decap_lean(struct __sk_buff *skb,
					   const struct rx *rx)
{
	if (rx->outer_family == 4)
		return rx->inner_family == 4 ? skb_decap_plain(skb, 4, 4)
					     : skb_decap_plain(skb, 4, 6);
	return rx->inner_family == 4 ? skb_decap_plain(skb, 6, 4)
				     : skb_decap_plain(skb, 6, 6);
}

/* Decapsulates or passes a packet and counts it, if its ECN field stays. */
static __always_inline int skb_take(void *ctx, struct rx *rx)
{
	struct __sk_buff *skb = ctx;

	if (rx->outcome.verdict == TL_rx_plain) {
		count_interface(TL_rx_plain, rx->outcome.bytes);
		return LEAN_PASS;
	}
	count_ahead(&rx->outcome);
	if (skb_decap_lean(skb, rx))
		return LEAN_PASS;
	uncount(TL_rx_decap, rx->outcome.peer, rx->outcome.bytes);
	return lean_failed(skb, TL_rx_error, rx->outcome.peer,
			   rx->outcome.bytes);
}

/* Does that if the packet is one for lean(); returns LEAN_NOT if it is not. */
static __always_inline int skb_lean(struct __sk_buff *skb)
{
	const struct lean_hook hook = {skb_take, skb, false};
	struct view view = skb_view(skb, ETH_HLEN);

	/* The compiler would keep the beginning of the frame as well. */
	barrier_var(view.at);
	return lean(&view, skb->protocol, &hook);
}

/* Remembers a packet that ingress() has passed, for lean(), unless its peer has
 * special keys: then returns admit(). A global function, so it is verified
 * once. */
__attribute__((noinline)) int skb_admit(struct __sk_buff *skb, __u32 inner_at,
					__u32 kind, __u32 generation,
					__u32 peer)
{
	if (is_special(peer))
		return admit(peer, skb->gso_segs ?: 1, true);
	flow_keep_any((void *)(long)skb->data, (void *)(long)skb->data_end,
		      inner_at, kind, generation, peer);
	return PASSED;
}

/* Finishes a frame that is not tunnelled, as skb_finish() does. A global
 * function, so it is verified once. */
__attribute__((noinline)) int count_frame(struct __sk_buff *skb, __u32 verdict,
					  __u32 peer)
{
	struct outcome outcome = {
		.verdict = verdict, .peer = peer, .bytes = skb->len - ETH_HLEN};

	if (is_reported(verdict))
		report_skb(skb, ETH_HLEN, verdict, peer, outcome.bytes);
	count_untunnelled(&outcome);
	return is_drop(verdict) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

#endif
