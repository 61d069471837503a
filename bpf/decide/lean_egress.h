/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way of egress() for nearly every packet: no options, no fragment,
 * no SYN, all headers readable, its peer ready, and not too long. Each function
 * returns false for a packet that it does not pass; egress() then finds the
 * verdict.
 */
#ifndef TUNLOAD_LEAN_EGRESS_H
#define TUNLOAD_LEAN_EGRESS_H

#include "core/load.h"
#include "egress.h"

/* What follows the inner header. */
struct transport {
	__u32 ports; /* as flow_hash() takes them */
	__u32 len;   /* of its header, as transport_len() has it */
};

static __always_inline bool lean_transport(const void *at, const void *end,
					   __u8 proto, struct transport *out)
{
	const __u8 *byte = at;

	out->ports = 0;
	out->len = 8;
	if (proto == IPPROTO_UDP) {
		if (at + 8 > end)
			return false;
		out->ports = load32(at);
		return true;
	}
	/* One to a gateway does not leave (packet/redirect.h). */
	if (proto == IPPROTO_ICMP)
		return at < end && *byte != ICMP_REDIRECT;
	if (proto != IPPROTO_TCP)
		return !is_tunnel(proto);
	if (at + TCP_HLEN > end || byte[TCP_FLAGS_OFFSET] & TCP_FLAG_SYN)
		return false;
	out->ports = load32(at);
	out->len = (byte[12] >> 4) * 4;
	return true;
}

/* True for an address in an inner header that is the endpoint's. */
static __always_inline bool is_from_endpoint(const struct prepared *head,
					     const __u8 family,
					     const void *addr)
{
	const void *endpoint = &head->outer.ip6.daddr;

	if (head->family != family)
		return false;
	if (family == 4)
		return load32(addr) == head->outer.ip4.daddr;
	return load64(addr) == load64(endpoint) &&
	       load64(addr + 8) == load64(endpoint + 8);
}

/* The checks of an inner header; fills in its length and TOS. */
static __always_inline bool lean_header(const struct view *v, const __u8 family,
					__u32 *len, __u8 *tos, __u8 *proto)
{
	const struct ipv6hdr *ip6 = v->at;
	const struct iphdr *ip4 = v->at;

	if (v->at + ip_hlen(family) > v->end)
		return false;
	if (family == 4) {
		*len = bpf_ntohs(ip4->tot_len);
		*tos = ip4->tos;
		*proto = ip4->protocol;
		return *(const __u8 *)v->at == 0x45 && !ip4_is_fragment(ip4) &&
		       *len >= IP4_HLEN && !ip4_is_link_scope(ip4->daddr);
	}
	*len = IP6_HLEN + bpf_ntohs(ip6->payload_len);
	*tos = ip6_tclass(ip6);
	*proto = ip6->nexthdr;
	return ip6->version == 6 && !ip6_is_link_local(&ip6->saddr) &&
	       !ip6_is_link_scope(&ip6->daddr);
}

/* A packet of a constant family. */
static __always_inline bool lean_leaving(const struct view *v,
					 const __u8 family, __u32 gso_size,
					 const struct prepared *head,
					 struct tx *tx)
{
	const void *src = v->at + (family == 4 ? 12 : 8);
	const __u32 hlen = ip_hlen(family);
	struct transport transport;
	__u32 len;
	__u8 proto;

	if (!lean_header(v, family, &len, &tx->inner.tos, &proto) ||
	    !lean_transport(v->at + hlen, v->end, proto, &transport))
		return false;
	if (gso_size)
		len = v->len;
	if (len > v->len || is_from_endpoint(head, family, src) ||
	    (gso_size ? hlen + transport.len + gso_size : len) > tx->mtu)
		return false;
	tx->outcome.bytes = len;
	tx->inner.family = family;
	tx->inner.len = len;
	tx->inner.df = true;
	if (head->family == 6)
		tx->inner.flow = flow_hash(src, src + (family == 4 ? 4 : 16),
					   family, proto, transport.ports);
	return true;
}

/*
 * Decides about a packet to the gateway of peer, as egress() does; true if it
 * shall be encapsulated, with nothing else to be done: its MSS is not clamped,
 * it is not fragmented, and its outer header is atomic. head: of that peer. The
 * time of tx->outcome stays 0, and tx->peer NULL.
 */
static __always_inline bool lean_egress(const struct view *v, __be16 proto,
					__u32 gso_size, __u32 peer,
					const struct prepared *head,
					struct tx *tx)
{
	tx->mtu = head->mtu;
	tx->outcome.peer = peer;
	tx->outcome.verdict = TL_tx_encap;
	if (proto == bpf_htons(ETH_P_IP))
		return lean_leaving(v, 4, gso_size, head, tx);
	return proto == bpf_htons(ETH_P_IPV6) &&
	       lean_leaving(v, 6, gso_size, head, tx);
}

#endif
