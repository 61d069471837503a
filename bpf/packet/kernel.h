/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the kernel's own structs for facts about an skb at tc egress: whether
 * this host has routed it to this interface, and which addresses the interface
 * has. This takes CAP_PERFMON, and a kernel without lockdown; if it is refused,
 * the loader clears can_read_kernel.
 */
#ifndef TUNLOAD_KERNEL_H
#define TUNLOAD_KERNEL_H

#include "core/net.h"
#include <bpf/bpf_core_read.h>

const volatile bool can_read_kernel = true;

/* Set by the loader if the kernel has IPsec. */
const volatile bool has_xfrm;

/* True for a packet that IPsec has decrypted: it passes tc ingress a second
 * time, as a plain packet with the inner source, which the kernel's policies
 * have checked. */
static __always_inline bool came_by_ipsec(struct __sk_buff *skb)
{
	struct bpf_xfrm_state state;

	return has_xfrm &&
	       !bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0);
}

/* The lowest bit of _skb_refdst means that no reference is held
 * (SKB_DST_NOREF); the next two are reserved for flags too. */
#define DST_POINTER_MASK (~7UL)

/* True for a frame that this host has not routed: a bridge keeps the packet
 * type of ingress, and frames of a packet socket or tap belong to a socket that
 * is not an IP socket. */
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

/* Since Linux 6.2: access to the kernel's struct behind a context, and to any
 * struct at an address, by plain loads. */
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
extern void *bpf_rdonly_cast(const void *at, __u32 btf_id) __ksym __weak;

/* True if the skb's route leads to this device. Compares pointers, as another
 * network namespace may use the same ifindex. */
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

/* The same with a helper, for older kernels. */
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
 * True if the kernel has routed this skb to the interface of this hook: its
 * route leads there. An skb from a bridge or packet socket has no route; the
 * route of one from a macvlan or ipvlan leads to that device.
 */
static __always_inline bool is_routed_here(struct __sk_buff *skb)
{
	if (bpf_rdonly_cast)
		return is_routed_direct(skb);
	return can_read_kernel ? is_routed_probed(skb) : !looks_foreign(skb);
}

/* How many addresses are searched; with more, the address is assumed to be
 * there. */
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

/* True if the interface of this hook has that address now, or cannot be
 * read. */
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
