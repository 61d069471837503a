/* SPDX-License-Identifier: GPL-2.0-only */
/* Events to whoever watches (`tunload monitor`), with the head of the packet.
 */
#ifndef TUNLOAD_REPORT_H
#define TUNLOAD_REPORT_H

#include "count.h"

/* Global functions, which the verifier looks at once, and apart. */
__attribute__((noinline)) int report_xdp(struct xdp_md *ctx, __u32 offset,
					 __u32 verdict, __u32 peer, __u32 bytes)
{
	__u32 len = event_head_len(bpf_xdp_get_buff_len(ctx) - offset);
	struct tl_event *event = event_reserve(verdict, peer, bytes);

	if (!event)
		return 0;
	event->head_len =
		bpf_xdp_load_bytes(ctx, offset, event->head, len) ? 0 : len;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

__attribute__((noinline)) int report_skb(struct __sk_buff *skb, __u32 offset,
					 __u32 verdict, __u32 peer, __u32 bytes)
{
	__u32 len = event_head_len(skb->len - offset);
	struct tl_event *event = event_reserve(verdict, peer, bytes);

	if (!event)
		return 0;
	event->head_len =
		bpf_skb_load_bytes(skb, offset, event->head, len) ? 0 : len;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
