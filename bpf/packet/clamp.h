/* SPDX-License-Identifier: GPL-2.0-only */
/* Clamps the MSS of TCP at tc egress. */
#ifndef TUNLOAD_CLAMP_H
#define TUNLOAD_CLAMP_H

#include "core/mss.h"

/*
 * Lowers the MSS of a SYN or SYN-ACK that is larger than the tunnel carries;
 * never raises it. Local flows have the right one, from the route's MTU;
 * forwarded ones may not. The helper also handles a checksum that is not
 * complete yet.
 */
__attribute__((noinline)) int clamp_mss(struct __sk_buff *skb, __u32 tcp_at,
					__u32 most)
{
	__u8 options[64] = {};
	__u32 len, at;
	__be16 from, to, csum_from, csum_to;
	__u8 doff;

	if (bpf_skb_load_bytes(skb, tcp_at + 12, &doff, 1))
		return 0;
	len = (doff >> 4) * 4;
	if (len <= TCP_HLEN)
		return 0;
	len -= TCP_HLEN;
	if (bpf_skb_load_bytes(skb, tcp_at + TCP_HLEN, options,
			       ((len - 1) & 63) + 1))
		return 0;
	at = mss_find(options, len) & 63;
	if (!at)
		return 0;
	from = bpf_htons(options[at] << 8 | options[(at + 1) & 63]);
	to = bpf_htons(most);
	if (bpf_ntohs(from) <= most)
		return 0;
	/* The checksum's words begin at even offsets. */
	csum_from = from;
	csum_to = to;
	if (at & 1) {
		csum_from = __builtin_bswap16(from);
		csum_to = __builtin_bswap16(to);
	}
	at += tcp_at + TCP_HLEN;
	bpf_l4_csum_replace(skb, tcp_at + TCP_CHECK_OFFSET, csum_from, csum_to,
			    2);
	bpf_skb_store_bytes(skb, at, &to, sizeof(to), 0);
	return 0;
}

#endif
