/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs. Four read a packet each, get the verdict, act on it, and count
 * it; one writes prefixes for the loader. */
#include "decide/egress.h"
#include "decide/ingress.h"
#include "decide/lean.h"
#include "packet/deliver.h"
#include "packet/device.h"
#include "packet/encap.h"
#include "packet/fragment.h"
#include "packet/next_hop.h"
#include "packet/redirect.h"
#include "packet/skb.h"
#include "packet/solicit.h"
#include "packet/xdp.h"
#include "record/write.h"

/* True if tc_ingress takes the packet instead of XDP. */
static __always_inline bool is_left_to_tc(const struct rx *rx)
{
	return rx->peer_flags & TL_PEER_F_TC &&
	       generations.ingress & TL_INGRESS_TC;
}

/* Handles a frame that is not one for lean(). Returns the action, or a
 * question(). The functions that the programs call are global, so each is
 * verified once, with its own share of the stack. */
__attribute__((noinline)) __u64 xdp_decide(struct xdp_md *ctx, __u32 way)
{
	__u32 generation = generation_now();
	struct view view = {};
	struct rx rx = {};
	__be16 proto;
	__u32 link_len = xdp_view(ctx, &view, &proto);
	int action;

	if (link_len)
		rx.outcome.verdict = ingress(&view, proto, &rx);
	else
		rx.outcome.verdict = TL_rx_plain;
	/* The fragments of an xdp_buff cannot be read, so the fallback
	 * applies. */
	if (rx.outcome.verdict == NEED_MORE)
		rx.outcome.verdict = rx.fallback;
	if (is_icmp_verdict(rx.outcome.verdict))
		icmp_verified(&rx, xdp_message(ctx, link_len + rx.message_at,
					       rx.message_len, rx.pseudo_sum));
	if (rx.outcome.verdict == PASSED && rx.peer_flags & TL_PEER_F_ROUTED) {
		if (way == WAY_NOT_ASKED)
			return question(link_len + rx.outer_len, &rx);
		if (way == WAY_ELSEWHERE)
			rx.outcome.verdict = TL_rx_not_allowed;
	}
	if (rx.outcome.verdict == PASSED) {
		if (is_left_to_tc(&rx))
			return XDP_PASS;
		rx.outcome.now_ns = bpf_ktime_get_coarse_ns();
		rx.outcome.verdict = xdp_admit(ctx, link_len + rx.outer_len,
					       flow_kind_of(&rx), generation,
					       rx.outcome.peer);
	}
	if (rx.outcome.verdict == PASSED)
		rx.outcome.verdict = xdp_decap(ctx, link_len, &rx)
					     ? TL_rx_decap
					     : TL_rx_error;
	action = xdp_finish(ctx, link_len, &rx.outcome);
	if (rx.outcome.verdict != TL_rx_decap)
		return action;
	xdp_clamp(ctx, link_len, rx.outcome.peer, rx.inner_family);
	return spread(ctx, link_len, rx.inner_family);
}

static __always_inline int xdp_full(struct xdp_md *ctx)
{
	__u64 done = xdp_decide(ctx, WAY_NOT_ASKED);

	return is_question(done) ? xdp_decide(ctx, xdp_way_back(ctx, done))
				 : done;
}

/* Handles a plain frame whose way may have been learned: forwards it, or lets
 * it go up and counts it. */
static __always_inline int xdp_plain(struct xdp_md *ctx, bool learned)
{
	int action = learned ? xdp_known_plain(ctx) : 0;

	if (action)
		return action;
	count_interface(TL_rx_plain, bpf_xdp_get_buff_len(ctx) - ETH_HLEN);
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_ingress(struct xdp_md *ctx)
{
	int action = forward_xdp ? known_any(ctx, true) : 0;

	if (action)
		return action;
	action = xdp_lean(ctx);
	if (forward_xdp && action == XDP_PLAIN4)
		return xdp_plain(ctx, learn_plain4(ctx, ctx->ingress_ifindex));
	if (forward_xdp && action == XDP_PLAIN6)
		return xdp_plain(ctx, learn_plain6(ctx, ctx->ingress_ifindex));
	return action ? action : xdp_full(ctx);
}

/* On the other interfaces that `forward` names: sends packets into tunnels, and
 * leaves all others alone. */
SEC("xdp.frags")
int xdp_forward(struct xdp_md *ctx)
{
	int action = forward_xdp ? xdp_known_plain(ctx) : 0;
	__u8 family;

	if (action || !forward_xdp)
		return action ?: XDP_PASS;
	family = may_enter(ctx);
	if ((family == 4 && learn_plain4(ctx, attached_ifindex())) ||
	    (family == 6 && learn_plain6(ctx, attached_ifindex())))
		action = xdp_known_plain(ctx);
	return action ?: XDP_PASS;
}

/* Handles an arriving frame that is not one for lean(), as xdp_decide(). */
__attribute__((noinline)) __u64 tc_decide(struct __sk_buff *skb, __u32 way)
{
	__u32 generation = generation_now();
	struct tag tag = tag_in_frame(skb);
	__u32 link_len = ETH_HLEN + tag.len;
	__u32 need = link_len + IP6_HLEN;
	struct rx rx = {};
	struct view view;
	int action;

	for (int i = 0; i < 2; i++) {
		make_readable(skb, need);
		view = skb_view(skb, link_len);
		rx.outcome.verdict = ingress(&view, tag.inside, &rx);
		if (rx.outcome.verdict != NEED_MORE)
			break;
		rx.outcome.verdict = rx.fallback;
		need = READABLE_AT_MOST;
	}
	/* XDP has counted all others. */
	if (generations.ingress & TL_INGRESS_XDP &&
	    !(rx.outcome.verdict == PASSED && rx.peer_flags & TL_PEER_F_TC))
		return TC_ACT_UNSPEC;
	if (rx.outcome.verdict == TL_rx_borrowed && came_by_ipsec(skb)) {
		rx.outcome.verdict = TL_rx_plain;
		rx.outcome.peer = TL_PEER_NONE;
	}
	if (is_icmp_verdict(rx.outcome.verdict))
		icmp_verified(&rx, skb_message(skb, link_len + rx.message_at,
					       rx.message_len, rx.pseudo_sum));
	if (rx.outcome.verdict == PASSED && rx.peer_flags & TL_PEER_F_ROUTED) {
		if (way == WAY_NOT_ASKED)
			return question(link_len + rx.outer_len, &rx);
		if (way == WAY_ELSEWHERE)
			rx.outcome.verdict = TL_rx_not_allowed;
	}
	if (rx.outcome.verdict == PASSED) {
		rx.outcome.now_ns = bpf_ktime_get_coarse_ns();
		rx.outcome.verdict = skb_admit(skb, link_len + rx.outer_len,
					       flow_kind_of(&rx), generation,
					       rx.outcome.peer);
	}
	if (rx.outcome.verdict == PASSED)
		rx.outcome.verdict =
			skb_decap(skb, &tag, &rx) ? TL_rx_decap : TL_rx_error;
	action = skb_finish(skb, link_len, &rx.outcome);
	return rx.outcome.verdict == TL_rx_decap
		       ? deliver(skb, link_len, rx.outcome.peer,
				 rx.inner_family)
		       : action;
}

static __always_inline int tc_full(struct __sk_buff *skb)
{
	__u64 done = tc_decide(skb, WAY_NOT_ASKED);

	return is_question(done) ? tc_decide(skb, skb_way_back(skb, done))
				 : done;
}

/* True for most packets that XDP cannot have left to tc. */
static __always_inline bool is_no_tunnel(const struct __sk_buff *skb)
{
	const void *at = (void *)(long)skb->data + ETH_HLEN;
	const struct iphdr *ip4 = at;

	if (at + IP4_HLEN > (void *)(long)skb->data_end)
		return false;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !is_tunnel(ip4->protocol);
	return skb->protocol == bpf_htons(ETH_P_IPV6) &&
	       ((const __u8 *)at)[6] == IPPROTO_TCP;
}

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	int done;

	if (!(generations.ingress & TL_INGRESS_XDP)) {
		/* An answer of ours is ICMP, which lean() does not pass. */
		done = skb_lean(skb);
		if (done != LEAN_NOT)
			return done == LEAN_PASS ? TC_ACT_UNSPEC : TC_ACT_SHOT;
	}
	if (own_take(skb) == OWN_ANSWER)
		return TC_ACT_UNSPEC;
	if (generations.ingress & TL_INGRESS_XDP && is_no_tunnel(skb))
		return TC_ACT_UNSPEC;
	return tc_full(skb);
}

/* Returns the action for a packet to a gateway, by its verdict. */
static __always_inline int gateway_action(struct __sk_buff *skb,
					  const struct tx *tx,
					  const struct tl_next_hop *hop)
{
	switch (tx->outcome.verdict) {
	case TL_tx_encap:
		return hop ? TC_ACT_UNSPEC
			   : next_hop_ask(skb, tx->outcome.peer);
	case TL_tx_tunnelled:
		return next_hop_ask(skb, TL_PEER_NONE);
	case TL_tx_fragmented:
		return bpf_redirect(skb->ifindex, 0);
	case TL_tx_too_big:
		return tx->inner.family == 4 ? answer4(skb, tx->mtu)
					     : answer6(skb, tx->mtu);
	default:
		return TC_ACT_SHOT;
	}
}

/* Handles an inner packet to the gateway of a peer. Returns the action. */
static __always_inline int to_gateway(struct __sk_buff *skb, __u32 peer,
				      bool fragmented)
{
	const struct tl_next_hop *hop;
	struct tx tx = {};
	struct view view = skb_egress_view(skb);
	enum tl_verdict verdict;
	int action;

	tx.outcome.now_ns = bpf_ktime_get_coarse_ns();
	verdict = egress(&view, skb->protocol, skb->gso_size, peer, &tx);
	if (!fragmented && is_on_interface(skb) && !is_routed_here(skb))
		verdict = TL_tx_not_routed;
	hop = next_hop_known(peer);
	if (verdict == TL_tx_neighbour || verdict == TL_tx_waiting) {
		action = to_solicited(skb);
		if (action != NOT_SOLICITED)
			return action;
	}
	if (verdict == PASSED)
		verdict = check_device(skb, &tx, hop);
	if (verdict == TL_tx_fragmented && !fragment(skb, &tx))
		verdict = TL_tx_too_big;
	if (verdict == PASSED)
		verdict = skb_encap(skb, &tx, hop) ? TL_tx_encap : TL_tx_error;
	tx.outcome.verdict = verdict;
	skb_finish(skb, ETH_HLEN, &tx.outcome);
	return gateway_action(skb, &tx, hop);
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	struct frame_head head;
	enum own_kind own;
	__u32 peer;
	int action;

	if (!is_own(skb)) {
		action = skb_leave(skb);
		if (action != LEAN_NOT)
			return action == LEAN_PASS ? TC_ACT_UNSPEC
						   : TC_ACT_SHOT;
	}
	own = own_take(skb);
	if (!load_head(skb, &head))
		return count_frame(skb, TL_tx_plain, TL_PEER_NONE);
	if (own == OWN_SENT)
		return sent(skb, head.mac);
	if (own == OWN_FRAGMENT && cut_fragment(skb))
		return count_frame(skb, TL_tx_error, own_peer(skb));
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

SEC("syscall")
int write_prefixes(struct tl_prefix_write *ctx)
{
	write_all(ctx);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
