/* SPDX-License-Identifier: GPL-2.0-only */
/* A received packet, and look-ups of its addresses in the maps. */
#ifndef TUNLOAD_RX_H
#define TUNLOAD_RX_H

#include "core/gateway.h"
#include "core/parse.h"
#include "record/count.h"
#include "record/prefixes.h"

struct rx {
	struct outcome outcome;
	__u64 until;	  /* expiry of what is remembered of a tunnel packet,
			   * jiffies ... */
	__u32 generation; /* ... and its generation */
	__u16 outer_len;  /* bytes to remove */
	__u8 outer_family;
	__u8 inner_family;
	__u8 ecn;	 /* the new inner ECN value */
	bool set_ecn;	 /* true if it changes */
	__u8 peer_flags; /* TL_PEER_F_*, of a tunnel packet's peer */
	bool lasting;	 /* its source is in a prefix of the peer alone */
	bool may_enter;	 /* a tunnel: a plain IP packet, not from this host */
	__u8 fallback;	 /* verdict, if NEED_MORE cannot be satisfied */

	/* For an ICMP error that the caller still verifies
	 * (icmp_verified()): */
	__u16 mtu;	   /* inner MTU to learn from it, or 0 */
	__u16 message_at;  /* bytes from the IP header on */
	__u16 message_len; /* bytes */
	__u32 pseudo_sum;  /* of the pseudo-header, or 0 */
};

/* A packet from its first IP header on. */
struct view {
	const void *at;
	const void *end; /* of the readable bytes */
	__u32 len;	 /* of the packet, bytes */
	bool whole;	 /* all of it is readable */
};

static __always_inline enum tl_verdict need_more(const struct view *v,
						 struct rx *rx,
						 enum tl_verdict truncated,
						 enum tl_verdict fallback)
{
	if (v->whole)
		return truncated;
	rx->fallback = fallback;
	return NEED_MORE;
}

/* Checks the outer header: lengths, and for IPv4 the checksum, which the kernel
 * has not verified yet (RFC 791 3.1). */
static __always_inline enum tl_verdict check_outer(const struct view *v,
						   struct ip_info *ip)
{
	const struct iphdr *ip4 = v->at;
	__u32 sum;

	/* Super-packets of the kernel over 64 KiB have length 0. */
	if (v->len > 0xffff && ip->tot_len == (ip->family == 4 ? 0 : IP6_HLEN))
		ip->tot_len = v->len;
	if (ip->tot_len < ip->hlen || ip->tot_len > v->len)
		return TL_rx_bad_outer;
	if (ip->family == 6)
		return PASSED;
	if ((const void *)(ip4 + 1) > v->end)
		return TL_rx_bad_outer;
	sum = csum_ip4(ip4);
	if (ip->hlen > IP4_HLEN)
		sum += csum_ip4_options(ip4, ip->hlen, v->end);
	return csum_fold(sum) == 0xffff ? PASSED : TL_rx_bad_checksum;
}

static __always_inline bool same_addr(__u8 family, const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	if (family == 4)
		return x[0] == y[0];
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

/* The peer of an outer packet from `remote` to `local`. */
static __always_inline __u32 find_peer(__u8 family, const void *remote,
				       const void *local)
{
	struct tl_endpoint key = {.family = family};
	struct tl_peer_id *id;

	copy_addr(key.endpoint, remote, family);
	copy_addr(key.local, local, family);
	id = bpf_map_lookup_elem(&endpoints, &key);
	return id ? id->peer : TL_PEER_NONE;
}

/* True if the peer is one of several that share this prefix. Looks up the
 * peer's own longest prefix; if it is shorter, the prefix belongs only to
 * others. */
static __always_inline bool is_shared(__u64 prefix, __u8 family,
				      const void *addr, __u32 peer)
{
	struct tl_shared key = {
		.prefixlen = 32 + (family == 4 ? 32 : 128),
		.family = family,
		.peer = {peer >> 16, peer >> 8, peer},
	};
	const struct tl_shared_len *found;

	if (!(prefix_flags(prefix) & TL_PREFIX_F_SHARED))
		return false;
	copy_addr(key.addr, addr, family);
	found = bpf_map_lookup_elem(&shared, &key);
	return found &&
	       found->prefixlen == prefix_flags(prefix) >> TL_PREFIX_LEN_SHIFT;
}

#endif
