/* SPDX-License-Identifier: GPL-2.0-only */
/* What only the interface at hand tells of a packet that leaves: its MTU, and
 * its addresses. */
#ifndef TUNLOAD_DEVICE_H
#define TUNLOAD_DEVICE_H

#include "decide/egress.h"
#include "kernel.h"

/* What may be fragmented on its way has to get out of this interface first, and
 * nobody fragments behind this hook. */
static __always_inline bool exceeds_device(struct __sk_buff *skb,
					   const struct tx *tx)
{
	__u32 mtu = 0;

	return !tx->inner.df && !skb->gso_size &&
	       bpf_check_mtu(skb, 0, &mtu, tunnel_overhead(tx->peer->family),
			     0);
}

/* Is this hook that of the interface, and not a test run's? Those carry no
 * route and have no addresses. */
static __always_inline bool is_on_interface(const struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->ifindex == skb->ifindex;
}

/* A global function, which is verified once. */
__attribute__((noinline)) int has_source(struct __sk_buff *skb, __u32 peer)
{
	const struct tl_peer *p = bpf_map_lookup_elem(&peers, &peer);

	return p && is_address_here(skb, p->family, p->local);
}

/*
 * What the maps cannot know of a packet that is to be encapsulated: that it
 * gets out of the interface, and from an address that is there. The latter as
 * often as the next hop is asked for.
 */
static __always_inline enum tl_verdict
check_device(struct __sk_buff *skb, const struct tx *tx, bool known)
{
	if (exceeds_device(skb, tx))
		return TL_tx_too_big;
	if (!known && is_on_interface(skb) &&
	    !has_source(skb, tx->outcome.peer))
		return TL_tx_no_source;
	return PASSED;
}

#endif
