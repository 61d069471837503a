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

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

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

/* Counts what arrives, and drops it. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	__u64 *number = bpf_map_lookup_elem(&arrived, &zero);

	if (number)
		++*number;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
