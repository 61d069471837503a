/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that is written into an skb beside its packet, and what it means:
 *
 * cb[0], cb[1]  a secret: this skb is one that tc_egress has sent round through
 *               the kernel, and that comes by one of the tc hooks once more,
 *               where own_take() takes it off. A mark, tc_index or address can
 *               be set by a container; the secret is a random number that the
 *               loader puts into the object and that leaves no hook of ours.
 * cb[2] to [4]  with it: which of ours it is, and what it has to know
 * mark          what the host's rules have set, for the inner packet's route; 0
 *               while the kernel looks for that of the outer packet, then put
 *               back, and 0 in answers
 * tc_index      of a super-packet that tc_ingress has decapsulated: the outer
 *               family for which its skb is still marked as encapsulated
 *
 * No other file reads or writes these fields (scripts/check-includes).
 */
#ifndef TUNLOAD_MARKS_H
#define TUNLOAD_MARKS_H

#include "core/net.h"
#include "layout.h"

/* Zero, as in an object that nobody prepared: nothing is known again. */
const volatile __u64 own_secret;

enum own_kind {
	OWN_NONE,
	OWN_SENT, /* an outer packet that was given to bpf_redirect_neigh() */
	OWN_FRAGMENT, /* a copy of an inner packet, to be cut to a fragment */
	OWN_ANSWER,   /* what we answer to this host */
};

/* The words of skb->cb: 0 and 1 the secret, then these. */
#define OWN_CB_KIND 2
#define OWN_CB_DATA 3 /* SENT: the mark; FRAGMENT: offset << 16 | length */
#define OWN_CB_PEER 4

static __always_inline void own_set(struct __sk_buff *skb, enum own_kind kind,
				    __u32 data, __u32 peer)
{
	skb->cb[0] = own_secret;
	skb->cb[1] = own_secret >> 32;
	skb->cb[OWN_CB_KIND] = kind;
	skb->cb[OWN_CB_DATA] = data;
	skb->cb[OWN_CB_PEER] = peer;
	/* Else compilers share the stores of several branches, by a pointer
	 * into the context, which the verifier forbids. */
	asm volatile("" ::: "memory");
}

/* Which of ours it is; the secret is taken off. */
static __always_inline enum own_kind own_take(struct __sk_buff *skb)
{
	if (!own_secret || skb->cb[0] != (__u32)own_secret ||
	    skb->cb[1] != own_secret >> 32)
		return OWN_NONE;
	skb->cb[0] = 0;
	skb->cb[1] = 0;
	return skb->cb[OWN_CB_KIND];
}

/* What own_set() was told, of an skb that own_take() has known again. */
static __always_inline __u32 own_data(const struct __sk_buff *skb)
{
	return skb->cb[OWN_CB_DATA];
}

static __always_inline __u32 own_peer(const struct __sk_buff *skb)
{
	return skb->cb[OWN_CB_PEER];
}

/* The mark that routed an inner packet is not that of its outer packet (as with
 * the kernel's tunnels): it would be routed into the tunnel again. */
static __always_inline void mark_sent(struct __sk_buff *skb, __u32 peer)
{
	own_set(skb, OWN_SENT, skb->mark, peer);
	skb->mark = 0;
}

/* For the qdiscs, once the outer packet is routed. */
static __always_inline void mark_back(struct __sk_buff *skb)
{
	skb->mark = skb->cb[OWN_CB_DATA];
}

/* The kernel's rules for marks are not meant for an answer. own: it comes by
 * tc_ingress. */
static __always_inline void mark_answer(struct __sk_buff *skb, bool own)
{
	skb->mark = 0;
	if (own)
		own_set(skb, OWN_ANSWER, 0, TL_PEER_NONE);
}

static __always_inline void mark_encapsulated(struct __sk_buff *skb,
					      __u8 family)
{
	if (skb->gso_size)
		skb->tc_index = family;
}

/* The segments of what still is marked as encapsulated are made for one outer
 * family. */
static __always_inline bool segments_fit(const struct __sk_buff *skb,
					 __u8 family)
{
	return !skb->gso_size || skb->tc_index == family;
}

#endif
