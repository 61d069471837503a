/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks a leaving packet against the interface: its MTU and its addresses. */
#ifndef TUNLOAD_DEVICE_H
#define TUNLOAD_DEVICE_H

#include "decide/egress.h"
#include "kernel.h"

/* True if the packet, though it may be fragmented on its way, is too large for
 * this interface: nothing fragments it after this hook. */
static __always_inline bool exceeds_device(struct __sk_buff *skb,
					   const struct tx *tx)
{
	__u32 mtu = 0;

	return !tx->inner.df && !skb->gso_size &&
	       bpf_check_mtu(skb, 0, &mtu, tunnel_overhead(tx->peer->family),
			     0);
}

/* True unless this is a test run, whose packets have no route and whose
 * interface has no addresses. */
static __always_inline bool is_on_interface(const struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct tl_interface *iface =
		bpf_map_lookup_elem(&interface, &zero);

	return iface && iface->ifindex == skb->ifindex;
}

/* True if the interface has the peer's local address. A global function, so it
 * is verified once. */
__attribute__((noinline)) int has_source(struct __sk_buff *skb, __u32 peer)
{
	const struct tl_peer *p = bpf_map_lookup_elem(&peers, &peer);

	return p && is_address_here(skb, p->family, p->local);
}

/*
 * Checks what the maps do not tell about a packet to encapsulate: that it fits
 * the interface and, whenever the next hop is looked up, that the interface
 * still has the outer source.
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
