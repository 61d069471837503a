/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer to an inner packet that is larger than the peer's MTU: ICMP
 * "fragmentation needed" (RFC 792, 1191 4) or ICMPv6 Packet Too Big (RFC 4443
 * 3.2). No maps, no helpers.
 *
 * Its source is the destination of the packet that it is about: the route and
 * the reverse-path filter of every sender expect that address on this
 * interface. An address of ours would be a martian at ingress, and the peer's
 * may be of the other family.
 */
#ifndef TUNLOAD_TOO_BIG_H
#define TUNLOAD_TOO_BIG_H

#include "checksum.h"
#include "source.h"

/* How many bytes of the packet are quoted; a packet that is too big is longer.
 * IPv4: plus 28 bytes of headers that is 564, at most 576 (RFC 1812 4.3.2.3);
 * IPv6: plus 48 bytes that is 1280 (RFC 4443 2.4 c). */
#define QUOTE4 536U
#define QUOTE6 1232U

#define TOO_BIG_TTL 64

struct too_big4 {
	struct iphdr ip;
	__u8 type;
	__u8 code;
	__sum16 check;
	__be16 unused;
	__be16 mtu;
};

struct too_big6 {
	struct ipv6hdr ip;
	__u8 type;
	__u8 code;
	__sum16 check;
	__be32 mtu;
};

/* True for ICMP errors, redirects included, about which no error is sent (RFC
 * 1812 4.3.2.7, RFC 4443 2.4 e). */
static __always_inline bool icmp_is_error(__u8 family, __u8 type)
{
	if (family == 6)
		return !(type & ICMPV6_INFOMSG_MASK);
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH ||
	       type == ICMP_REDIRECT || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

/* No error is sent to a source that is not a single host, or about a fragment
 * other than the first (RFC 1812 4.3.2.7). */
static __always_inline bool may_be_answered4(const struct iphdr *ip)
{
	return !ip4_is_martian(ip->saddr) &&
	       !(ip->frag_off & bpf_htons(IP4_OFFSET_MASK));
}

static __always_inline bool may_be_answered6(const struct ipv6hdr *ip)
{
	return !ip6_is_martian(&ip->saddr);
}

/* about: the header of the packet; quoted: the sum of its first QUOTE4 bytes,
 * folded or not. */
static __always_inline void build_too_big4(struct too_big4 *out,
					   const struct iphdr *about, __u32 mtu,
					   __u32 quoted)
{
	__builtin_memset(out, 0, sizeof(*out));
	out->ip.version = 4;
	out->ip.ihl = 5;
	out->ip.tos = about->tos & 0xfc;
	out->ip.tot_len = bpf_htons(sizeof(*out) + QUOTE4);
	out->ip.frag_off = bpf_htons(IP4_DF);
	out->ip.ttl = TOO_BIG_TTL;
	out->ip.protocol = IPPROTO_ICMP;
	out->ip.saddr = about->daddr;
	out->ip.daddr = about->saddr;
	out->ip.check = ~csum_fold(csum_ip4(&out->ip));
	out->type = ICMP_DEST_UNREACH;
	out->code = ICMP_FRAG_NEEDED;
	out->mtu = bpf_htons(mtu);
	out->check = ~csum_fold(csum_bytes(csum_fold(quoted), &out->type, 8));
}

/* The same for IPv6 and QUOTE6, with the pseudo-header (RFC 4443 2.3). */
static __always_inline void build_too_big6(struct too_big6 *out,
					   const struct ipv6hdr *about,
					   __u32 mtu, __u32 quoted)
{
	__u32 sum = csum_fold(quoted);

	__builtin_memset(out, 0, sizeof(*out));
	out->ip.version = 6;
	out->ip.payload_len = bpf_htons(8 + QUOTE6);
	out->ip.nexthdr = IPPROTO_ICMPV6;
	out->ip.hop_limit = TOO_BIG_TTL;
	__builtin_memcpy(&out->ip.saddr, &about->daddr, 16);
	__builtin_memcpy(&out->ip.daddr, &about->saddr, 16);
	out->type = ICMPV6_PKT_TOOBIG;
	out->mtu = bpf_htonl(mtu);
	sum = csum_bytes(sum, &out->type, 8);
	sum += csum_pseudo6(&out->ip.saddr, 8 + QUOTE6, IPPROTO_ICMPV6);
	out->check = ~csum_fold(sum);
}

#endif
