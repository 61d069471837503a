/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds the ways of flows that XDP forwards (forward = xdp), for known.h. The
 * kernel's FIB is asked about the first packet of a flow, and at least once a
 * second; unless it knows the whole way, the packet goes up and the kernel
 * forwards it, or says why not.
 */
#ifndef TUNLOAD_FORWARD_H
#define TUNLOAD_FORWARD_H

#include "core/gateway.h"
#include "known.h"
#include "way_back.h"

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

/* Fills in a question about the packet at `at`, which known() has read; false
 * if it is not one to forward here. */
static __always_inline bool ask4(struct bpf_fib_lookup *q,
				 const struct iphdr *ip)
{
	if (!may_forward4(ip))
		return false;
	q->family = AF_INET;
	q->ipv4_src = ip->saddr;
	q->ipv4_dst = ip->daddr;
	return true;
}

static __always_inline bool ask6(struct bpf_fib_lookup *q,
				 const struct ipv6hdr *ip)
{
	if (!may_forward6(ip))
		return false;
	q->family = AF_INET6;
	for (int i = 0; i < 4; i++) {
		q->ipv6_src[i] = load32((const void *)&ip->saddr + 4 * i);
		q->ipv6_dst[i] = load32((const void *)&ip->daddr + 4 * i);
	}
	return true;
}

/* Prepares the question about the packet at that offset in the frame; false if
 * it goes up. q->ifindex is set. A length in the question would be compared
 * with the MTU before the route is known to be usable; so it stays 0, and
 * known.h compares each packet's. The ports are for rules and multipath
 * routes. */
static __always_inline bool may_ask(struct xdp_md *ctx, __u32 offset,
				    const __u8 family, const struct known *k,
				    struct bpf_fib_lookup *q)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *at = (void *)(long)ctx->data + offset;

	if (at + ip_hlen(family) > end ||
	    !is_for_us(ctx, q->ifindex, bpf_xdp_get_buff_len(ctx)) ||
	    !(family == 4 ? ask4(q, at) : ask6(q, at)))
		return false;
	q->l4_protocol = k->proto;
	if (family == 4)
		q->tos = k->tos;
	else
		q->flowinfo = k->flowinfo;
	q->sport = LOAD(__be16, &k->ports);
	q->dport = LOAD(__be16, (const void *)&k->ports + 2);
	return true;
}

/* What is remembered of a way beside what the FIB says. */
struct way_facts {
	__u64 until; /* jiffies; expiry */
	__u32 generation;
	__u32 kind;
	__u32 peer;
	__u32 flow;
};

/* Remembers the way of a frame. Its key has n words, a constant. */
static __always_inline void way_keep(const __u64 *words, const __u32 slot_words,
				     const __u32 n,
				     const struct way_facts *facts,
				     const struct bpf_fib_lookup *fib,
				     const void *frame)
{
	struct cached_way *way = way_slot(words, slot_words);

	if (!way)
		return;
	way->kind = 0; /* as in cache_keep() */
	barrier();
	for (__u32 i = 0; i < n; i++)
		way->words[i] = words[i];
	way->until = bpf_jiffies64() + cache_ttl;
	if (facts->until < way->until)
		way->until = facts->until;
	way->generation = facts->generation;
	way->peer = facts->peer;
	way->flow = facts->flow;
	way->out = fib->ifindex;
	way->mtu = fib->mtu_result;
	__builtin_memcpy(way->macs, fib->dmac, ETH_ALEN);
	__builtin_memcpy(way->macs + ETH_ALEN, fib->smac, ETH_ALEN);
	way->to = frame_to(frame);
	barrier();
	way->kind = facts->kind;
}

/* Asks for the way of the inner packet at that offset; false if it goes up, as
 * for a peer's gateway: tc_egress encapsulates it. That it is for this host is
 * an answer, too: ifindex 0. */
static __always_inline bool way_from_tunnel(struct xdp_md *ctx, __u32 offset,
					    const __u8 family,
					    const struct known *k,
					    struct bpf_fib_lookup *q)
{
	__u32 peer;
	long ret;

	q->ifindex = ctx->ingress_ifindex;
	if (!may_ask(ctx, offset, family, k, q))
		return false;
	ret = bpf_fib_lookup(ctx, q, sizeof(*q), 0);
	if (ret == BPF_FIB_LKUP_RET_SUCCESS)
		return !is_gateway_mac(q->dmac, &peer) && sends(q->ifindex);
	q->ifindex = 0;
	q->mtu_result = 0xffff;
	return ret == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* A packet from a tunnel, of two constant families. */
static __always_inline bool learn_inner(struct xdp_md *ctx, const __u8 outer,
					const __u8 inner,
					const struct way_facts *facts)
{
	const __u32 offset = ETH_HLEN + ip_hlen(outer);
	const void *data = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end;
	struct bpf_fib_lookup q = {};
	__u64 words[WAY_WORDS];
	struct known k;
	__u32 n;

	if (data + offset + ip_hlen(inner) > end ||
	    !known(data + offset, end, inner, &k) ||
	    !way_from_tunnel(ctx, offset, inner, &k, &q))
		return false;
	n = way_key(words, data + offset, inner, &k, 0);
	way_keep(words, n, way_outer(words, n, data + ETH_HLEN, outer), facts,
		 &q, data);
	return true;
}

/* Learns the way of a packet that came out of the tunnel of a peer; kind:
 * flow_kind(). A global function, with its own share of the stack. */
__attribute__((noinline)) int learn_tunnel(struct xdp_md *ctx, __u32 kind,
					   __u32 peer, __u32 generation,
					   __u64 until)
{
	const struct way_facts facts = {.until = until,
					.generation = generation,
					.kind = kind,
					.peer = peer};

	if (kind == flow_kind(4, 4))
		return learn_inner(ctx, 4, 4, &facts);
	if (kind == flow_kind(4, 6))
		return learn_inner(ctx, 4, 6, &facts);
	if (kind == flow_kind(6, 4))
		return learn_inner(ctx, 6, 4, &facts);
	return learn_inner(ctx, 6, 6, &facts);
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
					 __u32 out, const struct known *k,
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
	    !may_ask(ctx, ETH_HLEN, family, k, q))
		return TL_PEER_NONE;
	if (bpf_fib_lookup(ctx, q, sizeof(*q), 0) == BPF_FIB_LKUP_RET_SUCCESS &&
	    q->ifindex == out && is_gateway_mac(q->dmac, &peer))
		return peer;
	cache_keep(entry, &key, n, family, generation, TL_PEER_NONE);
	return TL_PEER_NONE;
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

/* Until when the guard's answer about a source holds, jiffies; 0 if it is not
 * known. */
static __always_inline __u64 source_until(const __u8 family, const void *source)
{
	struct cached *entry;
	struct cache_key key;
	const __u32 n = put_source(key.words, family, source);

	entry = cache_slot(&sources, CACHE_BITS, &key, n);
	return entry && cache_hit(entry, &key, n, family, generation_now())
		       ? entry->until
		       : 0;
}

/* Learns the way of a plain packet whose source may enter a tunnel, by
 * interface `out`, the attached one; false if it goes up. */
static __always_inline bool learn_plain(struct xdp_md *ctx, const __u8 family,
					__u32 out)
{
	struct way_facts facts = {.kind = family,
				  .generation = generation_now()};
	struct bpf_fib_lookup q = {.ifindex = ctx->ingress_ifindex};
	const void *data = (void *)(long)ctx->data, *at = data + ETH_HLEN;
	const void *end = (void *)(long)ctx->data_end;
	__u64 words[WAY_WORDS];
	struct tx tx = {};
	struct known k;
	__u32 n;

	if (!forward_xdp || /* then nothing calls this */
	    at + ip_hlen(family) > end || !known(at, end, family, &k))
		return false;
	facts.until = source_until(family, at + source_at(family));
	facts.peer = peer_on_way(ctx, family, out, &k, &q);
	if (facts.peer == TL_PEER_NONE ||
	    !head_for(ctx, out, facts.peer, ethertype(family), &tx))
		return false;
	facts.flow = tx.inner.flow;
	n = way_key(words, at, family, &k, ctx->ingress_ifindex);
	way_keep(words, n, n, &facts, &q, data);
	return true;
}

/* Global functions, like xdp_known(); one for each family, which the verifier
 * of Linux 6.1 would forget. */
__attribute__((noinline)) int learn_plain4(struct xdp_md *ctx, __u32 out)
{
	return learn_plain(ctx, 4, out);
}

__attribute__((noinline)) int learn_plain6(struct xdp_md *ctx, __u32 out)
{
	return learn_plain(ctx, 6, out);
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
