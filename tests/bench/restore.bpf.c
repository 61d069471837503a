/* SPDX-License-Identifier: GPL-2.0-only */
/* Restores the packet of a repeated test run, which the kernel does not, and
 * goes on to the program under test. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define HEAD 96

struct frame {
	__u32 len;
	__u8 head[HEAD];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

struct {
	__uint(type, 3); /* BPF_MAP_TYPE_PROG_ARRAY */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("xdp.frags")
int restore(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct frame *frame = bpf_map_lookup_elem(&frames, &zero);

	if (!frame ||
	    bpf_xdp_adjust_head(ctx, (int)bpf_xdp_get_buff_len(ctx) -
					     (int)frame->len) ||
	    bpf_xdp_store_bytes(ctx, 0, frame->head, HEAD))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
