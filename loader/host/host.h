/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host/: the host as it is, by rtnetlink (libmnl) and files: links, addresses,
 * routes, rules, neighbours, hooks, forwarding, and what the kernel must offer.
 * Reads it, and builds the requests that change it.
 */
#ifndef TUNLOAD_HOST_H
#define TUNLOAD_HOST_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "conf/conf.h"

/* nl.c. rtnetlink requests and their answers. */

/* Room for every request that is made here. */
union nl_request {
	struct nlmsghdr nlh;
	char room[512];
};

/* Starts a request; returns its zeroed family header (struct rtmsg, ...) of
 * header_len bytes. */
void *nl_begin(union nl_request *r, uint16_t type, uint16_t flags,
	       size_t header_len);
/* Appends the address itself, without its family. */
void nl_put_ip(union nl_request *r, uint16_t type, const struct ip *ip);

/*
 * Sends the request and hands each message of the answer to each() until the
 * end of it. OK, or FAILED with errno and nl_error(), nothing printed. EINTR: a
 * dump changed under the reader; begin again.
 */
int nl_talk(union nl_request *r, mnl_cb_t each, void *data);
/*
 * Sends n requests, many of them in one message to the kernel, in order.
 * build() makes request i with nl_begin(); failed() hears of each that the
 * kernel refused, with errno and nl_error(), and returns OK to go on. Later
 * requests of the same message are made all the same. FAILED, printed, if the
 * kernel cannot be talked to; else what failed() said.
 */
struct nl_batch {
	void (*build)(union nl_request *r, size_t i, void *data);
	int (*failed)(size_t i, void *data);
	void *data;
};

int nl_batch_run(const struct nl_batch *b, size_t n);

/* What the kernel said about the last failure: its own words if it has any. */
const char *nl_error(void);

/* Removing found nothing to remove: done by hand, or gone with its interface or
 * its family. */
bool nl_absent(int err);

/*
 * What the kernel lists, of both families, as an array. ask() makes the request
 * for d->family (4 or 6); take() fills in the element that a message is about,
 * or returns false: none of those wanted.
 */
struct nl_dump {
	const char *what; /* for the error */
	void (*ask)(union nl_request *r, const struct nl_dump *d);
	bool (*take)(const struct nlmsghdr *nlh, const struct nl_dump *d,
		     void *element);
	size_t size;	    /* of an element */
	const void *filter; /* ask()'s and take()'s own */
	uint8_t only;	    /* that family, 4 or 6; 0: both */
	uint8_t family;
	void *all; /* malloc()ed; NULL on failure */
	size_t n;
};

/* No such interface, table or family: nothing, which is no failure. */
int nl_dump(struct nl_dump *d);

/* tb[type] = attribute, NULL where there is none; header_len as above. */
void nl_attrs(const struct nlmsghdr *nlh, size_t header_len,
	      const struct nlattr **tb, uint16_t max);
/* The address in an attribute of that family (4 or 6); family 0 if it is
 * absent or too short. */
struct ip nl_ip(const struct nlattr *a, uint8_t family);
/* The next hop of a route: RTA_VIA, which names its family, or RTA_GATEWAY. */
struct ip nl_gateway(const struct nlattr *const *tb, uint8_t family);
/* 0 if absent. */
uint32_t nl_u32(const struct nlattr *a);

/* 4 <-> AF_INET, 6 <-> AF_INET6; anything else is 0. */
uint8_t nl_family(int af);
int nl_af(uint8_t family);

/*
 * rtnetlink by libmnl: links, addresses, routes, rules, neighbours. The
 * *_list() functions print their error, *out is malloc()ed; the *_put()
 * functions only build a request, for nl_batch_run().
 */

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

/* NUD_*; NUD_NONE: not there, as nothing was sent lately, which is no fault. */
uint16_t neigh_state(uint32_t ifindex, const struct ip *ip);

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

/* What the kernel does not forward. */

/*
 * Packets of that family (4 or 6) that were not for this host, and that the
 * kernel has discarded; 0 where it forwards what comes in on ifname. setting is
 * then the name of the sysctl that is 0. The kernel counts since the boot, for
 * IPv4 those of all interfaces, and those that it discards for other reasons.
 */
uint64_t not_forwarded(const char *ifname, uint8_t family, char *setting,
		       size_t len);

/* Which tunnel the host's routing chooses. */

/* The id of the peer through whose gateway a packet to dst, from source (family
 * 0: none yet) and bound to oif, is routed; TL_PEER_NONE: it leaves without a
 * tunnel, or there is no route. */
uint32_t path_peer(uint32_t oif, const struct ip *source, const struct ip *dst);
/* The outer or link-local address of ours that the kernel gives packets through
 * the tunnel of p to dst as their inner source, as none is set for that family;
 * family 0: it does not. */
struct ip path_wrong_source(const struct conf *c, const struct peer *p,
			    const struct ip *dst);

/* The hooks of an interface that programs of tunload are put on. */
enum hook { HOOK_XDP, HOOK_TC_INGRESS, HOOK_TC_EGRESS, HOOK_COUNT };

/* Attach types since Linux 6.6, not in older headers. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47

/*
 * hooked.c. What is on the hooks of an interface, whoever put it there. Where
 * nothing else is said these return 0 or -errno and print nothing.
 */

/* Our filters among those of others: "tl" in ASCII, and IP-in-IP's number. */
#define FILTER_HANDLE	0x746c
#define FILTER_PRIORITY 94

/* Our preference and handle are taken by a filter with our program's name,
 * whosever pins it has. */
bool hooked_filter(enum hook h, uint32_t ifindex);
/* Adds to *n the filters of that hook. */
int hooked_filters(enum hook h, uint32_t ifindex, size_t *n);
/* Programs of tunload are on the XDP or a TCX hook, whosever pins they have.
 * False without CAP_SYS_ADMIN, which alone can tell. */
bool hooked_links(uint32_t ifindex);
/* Either of them, on any hook. */
bool hooked_any(uint32_t ifindex);
/* The kind of qdisc that holds ingress and egress filters: "clsact", "ingress",
 * or "" for none. */
int hooked_clsact(uint32_t ifindex, char kind[static IFNAMSIZ]);

/* One line that says why this process cannot work with BPF (not root or missing
 * capabilities, no BTF at /sys/kernel/btf/vmlinux, kernel older than 6.1). */
int require_bpf(void);

/* Is the running kernel of that version, or a newer one? */
bool kernel_at_least(unsigned int major, unsigned int minor);

/* An inner prefix that must not come out of a tunnel although a shorter allowed
 * prefix holds it: own is true for an address of this host. */
struct exception {
	struct prefix prefix;
	bool own;
};

/* What the data plane must know of the host. */
struct host_facts {
	struct exception *exceptions;
	size_t n_exceptions;
	struct ip *broadcasts; /* IPv4, of the host's networks */
	size_t n_broadcasts;
};

#endif
