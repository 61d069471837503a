/* SPDX-License-Identifier: GPL-2.0-only */
/* A router's view of a packet: may XDP forward it, and one hop less. No maps,
 * no helpers. */
#ifndef TUNLOAD_HOP_H
#define TUNLOAD_HOP_H

#include "checksum.h"
#include "parse.h"
#include "source.h"

static __always_inline bool ip4_stays(__be32 addr)
{
	return ip4_is_martian(addr) || ip4_is_link_scope(addr);
}

static __always_inline bool ip6_stays(const void *addr)
{
	return ip6_is_martian(addr) || ip6_is_link_scope(addr);
}

/* True for an IPv4 packet that only needs to be sent on: no options, no
 * fragment, both addresses unicast and of more than one link, and hops left
 * (RFC 1812 5.3). The kernel handles all others. */
static __always_inline bool may_forward4(const struct iphdr *ip)
{
	return *(const __u8 *)ip == 0x45 && !ip4_is_fragment(ip) &&
	       ip->ttl > 1 && !ip4_stays(ip->saddr) && !ip4_stays(ip->daddr);
}

/* The same for IPv6: no extension header that a router may have to read. */
static __always_inline bool may_forward6(const struct ipv6hdr *ip)
{
	return ip->version == 6 && !is_extension(ip->nexthdr) &&
	       ip->hop_limit > 1 && !ip6_stays(&ip->saddr) &&
	       !ip6_stays(&ip->daddr);
}

/* Takes one from the TTL and corrects the checksum (RFC 1812 5.3.1). */
static __always_inline void ip4_hop(struct iphdr *ip)
{
	/* TTL is the high byte of a 16-bit word. */
	const __be16 one = bpf_htons(1 << 8);
	__be16 from = *(const __be16 *)&ip->ttl;

	ip->check = csum_update(ip->check, from, from - one);
	ip->ttl--;
}

static __always_inline void ip6_hop(struct ipv6hdr *ip)
{
	ip->hop_limit--;
}

#endif
