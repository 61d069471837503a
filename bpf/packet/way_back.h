/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asks the kernel's FIB whether an inner source is behind a peer (allowed-ips =
 * routed): it is, if packets to it go to a gateway of that peer. Of a multipath
 * route the FIB tells one next hop, chosen by a hash of the packet; so it is
 * asked about other packets to the same address, too.
 */
#ifndef TUNLOAD_WAY_BACK_H
#define TUNLOAD_WAY_BACK_H

#include "core/flow.h"
#include "decide/ingress.h"
#include "record/limit.h"

/* How often it is asked: enough for four next hops, and enough for a next hop
 * that gets a twentieth of the packets. A source that is not behind the peer
 * costs all of them, so the second number has a limit (TL_LIMIT_WAYS_BACK). */
#define WAYS_FEW  32
#define WAYS_MANY 96

#define LOOPBACK_IFINDEX 1

/* The interface that tunload is attached to. */
static __always_inline __u32 attached_ifindex(void)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface ? iface->ifindex : 0;
}

static __always_inline void way_back_ports(struct bpf_fib_lookup *q,
					   const void *at, const void *end)
{
	const __u32 ports = flow_ports(q->l4_protocol, at, end);

	q->dport = LOAD(__be16, &ports);
	q->sport = LOAD(__be16, (const void *)&ports + 2);
}

/* Fills in the question about an answer to the packet at `at`, for the rules
 * and hashes that look at more than the destination. False if it cannot be
 * asked: the routes do not tell whose an address of link scope is. */
static __always_inline bool way_back4(struct bpf_fib_lookup *q,
				      const struct iphdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end || ip4_is_link_scope(ip->saddr))
		return false;
	q->family = AF_INET;
	q->ipv4_src = ip->daddr;
	q->ipv4_dst = ip->saddr;
	q->tos = ip->tos;
	q->l4_protocol = ip->protocol;
	if (*(const __u8 *)ip == 0x45 && !ip4_is_fragment(ip))
		way_back_ports(q, ip + 1, end);
	return true;
}

static __always_inline bool way_back6(struct bpf_fib_lookup *q,
				      const struct ipv6hdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end || ip6_is_link_scope(&ip->saddr))
		return false;
	q->family = AF_INET6;
	for (int i = 0; i < 4; i++) {
		q->ipv6_src[i] = load32((const void *)&ip->daddr + 4 * i);
		q->ipv6_dst[i] = load32((const void *)&ip->saddr + 4 * i);
	}
	q->l4_protocol = ip->nexthdr;
	way_back_ports(q, ip + 1, end);
	return true;
}

/* Changes what the kernel's hash looks at (fib_multipath_hash_policy): the port
 * and flow label, which few rules know, and the low bits of our address. */
static __always_inline void ask_otherwise(struct bpf_fib_lookup *q)
{
	const __u32 random = bpf_get_prandom_u32();

	q->sport ^= random;
	if (q->family == AF_INET) {
		q->ipv4_src ^= bpf_htonl(random >> 24);
		return;
	}
	q->flowinfo = bpf_htonl(random & 0xfffff);
	q->ipv6_src[3] ^= random;
}

/* Where the FIB is asked from: as for packets that arrive on the interface, or
 * in the VRF of the peer. */
static __always_inline __u32 asked_from(__u32 id, __u32 ifindex)
{
	const struct tl_peer *peer = bpf_map_lookup_elem(&peers, &id);

	return peer && peer->vrf[0] ? peer->in_vrf.ifindex : ifindex;
}

/* What a program knows of the way back to the source of its packet. */
enum way_back { WAY_NOT_ASKED, WAY_IN, WAY_ELSEWHERE };

/* What a function returns in place of an action if it has to be asked for, with
 * what to ask: the place and family of the inner header, and the peer. */
#define ASK_WAY_BACK (1ULL << 63)

static __always_inline __u64 question(__u32 inner_at, const struct rx *rx)
{
	return ASK_WAY_BACK | (__u64)(inner_at & OFFSET_MASK) << 32 |
	       rx->inner_family << 24 | rx->outcome.peer;
}

/* An action may be negative. */
static __always_inline bool is_question(__u64 done)
{
	return done >> 62 == ASK_WAY_BACK >> 62;
}

static __always_inline __u32 asked_at(__u64 question)
{
	return question >> 32 & OFFSET_MASK;
}

static __always_inline __u8 asked_family(__u64 question)
{
	return question >> 24;
}

static __always_inline __u32 asked_peer(__u64 question)
{
	return question & TL_PEER_MAX;
}

/* What ask_fib() returns if no route leads there, or none that it may be
 * asked about, as forwarding is off; and for a next hop that is no gateway. */
#define NO_WAY_BACK  -1
#define NOT_ANSWERED -2
#define OTHER_WAY    TL_PEER_NONE

/* True if the source is in a static prefix of the peer. */
static __always_inline bool is_listed(const void *at, const void *end,
				      __u8 family, __u32 peer)
{
	const struct iphdr *ip4 = at;
	const struct ipv6hdr *ip6 = at;

	if (family == 4)
		return (const void *)(ip4 + 1) <= end &&
		       is_behind(find_prefix(4, &ip4->saddr), 4, &ip4->saddr,
				 peer);
	return (const void *)(ip6 + 1) <= end &&
	       is_behind(find_prefix(6, &ip6->saddr), 6, &ip6->saddr, peer);
}

/* Asks the FIB from that interface about an answer to the inner packet of that
 * family, whose header is at inner_at, or about one that resembles it. Returns
 * the id of the peer to whose gateway it goes. */
static __always_inline int ask_fib(void *ctx, const void *at, const void *end,
				   __u32 family, __u32 from, bool otherwise)
{
	struct bpf_fib_lookup q = {.ifindex = from};
	__u32 peer;
	long answer;

	if (!(family == 4 ? way_back4(&q, at, end) : way_back6(&q, at, end)))
		return NO_WAY_BACK;
	if (otherwise)
		ask_otherwise(&q);
	answer = bpf_fib_lookup(ctx, &q, sizeof(q), 0);
	if (answer == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return NOT_ANSWERED;
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH)
		return OTHER_WAY;
	/* In tc a frame above the interface's MTU, which is no fault. */
	if (answer != BPF_FIB_LKUP_RET_SUCCESS &&
	    answer != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return NO_WAY_BACK;
	return q.ifindex == attached_ifindex() && is_gateway_mac(q.dmac, &peer)
		       ? peer
		       : OTHER_WAY;
}

/* Both are global functions, so that the verifier need not go through them in
 * each round of way_back(). */
__attribute__((noinline)) int skb_ask_fib(struct __sk_buff *skb, __u32 inner_at,
					  __u32 family, __u32 from,
					  bool otherwise)
{
	return ask_fib(skb, (void *)(long)skb->data + (inner_at & OFFSET_MASK),
		       (void *)(long)skb->data_end, family, from, otherwise);
}

__attribute__((noinline)) int xdp_ask_fib(struct xdp_md *ctx, __u32 inner_at,
					  __u32 family, __u32 from,
					  bool otherwise)
{
	return ask_fib(ctx, (void *)(long)ctx->data + (inner_at & OFFSET_MASK),
		       (void *)(long)ctx->data_end, family, from, otherwise);
}

/* Where forwarding is off, the FIB answers no questions from that interface; if
 * it is on for lo, it is asked as for packets of this host. */
static __always_inline enum way_back way_back(void *ctx, bool in_tc,
					      __u64 question)
{
	const __u32 at = asked_at(question), peer = asked_peer(question);
	const __u8 family = asked_family(question);
	__u32 from = asked_from(peer, attached_ifindex());
	int found;

	for (__u32 i = 0; i < WAYS_MANY; i++) {
		if (i == WAYS_FEW && !within_limit(TL_LIMIT_WAYS_BACK,
						   bpf_ktime_get_coarse_ns()))
			break;
		found = in_tc ? skb_ask_fib(ctx, at, family, from, i)
			      : xdp_ask_fib(ctx, at, family, from, i);
		if (found == (int)peer)
			return WAY_IN;
		if (found == NOT_ANSWERED && from == attached_ifindex())
			from = LOOPBACK_IFINDEX;
		else if (found < 0)
			break;
	}
	return WAY_ELSEWHERE;
}

/* Answers a question() about the packet: whether packets to its source go into
 * the tunnel of the peer. */
__attribute__((noinline)) int skb_way_back(struct __sk_buff *skb,
					   __u64 question)
{
	return is_listed((void *)(long)skb->data + asked_at(question),
			 (void *)(long)skb->data_end, asked_family(question),
			 asked_peer(question))
		       ? WAY_IN
		       : way_back(skb, true, question);
}

__attribute__((noinline)) int xdp_way_back(struct xdp_md *ctx, __u64 question)
{
	return is_listed((void *)(long)ctx->data + asked_at(question),
			 (void *)(long)ctx->data_end, asked_family(question),
			 asked_peer(question))
		       ? WAY_IN
		       : way_back(ctx, false, question);
}

#endif
