/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwards packets of flows whose way this CPU remembers, in XDP (forward =
 * xdp). forward.h finds the ways. What follows from the addresses of a packet
 * was checked then; all else is checked for each packet.
 */
#ifndef TUNLOAD_KNOWN_H
#define TUNLOAD_KNOWN_H

#include "core/flow.h"
#include "core/hop.h"
#include "decide/lean.h"
#include "decide/lean_egress.h"
#include "record/count.h"
#include "xdp_strip.h"

#define ETH_ZLEN 60 /* bytes of the shortest frame, without its checksum */

/* Returns 0, which the compiler does not know: it would keep it in a register
 * from the beginning, one of four that outlast a call. */
static __always_inline int unknown(void)
{
	int action;

	asm volatile("%0 = 0" : "=r"(action));
	return action;
}

/* What the way of a packet depends on beside its addresses. */
struct known {
	__u32 len; /* bytes, from the IP header on */
	__u32 ports;
	__be32 flowinfo; /* traffic class and flow label; TOS of IPv4 */
	__u8 tos;
	__u8 proto;
};

/* Reads a packet; false if it is not one to forward here. */
static __always_inline bool known4(const struct iphdr *ip, const void *end,
				   struct known *k)
{
	if ((const void *)(ip + 1) > end || *(const __u8 *)ip != 0x45 ||
	    ip4_is_fragment(ip) || ip->ttl <= 1 || !ip4_checksum_is_right(ip))
		return false;
	k->len = bpf_ntohs(ip->tot_len);
	k->tos = ip->tos;
	k->flowinfo = ip->tos;
	k->proto = ip->protocol;
	k->ports = flow_ports(ip->protocol, ip + 1, end);
	return k->len >= IP4_HLEN;
}

static __always_inline bool known6(const struct ipv6hdr *ip, const void *end,
				   struct known *k)
{
	if ((const void *)(ip + 1) > end || ip->version != 6 ||
	    ip->hop_limit <= 1 || ip->hop_limit == HOP_LIMIT_ND)
		return false;
	k->len = IP6_HLEN + bpf_ntohs(ip->payload_len);
	k->tos = ip6_tclass(ip);
	k->flowinfo = load32(ip) & bpf_htonl(0x0fffffff);
	k->proto = ip->nexthdr;
	k->ports = flow_ports(ip->nexthdr, ip + 1, end);
	return true;
}

static __always_inline bool known(const void *at, const void *end,
				  const __u8 family, struct known *k)
{
	return family == 4 ? known4(at, end, k) : known6(at, end, k);
}

/* Of the header at `at`: what follows it, and its TOS or traffic class. */
static __always_inline __u8 ip_proto(const void *at, const __u8 family)
{
	return family == 4 ? ((const struct iphdr *)at)->protocol
			   : ((const struct ipv6hdr *)at)->nexthdr;
}

static __always_inline __u8 ip_tos(const void *at, const __u8 family)
{
	return family == 4 ? ((const struct iphdr *)at)->tos : ip6_tclass(at);
}

/* Writes the key of the packet at `at`: addresses, ports, traffic class, flow
 * label, protocol, and the interface that it came by; 0 for a packet from a
 * tunnel, which came by the attached one. Returns its words. */
static __always_inline __u32 way_key(__u64 *words, const void *at,
				     const __u8 family, const struct known *k,
				     __u32 in)
{
	const __u32 n = family == 4 ? 1 : 4;

	for (__u32 i = 0; i < n; i++)
		words[i] = load64(at + source_at(family) + 8 * i);
	words[n] = (__u64)k->ports << 32 | k->flowinfo;
	words[n + 1] = (__u64)in << 32 | ip_proto(at, family);
	return n + 2;
}

/* Adds the outer addresses of a packet from a tunnel. */
static __always_inline __u32 way_outer(__u64 *words, __u32 n, const void *at,
				       const __u8 family)
{
	for (__u32 i = 0; i < outer_words(family); i++)
		words[n + i] = load64(at + source_at(family) + 8 * i);
	return n + outer_words(family);
}

/* The slot for a key whose first n words are of the packet to forward: all of
 * them choose it but the interface. */
static __always_inline struct cached_way *way_slot(const __u64 *words,
						   const __u32 n)
{
	__u64 hashed[WAY_WORDS];
	__u32 slot;

	for (__u32 i = 0; i < n - 1; i++)
		hashed[i] = words[i];
	hashed[0] ^= (__u32)words[n - 1];
	slot = cache_index(WAY_BITS, hashed, n - 1);
	return bpf_map_lookup_elem(&ways, &slot);
}

/* The destination of a frame, which is the first six bytes. */
static __always_inline __u64 frame_to(const void *frame)
{
	return load64(frame) << 16;
}

/* True if that is the way of n words, a constant, and it still holds for frames
 * to that address. */
static __always_inline bool way_holds(const struct cached_way *way,
				      const __u64 *words, const __u32 n,
				      const __u32 kind, const void *frame)
{
	return way->kind == kind && way->generation == generation_now() &&
	       way->to == frame_to(frame) && same_words(way->words, words, n) &&
	       bpf_jiffies64() < way->until;
}

/* The slot for a packet. Its key is read again behind the look-up: as many
 * words as this are not kept over it. */
static __always_inline struct cached_way *
way_find(const void *at, const __u8 family, const struct known *k)
{
	__u64 words[WAY_WORDS];

	return way_slot(words, way_key(words, at, family, k, 0));
}

/* True for a frame that ends with its packet, of len bytes without the link
 * layer header, or with padding. So it has no fragments, which not every driver
 * sends. */
static __always_inline bool ends_there(const void *frame, const void *end,
				       __u32 len)
{
	const __u64 all = end - frame;

	return all == ETH_HLEN + len ||
	       (all <= ETH_ZLEN && all > ETH_HLEN + len);
}

/* Puts the outer header on a plain packet and makes a router's changes to it.
 * Returns the verdict; rx_plain if there is no room and nothing was changed. */
static __always_inline enum tl_verdict
encap_frame(struct xdp_md *ctx, const __u8 inner, const __u8 outer,
	    const struct inner *in, const struct prepared *head)
{
	const void *from = head->outer.macs;
	const __u32 len = tunnel_overhead(outer);
	void *data, *at, *end;

	if (bpf_xdp_adjust_head(ctx, -(int)len))
		return TL_rx_plain;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	at = data + ETH_HLEN;
	/* Never true, but the verifier needs the check. */
	if (at + len + ip_hlen(inner) > end)
		return TL_tx_error;
	for (__u32 i = 0; i + 8 <= ETH_HLEN + len; i += 8)
		STORE(__u64, data + i, load64(from + i));
	/* What is left of the header: 2 or 6 bytes. */
	STORE(__u16, at + len - 2, LOAD(__u16, from + ETH_HLEN + len - 2));
	if (outer == 6)
		STORE(__u32, at + len - 6, load32(from + ETH_HLEN + len - 6));
	if (outer == 4)
		finish_ip4(at, head, in);
	else
		finish_ip6(at, head, in);
	if (inner == 4)
		ip4_hop(at + len);
	else
		ip6_hop(at + len);
	return TL_tx_forward;
}

/* A way has a peer. */
static __always_inline void count_known(const struct outcome *o)
{
	__builtin_assume(o->peer != TL_PEER_NONE);
	count(o);
}

/* A plain packet of a constant family, to a peer. TCP packets with SYN go up,
 * where their MSS is clamped. Returns the action; 0 if the packet goes up. */
static __always_inline int known_plain(struct xdp_md *ctx, const __u8 family)
{
	const void *data = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end;
	const void *at = data + ETH_HLEN;
	struct outcome o = {.verdict = TL_tx_forward};
	struct inner in = {.family = family, .df = true};
	const struct prepared *head;
	struct transport transport;
	struct cached_way *way;
	__u64 words[WAY_WORDS];
	struct known k;
	__u32 n;

	if (!known(at, end, family, &k) || !ends_there(data, end, k.len) ||
	    !lean_transport(at + ip_hlen(family), end, k.proto, &transport))
		return 0;
	way = way_find(at, family, &k);
	n = way_key(words, at, family, &k, ctx->ingress_ifindex);
	if (!way || !way_holds(way, words, n, family, data))
		return 0;
	head = head_of(way->peer);
	if (!head || k.len > way->mtu || k.len > head->mtu)
		return 0;
	in.tos = k.tos;
	in.len = k.len;
	in.flow = way->flow;
	o.peer = way->peer;
	o.bytes = k.len;
	o.verdict = head->family == 4 ? encap_frame(ctx, family, 4, &in, head)
				      : encap_frame(ctx, family, 6, &in, head);
	if (o.verdict == TL_rx_plain)
		return 0;
	count_known(&o);
	if (o.verdict != TL_tx_forward)
		return XDP_DROP;
	return way->out == ctx->ingress_ifindex ? XDP_TX
						: bpf_redirect(way->out, 0);
}

/* Takes the outer header off, and makes a router's changes: link layer
 * addresses, one hop less. False if the frame is to be dropped. */
static __always_inline bool route_frame(struct xdp_md *ctx, const __u8 family,
					const struct rx *rx,
					const struct cached_way *way)
{
	void *data = (void *)(long)ctx->data;
	void *ip = data + ETH_HLEN;

	if (ip + ip_hlen(family) > (void *)(long)ctx->data_end)
		return false;
	STORE(__u64, data, load64(way->macs));
	STORE(__u32, data + 8, load32(way->macs + 8));
	STORE(__be16, data + ETHERTYPE_OFFSET, ethertype(family));
	if (family == 4)
		ip4_hop(ip);
	else
		ip6_hop(ip);
	return xdp_set_ecn(ctx, ETH_HLEN, rx);
}

static __always_inline int known_dropped(struct rx *rx)
{
	rx->outcome.verdict = TL_rx_error;
	count(&rx->outcome);
	return XDP_DROP;
}

/* A packet that is for this host. */
static __always_inline int known_up(struct xdp_md *ctx, const __u8 outer,
				    struct rx *rx)
{
	if (!xdp_strip_lean(ctx, ip_hlen(outer), rx->inner_family))
		return 0;
	if (!xdp_set_ecn(ctx, ETH_HLEN, rx))
		return known_dropped(rx);
	rx->outcome.verdict = TL_rx_decap;
	count(&rx->outcome);
	return spread(ctx, ETH_HLEN, rx->inner_family);
}

/* Takes the outer header off, and sends the packet its way. */
static __always_inline int known_send(struct xdp_md *ctx, const __u8 outer,
				      struct rx *rx,
				      const struct cached_way *way)
{
	if (!way->out)
		return known_up(ctx, outer, rx);
	if (bpf_xdp_adjust_head(ctx, (int)ip_hlen(outer)))
		return 0;
	if (!route_frame(ctx, rx->inner_family, rx, way))
		return known_dropped(rx);
	rx->outcome.verdict = TL_rx_forward;
	count_known(&rx->outcome);
	return bpf_redirect(way->out, 0);
}

/* A packet from a tunnel, of two constant families; len: bytes from the outer
 * header on, which is right. Returns the action; 0 if this CPU does not know
 * the way. */
static __always_inline int known_tunnel(struct xdp_md *ctx, const void *ip,
					const void *end, const __u8 outer,
					const __u8 inner, __u32 len)
{
	const void *data = ip - ETH_HLEN, *at = ip + ip_hlen(outer);
	struct rx rx = {.inner_family = inner};
	struct cached_way *way;
	__u64 words[WAY_WORDS];
	struct known k;
	__u32 n, all;
	__u8 tos, outer_tos;

	if (!known(at, end, inner, &k) || ip_hlen(outer) + k.len > len ||
	    may_be_syn(k.proto, at + ip_hlen(inner), end) ||
	    !ends_there(data, end, len))
		return unknown();
	way = way_find(at, inner, &k);
	n = way_key(words, at, inner, &k, 0);
	all = way_outer(words, n, ip, outer);
	if (!way || !way_holds(way, words, all, flow_kind(outer, inner), data))
		return unknown();
	outer_tos = ip_tos(ip, outer);
	if (outer_tos & ECN_ECT1) { /* it may change the inner one */
		tos = ip_tos(at, inner);
		rx.ecn = ecn_decap(tos, outer_tos);
		rx.set_ecn = rx.ecn != (tos & ECN_MASK);
	}
	if (rx.ecn == ECN_DROP || k.len > way->mtu)
		return unknown();
	rx.outcome.peer = way->peer;
	rx.outcome.bytes = k.len;
	return known_send(ctx, outer, &rx, way);
}

static __always_inline int known_any4(struct xdp_md *ctx,
				      const struct iphdr *ip, const void *end,
				      const bool attached)
{
	const __u32 len = bpf_ntohs(ip->tot_len);

	if (!is_tunnel(ip->protocol))
		return known_plain(ctx, 4);
	if (!attached || *(const __u8 *)ip != 0x45 || ip4_is_fragment(ip) ||
	    !ip4_checksum_is_right(ip))
		return unknown();
	if (ip->protocol == IPPROTO_IPIP)
		return known_tunnel(ctx, ip, end, 4, 4, len);
	return known_tunnel(ctx, ip, end, 4, 6, len);
}

static __always_inline int known_any6(struct xdp_md *ctx,
				      const struct ipv6hdr *ip, const void *end,
				      const bool attached)
{
	const __u32 len = IP6_HLEN + bpf_ntohs(ip->payload_len);

	if (!is_tunnel(ip->nexthdr))
		return known_plain(ctx, 6);
	if (!attached || ip->version != 6)
		return unknown();
	if (ip->nexthdr == IPPROTO_IPIP)
		return known_tunnel(ctx, ip, end, 6, 4, len);
	return known_tunnel(ctx, ip, end, 6, 6, len);
}

/* Forwards and counts the frame, if this CPU knows its way; returns the action,
 * or 0 if it does not. attached: a constant, true on the interface of the
 * tunnels, the only one whose packets come out of one. */
static __always_inline int known_any(struct xdp_md *ctx, const bool attached)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end, *ip = eth + 1;

	if (ip + IP4_HLEN > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return known_any4(ctx, ip, end, attached);
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || ip + IP6_HLEN > end)
		return 0;
	return known_any6(ctx, ip, end, attached);
}

/* The same for a way that was just learned, and for other interfaces: global
 * functions, with their own share of the stack. */
__attribute__((noinline)) int xdp_known(struct xdp_md *ctx)
{
	return known_any(ctx, true);
}

__attribute__((noinline)) int xdp_known_plain(struct xdp_md *ctx)
{
	return known_any(ctx, false);
}

#endif
