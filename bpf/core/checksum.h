/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum (RFC 1071), and its update (RFC 1624). */
#ifndef TUNLOAD_CHECKSUM_H
#define TUNLOAD_CHECKSUM_H

#include "load.h"
#include "net.h"

/* Folds a sum of 16-bit words to 16 bits. Valid for sums of up to 2^16
 * words. */
static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* The sum, not complemented, of the 20 bytes of an IPv4 header without options,
 * as words in memory order. */
static __always_inline __u32 csum_ip4(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

	for (__u32 i = 0; i < IP4_HLEN / 2; i++)
		sum += word[i];
	return sum;
}

/*
 * True if the checksum of an IPv4 header without options is right (RFC 1071):
 * if the sum of its words, of any size, is a multiple of 0xffff; not 0, as its
 * first byte is 0x45. A number of 64
 * bits is one if its product with the inverse of 0xffff is at most 2^64 /
 * 0xffff (Granlund, Montgomery: Division by Invariant Integers, 9).
 */
static __always_inline bool ip4_checksum_is_right(const struct iphdr *ip)
{
	const __u64 inverse = 0xfffefffefffeffff, most = 0x0001000100010001;
	const void *at = ip;
	__u64 sum = 0;

	for (__u32 i = 0; i < IP4_HLEN; i += 4)
		sum += load32(at + i);
	/* The compiler shall load fields of the header, not make them of these
	 * words by shifts and masks. */
	barrier();
	return sum * inverse <= most;
}

/* The sum of the words from ip + 20 to ip + hlen: the options. hlen is a
 * multiple of four, at most 60; ip + hlen must be within end. */
static __always_inline __u32 csum_ip4_options(const struct iphdr *ip,
					      __u32 hlen, const void *end)
{
	const __u16 *word = (const __u16 *)(ip + 1);
	__u32 sum = 0;

	hlen = forget(hlen, ip->check);
	for (__u32 at = IP4_HLEN; at < IP4_HLEN_MAX; at += 4, word += 2) {
		if (at >= hlen || (const void *)(word + 2) > end)
			break;
		sum += word[0] + word[1];
	}
	return sum;
}

/* Adds the words of n bytes (even; a constant). */
static __always_inline __u32 csum_bytes(__u32 sum, const void *bytes, __u32 n)
{
	const __u16 *word = bytes;

	for (__u32 i = 0; i < n / 2; i++)
		sum += word[i];
	return sum;
}

/* The sum of the pseudo-header of a message of n bytes (RFC 8200 8.1); addrs:
 * source and destination, as in the IPv6 header. */
static __always_inline __u32 csum_pseudo6(const void *addrs, __u32 n,
					  __u8 proto)
{
	return csum_bytes(0, addrs, 32) + bpf_htons(n) + bpf_htons(proto);
}

/* The longest message that is verified, in bytes: the payload of an Ethernet
 * frame. */
#define CSUM_MESSAGE_MOST 1500U

/* True if the checksum in the message of n bytes at `at` is right. sum: the sum
 * of what else it covers (a pseudo-header). False if the message is too long or
 * not within end. An odd last byte is padded with a zero (RFC 1071 1). */
static __always_inline bool csum_is_right(const void *at, __u32 n,
					  const void *end, __u32 sum)
{
	const __u16 *word = at;
	const __u8 *last;

	if (n > CSUM_MESSAGE_MOST || n > end - at)
		return false;
	for (__u32 i = 2; i <= CSUM_MESSAGE_MOST; i += 2, word++) {
		if (i > n || (const void *)(word + 1) > end)
			break;
		sum += *word;
	}
	last = (const __u8 *)word;
	if (n % 2 && (const void *)(last + 1) <= end)
		sum += bpf_htons(*last << 8);
	return csum_fold(sum) == 0xffff;
}

/* The checksum after a 16-bit word of what it covers has changed (RFC 1624 3,
 * equation 3). All values are in network byte order. */
static __always_inline __sum16 csum_update(__sum16 check, __be16 from,
					   __be16 to)
{
	__u32 sum = (__u16)~check + (__u16)~from + to;

	return ~csum_fold(sum);
}

#endif
