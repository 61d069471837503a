/* SPDX-License-Identifier: GPL-2.0-only */
/* Builds the outer headers (RFC 2003 3.1, 2473 3, 4213 3.5). No maps, no
 * helpers. */
#ifndef TUNLOAD_BUILD_H
#define TUNLOAD_BUILD_H

#include "ecn.h"
#include "load.h"

/* The facts of the inner packet that its outer header depends on. */
struct inner {
	__u8 family; /* 4 or 6 */
	__u8 tos;    /* TOS or traffic class */
	bool df;     /* must not be fragmented: IPv6, or IPv4 with DF */
	__u32 len;   /* bytes */
	__u32 flow;  /* flow_hash() */
};

/* 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming,
 * 6.4). */
#define GOLDEN_RATIO 0x9e3779b97f4a7c15ULL

/* One step of a hash. A bit of the word reaches those above it only, so the
 * high half is folded onto the low one. */
static __always_inline __u64 hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * GOLDEN_RATIO;
	return hash ^ hash >> 32;
}

/* Two such steps, with an IPv6 address. */
static __always_inline __u64 hash_ip6(__u64 hash, const void *addr)
{
	return hash_word(hash_word(hash, load64(addr)), load64(addr + 8));
}

/* A hash of the inner flow, for the flow label (RFC 6438 2.1): the same for
 * every packet of a flow on every host. ports: the first four bytes of the TCP
 * or UDP header as they are, 0 for other protocols and fragments. */
static __always_inline __u32 flow_hash(const void *src, const void *dst,
				       __u8 family, __u8 proto, __u32 ports)
{
	__u64 hash = hash_word(0, (__u64)ports << 8 | proto);

	if (family == 4)
		return hash_word(hash, (__u64)load32(src) << 32 | load32(dst));
	return hash_ip6(hash_ip6(hash, src), dst);
}

/* 20 bits of a flow hash, never 0, which means "no label" (RFC 6437 2). */
static __always_inline __u32 flow_label(__u32 hash)
{
	__u32 label = (hash ^ hash >> 20) & 0xfffff;

	return label ? label : 1;
}

/* The value of a length field: 0 for super-packets over 64 KiB, like in the
 * kernel; they are segmented before they reach a wire. */
static __always_inline __be16 length_field(__u32 len)
{
	return len > 0xffff ? 0 : bpf_htons(len);
}

/*
 * Sets DF unless the inner packet must and may be fragmented (in->df; RFC 2003
 * 3.1 requires DF only if the inner packet has it). With DF the packet is
 * atomic and needs no ID (RFC 6864 4.1), else it gets id.
 */
static __always_inline void build_ip4(struct iphdr *ip,
				      const struct tl_peer *peer,
				      const struct inner *in, __u16 id)
{
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = tos_encap(in->tos, peer->dscp);
	ip->tot_len = length_field(IP4_HLEN + in->len);
	ip->id = in->df ? 0 : bpf_htons(id);
	ip->frag_off = in->df ? bpf_htons(IP4_DF) : 0;
	ip->ttl = peer->ttl;
	ip->protocol = in->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	ip->check = 0;
	__builtin_memcpy(&ip->saddr, peer->local, 4);
	__builtin_memcpy(&ip->daddr, peer->endpoint, 4);
	ip->check = ~csum_fold(csum_ip4(ip));
}

/* The next header is 4 or 41, without a Destination Options header. */
static __always_inline void build_ip6(struct ipv6hdr *ip,
				      const struct tl_peer *peer,
				      const struct inner *in)
{
	__u32 label = flow_label(in->flow);

	ip->version = 6;
	ip->priority = 0;
	ip->flow_lbl[0] = label >> 16;
	ip->flow_lbl[1] = label >> 8;
	ip->flow_lbl[2] = label;
	ip6_set_tclass(ip, tos_encap(in->tos, peer->dscp));
	ip->payload_len = length_field(in->len);
	ip->nexthdr = in->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	ip->hop_limit = peer->ttl;
	__builtin_memcpy(&ip->saddr, peer->local, 16);
	__builtin_memcpy(&ip->daddr, peer->endpoint, 16);
}

static __always_inline __be16 ethertype(__u8 family)
{
	return family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

/* The link layer header and the outer one. */
struct outer_header {
	__be16 pad; /* aligns the IP header */
	__u8 macs[2 * ETH_ALEN];
	__be16 ethertype;
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
} __attribute__((aligned(8)));

/* What is the same for all packets of a peer. The fields of `outer` that follow
 * from the inner packet are zero. */
struct prepared {
	__u32 mtu;
	__u8 family;
	__u8 tos_mask; /* of the inner TOS, what the outer one takes */
	__u16 sum;     /* of the words of an outer IPv4 header */
	struct outer_header outer;
};

/* macs: destination, source. */
static __always_inline void
prepare_outer(struct prepared *to, const struct tl_peer *peer, const __u8 *macs)
{
	struct outer_header *outer = &to->outer;
	struct inner empty = {.df = true};

	to->mtu = peer->mtu;
	to->family = peer->family;
	to->tos_mask = peer->dscp == TL_DSCP_COPY ? 0xff : ECN_MASK;
	__builtin_memcpy(outer->macs, macs, sizeof(outer->macs));
	outer->ethertype = ethertype(peer->family);
	if (peer->family == 4) {
		build_ip4(&outer->ip4, peer, &empty, 0);
		outer->ip4.tot_len = 0;
		outer->ip4.protocol = 0;
		outer->ip4.check = 0;
		to->sum = csum_fold(csum_ip4(&outer->ip4));
		return;
	}
	build_ip6(&outer->ip6, peer, &empty);
	outer->ip6.flow_lbl[1] = outer->ip6.flow_lbl[2] = 0;
	outer->ip6.flow_lbl[0] &= 0xf0;
}

/* Completes an atomic outer header, a copy of that in `from`: as build_ip4()
 * and build_ip6() make it. */
static __always_inline void finish_ip4(struct iphdr *ip,
				       const struct prepared *from,
				       const struct inner *in)
{
	const __u8 proto = in->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	const __be16 tot_len = length_field(IP4_HLEN + in->len);
	const __u32 tos = in->tos & from->tos_mask;

	ip->tos = from->outer.ip4.tos | tos;
	ip->tot_len = tot_len;
	ip->protocol = proto;
	ip->check = ~csum_fold(from->sum + bpf_htons(tos) + tot_len +
			       bpf_htons(proto));
}

static __always_inline void finish_ip6(struct ipv6hdr *ip,
				       const struct prepared *from,
				       const struct inner *in)
{
	const __u32 tos = in->tos & from->tos_mask;

	STORE(__be32, ip,
	      load32(&from->outer.ip6) |
		      bpf_htonl(tos << 20 | flow_label(in->flow)));
	ip->payload_len = length_field(in->len);
	ip->nexthdr = in->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

#endif
