/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only the kernel's own structs tell about an skb at tc egress: whether
 * this host has routed it to this interface, and which addresses that has.
 * Reading them takes CAP_PERFMON, and no lockdown of the kernel's memory; where
 * it is refused the loader clears can_read_kernel.
 */
#ifndef TUNLOAD_KERNEL_H
#define TUNLOAD_KERNEL_H

#include "core/net.h"
#include <bpf/bpf_core_read.h>

const volatile bool can_read_kernel = true;

/* Set by the loader where the kernel has IPsec. */
const volatile bool has_xfrm;

/* What IPsec has decrypted comes by tc ingress once more, as a plain packet
 * with the source that was inside: the kernel's policies vouch for it. */
static __always_inline bool came_by_ipsec(struct __sk_buff *skb)
{
	struct bpf_xfrm_state state;

	return has_xfrm &&
	       !bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0);
}

/* The lowest bit of _skb_refdst says that no reference is held (SKB_DST_NOREF),
 * the next two are flags of pointers in general. */
#define DST_POINTER_MASK (~7UL)

#define AF_INET	 2
#define AF_INET6 10

/* Frames of a bridge keep the type and interface they came in with; those of a
 * packet socket or a tap belong to a socket that is not IP's. */
static __always_inline bool looks_foreign(struct __sk_buff *skb)
{
	struct bpf_sock *sk = (struct bpf_sock *)(long)skb->sk;

	if (skb->pkt_type == PACKET_OTHERHOST)
		return true;
	if (!sk)
		return false;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->family != AF_INET && sk->family != AF_INET6;
}

/* Linux 6.2: the kernel's own struct of a context, and any other at an address,
 * for loads that cost no more than others. */
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
extern void *bpf_rdonly_cast(const void *at, __u32 btf_id) __ksym __weak;

/* The device that the skb's route leads to is this one. Not by its index:
 * another network namespace may have the same one. */
static __always_inline bool is_routed_direct(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	void *at = (void *)(kernel->_skb_refdst & DST_POINTER_MASK);
	struct dst_entry *dst;

	if (!at)
		return false;
	dst = bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct dst_entry));
	return dst->dev == kernel->dev;
}

/* The same by a helper, for older kernels. */
static __always_inline bool is_routed_probed(struct __sk_buff *skb)
{
	struct sk_buff *kernel = (struct sk_buff *)skb;
	struct net_device *here = NULL, *there = NULL;
	struct dst_entry *dst;
	unsigned long ref = 0;

	bpf_core_read(&ref, sizeof(ref), &kernel->_skb_refdst);
	dst = (struct dst_entry *)(ref & DST_POINTER_MASK);
	if (!dst)
		return false;
	bpf_core_read(&there, sizeof(there), &dst->dev);
	bpf_core_read(&here, sizeof(here), &kernel->dev);
	return here == there;
}

/*
 * The kernel's routing has sent this skb out of the interface of this hook: the
 * route that it carries leads there. What a bridge forwards or a packet socket
 * sends carries none; what comes from a macvlan or ipvlan carries one that
 * leads to that device.
 */
static __always_inline bool is_routed_here(struct __sk_buff *skb)
{
	if (bpf_cast_to_kern_ctx && bpf_rdonly_cast)
		return is_routed_direct(skb);
	return can_read_kernel ? is_routed_probed(skb) : !looks_foreign(skb);
}

/* Interfaces with more addresses than that are not searched to their end: then
 * the address is taken to be there. */
#define ADDRESSES_SEARCHED 128

static __always_inline bool has_address4(const struct net_device *dev,
					 __be32 addr)
{
	struct in_ifaddr *ifa = BPF_CORE_READ(dev, ip_ptr, ifa_list);

	for (int i = 0; i < ADDRESSES_SEARCHED && ifa; i++) {
		if (BPF_CORE_READ(ifa, ifa_local) == addr)
			break;
		ifa = BPF_CORE_READ(ifa, ifa_next);
	}
	return ifa;
}

static __always_inline bool has_address6(const struct net_device *dev,
					 const void *addr)
{
	struct inet6_dev *in6 = BPF_CORE_READ(dev, ip6_ptr);
	const __u64 *want = addr;
	struct list_head *head, *at;
	struct in6_addr found;
	const __u64 *is = (const __u64 *)&found;

	if (!in6)
		return false;
	head = __builtin_preserve_access_index(&in6->addr_list);
	at = BPF_CORE_READ(head, next);
	for (int i = 0; i < ADDRESSES_SEARCHED && at != head; i++) {
		struct inet6_ifaddr *ifa =
			(void *)at -
			bpf_core_field_offset(struct inet6_ifaddr, if_list);

		bpf_core_read(&found, sizeof(found), &ifa->addr);
		if (is[0] == want[0] && is[1] == want[1])
			break;
		at = BPF_CORE_READ(at, next);
	}
	return at != head;
}

/* Is that an address of the interface of this hook, at this moment? */
static __always_inline bool is_address_here(struct __sk_buff *skb, __u8 family,
					    const void *addr)
{
	struct sk_buff *kernel = (struct sk_buff *)skb;
	struct net_device *dev = NULL;

	if (!can_read_kernel)
		return true;
	bpf_core_read(&dev, sizeof(dev), &kernel->dev);
	return family == 4 ? has_address4(dev, *(const __be32 *)addr)
			   : has_address6(dev, addr);
}

#endif
