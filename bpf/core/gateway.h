/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recognises gateways, the neighbours on the interface that stand for the peers
 * (layout.h explains their addresses), and builds the answers to requests for
 * their link layer address. No maps, no helpers.
 */
#ifndef TUNLOAD_GATEWAY_H
#define TUNLOAD_GATEWAY_H

#include "checksum.h"
#include "layout.h"
#include "load.h"

#define ARP_REQUEST 1
#define ARP_REPLY   2

/* ARP for IPv4 over Ethernet (RFC 826). */
struct arp_packet {
	__be16 hrd, pro;
	__u8 hln, pln;
	__be16 op;
	__u8 sha[6], spa[4];
	__u8 tha[6], tpa[4];
};

#define ND_OPT_TARGET 2
#define ND_HOP_LIMIT  255

/* Neighbour advertisement with a target link-layer address (RFC 4861 4.4). */
struct nd_packet {
	struct ipv6hdr ip;
	__u8 type, code;
	__sum16 check;
	__u8 flags, zero[3];
	__u8 target[16];
	__u8 opt_type, opt_len, opt_mac[6];
};

/* The end of a solicitation's fixed part, whose last field is the target. */
#define ND_TARGET_END 24

static __always_inline __u32 id_of_bytes(const __u8 *bytes)
{
	return bytes[0] << 16 | bytes[1] << 8 | bytes[2];
}

/* True for the MAC of a gateway; sets *peer. */
static __always_inline bool is_gateway_mac(const void *mac, __u32 *peer)
{
	const __u32 rest = (__u32)bpf_ntohs(LOAD(__u16, mac + 2)) << 16 |
			   bpf_ntohs(LOAD(__u16, mac + 4));

	*peer = rest & TL_PEER_MAX;
	return LOAD(__u16, mac) == bpf_htons(0x0274) && rest >> 24 == 0x6e;
}

static __always_inline void gateway_mac(__u8 mac[6], __u32 peer)
{
	mac[0] = 0x02;
	mac[1] = 0x74;
	mac[2] = 0x6e;
	mac[3] = peer >> 16;
	mac[4] = peer >> 8;
	mac[5] = peer;
}

static __always_inline bool is_gateway4(const __u8 *addr)
{
	return addr[0] == TL_GATEWAY_NET4;
}

/* fe80::74:6e:0:0/104 */
static __always_inline bool is_gateway6(const void *addr)
{
	const __be32 *a = addr;

	return a[0] == bpf_htonl(0xfe800000) && !a[1] &&
	       a[2] == bpf_htonl(0x0074006e) && !((const __u8 *)addr)[12];
}

/* True for an address that has the form of a gateway, be there a peer or not.
 */
static __always_inline bool has_gateway_form(__u8 family, const void *addr)
{
	return family == 4 ? is_gateway4(addr) : is_gateway6(addr);
}

static __always_inline bool ip6_is_unspecified(const void *addr)
{
	const __be32 *a = addr;

	return !(a[0] | a[1] | a[2] | a[3]);
}

/* True for an ARP packet for IPv4 over Ethernet. */
static __always_inline bool arp_is_ip4(const struct arp_packet *arp)
{
	return arp->hrd == bpf_htons(1) && arp->pro == bpf_htons(ETH_P_IP) &&
	       arp->hln == 6 && arp->pln == 4;
}

/* Turns a request for the gateway of a peer into the gateway's reply. */
static __always_inline void arp_turn_around(struct arp_packet *arp, __u32 peer)
{
	__u8 target[4];

	__builtin_memcpy(target, arp->tpa, 4);
	__builtin_memcpy(arp->tha, arp->sha, 6);
	__builtin_memcpy(arp->tpa, arp->spa, 4);
	__builtin_memcpy(arp->spa, target, 4);
	gateway_mac(arp->sha, peer);
	arp->op = bpf_htons(ARP_REPLY);
}

/* Builds the advertisement of the peer's gateway `target` to the soliciting
 * host at `to` or, if that is unspecified, to all nodes (RFC 4861 7.2.4):
 * duplicate address detection then sees that a gateway's address is in use (RFC
 * 4862 5.4). */
static __always_inline void build_advertisement(struct nd_packet *out,
						const void *target,
						const void *to, __u32 peer)
{
	const __u32 solicited = 0x40, override = 0x20;
	__u8 *daddr = (__u8 *)&out->ip.daddr;
	__u32 sum;

	__builtin_memset(out, 0, sizeof(*out));
	out->ip.version = 6;
	out->ip.payload_len = bpf_htons(sizeof(*out) - IP6_HLEN);
	out->ip.nexthdr = IPPROTO_ICMPV6;
	out->ip.hop_limit = ND_HOP_LIMIT;
	__builtin_memcpy(&out->ip.saddr, target, 16);
	__builtin_memcpy(&out->ip.daddr, to, 16);
	out->type = NDISC_NEIGHBOUR_ADVERTISEMENT;
	out->flags = solicited | override;
	if (ip6_is_unspecified(to)) {
		daddr[0] = 0xff;
		daddr[1] = 0x02;
		daddr[15] = 1;
		out->flags = override;
	}
	__builtin_memcpy(out->target, target, 16);
	out->opt_type = ND_OPT_TARGET;
	out->opt_len = 1; /* in units of eight bytes */
	gateway_mac(out->opt_mac, peer);
	sum = csum_pseudo6(&out->ip.saddr, sizeof(*out) - IP6_HLEN,
			   IPPROTO_ICMPV6);
	sum = csum_bytes(sum, &out->type, sizeof(*out) - IP6_HLEN);
	out->check = ~csum_fold(sum);
}

#endif
