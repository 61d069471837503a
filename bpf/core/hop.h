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
	/* Little-endian: TTL is the lowest byte, and the checksum the highest
	 * two, which are one more then (RFC 1141). */
	__u64 word = (__u64)load32(&ip->ttl) + (1 << 16) - 1;

	if (word >= 0xffff0000)
		word += 1 << 16;
	STORE(__u32, &ip->ttl, word);
}

static __always_inline void ip6_hop(struct ipv6hdr *ip)
{
	ip->hop_limit--;
}

#endif
