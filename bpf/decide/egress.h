/* SPDX-License-Identifier: GPL-2.0-only */
/* Decides about a packet to a gateway: checks it against its peer, and
 * determines the outer header. */
#ifndef TUNLOAD_EGRESS_H
#define TUNLOAD_EGRESS_H

#include "core/build.h"
#include "core/flow.h"
#include "core/mss.h"
#include "ingress.h"
#include "record/head.h"

struct tx {
	struct outcome outcome;
	struct inner inner;
	const struct tl_peer *peer;
	__u32 mtu;     /* the peer's, configured or learned */
	__u32 payload; /* bytes after the inner header */
	bool syn;      /* may have an MSS */
	__u32 excess;  /* bytes to cut from each segment of a super-packet */
};

/* The first four bytes of a TCP or UDP header: the ports. */
static __always_inline __u32 ports(const struct view *v,
				   const struct ip_info *ip)
{
	return ip->fragment ? 0
			    : flow_ports(ip->proto, v->at + ip->hlen, v->end);
}

/* The length of the TCP or UDP header of a super-packet, in bytes. */
static __always_inline __u32 transport_len(const struct view *v,
					   const struct ip_info *ip)
{
	const __u8 *at = v->at + ip->hlen;

	if (ip->proto != IPPROTO_TCP)
		return 8;
	if ((const void *)(at + 13) > v->end)
		return 20;
	return (at[12] >> 4) * 4;
}

/* A packet is not encapsulated if it is already tunnelled to the endpoint (RFC
 * 2473 4.1.2) or has the endpoint as its source (RFC 2003 3.2). */
static __always_inline enum tl_verdict check_loop(const struct tl_peer *peer,
						  const struct ip_info *ip)
{
	if (ip->family != peer->family)
		return PASSED;
	if (is_tunnel(ip->proto) &&
	    same_addr(ip->family, ip->dst, peer->endpoint))
		return TL_tx_tunnelled;
	if (same_addr(ip->family, ip->src, peer->endpoint))
		return TL_tx_loop;
	return PASSED;
}

/* True for packets that must not leave their link. A gateway is not a real
 * neighbour, so they do not go into its tunnel. */
static __always_inline bool stays_on_link(const struct ip_info *ip)
{
	if (ip->family == 6)
		return ip6_is_link_local(ip->src) || ip6_is_link_scope(ip->dst);
	return ip4_is_link_scope(*(const __be32 *)ip->dst);
}

/* True for an IPv4 packet that may be fragmented and has no options, which
 * would have to be distributed to the fragments (RFC 791 3.1). */
static __always_inline bool can_fragment(const struct view *v,
					 const struct ip_info *ip,
					 const struct tx *tx)
{
	const struct iphdr *ip4 = v->at;

	return ip->family == 4 && ip->hlen == IP4_HLEN &&
	       (const void *)(ip4 + 1) <= v->end &&
	       !(ip4->frag_off & bpf_htons(IP4_DF)) && tx->mtu >= IP4_HLEN + 8;
}

/* Checks the size against the peer's MTU. gso_size: bytes of payload in each
 * segment of a super-packet, else 0. */
static __always_inline enum tl_verdict check_size(const struct view *v,
						  const struct ip_info *ip,
						  __u32 gso_size, struct tx *tx)
{
	__u32 size = tx->inner.len, mtu = tx->mtu;

	if (gso_size)
		size = ip->hlen + transport_len(v, ip) + gso_size;
	if (size <= mtu)
		return PASSED;
	if (gso_size && ip->proto == IPPROTO_TCP && size - mtu < gso_size) {
		tx->excess = size - mtu;
		return PASSED;
	}
	if (!gso_size && can_fragment(v, ip, tx))
		return TL_tx_fragmented;
	return !gso_size && !tx->inner.df ? PASSED : TL_tx_too_big;
}

/*
 * False if the outer packet may be fragmented, as the inner one is too large:
 * IPv4 without DF over IPv4 (RFC 2003 3.1), and IPv6 of up to 1280 bytes, about
 * which "too big" must not be sent (RFC 2473 7.1, RFC 4213 3.2.2). Routers
 * fragment only IPv4.
 */
static __always_inline bool is_atomic(const struct view *v, __u8 family,
				      const struct tx *tx)
{
	const struct iphdr *ip4 = v->at;

	if (tx->inner.len <= tx->mtu)
		return true;
	if (family == 6)
		return tx->inner.len > IP6_MIN_MTU;
	return (const void *)(ip4 + 1) > v->end ||
	       ip4->frag_off & bpf_htons(IP4_DF) || tx->peer->family == 6;
}

static __always_inline void fill_inner(const struct view *v,
				       const struct ip_info *ip, struct tx *tx)
{
	tx->inner.family = ip->family;
	tx->inner.tos = ip->tos;
	tx->inner.len = tx->outcome.bytes;
	tx->inner.df = is_atomic(v, ip->family, tx);
	/* IPv4 has no flow label. */
	if (tx->peer->family == 6)
		tx->inner.flow = flow_hash(ip->src, ip->dst, ip->family,
					   ip->proto, ports(v, ip));
}

/* Returns the verdict for a packet to the gateway of peer, with its IP header
 * at v->at; PASSED if it shall be encapsulated. The caller has set
 * tx->outcome.now_ns. Changes nothing. */
static __always_inline enum tl_verdict egress(const struct view *v,
					      __be16 proto, __u32 gso_size,
					      __u32 peer, struct tx *tx)
{
	enum parse_result result = PARSE_MALFORMED;
	enum tl_verdict verdict;
	struct ip_info ip = {};

	tx->outcome.bytes = v->len;
	tx->outcome.peer = peer;
	tx->peer = bpf_map_lookup_elem(&peers, &peer);
	if (!tx->peer)
		return TL_tx_stale_peer;
	if (!is_ready(tx->peer))
		return TL_tx_waiting;
	if (proto == bpf_htons(ETH_P_IP))
		result = parse_ip4(v->at, v->end, &ip);
	else if (proto == bpf_htons(ETH_P_IPV6))
		result = parse_ip6_header(v->at, v->end, &ip);
	else
		return TL_tx_neighbour;
	if (!ip.family || result != PARSE_OK ||
	    (!gso_size && (ip.tot_len > v->len || ip.tot_len < ip.hlen)))
		return TL_tx_bad_inner;
	/* Bytes after the inner packet are not part of it. */
	if (!gso_size)
		tx->outcome.bytes = ip.tot_len;
	if (stays_on_link(&ip))
		return TL_tx_neighbour;
	verdict = check_loop(tx->peer, &ip);
	if (verdict != PASSED)
		return verdict;
	tx->mtu = peer_mtu(peer, tx->peer->mtu);
	tx->syn = !ip.fragment && may_be_syn(ip.proto, v->at + ip.hlen, v->end);
	tx->payload = tx->outcome.bytes - ip.hlen;
	fill_inner(v, &ip, tx);
	return check_size(v, &ip, gso_size, tx);
}

#endif
