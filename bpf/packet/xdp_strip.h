/* SPDX-License-Identifier: GPL-2.0-only */
/* Removes the outer header of a frame in XDP. */
#ifndef TUNLOAD_XDP_STRIP_H
#define TUNLOAD_XDP_STRIP_H

#include "decide/rx.h"
#include "core/load.h"
#include "spread.h"
#include "tc.h"
#include "vlan.h"

/* Writes the new inner ECN field if it changes (RFC 6040 4.2). */
static __always_inline bool xdp_set_ecn(struct xdp_md *ctx, __u32 link_len,
					const struct rx *rx)
{
	void *end = (void *)(long)ctx->data_end;
	void *inner = (void *)(long)ctx->data + link_len;

	if (!rx->set_ecn)
		return true;
	if (inner + ip_hlen(rx->inner_family) > end)
		return false;
	if (rx->inner_family == 4)
		ip4_set_ecn(inner, rx->ecn);
	else
		ip6_set_ecn(inner, rx->ecn);
	return true;
}

/* Moves the link layer header forward over the outer header. The length is a
 * constant at each call, so that the compiler inlines the copies. */
static __always_inline bool xdp_strip(struct xdp_md *ctx, const __u32 link_len,
				      const struct rx *rx)
{
	__be16 proto = ethertype(rx->inner_family);
	__u8 link[LINK_HLEN_MAX];
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + link_len > end)
		return false;
	__builtin_memcpy(link, data, link_len);
	__builtin_memcpy(link + link_len - 2, &proto, 2);
	if (bpf_xdp_adjust_head(ctx, rx->outer_len))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + link_len > end)
		return false;
	__builtin_memcpy(data, link, link_len);
	return true;
}

static __always_inline bool xdp_decap(struct xdp_md *ctx, __u32 link_len,
				      const struct rx *rx)
{
	bool done;

	if (link_len == ETH_HLEN)
		done = xdp_strip(ctx, ETH_HLEN, rx);
	else if (link_len == ETH_HLEN + sizeof(struct vlan_hdr))
		done = xdp_strip(ctx, ETH_HLEN + sizeof(struct vlan_hdr), rx);
	else
		done = xdp_strip(ctx, LINK_HLEN_MAX, rx);
	return done && xdp_set_ecn(ctx, link_len, rx);
}

/* Removes an outer header of len bytes behind an Ethernet header without tags,
 * in front of a packet of that family. */
static __always_inline bool xdp_strip_lean(struct xdp_md *ctx, __u32 len,
					   __u8 family)
{
	void *data = (void *)(long)ctx->data;
	__u64 macs;
	__u32 rest;

	if (data + ETH_HLEN > (void *)(long)ctx->data_end)
		return false;
	macs = load64(data);
	rest = load32(data + 8);
	if (bpf_xdp_adjust_head(ctx, (int)len))
		return false;
	data = (void *)(long)ctx->data;
	if (data + ETH_HLEN > (void *)(long)ctx->data_end)
		return false;
	STORE(__u64, data, macs);
	STORE(__u32, data + 8, rest);
	STORE(__be16, data + ETHERTYPE_OFFSET, ethertype(family));
	return true;
}

#endif
