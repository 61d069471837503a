/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwards packets in XDP (forward = xdp). The kernel's FIB is asked before
 * anything is changed; unless it knows the whole way, the packet goes up and
 * the kernel forwards it, or says why not.
 */
#ifndef TUNLOAD_FORWARD_H
#define TUNLOAD_FORWARD_H

#include "core/gateway.h"
#include "core/hop.h"
#include "core/load.h"
#include "decide/lean_egress.h"
#include "decide/lean.h"
#include "next_hop.h"
#include "record/count.h"
#include "resize.h"

/* Set by the loader; the verifier removes the code otherwise. */
const volatile bool forward_xdp;

static __always_inline const struct tl_device *device_of(__u32 ifindex)
{
	const __u32 slot = ifindex % TL_DEVICES;
	const struct tl_device *device = bpf_map_lookup_elem(&devices, &slot);

	return device && device->ifindex == ifindex ? device : NULL;
}

/* True if the interface sends the frames that XDP redirects to it. */
static __always_inline bool sends(__u32 ifindex)
{
	const struct tl_device *device = device_of(ifindex);

	return device && device->flags & TL_DEVICE_F_SENDS;
}

/* True for a frame to the address of its interface, without fragments, which
 * not every driver sends. The kernel drops frames to other hosts, which arrive
 * in promiscuous mode. */
static __always_inline bool is_for_us(struct xdp_md *ctx, __u32 ifindex,
				      __u32 frame_len)
{
	const void *data = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end;
	const struct tl_device *device = device_of(ifindex);

	return device && data + ETH_HLEN <= end &&
	       load32(data) == load32(device->mac) &&
	       LOAD(__u16, data + 4) == LOAD(__u16, device->mac + 4) &&
	       frame_len == (__u64)(end - data);
}

/* Fills in the ports of a question, for rules and multipath routes. */
static __always_inline void ask_ports(struct bpf_fib_lookup *q, const void *at,
				      const void *end)
{
	if ((q->l4_protocol != IPPROTO_TCP && q->l4_protocol != IPPROTO_UDP) ||
	    at + 4 > end)
		return;
	q->sport = LOAD(__be16, at);
	q->dport = LOAD(__be16, at + 2);
}

/* Fills in a question about the packet at `at`; false if it is not one to
 * forward here. */
static __always_inline bool ask4(struct bpf_fib_lookup *q, const void *at,
				 const void *end)
{
	const struct iphdr *ip = at;

	if ((const void *)(ip + 1) > end || !may_forward4(ip) ||
	    !lean_checksum(ip))
		return false;
	q->family = AF_INET;
	q->l4_protocol = ip->protocol;
	q->tos = ip->tos;
	q->ipv4_src = ip->saddr;
	q->ipv4_dst = ip->daddr;
	ask_ports(q, ip + 1, end);
	return true;
}

static __always_inline bool ask6(struct bpf_fib_lookup *q, const void *at,
				 const void *end)
{
	const struct ipv6hdr *ip = at;

	if ((const void *)(ip + 1) > end || !may_forward6(ip))
		return false;
	q->family = AF_INET6;
	q->l4_protocol = ip->nexthdr;
	q->flowinfo = load32(ip) & bpf_htonl(0x0fffffff);
	for (int i = 0; i < 4; i++) {
		q->ipv6_src[i] = load32((const void *)&ip->saddr + 4 * i);
		q->ipv6_dst[i] = load32((const void *)&ip->daddr + 4 * i);
	}
	ask_ports(q, ip + 1, end);
	return true;
}

/* Prepares the question about the packet at that offset in the frame; false if
 * it goes up. q->ifindex is set. A length in the question would be compared
 * with the MTU before the route is known to be usable; so it stays 0 and fits()
 * compares. */
static __always_inline bool may_ask(struct xdp_md *ctx, __u32 offset,
				    __u32 frame_len, __u8 family,
				    struct bpf_fib_lookup *q)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *at = (void *)(long)ctx->data + offset;

	return is_for_us(ctx, q->ifindex, frame_len) &&
	       (family == 4 ? ask4(q, at, end) : ask6(q, at, end));
}

static __always_inline __u32 way_ports(const struct bpf_fib_lookup *q)
{
	return q->sport << 16 | q->dport;
}

/* Two words of the source, then two of the destination. */
static __always_inline __u64 way_word(const struct bpf_fib_lookup *q, int i)
{
	return load64((i < 2 ? q->ipv6_src : q->ipv6_dst) + i % 2 * 2);
}

static __always_inline bool way_holds(const struct cached_way *way,
				      const struct bpf_fib_lookup *q,
				      __u32 generation)
{
	for (int i = 0; i < 4; i++)
		if (way->addrs[i] != way_word(q, i))
			return false;
	return way->ports == way_ports(q) && way->flowinfo == q->flowinfo &&
	       way->in == q->ifindex && way->family == q->family &&
	       way->proto == q->l4_protocol && way->generation == generation &&
	       bpf_jiffies64() < way->until;
}

static __always_inline struct cached_way *
way_slot(const struct bpf_fib_lookup *q)
{
	__u64 hash = way_ports(q);
	__u32 slot;

	for (int i = 0; i < 4; i++)
		hash = (hash ^ way_word(q, i)) * CACHE_HASH;
	slot = hash >> (64 - CACHE_BITS);
	return bpf_map_lookup_elem(&ways, &slot);
}

/* Asks the kernel and remembers its answer; false if that is not the whole way.
 * The helper writes to the question, so the entry is filled before. */
static __always_inline bool way_ask(struct xdp_md *ctx, struct cached_way *way,
				    __u32 generation, struct bpf_fib_lookup *q)
{
	way->until = 0; /* as in cache_keep() */
	barrier();
	for (int i = 0; i < 4; i++)
		way->addrs[i] = way_word(q, i);
	way->ports = way_ports(q);
	way->flowinfo = q->flowinfo;
	way->in = q->ifindex;
	way->family = q->family;
	way->proto = q->l4_protocol;
	way->generation = generation;
	if (bpf_fib_lookup(ctx, q, sizeof(*q), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	way->mtu = q->mtu_result;
	way->out = q->ifindex;
	__builtin_memcpy(way->dmac, q->dmac, sizeof(way->dmac));
	__builtin_memcpy(way->smac, q->smac, sizeof(way->smac));
	barrier();
	way->until = bpf_jiffies64() + cache_ttl;
	return true;
}

/* Answers the question as this CPU remembers it of the flow, or by the
 * kernel. */
static __always_inline bool ask_fib(struct xdp_md *ctx,
				    struct bpf_fib_lookup *q)
{
	const __u32 generation = generation_now();
	struct cached_way *way = way_slot(q);

	if (!way)
		return false;
	if (!way_holds(way, q, generation))
		return way_ask(ctx, way, generation, q);
	q->mtu_result = way->mtu;
	q->ifindex = way->out;
	__builtin_memcpy(q->dmac, way->dmac, sizeof(way->dmac));
	__builtin_memcpy(q->smac, way->smac, sizeof(way->smac));
	return true;
}

/* True if a packet to the end of the frame fits the MTU of its way; about a
 * longer one the kernel sends an ICMP error. */
static __always_inline bool fits(struct xdp_md *ctx, __u32 offset,
				 const struct bpf_fib_lookup *way)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *at = (void *)(long)ctx->data + offset;

	return end - at <= way->mtu_result;
}

/* Finds the way of the inner packet behind an outer header; false if it goes
 * up, as for a peer's gateway: tc_egress encapsulates it. */
static __always_inline bool way_from_tunnel(struct xdp_md *ctx, __u32 outer_len,
					    __u8 family,
					    struct bpf_fib_lookup *q)
{
	const __u32 offset = ETH_HLEN + outer_len;
	__u32 peer;

	q->ifindex = ctx->ingress_ifindex;
	return may_ask(ctx, offset, bpf_xdp_get_buff_len(ctx), family, q) &&
	       ask_fib(ctx, q) && fits(ctx, offset, q) &&
	       !is_gateway_mac(q->dmac, &peer) && sends(q->ifindex);
}

/* Makes a router's changes to a frame: link layer addresses, one hop less. */
static __always_inline bool route_frame(struct xdp_md *ctx, __u8 family,
					const struct bpf_fib_lookup *way)
{
	void *data = (void *)(long)ctx->data;
	void *ip = data + ETH_HLEN;

	if (ip + ip_hlen(family) > (void *)(long)ctx->data_end)
		return false;
	for (int i = 0; i < ETH_ALEN; i += 2) {
		STORE(__u16, data + i, LOAD(__u16, way->dmac + i));
		STORE(__u16, data + ETH_ALEN + i, LOAD(__u16, way->smac + i));
	}
	if (family == 4)
		ip4_hop(ip);
	else
		ip6_hop(ip);
	return true;
}

/* Fills the key of a destination without a tunnel, by the interface that asks:
 * rules may know the two apart. Returns its words. */
static __always_inline __u32 stray_key(struct cache_key *key, const __u8 family,
				       const void *dst, __u32 ifindex)
{
	if (family == 4) {
		key->words[0] = (__u64)ifindex << 32 | load32(dst);
		return 1;
	}
	key->words[0] = load64(dst);
	key->words[1] = load64(dst + 8);
	key->words[2] = ifindex;
	return 3;
}

/* Returns the peer to whose gateway on interface `out` the FIB sends a plain
 * packet; TL_PEER_NONE if it is not to a tunnel, or goes up. Destinations
 * without a tunnel are remembered, as every packet for this host comes here. */
static __always_inline __u32 peer_on_way(struct xdp_md *ctx, const __u8 family,
					 __u32 out, __u32 frame_len,
					 struct bpf_fib_lookup *q)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *at = (void *)(long)ctx->data + ETH_HLEN;
	const void *dst = at + (family == 4 ? 16 : 24);
	__u32 generation = generation_now(), peer;
	struct cached *entry;
	struct cache_key key;
	__u32 n;

	if (at + ip_hlen(family) > end)
		return TL_PEER_NONE;
	n = stray_key(&key, family, dst, q->ifindex);
	entry = cache_slot(&strays, CACHE_BITS, &key, n);
	if (!entry || cache_hit(entry, &key, n, family, generation) ||
	    !may_ask(ctx, ETH_HLEN, frame_len, family, q))
		return TL_PEER_NONE;
	if (ask_fib(ctx, q) && q->ifindex == out &&
	    is_gateway_mac(q->dmac, &peer))
		return fits(ctx, ETH_HLEN, q) ? peer : TL_PEER_NONE;
	cache_keep(entry, &key, n, family, generation, TL_PEER_NONE);
	return TL_PEER_NONE;
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

/* Decides about a plain packet that the FIB sends to the gateway of a peer on
 * interface `out`: returns NULL if it goes up, for tc_egress to decide. This
 * CPU must know the next hop, from a packet that went that way within the last
 * second. */
static __always_inline const struct prepared *
head_for(struct xdp_md *ctx, __u32 out, __u32 peer, __be16 proto, struct tx *tx)
{
	struct view view = {.at = (void *)(long)ctx->data + ETH_HLEN,
			    .end = (void *)(long)ctx->data_end};
	const struct prepared *head = head_of(peer);

	view.len = view.end - view.at;
	view.whole = true;
	return head && sends(out) &&
			       lean_egress(&view, proto, 0, peer, head, tx)
		       ? head
		       : NULL;
}

/* Handles a plain packet whose source may enter a tunnel: forwards it by
 * interface `out`, the attached one, or lets it go up. Counts what it forwards,
 * and all plain packets of that interface. */
static __always_inline int plain_frame(struct xdp_md *ctx, const __u8 family,
				       __u32 out)
{
	const __be16 proto = ethertype(family);
	const __u32 frame_len = bpf_xdp_get_buff_len(ctx);
	const __u32 in = ctx->ingress_ifindex;
	struct outcome plain = {.verdict = TL_rx_plain,
				.peer = TL_PEER_NONE,
				.bytes = frame_len - ETH_HLEN};
	struct bpf_fib_lookup way = {.ifindex = in};
	const struct prepared *head = NULL;
	struct tx tx = {};
	__u32 peer;

	if (!forward_xdp) /* then nothing calls this */
		return XDP_PASS;
	peer = peer_on_way(ctx, family, out, frame_len, &way);
	if (peer != TL_PEER_NONE)
		head = head_for(ctx, out, peer, proto, &tx);
	tx.outcome.verdict = TL_rx_plain;
	if (head)
		tx.outcome.verdict =
			head->family == 4
				? encap_frame(ctx, family, 4, &tx.inner, head)
				: encap_frame(ctx, family, 6, &tx.inner, head);
	if (tx.outcome.verdict != TL_rx_plain || in == out)
		count(tx.outcome.verdict == TL_rx_plain ? &plain : &tx.outcome);
	if (tx.outcome.verdict == TL_tx_forward)
		return in == out ? XDP_TX : bpf_redirect(out, 0);
	return is_drop(tx.outcome.verdict) ? XDP_DROP : XDP_PASS;
}

/* Global functions, like xdp_lean(); one for each family, which the verifier of
 * Linux 6.1 would forget. */
__attribute__((noinline)) int xdp_plain4(struct xdp_md *ctx, __u32 out)
{
	return plain_frame(ctx, 4, out);
}

__attribute__((noinline)) int xdp_plain6(struct xdp_md *ctx, __u32 out)
{
	return plain_frame(ctx, 6, out);
}

/* The interface that tunload is attached to. */
static __always_inline __u32 attached_ifindex(void)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface ? iface->ifindex : 0;
}

/* The family of a frame without tags whose source may enter a tunnel, else 0.
 * The kernel decides about our own addresses, and about those that are behind a
 * tunnel: rp_filter may be on. */
static __always_inline __u8 may_enter(struct xdp_md *ctx)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const struct view v = {.at = eth + 1,
			       .end = (void *)(long)ctx->data_end};
	const struct iphdr *ip4 = v.at;
	const struct ipv6hdr *ip6 = v.at;
	struct rx rx = {};

	if ((const void *)(ip4 + 1) > v.end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return lean_plain(&v, 4, &ip4->saddr, &rx) && rx.may_enter ? 4
									   : 0;
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) ||
	    (const void *)(ip6 + 1) > v.end)
		return 0;
	return lean_plain(&v, 6, &ip6->saddr, &rx) && rx.may_enter ? 6 : 0;
}

#endif
