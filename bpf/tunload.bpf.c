/* SPDX-License-Identifier: GPL-2.0-only */
/* The three programs: what each hook adds to ingress.h and egress.h. */
#include "answer.h"
#include "clamp.h"
#include "egress.h"
#include "report.h"
#include "resize.h"
#include "vlan.h"
#include "xdp.h"

SEC("xdp.frags")
int xdp_ingress(struct xdp_md *ctx)
{
	__u32 len = xdp_make_readable(ctx), link_len;
	struct view view = {};
	struct rx rx = {};
	__be16 proto;

	view.at = (void *)(long)ctx->data;
	view.end = (void *)(long)ctx->data_end;
	link_len = link_header(view.at, view.end, &proto);
	view.at += link_len;
	view.len = len - link_len;
	view.whole = view.len <= view.end - view.at;
	if (link_len)
		rx.outcome.verdict = ingress(&view, proto, &rx);
	else
		rx.outcome.verdict = TL_rx_plain;
	/* What lies in the fragments of an xdp_buff is out of reach. */
	if (rx.outcome.verdict == NEED_MORE)
		rx.outcome.verdict = rx.fallback;
	if (is_icmp_verdict(rx.outcome.verdict))
		icmp_verified(&rx, xdp_message(ctx, link_len + rx.message_at,
					       rx.message_len, rx.pseudo_sum));

	if (rx.outcome.verdict == TL_rx_decap && !xdp_decap(ctx, link_len, &rx))
		rx.outcome.verdict = TL_rx_error;
	if (is_reported(rx.outcome.verdict))
		report_xdp(ctx, link_len, rx.outcome.verdict, rx.outcome.peer,
			   rx.outcome.bytes);
	count(&rx.outcome);
	return is_drop(rx.outcome.verdict) ? XDP_DROP : XDP_PASS;
}

/* From the IP header on, as far as it is readable. */
static __always_inline struct view skb_view(const struct __sk_buff *skb,
					    __u32 link_len)
{
	struct view view = {.at = (void *)(long)skb->data + link_len,
			    .end = (void *)(long)skb->data_end,
			    .len = skb->len - link_len};

	view.whole = view.len <= view.end - view.at;
	return view;
}

/* Writes the new inner ECN field where it is to change (RFC 6040 4.2). */
static __always_inline bool tc_set_ecn(struct __sk_buff *skb, __u32 link_len,
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

/* tc_index remembers of a super-packet which kind of tunnel its skb is still
 * marked with, for make_room(). */
static __always_inline bool tc_decap(struct __sk_buff *skb,
				     const struct tag *in, const struct rx *rx)
{
	__be16 proto = ethertype(rx->inner_family);
	struct tag outermost = {};

	if (in->len && !take_tags(skb, &outermost))
		return false;
	if (skb->gso_size)
		skb->tc_index = rx->outer_family;
	if (!shrink(skb, rx->outer_len - in->len, rx->outer_family,
		    rx->inner_family) ||
	    !tc_set_ecn(skb, ETH_HLEN + in->len, rx))
		return false;
	if (in->len)
		return put_tags(skb, &outermost, in, proto);
	return rx->outer_family == rx->inner_family ||
	       !bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &proto,
				    sizeof(proto), 0);
}

/* The checksum of the ICMP message that rx tells of is right; it is made
 * readable. A global function like xdp_message(). */
__attribute__((noinline)) int tc_message(struct __sk_buff *skb, __u32 at,
					 __u32 len, __u32 sum)
{
	make_readable(skb, at + len);
	return csum_is_right((void *)(long)skb->data + (at & OFFSET_MASK), len,
			     (void *)(long)skb->data_end, sum);
}

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	struct tag tag = tag_in_frame(skb);
	__u32 link_len = ETH_HLEN + tag.len;
	__u32 need = link_len + IP6_HLEN;
	struct rx rx = {};
	struct view view;

	if (skb->mark == MARK_ANSWER) {
		skb->mark = 0;
		return TC_ACT_UNSPEC;
	}
	for (int i = 0; i < 2; i++) {
		make_readable(skb, need);
		view = skb_view(skb, link_len);
		rx.outcome.verdict = ingress(&view, tag.inside, &rx);
		if (rx.outcome.verdict != NEED_MORE)
			break;
		rx.outcome.verdict = rx.fallback;
		need = READABLE_AT_MOST;
	}
	if (is_icmp_verdict(rx.outcome.verdict))
		icmp_verified(&rx, tc_message(skb, link_len + rx.message_at,
					      rx.message_len, rx.pseudo_sum));

	if (rx.outcome.verdict == TL_rx_decap && !tc_decap(skb, &tag, &rx))
		rx.outcome.verdict = TL_rx_error;
	if (is_reported(rx.outcome.verdict))
		report_skb(skb, link_len, rx.outcome.verdict, rx.outcome.peer,
			   rx.outcome.bytes);
	count(&rx.outcome);
	return is_drop(rx.outcome.verdict) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/*
 * Makes room for the outer header. An skb that came through a tunnel may still
 * be marked as encapsulated after decapsulation in tc (-EALREADY): no helper
 * takes the mark away. It is right for us too, but for the segments of a
 * super-packet only if both tunnels are of one outer family, and skb->protocol
 * has to be changed in another way, by *reload.
 */
static __always_inline bool make_room(struct __sk_buff *skb,
				      const struct tx *tx, bool *reload)
{
	__u8 family = tx->peer->family;
	__u32 len = outer_header_len(family);
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
	if (skb->gso_size && skb->tc_index != family)
		return false;
	return !bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, KEEP_GSO);
}

/* The outer header with the EtherType in front of it, written in one go. */
struct outer_header {
	__be16 pad;
	__be16 ethertype;
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
};

static __always_inline bool tc_encap(struct __sk_buff *skb, const struct tx *tx)
{
	__u8 family = tx->peer->family;
	struct outer_header outer;
	bool reload = false;

	if (tx->syn_at)
		clamp_mss(skb, ETH_HLEN + tx->syn_at,
			  mss_of_mtu(tx->mtu, tx->inner.family));
	if (!make_room(skb, tx, &reload))
		return false;
	outer.ethertype = ethertype(family);
	if (family == 4)
		build_ip4(&outer.ip4, tx->peer, &tx->inner,
			  tx->inner.df ? 0 : bpf_get_prandom_u32() | 1);
	else
		build_ip6(&outer.ip6, tx->peer, &tx->inner);
	return !bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &outer.ethertype,
				    2 + outer_header_len(family), 0) &&
	       (!reload || reload_protocol(skb));
}

/*
 * The frame carries the link layer address of the outer next hop, because the
 * loader's route leads there; then it can go out as it is. An IPv6 route cannot
 * lead to an IPv4 next hop, so for 6in4 the FIB has to be asked; the packet
 * then passes this hook once more.
 */
static __always_inline int tc_send(struct __sk_buff *skb, const struct tx *tx)
{
	if (tx->inner.family == 6 && tx->peer->family == 4) {
		skb->tc_index = TC_INDEX_SENT;
		return bpf_redirect_neigh(skb->ifindex, 0, 0, 0);
	}
	return TC_ACT_UNSPEC;
}

/* What may be fragmented on its way has to get out of this interface first, and
 * nobody fragments behind this hook. */
static __always_inline bool exceeds_device(struct __sk_buff *skb,
					   const struct tx *tx)
{
	__u32 mtu = 0;

	return !tx->inner.df && !skb->gso_size &&
	       bpf_check_mtu(skb, 0, &mtu, outer_header_len(tx->peer->family),
			     0);
}

/* A packet that leaves, readable up to the end of its TCP header, whose options
 * clamp_mss() reads in another way. What is readable already stays where it is:
 * of most skbs that the payload's pages follow, just the headers are. */
static __always_inline struct view egress_view(struct __sk_buff *skb)
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

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	struct tx tx = {};
	struct view view;

	if (skb->tc_index == TC_INDEX_SENT) {
		skb->tc_index = 0;
		return TC_ACT_UNSPEC;
	}
	view = egress_view(skb);
	tx.outcome.verdict = egress(&view, skb->protocol, skb->gso_size, &tx);

	if (tx.outcome.verdict == TL_tx_encap && exceeds_device(skb, &tx))
		tx.outcome.verdict = TL_tx_too_big;
	if (tx.outcome.verdict == TL_tx_encap && !tc_encap(skb, &tx))
		tx.outcome.verdict = TL_tx_error;
	if (is_reported(tx.outcome.verdict))
		report_skb(skb, ETH_HLEN, tx.outcome.verdict, tx.outcome.peer,
			   tx.outcome.bytes);
	count(&tx.outcome);
	if (tx.outcome.verdict == TL_tx_too_big)
		return tx.inner.family == 4 ? answer4(skb, tx.mtu)
					    : answer6(skb, tx.mtu);
	if (is_drop(tx.outcome.verdict))
		return TC_ACT_SHOT;
	return tx.outcome.verdict == TL_tx_encap ? tc_send(skb, &tx)
						 : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
