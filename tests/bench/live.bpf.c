/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP programs that send, pass on and count frames, all in the kernel. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define HEAD 12 /* words of the packet that are written */

struct frame {
	__u32 ifindex; /* where to redirect to */
	__u32 zero;
	__u64 head[HEAD];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

/* What has arrived; all of it on one CPU. */
struct arrived {
	__u64 number;
	__u64 first, last; /* packets at which the clock is read */
	__u64 first_ns, last_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct arrived);
} arrivals SEC(".maps");

/* Sends a test run's live frame. Its bytes are written each time, as the kernel
 * uses frames again without a copy of the data. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	const struct frame *frame = bpf_map_lookup_elem(&frames, &zero);
	__u64 *data = (void *)(long)ctx->data;

	if (!frame || (void *)(data + HEAD) > (void *)(long)ctx->data_end)
		return XDP_DROP;
#pragma unroll
	for (int i = 0; i < HEAD; i++)
		data[i] = frame->head[i];
	return bpf_redirect(frame->ifindex, 0);
}

/* Passes each frame on as it is. */
SEC("xdp")
int pass_on(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	const struct frame *frame = bpf_map_lookup_elem(&frames, &zero);

	return frame ? bpf_redirect(frame->ifindex, 0) : XDP_DROP;
}

/* Does nothing; with a program, veth has NAPI, as the generator needs it. */
SEC("xdp")
int to_stack(struct xdp_md *ctx)
{
	return XDP_PASS;
}

static __always_inline void count(void)
{
	const __u32 zero = 0;
	struct arrived *arrived = bpf_map_lookup_elem(&arrivals, &zero);

	if (!arrived)
		return;
	arrived->number++;
	if (arrived->number == arrived->first)
		arrived->first_ns = bpf_ktime_get_ns();
	if (arrived->number == arrived->last)
		arrived->last_ns = bpf_ktime_get_ns();
}

/* Counts what arrives, and drops it; in XDP or tc. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	count();
	return XDP_DROP;
}

SEC("tc")
int tc_sink(struct __sk_buff *skb)
{
	count();
	return 2; /* TC_ACT_SHOT */
}

char LICENSE[] SEC("license") = "GPL";
