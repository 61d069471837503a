/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwards packets in XDP (forward = xdp). The kernel's FIB is asked before
 * anything is changed; unless it knows the whole way, the packet goes up and
 * the kernel forwards it, or says why not.
 */
#ifndef TUNLOAD_FORWARD_H
#define TUNLOAD_FORWARD_H

#include "core/gateway.h"
#include "core/hop.h"
#include "core/load.h"
#include "record/maps.h"

/* Set by the loader; the verifier removes the code otherwise. */
const volatile bool forward_xdp;

static __always_inline const struct tl_device *device_of(__u32 ifindex)
{
	const __u32 slot = ifindex % TL_DEVICES;
	const struct tl_device *device = bpf_map_lookup_elem(&devices, &slot);

	return device && device->ifindex == ifindex ? device : NULL;
}

/* True if the interface sends the frames that XDP redirects to it. */
static __always_inline bool sends(__u32 ifindex)
{
	const struct tl_device *device = device_of(ifindex);

	return device && device->flags & TL_DEVICE_F_SENDS;
}

/* True for a frame to the address of its interface, without fragments, which
 * not every driver sends. The kernel drops frames to other hosts, which arrive
 * in promiscuous mode. */
static __always_inline bool is_for_us(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end;
	const struct tl_device *device = device_of(ctx->ingress_ifindex);

	return device && data + ETH_HLEN <= end &&
	       load32(data) == load32(device->mac) &&
	       LOAD(__u16, data + 4) == LOAD(__u16, device->mac + 4) &&
	       bpf_xdp_get_buff_len(ctx) == (__u64)(end - data);
}

/* Fills in the ports of a question, for rules and multipath routes. */
static __always_inline void ask_ports(struct bpf_fib_lookup *q, const void *at,
				      const void *end)
{
	if ((q->l4_protocol != IPPROTO_TCP && q->l4_protocol != IPPROTO_UDP) ||
	    at + 4 > end)
		return;
	q->sport = LOAD(__be16, at);
	q->dport = LOAD(__be16, at + 2);
}

/* Fills in a question about the packet at `at`; false if it is not one to
 * forward here. */
static __always_inline bool ask4(struct bpf_fib_lookup *q, const void *at,
				 const void *end)
{
	const struct iphdr *ip = at;

	if ((const void *)(ip + 1) > end || !may_forward4(ip))
		return false;
	q->family = AF_INET;
	q->l4_protocol = ip->protocol;
	q->tos = ip->tos;
	q->ipv4_src = ip->saddr;
	q->ipv4_dst = ip->daddr;
	ask_ports(q, ip + 1, end);
	return true;
}

static __always_inline bool ask6(struct bpf_fib_lookup *q, const void *at,
				 const void *end)
{
	const struct ipv6hdr *ip = at;

	if ((const void *)(ip + 1) > end || !may_forward6(ip))
		return false;
	q->family = AF_INET6;
	q->l4_protocol = ip->nexthdr;
	q->flowinfo = load32(ip) & bpf_htonl(0x0fffffff);
	for (int i = 0; i < 4; i++) {
		q->ipv6_src[i] = load32((const void *)&ip->saddr + 4 * i);
		q->ipv6_dst[i] = load32((const void *)&ip->daddr + 4 * i);
	}
	ask_ports(q, ip + 1, end);
	return true;
}

/*
 * Asks the FIB for the way of the packet at that offset in the frame; false if
 * it goes up. A length in the question would be compared with the MTU before
 * the route is known to be usable; so the MTU is compared here, and the kernel
 * sends the ICMP error.
 */
static __always_inline bool find_way(struct xdp_md *ctx, __u32 offset,
				     __u8 family, struct bpf_fib_lookup *q)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *at = (void *)(long)ctx->data + offset;

	if (!is_for_us(ctx) ||
	    !(family == 4 ? ask4(q, at, end) : ask6(q, at, end)))
		return false;
	q->ifindex = ctx->ingress_ifindex;
	return bpf_fib_lookup(ctx, q, sizeof(*q), 0) ==
		       BPF_FIB_LKUP_RET_SUCCESS &&
	       end - at <= q->mtu_result;
}

/* Finds the way of the inner packet behind an outer header; false if it goes
 * up, as for a peer's gateway: tc_egress encapsulates it. */
static __always_inline bool way_from_tunnel(struct xdp_md *ctx, __u32 outer_len,
					    __u8 family,
					    struct bpf_fib_lookup *q)
{
	__u32 peer;

	return find_way(ctx, ETH_HLEN + outer_len, family, q) &&
	       !is_gateway_mac(q->dmac, &peer) && sends(q->ifindex);
}

/* Makes a router's changes to a frame: link layer addresses, one hop less. */
static __always_inline bool route_frame(struct xdp_md *ctx, __u8 family,
					const struct bpf_fib_lookup *way)
{
	void *data = (void *)(long)ctx->data;
	void *ip = data + ETH_HLEN;

	if (ip + ip_hlen(family) > (void *)(long)ctx->data_end)
		return false;
	for (int i = 0; i < ETH_ALEN; i += 2) {
		STORE(__u16, data + i, LOAD(__u16, way->dmac + i));
		STORE(__u16, data + ETH_ALEN + i, LOAD(__u16, way->smac + i));
	}
	if (family == 4)
		ip4_hop(ip);
	else
		ip6_hop(ip);
	return true;
}

#endif
