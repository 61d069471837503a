/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtnetlink by libmnl: links, addresses, routes, rules, neighbours. The
 * *_list() functions print their error, *out is malloc()ed; the *_put()
 * functions only build a request, for nl_batch_run().
 */
#ifndef TUNLOAD_NETLINK_H
#define TUNLOAD_NETLINK_H

#include "conf.h"
#include "gateway.h"
#include "nl.h"

/* The number on every route, rule, neighbour and IPv6 address that tunload
 * makes (rtm_protocol, FRA_PROTOCOL, NDA_PROTOCOL, IFA_PROTO); those, and only
 * those, it removes. 94 is IP-in-IP's own protocol number (IANA), free in
 * rt_protos. */
#define RTPROT_TUNLOAD 94

/* What is known of a network interface. */
struct link_info {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint32_t mtu;
	uint32_t table; /* of its routes: main, or that of the VRF it is in */
	uint16_t type;	/* ARPHRD_* */
	bool up;
	bool loopback;
	bool no_ipv6; /* disable_ipv6, an MTU below 1280, or no such kernel */
};

/* FAILED with "no such interface" when it does not exist. */
int link_info(const char *ifname, struct link_info *out);

/* An address of an interface. */
struct if_addr {
	struct ip ip;
	struct ip peer;	     /* the other end's, family 0: not point-to-point */
	struct ip broadcast; /* family 0: none given */
	uint32_t ifindex;
	uint32_t flags; /* IFA_F_* */
	uint8_t prefixlen;
	uint8_t protocol; /* IFA_PROTO (since 5.18) */
	bool ours;	  /* made by tunload: never an outer source */
	bool usable; /* global scope, none of tentative, dadfailed, deprecated,
		      * temporary; for IPv4: primary; not ours */
};

/* All addresses of ifindex, or of the whole host for 0. */
int addr_list(uint32_t ifindex, struct if_addr **out, size_t *n);
/* type RTM_NEWADDR or RTM_DELADDR. */
void addr_put(union nl_request *r, uint16_t type, const struct if_addr *a);

#define NO_PEER UINT32_MAX

/* gateway.family 0: on-link. The gateway's family may differ from the
 * destination's (RTA_VIA). */
struct route {
	struct prefix dst;
	struct ip gateway;
	struct ip prefsrc; /* family 0: none */
	uint32_t table;
	uint32_t oif; /* 0: none, or several and none of them asked for */
	uint32_t mtu; /* RTAX_MTU, 0: none */
	uint32_t metric;
	uint8_t protocol;
	uint8_t type; /* RTN_* */
	/* Of a route that is wanted: */
	uint8_t scope;	      /* IPv4, see route_scope() */
	uint32_t peer;	      /* its index in the conf, or NO_PEER */
	struct origin origin; /* of the prefix, for errors */
};

/* Which routes: 0 is any. */
struct route_filter {
	uint32_t oif; /* with several next hops, one of them */
	uint32_t table;
	uint8_t protocol;
	uint8_t type;
	uint8_t family;
	uint32_t foreign; /* without ours of that interface */
};

/* Of all tables. */
int route_list(const struct route_filter *filter, struct route **out,
	       size_t *n);
/* type RTM_NEWROUTE or RTM_DELROUTE; flags NLM_F_EXCL or NLM_F_REPLACE. */
void route_put(union nl_request *r, uint16_t type, uint16_t flags,
	       const struct route *route);
/* The kernel sends what goes to the first address of the prefix by that very
 * route. */
bool route_is_used(const struct route *route);
/* As iproute2 prints it. */
const char *route_protocol_name(uint8_t protocol, char buf[static 16]);

/* A policy rule of ours. */
struct rule {
	uint8_t family;
	struct ip from; /* family 0: from everywhere */
	uint32_t table;
	uint32_t preference;
	bool no_default; /* suppress_prefixlength 0 */
};

/* Those of RTPROT_TUNLOAD, of both families, in the kernel's order. */
int rule_list(struct rule **out, size_t *n);
/* type RTM_NEWRULE or RTM_DELRULE. */
void rule_put(union nl_request *r, uint16_t type, const struct rule *rule);

/* A neighbour on an interface. */
struct neigh {
	struct ip ip;
	uint8_t mac[MAC_LEN]; /* zero: not resolved */
	uint16_t state;	      /* NUD_* */
	uint8_t protocol;
};

int neigh_list(uint32_t ifindex, struct neigh **out, size_t *n);
/* type RTM_NEWNEIGH, permanent and of RTPROT_TUNLOAD, or RTM_DELNEIGH. */
void neigh_put(union nl_request *r, uint16_t type, uint32_t ifindex,
	       const struct neigh *neigh);

/* The next hop that was asked for last: mostly that of all peers. */
struct next_hop {
	uint32_t oif;
	struct ip ip;	/* family 0: none yet */
	uint16_t state; /* NUD_* */
};

/*
 * What keeps the outer packets from their next hop, as the kernel sees it: no
 * route from local to endpoint through last->oif, ifname, or a next hop that
 * does not answer. False if nothing does.
 */
bool next_hop_fault(const struct ip *endpoint, const struct ip *local,
		    const char *ifname, struct next_hop *last, char *buf,
		    size_t len);

#endif
