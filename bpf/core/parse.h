/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parses packets. Every function takes a pointer to a header and the end of the
 * readable bytes, and returns values. `len` is the length of the packet from
 * that header on, which may be more than is readable (fragments of an skb or an
 * xdp_buff). No maps, no helpers, so that unit tests can use it.
 */
#ifndef TUNLOAD_PARSE_H
#define TUNLOAD_PARSE_H

#include "net.h"
#include "verdict.h"

/* How many extension headers are skipped before protocol 4 or 41: RFC 8200 4.1
 * recommends at most one of each kind, RFC 2473 4.1.1 adds one. */
#define MAX_OPTIONS_HEADERS 4
#define IP6_HLEN_MASK	    0x3fff /* above every length with so many */

/* How many bytes are made readable: enough for IPv6 with four options headers
 * of usual length, and an inner header. */
#define READABLE_AT_MOST 512

/* Above every offset of a parsed header. */
#define OFFSET_MASK 0x7fff

enum parse_result {
	PARSE_OK,
	PARSE_SHORT,	   /* a header is not fully readable */
	PARSE_MALFORMED,   /* wrong version or length */
	PARSE_MANY_OPTIONS /* more than MAX_OPTIONS_HEADERS */
};

/* An IP header: an outer one, or that of a plain packet. */
struct ip_info {
	__u8 family;	 /* 4 or 6 */
	__u8 proto;	 /* of what follows the header and its options */
	__u8 tos;	 /* TOS or traffic class */
	__u8 ttl;	 /* TTL or hop limit */
	bool fragment;	 /* proto is then that of the fragment header */
	__u32 hlen;	 /* bytes, with options and extension headers */
	__u32 tot_len;	 /* bytes, from the header, itself included */
	const void *src; /* 4 or 16 bytes within the packet */
	const void *dst;
};

/* Copies an address of an ip_info to sixteen zeroed bytes. */
static __always_inline void copy_addr(__u8 to[16], const void *from,
				      __u8 family)
{
	if (family == 4)
		__builtin_memcpy(to, from, 4);
	else
		__builtin_memcpy(to, from, 16);
}

/* Parses an IPv4 header with options. An invalid length is malformed, but *out
 * is still set. */
static __always_inline enum parse_result
parse_ip4(const void *at, const void *end, struct ip_info *out)
{
	const struct iphdr *ip = at;

	if ((const void *)(ip + 1) > end)
		return PARSE_SHORT;
	if (ip->version != 4)
		return PARSE_MALFORMED;
	out->family = 4;
	out->proto = ip->protocol;
	out->tos = ip->tos;
	out->ttl = ip->ttl;
	out->fragment = ip4_is_fragment(ip);
	out->hlen = ip4_hlen(ip);
	out->tot_len = bpf_ntohs(ip->tot_len);
	out->src = &ip->saddr;
	out->dst = &ip->daddr;
	if (ip->ihl < 5)
		return PARSE_MALFORMED;
	if (at + out->hlen > end)
		return PARSE_SHORT;
	return PARSE_OK;
}

/* True for an extension header that is skipped: hop-by-hop and destination
 * options (a Linux peer adds one with its tunnel encapsulation limit, RFC 2473
 * 5.1), a routing header with no segments left (RFC 8200 4.4), the fragment
 * header of an unfragmented packet (RFC 6946 4). */
static __always_inline bool is_skipped(__u8 proto, const struct frag_hdr *ext)
{
	const __u8 *byte = (const __u8 *)ext;

	if (proto == IPPROTO_HOPOPTS || proto == IPPROTO_DSTOPTS)
		return true;
	if (proto == IPPROTO_ROUTING)
		return byte[3] == 0; /* segments left */
	return proto == IPPROTO_FRAGMENT &&
	       !(ext->frag_off & bpf_htons(IP6_OFFSET_OR_MORE));
}

static __always_inline bool is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT;
}

/*
 * Skips extension headers and advances out->hlen and out->proto. Stops at the
 * header of a fragment: sets out->fragment, and out->proto to its next header.
 */
static __always_inline enum parse_result
skip_extensions(const void *at, const void *end, struct ip_info *out)
{
	for (int i = 0; i <= MAX_OPTIONS_HEADERS; i++) {
		const struct frag_hdr *ext = at + out->hlen;

		if (!is_extension(out->proto))
			return PARSE_OK;
		if (i == MAX_OPTIONS_HEADERS)
			break;
		if ((const void *)(ext + 1) > end)
			return PARSE_SHORT;
		if (!is_skipped(out->proto, ext)) {
			out->fragment = out->proto == IPPROTO_FRAGMENT;
			if (out->fragment)
				out->proto = ext->nexthdr;
			return PARSE_OK;
		}
		/* The fragment header has a reserved byte in place of a
		 * length. */
		out->hlen += out->proto == IPPROTO_FRAGMENT
				     ? 8
				     : (ext->reserved + 1) * 8;
		out->proto = ext->nexthdr;
	}
	return PARSE_MANY_OPTIONS;
}

/* Parses an IPv6 header without its extension headers. */
static __always_inline enum parse_result
parse_ip6_header(const void *at, const void *end, struct ip_info *out)
{
	const struct ipv6hdr *ip = at;

	if ((const void *)(ip + 1) > end)
		return PARSE_SHORT;
	if (ip->version != 6)
		return PARSE_MALFORMED;
	out->family = 6;
	out->proto = ip->nexthdr;
	out->tos = ip6_tclass(ip);
	out->ttl = ip->hop_limit;
	out->fragment = false;
	out->hlen = IP6_HLEN;
	out->tot_len = IP6_HLEN + bpf_ntohs(ip->payload_len);
	out->src = &ip->saddr;
	out->dst = &ip->daddr;
	return PARSE_OK;
}

/* Parses an IPv6 header and skips its extension headers. */
static __always_inline enum parse_result
parse_ip6(const void *at, const void *end, struct ip_info *out)
{
	enum parse_result result = parse_ip6_header(at, end, out);

	if (result != PARSE_OK)
		return result;
	result = skip_extensions(at, end, out);
	out->hlen = forget(out->hlen, out->tot_len) & IP6_HLEN_MASK;
	out->proto = forget(out->proto, out->tot_len);
	return result;
}

/* The inner family of protocol number 4 or 41. */
static __always_inline __u8 inner_family(__u8 proto)
{
	return proto == IPPROTO_IPIP ? 4 : 6;
}

/*
 * Checks the version and lengths of the inner header; len is the payload of the
 * outer packet in bytes. Returns PASSED or a verdict. Bytes after the inner
 * packet are ignored (RFC 4213 3.6).
 */
static __always_inline enum tl_verdict check_inner4(const void *at,
						    const void *end, __u32 len)
{
	const struct iphdr *ip = at;

	if ((const void *)(ip + 1) > end)
		return TL_rx_bad_inner;
	if (ip->version != 4)
		return TL_rx_bad_version;
	if (ip->ihl < 5 || bpf_ntohs(ip->tot_len) < ip4_hlen(ip) ||
	    bpf_ntohs(ip->tot_len) > len)
		return TL_rx_bad_inner;
	return PASSED;
}

static __always_inline enum tl_verdict check_inner6(const void *at,
						    const void *end, __u32 len)
{
	const struct ipv6hdr *ip = at;

	if ((const void *)(ip + 1) > end)
		return TL_rx_bad_inner;
	if (ip->version != 6)
		return TL_rx_bad_version;
	if (IP6_HLEN + bpf_ntohs(ip->payload_len) > len)
		return TL_rx_bad_inner;
	return PASSED;
}

#endif
