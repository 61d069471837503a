/* SPDX-License-Identifier: GPL-2.0-only */
/* The maximum segment size in SYN and SYN-ACK (RFC 9293 3.7.1). */
#ifndef TUNLOAD_MSS_H
#define TUNLOAD_MSS_H

#include "net.h"

#define TCP_HLEN	   20
#define TCP_OPTIONS_MAX	   40
#define TCP_FLAGS_OFFSET   13
#define TCP_FLAG_SYN	   0x02
#define TCP_FLAGS_END	   14 /* bytes up to them */
#define TCP_CHECK_OFFSET   16
#define UDP_CHECK_OFFSET   6
#define TCP_OPTION_END	   0
#define TCP_OPTION_NOP	   1
#define TCP_OPTION_MSS	   2
#define TCP_OPTION_MSS_LEN 4

/*
 * Finds the value of the MSS option of a SYN: returns its offset from the first
 * option in bytes, or 0 if there is none or the options are malformed. options:
 * 40 bytes, of which len are valid. The buffer has 64 bytes, so that a mask
 * bounds each index and the verifier needs no check.
 */
static __always_inline __u32 mss_find(const __u8 options[64], __u32 len)
{
	__u32 at = 0;

	for (int i = 0; i < TCP_OPTIONS_MAX; i++) {
		__u32 kind, size;

		if (at + TCP_OPTION_MSS_LEN > len ||
		    at > TCP_OPTIONS_MAX - TCP_OPTION_MSS_LEN)
			return 0;
		kind = options[at & 63];
		size = options[(at + 1) & 63];
		if (kind == TCP_OPTION_END)
			return 0;
		if (kind == TCP_OPTION_MSS && size == TCP_OPTION_MSS_LEN)
			return at + 2;
		at += kind == TCP_OPTION_NOP ? 1 : size;
		if (kind != TCP_OPTION_NOP && size < 2)
			return 0;
		at = forget(at, kind) & 0x1ff; /* holds 36 + 255 */
	}
	return 0;
}

/* The largest segment in an inner packet of mtu bytes, without TCP options (RFC
 * 6691 2). */
static __always_inline __u32 mss_of_mtu(__u32 mtu, __u8 family)
{
	__u32 headers = ip_hlen(family) + TCP_HLEN;

	return mtu > headers ? mtu - headers : 1;
}

/* False for a packet of that protocol that is no TCP segment with SYN; true
 * also if that cannot be read. tcp: what follows the IP header. */
static __always_inline bool may_be_syn(__u8 proto, const void *tcp,
				       const void *end)
{
	const __u8 *flags = tcp + TCP_FLAGS_OFFSET;

	return proto == IPPROTO_TCP &&
	       (tcp + TCP_FLAGS_END > end || *flags & TCP_FLAG_SYN);
}

/* A lower MSS. */
struct mss_change {
	__u32 at; /* offset of the value from the first option, bytes */
	__be16 from, to;
	/* The words of the checksum that change; these begin at even
	 * offsets. */
	__be16 csum_from, csum_to;
};

/* True if the options, as mss_find() takes them, have an MSS above `most`. */
static __always_inline bool mss_exceeds(const __u8 options[64], __u32 len,
					__u32 most, struct mss_change *out)
{
	__u32 at = mss_find(options, len) & 63;

	if (!at)
		return false;
	out->at = at;
	out->from = bpf_htons(options[at] << 8 | options[(at + 1) & 63]);
	out->to = bpf_htons(most);
	out->csum_from = out->from;
	out->csum_to = out->to;
	if (at & 1) {
		out->csum_from = __builtin_bswap16(out->from);
		out->csum_to = __builtin_bswap16(out->to);
	}
	return bpf_ntohs(out->from) > most;
}

#endif
