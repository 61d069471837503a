/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP programs to measure with: in front of the program under test, instead of
 * it, and around it. */
#include <stdbool.h>

#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_HLEN 14
#define HEAD	 12 /* words of the packet that are restored */
#define SOURCES	 (1 << 20)

/* The packet of a test run. */
struct frame {
	__u32 len;
	__u32 family; /* of the outer header, for pick */
	__u64 runs;
	__u64 head[HEAD];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

/* The program under test. */
struct {
	__uint(type, 3); /* BPF_MAP_TYPE_PROG_ARRAY */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

/* The end of the outer header from its source on (IPv4: from its checksum on),
 * and the same of the inner one; 16 bytes of the packet each. */
struct source {
	__u64 outer[2];
	__u64 inner[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOURCES);
	__uint(map_flags, 1024); /* BPF_F_MMAPABLE */
	__type(key, __u32);
	__type(value, struct source);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} position SEC(".maps");

/* Restores the packet, which the kernel does not do between the repetitions of
 * a test run. Word by word: what a helper stores with `rep movsb` is slow to
 * read at once. Returns the frame, NULL if that failed. */
static __always_inline const struct frame *restored(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	struct frame *frame = bpf_map_lookup_elem(&frames, &zero);
	__u64 *data = (void *)(long)ctx->data;
	long len = (void *)(long)ctx->data_end - (void *)data;

	asm volatile("" : "+r"(len)); /* no arithmetic of 32 bits on pointers */
	if (!frame || bpf_xdp_adjust_head(ctx, len - frame->len))
		return NULL;
	data = (void *)(long)ctx->data;
	if ((void *)(data + HEAD) > (void *)(long)ctx->data_end)
		return NULL;
#pragma unroll
	for (int i = 0; i < HEAD; i++)
		data[i] = frame->head[i];
	/* An atomic operation waits for all stores before it: the program under
	 * test finds the packet in the cache, as it finds a driver's. */
	__sync_fetch_and_add(&frame->runs, 1);
	return frame;
}

/* Restores the packet and goes on to the program under test. */
SEC("xdp.frags")
int restore(struct xdp_md *ctx)
{
	if (!restored(ctx))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

static __always_inline void put(void *data, const __u64 *words)
{
	((__u64 *)data)[0] = words[0];
	((__u64 *)data)[1] = words[1];
}

/* The same, with the next of the sources in 4in4 or 6in6. */
SEC("xdp.frags")
int pick(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	const struct frame *frame = restored(ctx);
	__u32 *at = bpf_map_lookup_elem(&position, &zero);
	void *data = (void *)(long)ctx->data;
	const struct source *source;
	__u32 now;

	if (!frame || !at || data + 8 * HEAD > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	now = (*at)++ % SOURCES;
	source = bpf_map_lookup_elem(&sources, &now);
	if (!source)
		return XDP_ABORTED;
	if (frame->family == 4) {
		put(data + ETH_HLEN + 10, source->outer);
		put(data + ETH_HLEN + 20 + 10, source->inner);
	} else {
		put(data + ETH_HLEN + 8, source->outer);
		put(data + ETH_HLEN + 40 + 8, source->inner);
	}
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

/* Does nothing: its time is that of the harness. */
SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

#define FLOOR_PEERS 131072

/* The floor: one look-up of the outer source, one counter, the outer header
 * off. It checks nothing. */
struct floor_key {
	__u32 family;
	__u32 addr[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOOR_PEERS);
	__uint(map_flags, 1); /* BPF_F_NO_PREALLOC */
	__type(key, struct floor_key);
	__type(value, __u32);
} floor_peers SEC(".maps");

struct floor_counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOOR_PEERS);
	__type(key, __u32);
	__type(value, struct floor_counter);
} floor_counters SEC(".maps");

/* Counts the packet for the peer with that source; false if there is none. */
static __always_inline bool floor_count(const struct floor_key *key, __u32 len)
{
	const __u32 *peer = bpf_map_lookup_elem(&floor_peers, key);
	struct floor_counter *counter;

	if (!peer)
		return false;
	counter = bpf_map_lookup_elem(&floor_counters, peer);
	if (!counter)
		return false;
	counter->packets++;
	counter->bytes += len;
	return true;
}

/* Takes `len` bytes off behind the Ethernet header. */
static __always_inline int floor_strip(struct xdp_md *ctx, const __u32 len,
				       __be16 proto)
{
	const __u32 *from = (void *)(long)ctx->data;
	__u32 macs[3], *to;

	if ((void *)from + ETH_HLEN > (void *)(long)ctx->data_end)
		return XDP_DROP;
	macs[0] = from[0];
	macs[1] = from[1];
	macs[2] = from[2];
	if (bpf_xdp_adjust_head(ctx, len))
		return XDP_DROP;
	to = (void *)(long)ctx->data;
	if ((void *)to + ETH_HLEN > (void *)(long)ctx->data_end)
		return XDP_DROP;
	to[0] = macs[0];
	to[1] = macs[1];
	to[2] = macs[2];
	*(__be16 *)(to + 3) = proto;
	return XDP_PASS;
}

/* The inner packet's EtherType by the outer one's protocol, 0: no tunnel. */
static __always_inline __be16 floor_inner(__u8 protocol)
{
	switch (protocol) {
	case 4:
		return bpf_htons(0x0800);
	case 41:
		return bpf_htons(0x86dd);
	default:
		return 0;
	}
}

SEC("xdp.frags")
int floor_decap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data,
	     *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	struct floor_key key = {};
	__be16 inner;

	if (data + ETH_HLEN + 20 > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(0x0800)) {
		inner = floor_inner(*(__u8 *)(data + ETH_HLEN + 9));
		if (!inner)
			return XDP_PASS;
		key.family = 4;
		key.addr[0] = *(__u32 *)(data + ETH_HLEN + 12);
		if (!floor_count(&key, end - data))
			return XDP_PASS;
		return floor_strip(ctx, 20, inner);
	}
	if (eth->h_proto != bpf_htons(0x86dd) || data + ETH_HLEN + 40 > end)
		return XDP_PASS;
	inner = floor_inner(*(__u8 *)(data + ETH_HLEN + 6));
	if (!inner)
		return XDP_PASS;
	key.family = 6;
	for (int i = 0; i < 4; i++)
		key.addr[i] = ((__u32 *)(data + ETH_HLEN + 8))[i];
	if (!floor_count(&key, end - data))
		return XDP_PASS;
	return floor_strip(ctx, 40, inner);
}

/* The least that a cache line for each prefix, which says its peer, and one for
 * the counter of each peer can take. The kernel begins an array that may be
 * mapped with a page. */
struct line {
	__u64 packets;
	__u64 zero[7];
};

/* Powers of two, less one. */
struct masks {
	__u32 prefixes;
	__u32 peers;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOURCES);
	__uint(map_flags, 1024); /* BPF_F_MMAPABLE */
	__type(key, __u32);
	__type(value, struct line);
} prefix_lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOOR_PEERS);
	__uint(map_flags, 1024);
	__type(key, __u32);
	__type(value, struct line);
} peer_lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct masks);
} line_masks SEC(".maps");

/* Reads one line, found by a hash of the inner source in 4in4 or 6in6, and
 * counts in another, which follows from the first. It compares nothing. */
SEC("xdp.frags")
int two_lines(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	const struct masks *masks = bpf_map_lookup_elem(&line_masks, &zero);
	const void *data = (void *)(long)ctx->data;
	const struct ethhdr *eth = data;
	struct line *line;
	__u64 word;
	__u32 at;

	if (!masks || data + ETH_HLEN + 48 + 8 > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	word = eth->h_proto == bpf_htons(0x0800)
		       ? bpf_ntohl(*(__u32 *)(data + ETH_HLEN + 20 + 12))
		       : bpf_be64_to_cpu(*(__u64 *)(data + ETH_HLEN + 40 + 8));
	at = word * 0x9e3779b97f4a7c15ULL >> 44 & masks->prefixes;
	line = bpf_map_lookup_elem(&prefix_lines, &at);
	if (!line)
		return XDP_ABORTED;
	at = (at + line->zero[0]) & masks->peers;
	line = bpf_map_lookup_elem(&peer_lines, &at);
	if (!line)
		return XDP_ABORTED;
	line->packets++;
	return XDP_PASS;
}

/* The kernel's answer about the way of a plain packet, and nothing else. */
static __always_inline int ask(struct xdp_md *ctx, struct bpf_fib_lookup *q)
{
	q->ifindex = ctx->ingress_ifindex;
	return bpf_fib_lookup(ctx, q, sizeof(*q), 0) == 0 ? XDP_PASS
							  : XDP_ABORTED;
}

SEC("xdp.frags")
int fib4(struct xdp_md *ctx)
{
	const struct iphdr *ip = (void *)(long)ctx->data + ETH_HLEN;
	struct bpf_fib_lookup q = {.family = 2};

	if ((void *)(ip + 1) + 4 > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	q.l4_protocol = ip->protocol;
	q.tos = ip->tos;
	q.ipv4_src = ip->saddr;
	q.ipv4_dst = ip->daddr;
	q.sport = *(__be16 *)(ip + 1);
	q.dport = *((__be16 *)(ip + 1) + 1);
	return ask(ctx, &q);
}

SEC("xdp.frags")
int fib6(struct xdp_md *ctx)
{
	const struct ipv6hdr *ip = (void *)(long)ctx->data + ETH_HLEN;
	struct bpf_fib_lookup q = {.family = 10};

	if ((void *)(ip + 1) + 4 > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	q.l4_protocol = ip->nexthdr;
	for (int i = 0; i < 4; i++) {
		q.ipv6_src[i] = ((__u32 *)&ip->saddr)[i];
		q.ipv6_dst[i] = ((__u32 *)&ip->daddr)[i];
	}
	q.sport = *(__be16 *)(ip + 1);
	q.dport = *((__be16 *)(ip + 1) + 1);
	return ask(ctx, &q);
}

char LICENSE[] SEC("license") = "GPL";
