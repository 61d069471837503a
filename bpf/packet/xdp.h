/* SPDX-License-Identifier: GPL-2.0-only */
/* What xdp_ingress does to a frame: read it, and finish with its verdict. The
 * counterpart of skb.h. */
#ifndef TUNLOAD_XDP_H
#define TUNLOAD_XDP_H

#include "decide/admit.h"
#include "record/report.h"
#include "decide/lean.h"
#include "clamp.h"
#include "forward.h"
#include "vlan.h"
#include "way_back.h"
#include "xdp_strip.h"

/* Since Linux 6.18. */
extern int bpf_xdp_pull_data(struct xdp_md *ctx, __u32 len) __ksym __weak;

/* Makes the beginning of a frame readable if the driver has put less of it in
 * front of the fragments and the kernel can. Returns the length of the
 * frame. */
static __always_inline __u32 xdp_make_readable(struct xdp_md *ctx)
{
	__u32 len = bpf_xdp_get_buff_len(ctx);
	__u32 linear = ctx->data_end - ctx->data;

	if (linear < len && linear < READABLE_AT_MOST && bpf_xdp_pull_data)
		bpf_xdp_pull_data(
			ctx, len < READABLE_AT_MOST ? len : READABLE_AT_MOST);
	return forget(len, linear);
}

/* Sets view to the packet from its IP header on, and *proto to its EtherType.
 * Returns the length of the link layer header, 0 if the frame is shorter. */
static __always_inline __u32 xdp_view(struct xdp_md *ctx, struct view *view,
				      __be16 *proto)
{
	__u32 len = xdp_make_readable(ctx), link_len;

	view->at = (void *)(long)ctx->data;
	view->end = (void *)(long)ctx->data_end;
	link_len = link_header(view->at, view->end, proto);
	view->at += link_len;
	view->len = len - link_len;
	view->whole = view->len <= view->end - view->at;
	return link_len;
}

/* True if the checksum of an ICMP message is right. A global function, so it is
 * verified once and not for each path that leads there. */
__attribute__((noinline)) int xdp_message(struct xdp_md *ctx, __u32 at,
					  __u32 len, __u32 sum)
{
	return csum_is_right((void *)(long)ctx->data + (at & OFFSET_MASK), len,
			     (void *)(long)ctx->data_end, sum);
}

/* Decapsulates a packet. Returns the action, or 0 if the packet could not be
 * shortened. */
static __always_inline int xdp_decap_lean(struct xdp_md *ctx, struct rx *rx)
{
	if (!xdp_strip_lean(ctx, rx->outer_len, rx->inner_family))
		return 0;
	if (xdp_set_ecn(ctx, ETH_HLEN, rx))
		return spread(ctx, ETH_HLEN, rx->inner_family);
	rx->outcome.verdict = TL_rx_error;
	return XDP_DROP;
}

/* From xdp_lean(): a plain packet, not counted yet, that may be for a tunnel.
 */
#define XDP_PLAIN4 0x104
#define XDP_PLAIN6 0x106

/* Forwards a packet from a tunnel, which lean() has passed. */
static __always_inline int xdp_from_tunnel(struct xdp_md *ctx,
					   const struct rx *rx)
{
	return learn_tunnel(ctx, flow_kind(rx->outer_family, rx->inner_family),
			    rx->outcome.peer, rx->generation, rx->until)
		       ? xdp_known(ctx)
		       : 0;
}

static __always_inline int xdp_take(void *ctx, struct rx *rx)
{
	int action = forward_xdp && rx->outcome.verdict == TL_rx_decap
			     ? xdp_from_tunnel(ctx, rx)
			     : 0;

	if (action)
		return action;
	action = XDP_PASS;
	if (rx->outcome.verdict == TL_rx_decap) {
		action = xdp_decap_lean(ctx, rx);
		if (!action)
			return 0;
	} else if (forward_xdp && rx->may_enter) {
		return rx->inner_family == 4 ? XDP_PLAIN4 : XDP_PLAIN6;
	} else if (!rx->inner_family) {
		/* lean() has seen the whole of an IP packet. */
		rx->outcome.bytes = bpf_xdp_get_buff_len(ctx) - ETH_HLEN;
	}
	count(&rx->outcome);
	return action;
}

/* Handles the packet and counts it, if it is one for lean(). Returns the
 * action, 0 if it is not, or XDP_PLAIN*. */
static __always_inline int xdp_lean(struct xdp_md *ctx)
{
	const struct lean_hook hook = {xdp_take, ctx, true};
	const struct ethhdr *eth = (void *)(long)ctx->data;
	struct view view = {.at = eth + 1, .end = (void *)(long)ctx->data_end};

	if (view.at > view.end)
		return 0;
	view.len = view.end - view.at;
	return lean(&view, eth->h_proto, &hook);
}

/* As skb_admit(). */
__attribute__((noinline)) int xdp_admit(struct xdp_md *ctx, __u32 inner_at,
					__u32 kind, __u32 generation,
					__u32 peer)
{
	if (is_special(peer))
		return admit(peer, 1, false);
	flow_keep_any((void *)(long)ctx->data, (void *)(long)ctx->data_end,
		      inner_at, kind, generation, peer);
	return PASSED;
}

/* Finishes every packet at this hook: reports and counts it, and returns
 * whether to drop it. */
static __always_inline int xdp_finish(struct xdp_md *ctx, __u32 link_len,
				      const struct outcome *o)
{
	if (is_reported(o->verdict))
		report_xdp(ctx, link_len, o->verdict, o->peer, o->bytes);
	count(o);
	return is_drop(o->verdict) ? XDP_DROP : XDP_PASS;
}

#endif
