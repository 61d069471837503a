/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP programs that send, pass on and count frames, all in the kernel. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define HEAD 12 /* words of the packet that are written */

struct frame {
	__u32 ifindex;	/* where to redirect to */
	__u32 ports_at; /* offset of the UDP ports that make flows */
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

#define FLOWS 1024

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} handled SEC(".maps");

static __u32 sent;

/* The same, of many flows in turn: what is added to one port is taken off the
 * other, so that the checksum stays right. */
SEC("xdp")
int generate_flows(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	const struct frame *frame = bpf_map_lookup_elem(&frames, &zero);
	__be16 *ports;
	int action = generate(ctx);
	__u16 add = sent++ % FLOWS;

	if (!frame)
		return XDP_DROP;
	ports = (void *)(long)ctx->data + (frame->ports_at & 0xff);
	if (action != XDP_REDIRECT ||
	    (void *)(ports + 2) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	ports[0] = bpf_htons(bpf_ntohs(ports[0]) - add);
	ports[1] = bpf_htons(bpf_ntohs(ports[1]) + add);
	return action;
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

/* Tells the generator of flows that a packet was handled, and drops it. */
SEC("tc")
int tc_handled(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	__u64 *number = bpf_map_lookup_elem(&handled, &zero);

	if (number)
		++*number;
	return 2; /* TC_ACT_SHOT */
}

char LICENSE[] SEC("license") = "GPL";
