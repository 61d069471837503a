/* SPDX-License-Identifier: GPL-2.0-only */
/* tc programs to compare with: they push or pop a constant outer header with
 * the same helpers and flags as ours, and look nothing up. */
#include "core/net.h"
#include "packet/resize.h"
#include "packet/tc.h"

/* Set when the object is loaded. */
const volatile __u32 length; /* of the frames that are meant */
const volatile __u32 outer_family, inner_family;
const volatile __u8 header[ETH_HLEN + IP6_HLEN];

/* Does nothing: its time is that of the harness. */
SEC("tc")
int tc_empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int push(struct __sk_buff *skb)
{
	__u32 len = outer_family == 4 ? IP4_HLEN : IP6_HLEN;

	if (skb->len != length)
		return TC_ACT_UNSPEC;
	if (bpf_skb_adjust_room(
		    skb, len, BPF_ADJ_ROOM_MAC,
		    KEEP_GSO | (outer_family == 4
					? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
					: BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)) ||
	    bpf_skb_store_bytes(skb, 0, (const void *)header, ETH_HLEN + len,
				0))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int pop(struct __sk_buff *skb)
{
	__s32 len = outer_family == 4 ? IP4_HLEN : IP6_HLEN;
	__be16 proto = ethertype(inner_family);

	if (skb->len != length)
		return TC_ACT_UNSPEC;
	if (outer_family == inner_family)
		return bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC,
					   KEEP_GSO)
			       ? TC_ACT_SHOT
			       : TC_ACT_UNSPEC;
	if (bpf_skb_adjust_room(
		    skb, -len, BPF_ADJ_ROOM_MAC,
		    KEEP_GSO | (inner_family == 6
					? BPF_F_ADJ_ROOM_DECAP_L3_IPV6
					: BPF_F_ADJ_ROOM_DECAP_L3_IPV4)) ||
	    bpf_skb_store_bytes(skb, ETHERTYPE_OFFSET, &proto, sizeof(proto),
				0))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

/*
 * The least that tunnels for more than one peer: the same, with one look-up of
 * what the CPU remembers of the packet's peer, and two counters. They check
 * nothing.
 */
struct counters {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct counters);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} all SEC(".maps");

static __always_inline bool count_in(void *map, __u32 slot, __u32 len)
{
	struct counters *c = bpf_map_lookup_elem(map, &slot);

	if (!c)
		return false;
	c->packets++;
	c->bytes += len;
	return true;
}

/* Counts a packet for a peer and for the interface. */
static __always_inline bool count_both(__u32 peer, __u32 len)
{
	return count_in(&peers, peer, len) && count_in(&all, 0, len);
}

#define WORDS 6

/* Found by a hash of its addresses, and compared with them. */
struct flow {
	__u64 words[WORDS];
	__u64 until; /* jiffies */
	__u32 peer;
	__u32 zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

/* Fills words with both outer addresses and the inner source. */
static __always_inline bool addresses(struct __sk_buff *skb, __u64 *words)
{
	const void *at = (void *)(long)skb->data + ETH_HLEN;
	const void *in = at + (outer_family == 4 ? IP4_HLEN : IP6_HLEN);

	if (in + (inner_family == 4 ? IP4_HLEN : IP6_HLEN) >
	    (void *)(long)skb->data_end)
		return false;
	if (outer_family == 4) {
		words[0] = *(__u64 *)(at + 12);
	} else {
		for (int i = 0; i < 4; i++)
			words[i] = *(__u64 *)(at + 8 + 8 * i);
	}
	if (inner_family == 4) {
		words[4] = *(__u32 *)(in + 12);
	} else {
		words[4] = *(__u64 *)(in + 8);
		words[5] = *(__u64 *)(in + 16);
	}
	return true;
}

static __always_inline bool is_same(const __u64 *a, const __u64 *b)
{
	__u64 bits = 0;

	for (int i = 0; i < WORDS; i++)
		bits |= a[i] ^ b[i];
	return !bits;
}

SEC("tc")
int pop_known(struct __sk_buff *skb)
{
	__u64 words[WORDS] = {}, hash = 0, now = bpf_jiffies64();
	struct flow *flow;
	__u32 slot;

	if (skb->len != length || !addresses(skb, words))
		return TC_ACT_UNSPEC;
	for (int i = 0; i < WORDS; i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	slot = hash >> 54;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow)
		return TC_ACT_SHOT;
	if (!is_same(flow->words, words) || now > flow->until) {
		for (int i = 0; i < WORDS; i++)
			flow->words[i] = words[i];
		flow->until = now + 100;
		flow->peer = slot;
	}
	return count_both(flow->peer & 1023, skb->len) ? pop(skb) : TC_ACT_SHOT;
}

/* How packets to a peer begin: found by its number in their MAC address. */
struct known_head {
	__u64 until; /* jiffies */
	__u8 bytes[ETH_HLEN + IP6_HLEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct known_head);
} heads SEC(".maps");

/* Writes what no two packets share: the length, and IPv4's checksum. */
static __always_inline void write_length(__u8 *bytes, __u32 len)
{
	__u16 *ip = (void *)(bytes + ETH_HLEN);
	__u32 sum = 0;

	if (outer_family == 6) {
		ip[2] = bpf_htons(len);
		return;
	}
	ip[1] = bpf_htons(len + IP4_HLEN);
	ip[5] = 0;
	for (int i = 0; i < 10; i++)
		sum += ip[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip[5] = ~(sum + (sum >> 16));
}

static __always_inline int put_header(struct __sk_buff *skb, const __u8 *bytes,
				      const __u32 len, const __u64 kind)
{
	return bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC,
				   KEEP_GSO | kind) ||
			       bpf_skb_store_bytes(skb, 0, bytes,
						   ETH_HLEN + len, 0)
		       ? TC_ACT_SHOT
		       : TC_ACT_UNSPEC;
}

SEC("tc")
int push_known(struct __sk_buff *skb)
{
	const __u8 *mac = (void *)(long)skb->data;
	__u64 now = bpf_jiffies64();
	struct known_head *head, out;
	__u32 slot;

	if (skb->len != length || mac + ETH_HLEN > (__u8 *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	slot = (mac[4] << 8 | mac[5]) & 1023;
	head = bpf_map_lookup_elem(&heads, &slot);
	if (!head)
		return TC_ACT_SHOT;
	if (now > head->until) {
		for (int i = 0; i < sizeof(head->bytes); i++)
			head->bytes[i] = header[i]; /* volatile */
		head->until = now + 100;
	}
	out = *head;
	write_length(out.bytes, skb->len - ETH_HLEN);
	if (!count_both(slot, skb->len))
		return TC_ACT_SHOT;
	return outer_family == 4 ? put_header(skb, out.bytes, IP4_HLEN,
					      BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)
				 : put_header(skb, out.bytes, IP6_HLEN,
					      BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
}

char LICENSE[] SEC("license") = "GPL";
