/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow of a decapsulated packet, of which all packets go to one CPU. No
 * maps, no helpers. */
#ifndef TUNLOAD_FLOW_H
#define TUNLOAD_FLOW_H

#include "build.h"
#include "load.h"

/* Returns the ports of a TCP or UDP header as they are, else 0. */
static __always_inline __u32 flow_ports(__u8 proto, const void *at,
					const void *end)
{
	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || at + 4 > end)
		return 0;
	return load32(at);
}

/* The hash of the flow of an IPv4 packet; all fragments of two hosts are one
 * flow, as only the first one of a packet has ports. */
static __always_inline __u32 flow_of4(const struct iphdr *ip, const void *end)
{
	__u32 ports = 0;

	if ((const void *)(ip + 1) > end)
		return 0;
	if (ip->ihl == 5 && !ip4_is_fragment(ip))
		ports = flow_ports(ip->protocol, ip + 1, end);
	return flow_hash(&ip->saddr, &ip->daddr, 4, ip->protocol, ports);
}

/* The same of IPv6; all packets with extension headers of two hosts and one
 * kind, fragments among them, are one flow. */
static __always_inline __u32 flow_of6(const struct ipv6hdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end)
		return 0;
	return flow_hash(&ip->saddr, &ip->daddr, 6, ip->nexthdr,
			 flow_ports(ip->nexthdr, ip + 1, end));
}

/* Which of n it is for a flow. */
static __always_inline __u32 flow_share(__u32 hash, __u32 n)
{
	return ((__u64)hash * n) >> 32;
}

#endif
