/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Knowing our own skbs again: those that tc_egress sends round through the
 * kernel come by one of the tc hooks once more. A mark, tc_index or address can
 * be set by a container; the control block holds a secret instead, a random
 * number that the loader puts into the object and that leaves no hook of ours.
 */
#ifndef TUNLOAD_OWN_H
#define TUNLOAD_OWN_H

#include "core/net.h"

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

#endif
