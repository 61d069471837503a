/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Protocol headers and constants for both the BPF object, which takes them from
 * vmlinux.h, and the loader and unit tests, which take them from the system's
 * headers.
 */
#ifndef TUNLOAD_NET_H
#define TUNLOAD_NET_H

#ifdef __bpf__
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#else
#include <bpf/bpf_endian.h>
#include <errno.h>
#include <netinet/in.h> /* before the kernel's headers */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/cdefs.h> /* __always_inline */

#define barrier() __asm__ volatile("" ::: "memory")

struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};
#endif

#ifdef __bpf__
#define true 1
#define false 0
typedef _Bool bool;

#define ETH_ALEN     6
#define ETH_HLEN     14
#define ETH_P_IP     0x0800
#define ETH_P_ARP    0x0806
#define ETH_P_IPV6   0x86DD
#define ETH_P_8021Q  0x8100
#define ETH_P_8021AD 0x88A8

#define AF_INET	 2
#define AF_INET6 10

#define ENOENT 2
#define EEXIST 17
#define EINVAL 22

/* Protocol numbers (IANA). Tunnels have IPIP and IPV6. */
#define IPPROTO_HOPOPTS	 0
#define IPPROTO_ICMP	 1
#define IPPROTO_IPIP	 4
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_IPV6	 41
#define IPPROTO_ROUTING	 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6	 58
#define IPPROTO_DSTOPTS	 60

/* ICMP types (RFC 792), and the code "fragmentation needed". */
#define ICMP_DEST_UNREACH  3
#define ICMP_FRAG_NEEDED   4
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT	   5
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

/* ICMPv6 types (RFC 4443). Types from INFOMSG_MASK on are not errors. */
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PKT_TOOBIG   2
#define ICMPV6_TIME_EXCEED  3
#define ICMPV6_PARAMPROB    4
#define ICMPV6_INFOMSG_MASK 0x80
#endif

/*
 * Returns x, but hides its value from the verifier. `unknown` is any number
 * that the verifier does not know. Otherwise the verifier would check the code
 * that follows once for each path that leads here. The caller checks the bounds
 * again.
 */
#ifdef __bpf__
static __always_inline __u32 forget(__u32 x, __u32 unknown)
{
	asm volatile("%0 ^= %1" : "+r"(x) : "r"(unknown));
	asm volatile("%0 ^= %1" : "+r"(x) : "r"(unknown));
	return x;
}
#else
static __always_inline __u32 forget(__u32 x, __u32 unknown)
{
	(void)unknown;
	return x;
}
#endif

/* Types of RFC 4861 4, with the kernel's names. */
#define NDISC_ROUTER_SOLICITATION     133
#define NDISC_ROUTER_ADVERTISEMENT    134
#define NDISC_NEIGHBOUR_SOLICITATION  135
#define NDISC_NEIGHBOUR_ADVERTISEMENT 136
#define NDISC_REDIRECT		      137

/* IPv4 fragment field, host byte order (RFC 791 3.1). */
#define IP4_DF		0x4000
#define IP4_MF		0x2000
#define IP4_OFFSET_MASK 0x1fff

/* The same for the IPv6 fragment header (RFC 8200 4.5): the offset and the M
 * flag. */
#define IP6_OFFSET_OR_MORE 0xfff9

#define IP4_HLEN     20U
#define IP4_HLEN_MAX 60U /* with options */
#define IP6_HLEN     40U
#define IP6_MIN_MTU  1280U /* RFC 8200 5 */

/* Bytes of an IP header without options. */
static __always_inline __u32 ip_hlen(__u8 family)
{
	return family == 4 ? IP4_HLEN : IP6_HLEN;
}

/* Bytes that a tunnel of that outer family adds: an outer header without
 * options. */
static __always_inline __u32 tunnel_overhead(__u8 family)
{
	return ip_hlen(family);
}

/* True for the EtherType of a VLAN tag (IEEE 802.1Q). */
static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) ||
	       proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool is_tunnel(__u8 proto)
{
	return proto == IPPROTO_IPIP || proto == IPPROTO_IPV6;
}

/* IPv4 header length with options, bytes; 0 to 60. */
static __always_inline __u32 ip4_hlen(const struct iphdr *ip)
{
	return ip->ihl * 4;
}

static __always_inline bool ip4_is_fragment(const struct iphdr *ip)
{
	return (ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET_MASK)) != 0;
}

/* The traffic class of an IPv6 header: DSCP and ECN (RFC 2474 3, 3168 5). */
static __always_inline __u8 ip6_tclass(const struct ipv6hdr *ip)
{
	return ip->priority << 4 | ip->flow_lbl[0] >> 4;
}

static __always_inline void ip6_set_tclass(struct ipv6hdr *ip, __u8 tclass)
{
	ip->priority = tclass >> 4;
	ip->flow_lbl[0] = (ip->flow_lbl[0] & 0x0f) | tclass << 4;
}

#endif
