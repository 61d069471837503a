/* SPDX-License-Identifier: GPL-2.0-only */
/* Inner sources that are invalid for every peer (RFC 4213 3.6, RFC 1122
 * 3.2.1.3), and packets that none may send. */
#ifndef TUNLOAD_SOURCE_H
#define TUNLOAD_SOURCE_H

#include "net.h"

#define HOP_LIMIT_ND 255

/* 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4 and the limited broadcast. */
static __always_inline bool ip4_is_martian(__be32 addr)
{
	__u32 a = bpf_ntohl(addr);

	return a >> 24 == 0 || a >> 24 == 127 || a >> 28 == 0xe ||
	       a == 0xffffffff;
}

/* ff00::/8, IPv4-compatible ::/96 (with the unspecified and the loopback
 * address) and IPv4-mapped ::ffff:0:0/96. */
static __always_inline bool ip6_is_martian(const void *addr)
{
	const __be32 *a = addr;

	if (*(const __u8 *)addr == 0xff)
		return true;
	return a[0] == 0 && a[1] == 0 &&
	       (a[2] == 0 || a[2] == bpf_htonl(0xffff));
}

/* fe80::/10 */
static __always_inline bool ip6_is_link_local(const void *addr)
{
	const __u8 *a = addr;

	return a[0] == 0xfe && a[1] >> 6 == 2;
}

/* True for an IPv4 destination that only a neighbour on the wire may send to:
 * loopback, link-local (RFC 3927 2.7), 224.0.0.0/24 (RFC 5771 4), class E with
 * the limited broadcast, and this network. */
static __always_inline bool ip4_is_link_scope(__be32 addr)
{
	const __u8 first = *(const __u8 *)&addr;
	const __u32 a = bpf_ntohl(addr);

	/* Nearly all. */
	if ((__u8)(first - 1) < 223 && first != 127 && first != 169)
		return false;
	return a >> 24 == 0 || a >> 24 == 127 || a >> 16 == 0xa9fe ||
	       a >> 8 == 0xe00000 || a >> 28 == 0xf;
}

/* The same for IPv6: link-local, and multicast of the interface or link (RFC
 * 4291 2.5.6, 2.7). */
static __always_inline bool ip6_is_link_scope(const void *addr)
{
	const __u8 *a = addr;

	/* Nearly all. */
	if (a[0] < 0xfe)
		return false;
	return ip6_is_link_local(addr) || (a[0] == 0xff && (a[1] & 0xf) <= 2);
}

/* Solicitations, advertisements and redirects of RFC 4861 4. */
static __always_inline bool icmp6_is_nd(__u8 type)
{
	return type >= NDISC_ROUTER_SOLICITATION && type <= NDISC_REDIRECT;
}

#endif
