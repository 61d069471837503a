/* SPDX-License-Identifier: GPL-2.0-only */
/* The three programs: what each hook adds to ingress.h and egress.h. */
#include "record/report.h"
#include "decide/egress.h"
#include "packet/answer.h"
#include "packet/clamp.h"
#include "packet/fragment.h"
#include "packet/kernel.h"
#include "packet/next_hop.h"
#include "packet/resize.h"
#include "packet/solicit.h"
#include "packet/vlan.h"
#include "packet/xdp.h"

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

	if (own_take(skb) == OWN_ANSWER)
		return TC_ACT_UNSPEC;
	for (int i = 0; i < 2; i++) {
		make_readable(skb, need);
		view = skb_view(skb, link_len);
		rx.outcome.verdict = ingress(&view, tag.inside, &rx);
		if (rx.outcome.verdict != NEED_MORE)
			break;
		rx.outcome.verdict = rx.fallback;
		need = READABLE_AT_MOST;
	}
	if (rx.outcome.verdict == TL_rx_borrowed && came_by_ipsec(skb)) {
		rx.outcome.verdict = TL_rx_plain;
		rx.outcome.peer = TL_PEER_NONE;
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

/* The link layer header and the outer one, written in one go. */
struct outer_header {
	__be16 pad; /* the IP header is aligned behind it */
	__u8 macs[2 * ETH_ALEN];
	__be16 ethertype;
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
};

/* Not on the stack, which is short: nothing else uses it between filling and
 * storing. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct outer_header);
} outer_headers SEC(".maps");

/* hop NULL: the addresses of the frame stay as they are. */
static __always_inline bool store_outer(struct __sk_buff *skb,
					struct outer_header *outer,
					__u32 family,
					const struct tl_next_hop *hop)
{
	__u32 len = outer_header_len(family);

	if (!hop)
		return !bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET,
					    &outer->ethertype, 2 + len, 0);
	/* The frame's header is aligned to two bytes. */
	for (int i = 0; i < ETH_ALEN; i++)
		((__u16 *)outer->macs)[i] = ((const __u16 *)hop->macs)[i];
	return !bpf_skb_store_bytes(skb, 0, outer->macs, ETH_HLEN + len, 0);
}

static __always_inline bool tc_encap(struct __sk_buff *skb, const struct tx *tx,
				     const struct tl_next_hop *hop)
{
	__u8 family = tx->peer->family;
	const __u32 zero = 0;
	struct outer_header *outer = bpf_map_lookup_elem(&outer_headers, &zero);
	bool reload = false;

	if (tx->syn_at)
		clamp_mss(skb, ETH_HLEN + tx->syn_at,
			  mss_of_mtu(tx->mtu, tx->inner.family));
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

/* Is this hook that of the interface, and not a test run's? Those carry no
 * route and have no addresses. */
static __always_inline bool is_on_interface(const struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->ifindex == skb->ifindex;
}

/* A global function, which is verified once. */
__attribute__((noinline)) int has_source(struct __sk_buff *skb, __u32 peer)
{
	const struct tl_peer *p = bpf_map_lookup_elem(&peers, &peer);

	return p && is_address_here(skb, p->family, p->local);
}

/*
 * What the maps cannot know of a packet that is to be encapsulated: that it
 * gets out of the interface, and from an address that is there. The latter as
 * often as the next hop is asked for.
 */
static __always_inline enum tl_verdict
check_device(struct __sk_buff *skb, const struct tx *tx, bool known)
{
	if (exceeds_device(skb, tx))
		return TL_tx_too_big;
	if (!known && is_on_interface(skb) &&
	    !has_source(skb, tx->outcome.peer))
		return TL_tx_no_source;
	return TL_tx_encap;
}

/* Fragments need a checksum that is complete, and our own marks. Where they
 * cannot be had the source is told to send less. */
static __always_inline bool fragment(struct __sk_buff *skb, const struct tx *tx)
{
	return own_secret && !is_csum_pending(skb) &&
	       !send_fragments(skb, tx->payload, fragment_len(tx->mtu),
			       tx->outcome.peer);
}

/* Counts a frame that is not tunnelled. A global function, verified once. */
__attribute__((noinline)) int count_frame(struct __sk_buff *skb, __u32 verdict,
					  __u32 peer)
{
	struct outcome outcome = {
		.verdict = verdict, .peer = peer, .bytes = skb->len - ETH_HLEN};

	if (is_reported(verdict))
		report_skb(skb, ETH_HLEN, verdict, peer, outcome.bytes);
	count(&outcome);
	return is_drop(verdict) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* Answers the ARP request or neighbour solicitation for a gateway that the
 * frame is. Returns the action, or NOT_SOLICITED. A global function, verified
 * once. */
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

/* An inner packet to the gateway of a peer. Returns the action. */
static __always_inline int to_gateway(struct __sk_buff *skb, __u32 peer,
				      bool fragmented)
{
	const struct tl_next_hop *hop;
	struct tx tx = {};
	struct view view = egress_view(skb);
	enum tl_verdict verdict;
	int action;

	verdict = egress(&view, skb->protocol, skb->gso_size, peer, &tx);
	if (!fragmented && is_on_interface(skb) && !is_routed_here(skb))
		verdict = TL_tx_not_routed;
	tx.outcome.now_ns = bpf_ktime_get_coarse_ns();
	hop = next_hop_known(peer, tx.outcome.now_ns);
	if (verdict == TL_tx_neighbour || verdict == TL_tx_waiting) {
		action = to_solicited(skb);
		if (action != NOT_SOLICITED)
			return action;
	}
	if (verdict == TL_tx_encap)
		verdict = check_device(skb, &tx, hop);
	if (verdict == TL_tx_fragmented && !fragment(skb, &tx))
		verdict = TL_tx_too_big;
	if (verdict == TL_tx_encap && !tc_encap(skb, &tx, hop))
		verdict = TL_tx_error;
	tx.outcome.verdict = verdict;
	if (is_reported(verdict))
		report_skb(skb, ETH_HLEN, verdict, peer, tx.outcome.bytes);
	count(&tx.outcome);
	if (verdict == TL_tx_too_big)
		return tx.inner.family == 4 ? answer4(skb, tx.mtu)
					    : answer6(skb, tx.mtu);
	if (verdict == TL_tx_tunnelled)
		return next_hop_ask(skb, TL_PEER_NONE);
	if (verdict == TL_tx_fragmented)
		return bpf_redirect(skb->ifindex, 0);
	if (verdict != TL_tx_encap)
		return TC_ACT_SHOT;
	return hop ? TC_ACT_UNSPEC : next_hop_ask(skb, peer);
}

/* An outer packet with the link layer header that the kernel has found. That of
 * a gateway: its route leads into a tunnel again. */
static __always_inline int sent(struct __sk_buff *skb, const __u8 *mac)
{
	__u32 peer = skb->cb[OWN_CB_PEER], gateway;

	skb->mark = skb->cb[OWN_CB_DATA];
	if (is_gateway_mac(mac, &gateway))
		return count_frame(skb, TL_tx_loop, gateway);
	if (peer != TL_PEER_NONE)
		next_hop_learn(skb, peer);
	return TC_ACT_UNSPEC;
}

/* Frames that may ask for a gateway; a probe of one that is known goes to the
 * gateway itself, and in IPv6 shows as a packet that must not leave its link.
 */
static __always_inline bool may_solicit(const struct __sk_buff *skb,
					const __u8 *mac)
{
	return skb->protocol == bpf_htons(ETH_P_ARP) ||
	       (skb->protocol == bpf_htons(ETH_P_IPV6) && mac[0] & 1);
}

/* The beginning of a frame, as far as the protocol of an IP header. */
struct frame_head {
	__u8 mac[ETH_ALEN], from[ETH_ALEN];
	__be16 proto;
	__u8 ip[10];
} __attribute__((aligned(8)));

/* Of a frame that is shorter only the destination, which all have. */
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

/* Is it an ICMP message that tells another host to use a gateway of ours? The
 * kernel sends them where a packet is routed out of the interface it came by;
 * the other host would look for the gateway on the wire. Returns the
 * gateway's peer, or TL_PEER_NONE. A global function, verified once. */
__attribute__((noinline)) int redirected_peer(struct __sk_buff *skb, __u32 at,
					      __u32 family)
{
	__u8 message[ND_TARGET_END];

	__builtin_memset(message, 0, sizeof(message));
	if (bpf_skb_load_bytes(skb, at, message, 8))
		return TL_PEER_NONE;
	if (family == 4)
		return message[0] == ICMP_REDIRECT_TYPE &&
				       is_gateway4(message + 4)
			       ? id_of_bytes(message + 5)
			       : TL_PEER_NONE;
	if (message[0] != ND_REDIRECT ||
	    bpf_skb_load_bytes(skb, at, message, sizeof(message)) ||
	    !is_gateway6(message + 8))
		return TL_PEER_NONE;
	return id_of_bytes(message + 8 + 13);
}

static __always_inline __u32 redirects_to(struct __sk_buff *skb,
					  const struct frame_head *head)
{
	if (head->proto == bpf_htons(ETH_P_IP) && head->ip[9] == NEXT_ICMP)
		return redirected_peer(skb, ETH_HLEN + (head->ip[0] & 0xf) * 4,
				       4);
	if (head->proto == bpf_htons(ETH_P_IPV6) && head->ip[6] == NEXT_ICMPV6)
		return redirected_peer(skb, ETH_HLEN + IP6_HLEN, 6);
	return TL_PEER_NONE;
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	enum own_kind own = own_take(skb);
	struct frame_head head;
	__u32 peer;
	int action;

	if (!load_head(skb, &head))
		return count_frame(skb, TL_tx_plain, TL_PEER_NONE);
	if (own == OWN_SENT)
		return sent(skb, head.mac);
	if (own == OWN_FRAGMENT && cut_fragment(skb))
		return count_frame(skb, TL_tx_error, skb->cb[OWN_CB_PEER]);
	if (may_solicit(skb, head.mac)) {
		action = to_solicited(skb);
		if (action != NOT_SOLICITED)
			return action;
	}
	peer = redirects_to(skb, &head);
	if (peer != TL_PEER_NONE)
		return count_frame(skb, TL_tx_redirect, peer);
	if (!is_gateway_mac(head.mac, &peer))
		return count_frame(skb, TL_tx_plain, TL_PEER_NONE);
	return to_gateway(skb, peer, own == OWN_FRAGMENT);
}

char LICENSE[] SEC("license") = "GPL";
