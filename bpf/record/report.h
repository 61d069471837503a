/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends events with the head of the packet to `tunload monitor`. */
#ifndef TUNLOAD_REPORT_H
#define TUNLOAD_REPORT_H

#include "limit.h"

/* Sets *now if a monitor listens and this CPU is within its limit. The clock is
 * read only if a monitor has ever listened. */
static __always_inline bool event_wanted(__u64 *now)
{
	const __u32 zero = 0;
	struct tl_interface *iface = bpf_map_lookup_elem(&interface, &zero);

	if (!iface || !iface->monitor_until_ns)
		return false;
	*now = bpf_ktime_get_ns();
	return iface->monitor_until_ns >= *now &&
	       within_limit(TL_LIMIT_EVENTS, *now);
}

/* Reserves an event while a monitor listens, else NULL; the caller fills in
 * head and submits it. */
static __always_inline struct tl_event *event_reserve(enum tl_verdict verdict,
						      __u32 peer, __u32 bytes)
{
	struct tl_event *event;
	__u64 now;

	if (!event_wanted(&now))
		return NULL;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return NULL;
	event->time_ns = now;
	event->verdict = verdict;
	event->peer = peer;
	event->length = bytes;
	return event;
}

/* How many bytes of a packet of len bytes go into an event: 1 to TL_EVENT_HEAD;
 * the mask proves that to every verifier. For an empty packet this is too much,
 * and reading it fails. */
static __always_inline __u32 event_head_len(__u32 len)
{
	if (len > TL_EVENT_HEAD)
		len = TL_EVENT_HEAD;
	return ((len - 1) & (TL_EVENT_HEAD - 1)) + 1;
}

/* Global functions, so that the verifier checks each once, separately. */
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
