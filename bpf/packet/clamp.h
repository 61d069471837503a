/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lowers the MSS of a SYN or SYN-ACK that is larger than a tunnel carries, or
 * than its key `mss` says; never raises it. Local flows have the right one,
 * from the route's MTU; forwarded ones may not, and the other end need not
 * clamp.
 */
#ifndef TUNLOAD_CLAMP_H
#define TUNLOAD_CLAMP_H

#include "core/checksum.h"
#include "core/mss.h"
#include "record/learned.h"

/* The largest segment to and from the peer with that id, bytes; 0xffff if it is
 * not there. */
static __always_inline __u32 mss_most(__u32 id, __u8 family)
{
	const struct tl_peer *peer = bpf_map_lookup_elem(&peers, &id);

	if (!peer)
		return 0xffff;
	return peer->mss ?: mss_of_mtu(peer_mtu(id, peer->mtu), family);
}

/* The length of the options of a SYN, by its bytes 12 and 13; 0 if it is none,
 * or has none. */
static __always_inline __u32 syn_options(const __u8 at12[2])
{
	__u32 len = (at12[0] >> 4) * 4;

	return at12[1] & TCP_FLAG_SYN && len > TCP_HLEN ? len - TCP_HLEN : 0;
}

/* Scratch space, as the stack is small. */
struct clamp_scratch {
	__u8 bytes[64]; /* what was read of the packet last */
	struct mss_change mss;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct clamp_scratch);
} clamp_scratch SEC(".maps");

static __always_inline struct clamp_scratch *clamp_space(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&clamp_scratch, &zero);
}

/* The bytes of an IP header that say how long it and its packet are. */
#define TCP_OFFSET_BYTES 10

/* The length of a packet, by the same bytes. */
static __always_inline __u32 packet_len(const __u8 *ip, __u32 family)
{
	if (family == 6)
		return IP6_HLEN + (ip[4] << 8 | ip[5]);
	return ip[2] << 8 | ip[3];
}

/* The offset of TCP from an IP header, of which these are the first bytes; 0 if
 * there is none, or the packet is a fragment. */
static __always_inline __u32 tcp_offset(const __u8 *ip, __u32 family)
{
	if (family == 6)
		return ip[6] == IPPROTO_TCP ? IP6_HLEN : 0;
	return ip[9] == IPPROTO_TCP && !(ip[6] & 0x3f) && !ip[7]
		       ? (ip[0] & 0xf) * 4
		       : 0;
}

/* Lowers the MSS of a packet to or from the peer with that id. The helpers also
 * handle a checksum that is not complete yet. The sum over the whole packet,
 * which CHECKSUM_COMPLETE has, stays as it is. */
__attribute__((noinline)) int skb_clamp(struct __sk_buff *skb, __u32 ip_at,
					__u32 peer, __u32 family)
{
	struct clamp_scratch *s = clamp_space();
	__u32 at, end, len;

	if (!s || bpf_skb_load_bytes(skb, ip_at, s->bytes, TCP_OFFSET_BYTES))
		return 0;
	at = ip_at + tcp_offset(s->bytes, family);
	end = ip_at + packet_len(s->bytes, family);
	if (at == ip_at || bpf_skb_load_bytes(skb, at + 12, s->bytes, 2))
		return 0;
	len = syn_options(s->bytes);
	at += TCP_HLEN;
	if (!len || at + len > end ||
	    bpf_skb_load_bytes(skb, at, s->bytes, ((len - 1) & 63) + 1) ||
	    !mss_exceeds(s->bytes, len, mss_most(peer, family), &s->mss))
		return 0;
	bpf_l4_csum_replace(skb, at - TCP_HLEN + TCP_CHECK_OFFSET,
			    s->mss.csum_from, s->mss.csum_to, 2);
	bpf_skb_store_bytes(skb, at + s->mss.at, &s->mss.to, sizeof(s->mss.to),
			    0);
	return 0;
}

__attribute__((noinline)) int xdp_clamp(struct xdp_md *ctx, __u32 ip_at,
					__u32 peer, __u32 family)
{
	struct clamp_scratch *s = clamp_space();
	__sum16 check;
	__u32 at, end, len;

	if (!s || bpf_xdp_load_bytes(ctx, ip_at, s->bytes, TCP_OFFSET_BYTES))
		return 0;
	at = ip_at + tcp_offset(s->bytes, family);
	end = ip_at + packet_len(s->bytes, family);
	if (at == ip_at || bpf_xdp_load_bytes(ctx, at + 12, s->bytes, 6))
		return 0;
	len = syn_options(s->bytes);
	check = LOAD(__sum16, s->bytes + TCP_CHECK_OFFSET - 12);
	at += TCP_HLEN;
	if (!len || at + len > end ||
	    bpf_xdp_load_bytes(ctx, at, s->bytes, ((len - 1) & 63) + 1) ||
	    !mss_exceeds(s->bytes, len, mss_most(peer, family), &s->mss))
		return 0;
	check = csum_update(check, s->mss.csum_from, s->mss.csum_to);
	bpf_xdp_store_bytes(ctx, at - TCP_HLEN + TCP_CHECK_OFFSET, &check,
			    sizeof(check));
	bpf_xdp_store_bytes(ctx, at + s->mss.at, &s->mss.to, sizeof(s->mss.to));
	return 0;
}

#endif
