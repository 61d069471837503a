/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All fields of an skb that are written beside the packet, and their meaning:
 *
 * cb[0], cb[1]  a secret that marks an skb which tc_egress has sent through the
 *               kernel to pass one of the tc hooks again, where own_take()
 *               clears it. A container can set a mark, tc_index or address; the
 *               secret is a random number that the loader puts into the object
 *               and that no skb has when it leaves our hooks.
 * cb[2] to [4]  with the secret: the kind of the skb, and its data
 * mark          set by the host's rules, for the route of the inner packet; 0
 *               while the kernel routes the outer packet, then restored; 0 in
 *               answers; the key `mark` of its peer after decapsulation
 * tc_index      of a super-packet that tc_ingress has decapsulated: the outer
 *               family for which its skb is still marked as encapsulated
 *
 * No other file reads or writes these fields (scripts/check-includes).
 */
#ifndef TUNLOAD_MARKS_H
#define TUNLOAD_MARKS_H

#include "core/net.h"
#include "layout.h"

/* Zero if the loader has not set it: then no mark is recognised. */
const volatile __u64 own_secret;

enum own_kind {
	OWN_NONE,
	OWN_SENT,     /* an outer packet, by bpf_redirect_neigh() */
	OWN_FRAGMENT, /* an inner packet to cut to a fragment */
	OWN_ANSWER,   /* our answer to this host */
};

/* The words of skb->cb after the secret in 0 and 1. */
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
	/* Otherwise the compiler merges the stores of several branches, with a
	 * pointer into the context, which the verifier forbids. */
	barrier();
}

static __always_inline bool is_own(const struct __sk_buff *skb)
{
	return skb->cb[0] == (__u32)own_secret &&
	       skb->cb[1] == own_secret >> 32 && own_secret;
}

/* Returns the kind of an skb of ours and clears the secret; OWN_NONE for
 * others. */
static __always_inline enum own_kind own_take(struct __sk_buff *skb)
{
	if (!is_own(skb))
		return OWN_NONE;
	skb->cb[0] = 0;
	skb->cb[1] = 0;
	return skb->cb[OWN_CB_KIND];
}

/* The data that own_set() has stored; only after own_take(). */
static __always_inline __u32 own_data(const struct __sk_buff *skb)
{
	return skb->cb[OWN_CB_DATA];
}

static __always_inline __u32 own_peer(const struct __sk_buff *skb)
{
	return skb->cb[OWN_CB_PEER];
}

/* Clears the mark, which would route the outer packet into the tunnel again,
 * like the kernel's tunnels do; mark_back() restores it. */
static __always_inline void mark_sent(struct __sk_buff *skb, __u32 peer)
{
	own_set(skb, OWN_SENT, skb->mark, peer);
	skb->mark = 0;
}

/* Restores the mark for the qdiscs, once the outer packet is routed. */
static __always_inline void mark_back(struct __sk_buff *skb)
{
	skb->mark = skb->cb[OWN_CB_DATA];
}

/* Clears the mark, as the host's rules for it do not apply to an answer. own:
 * the answer passes tc_ingress, which shall recognise it. */
static __always_inline void mark_answer(struct __sk_buff *skb, bool own)
{
	skb->mark = 0;
	if (own)
		own_set(skb, OWN_ANSWER, 0, TL_PEER_NONE);
}

/* Marks a decapsulated packet for the host's rules. */
static __always_inline void mark_peer(struct __sk_buff *skb, __u32 mark)
{
	if (mark)
		skb->mark = mark;
}

static __always_inline void mark_encapsulated(struct __sk_buff *skb,
					      __u8 family)
{
	if (skb->gso_size)
		skb->tc_index = family;
}

/* True unless the skb is a super-packet still marked as encapsulated for the
 * other outer family. */
static __always_inline bool segments_fit(const struct __sk_buff *skb,
					 __u8 family)
{
	return !skb->gso_size || skb->tc_index == family;
}

#endif
