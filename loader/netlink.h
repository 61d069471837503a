/* SPDX-License-Identifier: GPL-2.0-only */
/* rtnetlink by libmnl: links, addresses, routes, neighbours. */
#ifndef TUNLOAD_NETLINK_H
#define TUNLOAD_NETLINK_H

#include "conf.h"

/* The routing protocol number on every route and neighbour that tunload
 * installs (rtm_protocol, NDA_PROTOCOL); those, and only those, it removes.
 * 94 is IP-in-IP's own protocol number (IANA), free in rt_protos. */
#define RTPROT_TUNLOAD 94

/* What is known of a network interface. */
struct link_info {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint32_t mtu;
	uint16_t type; /* ARPHRD_* */
	bool up;
	bool loopback;
	uint32_t table;
	bool no_ipv6;
};

/* FAILED with "no such interface" when it does not exist. */
int link_info(const char *ifname, struct link_info *out);

/* An address of an interface. */
struct if_addr {
	struct ip ip;
	uint8_t prefixlen;
	uint32_t flags; /* IFA_F_* */
	bool usable; /* global scope, none of tentative, dadfailed, deprecated,
		      * temporary; for IPv4: primary */
};

/* All addresses of ifindex, or of the whole host for 0. *out is malloc()ed. */
int addr_list(uint32_t ifindex, struct if_addr **out, size_t *n);

/* A route in the main table. gateway.family 0: on-link. The gateway's family
 * may differ from the destination's (RTA_VIA). */
struct route {
	struct prefix dst;
	struct ip gateway;
	struct ip prefsrc; /* family 0: none */
	uint32_t oif;
	uint32_t mtu; /* RTAX_MTU, 0: none */
	uint32_t metric;
	uint8_t protocol;
	struct origin origin; /* of the prefix, for errors */
};

/* The routes through oif (0: any interface), of both families; protocol 0: of
 * any. With several next hops, the one through oif. *out is malloc()ed. */
int route_list(uint32_t oif, uint8_t protocol, struct route **out, size_t *n);
/* The next hop towards dst through oif, as the kernel resolves it (RTM_GETROUTE
 * with the interface fixed), ignoring our own routes. gateway.family 0:
 * on-link. FAILED, said by nobody, when there is none: the caller knows the
 * peer. */
int route_lookup(const struct ip *dst, uint32_t oif, struct route *out);
/* protocol RTPROT_TUNLOAD; fails on an existing equal route of somebody else,
 * and says whose it is. replace: an existing one is ours, change it. */
int route_add(const struct route *r, bool replace);
int route_del(const struct route *r);

/* A permanent neighbour of ours on oif (for 6in4, see routes.c). Adding an
 * existing one of ours is fine; deleting an absent one too. */
int neigh_add(uint32_t oif, const struct ip *ip, const uint8_t mac[6]);
int neigh_del(uint32_t oif, const struct ip *ip);
/* Has the kernel resolve ip now, from an address of the interface. Otherwise
 * the first packet into the tunnel does it, and ARP then asks from that one's
 * inner source, which a cloud need not answer. */
void neigh_use(uint32_t oif, const struct ip *ip);

bool next_hop_fault(const struct ip *endpoint, const struct ip *local,
		    uint32_t oif, char *buf, size_t len);

#endif
