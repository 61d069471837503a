/* SPDX-License-Identifier: GPL-2.0-only */
/* DSCP and ECN across the tunnel (RFC 2983, 6040). */
#ifndef TUNLOAD_ECN_H
#define TUNLOAD_ECN_H

#include "checksum.h"
#include "layout.h"

#define ECN_MASK    0x03
#define ECN_NOT_ECT 0x00
#define ECN_ECT1    0x01
#define ECN_ECT0    0x02
#define ECN_CE	    0x03
#define ECN_DROP    0xff /* from ecn_decap(): drop the packet */

/* The outer TOS or traffic class at egress: the inner ECN field always (normal
 * mode, RFC 6040 4.1); the inner DSCP too (uniform model), or a fixed one (pipe
 * model, RFC 2983 3). dscp: 0 to 63, or TL_DSCP_COPY. */
static __always_inline __u8 tos_encap(__u8 inner, __u8 dscp)
{
	if (dscp == TL_DSCP_COPY)
		return inner;
	return (__u8)(dscp << 2) | (inner & ECN_MASK);
}

/* The inner ECN field after decapsulation (RFC 6040 4.2, figure 4), or
 * ECN_DROP. */
static __always_inline __u8 ecn_decap(__u8 inner, __u8 outer)
{
	inner &= ECN_MASK;
	/* Not-ECT or ECT(0). */
	if (!(outer & ECN_ECT1))
		return inner;
	outer &= ECN_MASK;
	if (outer == ECN_CE)
		return inner == ECN_NOT_ECT ? ECN_DROP : ECN_CE;
	if (outer == ECN_ECT1 && inner == ECN_ECT0)
		return ECN_ECT1;
	return inner;
}

/* Sets the ECN field of an IPv4 header and corrects its checksum. */
static __always_inline void ip4_set_ecn(struct iphdr *ip, __u8 ecn)
{
	__u8 tos = (ip->tos & ~ECN_MASK) | ecn;

	/* TOS is the low byte of the first 16-bit word. */
	ip->check = csum_update(ip->check, bpf_htons(ip->tos), bpf_htons(tos));
	ip->tos = tos;
}

static __always_inline void ip6_set_ecn(struct ipv6hdr *ip, __u8 ecn)
{
	ip6_set_tclass(ip, (ip6_tclass(ip) & ~ECN_MASK) | ecn);
}

#endif
