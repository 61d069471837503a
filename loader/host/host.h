/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host/: reads the host's state by rtnetlink (libmnl) and files, and builds the
 * requests that change it: links, addresses, routes, rules, neighbours, hooks,
 * forwarding, and the requirements on the kernel.
 */
#ifndef TUNLOAD_HOST_H
#define TUNLOAD_HOST_H

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include "conf/conf.h"

/* nl.c. rtnetlink requests and their answers. */

/* Large enough for every request of the loader. */
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

/* Sends the request by that socket, of any netlink family, and calls each() for
 * every message of the answer. Returns what each() did, or -1 with errno. */
int nl_exchange(struct mnl_socket *s, union nl_request *r, mnl_cb_t each,
		void *data);
/*
 * Sends the request and calls each() for every message of the answer. Returns
 * OK, or FAILED with errno and nl_error(), nothing printed. EINTR: the list
 * changed while it was read; try again.
 */
int nl_talk(union nl_request *r, mnl_cb_t each, void *data);
/*
 * Sends n requests in order, many in one message to the kernel. build() makes
 * request i with nl_begin(). failed() is called for each request that the
 * kernel refused, with errno and nl_error() set, and returns OK to go on; later
 * requests of the same message are executed in any case. Returns FAILED,
 * printed, on a socket error, else the result of failed().
 */
struct nl_batch {
	void (*build)(union nl_request *r, size_t i, void *data);
	int (*failed)(size_t i, void *data);
	void *data;
};

int nl_batch_run(const struct nl_batch *b, size_t n);

/* In a child process: leaves the open socket to the parent. */
void nl_forget(void);

/* The kernel's message about the last failure, or the text of errno. */
const char *nl_error(void);

/* True for errors that mean there is nothing to remove: removed by hand, or
 * with its interface or family. */
bool nl_absent(int err);

/*
 * Lists objects of the kernel, of both families, as an array. ask() makes the
 * request for d->family (4 or 6). take() fills in the element from a message,
 * or returns false to skip it.
 */
struct nl_dump {
	const char *what; /* for the error */
	void (*ask)(union nl_request *r, const struct nl_dump *d);
	bool (*take)(const struct nlmsghdr *nlh, const struct nl_dump *d,
		     void *element);
	size_t size;	    /* of an element */
	const void *filter; /* for ask() and take() */
	uint8_t only;	    /* only this family, 4 or 6; 0: both */
	uint8_t family;
	void *all;
	size_t n;
};

/* *out is malloc()ed, and NULL on failure. An unknown interface, table or
 * family gives an empty list, not an error. */
int nl_dump(struct nl_dump *d, void **out, size_t *n);

/* Sets tb[type] to each attribute, NULL if absent; header_len as above. */
void nl_attrs(const struct nlmsghdr *nlh, size_t header_len,
	      const struct nlattr **tb, uint16_t max);
/* The address in an attribute of that family (4 or 6); family 0 if it is
 * absent or too short. */
struct ip nl_ip(const struct nlattr *a, uint8_t family);
/* The next hop of a route: RTA_VIA, which names its family, or RTA_GATEWAY. */
struct ip nl_gateway(const struct nlattr *const *tb, uint8_t family);
/* 0 if absent. */
uint32_t nl_u32(const struct nlattr *a);
uint8_t nl_u8(const struct nlattr *a);
/* "" if absent or not terminated. */
const char *nl_str(const struct nlattr *a);
/* The attribute of that type inside of nest; NULL if either is absent. */
const struct nlattr *nl_nested(const struct nlattr *nest, uint16_t type);

/* 4 <-> AF_INET, 6 <-> AF_INET6; anything else is 0. */
uint8_t nl_family(int af);
int nl_af(uint8_t family);

/* An address <-> a struct sockaddr_in or sockaddr_in6 with port 0. */
struct ip ip_from_sockaddr(const void *sa);
socklen_t ip_to_sockaddr(const struct ip *ip, struct sockaddr_storage *out);

/*
 * rtnetlink by libmnl: links, addresses, routes, rules, neighbours. The
 * *_list() functions print their error, *out is malloc()ed; the *_put()
 * functions only build a request, for nl_batch_run().
 */

/* The protocol of every route, rule, neighbour and IPv6 address that tunload
 * makes (rtm_protocol, FRA_PROTOCOL, NDA_PROTOCOL, IFA_PROTO). tunload removes
 * only those. 94 is the IPIP protocol number of IANA, unused in rt_protos. */
#define RTPROT_TUNLOAD 94

/* A network interface. */
struct link_info {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint32_t mtu;
	uint32_t table; /* of its routes: main, or that of the VRF it is in */
	uint32_t vrf_table; /* its own, if it is a VRF; else 0 */
	uint16_t type;	    /* ARPHRD_* */
	uint8_t mac[MAC_LEN];
	bool up;
	bool loopback;
	bool no_ipv6; /* disable_ipv6, an MTU below 1280, or no such kernel */
};

/* Returns 0 or -errno, and prints nothing. */
int link_find(const char *ifname, struct link_info *out);
/* FAILED with "no such interface", and a similar one if there is one. */
int fail_no_interface(const char *ifname);
/* Fails in the same way if it does not exist. */
int link_info(const char *ifname, struct link_info *out);

/* An address of an interface. */
struct if_addr {
	struct ip ip;
	struct ip peer;	     /* the other end; family 0: not point-to-point */
	struct ip broadcast; /* family 0: none */
	uint32_t ifindex;
	uint32_t flags;	 /* IFA_F_* */
	uint32_t metric; /* of the route to its network; only for a new one */
	uint8_t prefixlen;
	uint8_t protocol; /* IFA_PROTO (since 5.18) */
	bool ours;	  /* made by tunload: never an outer source */
	bool usable; /* global scope, none of tentative, dadfailed, deprecated,
		      * temporary; for IPv4: primary; not ours */
};

struct addrs {
	struct if_addr *all;
	size_t n;
};

/* All addresses of ifindex, or of the whole host for 0. */
int addr_list(uint32_t ifindex, struct addrs *out);
/* Builds a request; type is RTM_NEWADDR or RTM_DELADDR. */
void addr_put(union nl_request *r, uint16_t type, const struct if_addr *a);

#define NO_PEER UINT32_MAX

/* gateway.family 0: on-link. The gateway's family may differ from the
 * destination's (RTA_VIA). */
struct route {
	struct prefix dst;
	struct ip gateway;
	struct ip prefsrc; /* family 0: none */
	uint32_t table;
	uint32_t oif; /* 0: none, or several without the wanted one */
	uint32_t mtu; /* RTAX_MTU, 0: none */
	uint32_t metric;
	int32_t expires; /* s; 0: never */
	uint8_t protocol;
	uint8_t type; /* RTN_* */
	/* Only for a wanted route: */
	uint8_t scope;	      /* IPv4, see route_scope() */
	uint32_t peer;	      /* its index in the conf, or NO_PEER */
	uint32_t rank;	      /* of equal ones, the lowest is wanted */
	struct origin origin; /* of the prefix, for errors */
};

/* Which routes: 0 is any. */
struct route_filter {
	uint32_t oif; /* also as one of several next hops */
	uint32_t table;
	uint8_t protocol;
	uint8_t type;
	uint8_t family;
	uint32_t foreign; /* skips our routes of this interface */
};

/* Lists routes of all tables. */
int route_list(const struct route_filter *filter, struct route **out,
	       size_t *n);
/* type RTM_NEWROUTE or RTM_DELROUTE; flags NLM_F_EXCL or NLM_F_REPLACE. */
void route_put(union nl_request *r, uint16_t type, uint16_t flags,
	       const struct route *route);
/* A question for the route of packets. */
struct route_question {
	struct ip source; /* family 0, or not that of dst: any */
	struct ip dst;
	uint32_t oif; /* 0: any */
	bool entry;   /* the route as it is in its table, not as it is used */
};
/* False if there is no route. */
bool route_ask(const struct route_question *q, struct route *out);
/* True for unreachable, blackhole and prohibit. */
bool route_refuses(const struct route *route);
/* The route as the arguments of `ip route del`. */
#define ROUTE_STRLEN 256
const char *route_str(const struct route *route, char buf[static ROUTE_STRLEN]);
/* True if the kernel uses this very route for the first address of its
 * prefix. */
bool route_is_used(const struct route *route);
/* True if the kernel has no route to this IPv4 prefix or to a part of it, in
 * the tables that it asks; it is asked for each address. */
bool route_none_within(const struct prefix *p);
/* The protocol's name as iproute2 prints it. */
const char *route_protocol_name(uint8_t protocol, char buf[static 16]);

/* A policy rule of tunload. */
struct rule {
	uint8_t family;
	struct ip from; /* family 0: any source */
	uint32_t table;
	uint32_t preference;
	bool no_default; /* suppress_prefixlength 0 */
};

/* Lists the rules of RTPROT_TUNLOAD, of both families, in the kernel's
 * order. */
int rule_list(struct rule **out, size_t *n);
/* Sets *any if there are rules of neither the kernel nor tunload. */
int rule_any_foreign(uint8_t family, bool *any);
/* type RTM_NEWRULE or RTM_DELRULE. */
void rule_put(union nl_request *r, uint16_t type, const struct rule *rule);

/* A neighbour on an interface. */
struct neigh {
	struct ip ip;	      /* the first field: also sorted by ip_compare() */
	uint8_t mac[MAC_LEN]; /* zero: not resolved */
	uint16_t state;	      /* NUD_* */
	uint8_t protocol;
};

int neigh_list(uint32_t ifindex, struct neigh **out, size_t *n);
/* type RTM_NEWNEIGH, permanent and of RTPROT_TUNLOAD, or RTM_DELNEIGH. */
void neigh_put(union nl_request *r, uint16_t type, uint32_t ifindex,
	       const struct neigh *neigh);

/* True if that neighbour is the gateway of a peer, by its address or by its
 * MAC; sets *id. */
bool hop_peer(uint32_t ifindex, const struct ip *hop, uint32_t *id);

/* The last next hop that was looked up; most peers share it. */
struct next_hop {
	uint32_t oif;
	struct ip ip;	/* family 0: none yet */
	uint16_t state; /* NUD_* */
};

/* What keeps outer packets from their next hop, as the kernel sees it. */
enum path_fault {
	PATH_FINE,
	PATH_NO_ROUTE,	/* from local to endpoint through the interface */
	PATH_TUNNELLED, /* a route into a tunnel */
	PATH_NO_ANSWER, /* from the next hop, now last->ip */
};

/* Writes to buf what is wrong, if anything is, with the way to endpoint through
 * last->oif (ifname). */
enum path_fault next_hop_fault(const struct ip *endpoint,
			       const struct ip *local, const char *ifname,
			       struct next_hop *last, char *buf, size_t len);

/* Packets that the kernel does not forward. */

/*
 * Counts the packets of that family (4 or 6) that were not for this host and
 * that the kernel discarded; 0 if it forwards packets of ifname. Otherwise
 * setting is the name of the sysctl that is 0. The kernel counts since boot,
 * also packets discarded for other reasons, and for IPv4 those of all
 * interfaces.
 */
uint64_t not_forwarded(const char *ifname, uint8_t family, char *setting,
		       size_t len);

/* True if the kernel forwards packets of that family (4 or 6) that arrive on
 * ifname. */
bool host_forwards(const char *ifname, uint8_t family);
/* The path in /proc/sys that turns forwarding of that family on, everywhere. */
const char *forwarding_setting(uint8_t family);
/* Returns the first peer with allowed-ips = routed for which the kernel tells
 * the programs no routes of that family, as forwarding is off: in its VRF, or
 * for both the interface and lo (way_back.h); else NULL. Sets `setting` to the
 * path in /proc/sys that turns it on. */
const struct peer *fib_mute(const struct conf *c, uint8_t family, char *setting,
			    size_t len);

/* The tunnel that the host's routing chooses. */

enum path_end {
	PATH_PAST,	 /* no tunnel of a peer that allows dst */
	PATH_INTO,	 /* the tunnel of p */
	PATH_INTO_RIVAL, /* that of another peer, which p can stand in for */
};
/* Where the host's routing leads a packet to dst from the inner source of c. */
enum path_end path_end(const struct conf *c, const struct peer *p,
		       const struct ip *dst);
/* Returns the outer or link-local address that the kernel would use as inner
 * source to dst through the tunnel of p, as no source is configured; family 0
 * if it would not. */
struct ip path_wrong_source(const struct conf *c, const struct peer *p,
			    const struct ip *dst);

/* The inner source of a packet of this host to dst through a tunnel: that of c
 * or, if it has none, the kernel's choice. */
struct ip path_source(const struct conf *c, const struct ip *dst);

/* The interface by which the kernel sends packets to dst; 0 if there is no
 * route, or if they would enter a tunnel: one of ours, or a device that is not
 * Ethernet. */
uint32_t path_outside(const struct ip *dst);

/* The hooks of an interface for programs of tunload. */
enum hook { HOOK_XDP, HOOK_TC_INGRESS, HOOK_TC_EGRESS, HOOK_COUNT };

/* Attach types since Linux 6.6, not in older headers. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47

/*
 * hooked.c. Programs and filters on the hooks of an interface, with or without
 * pins of ours. Unless noted, these return 0 or -errno and print nothing.
 */

/* The handle and preference of our filters: "tl" in ASCII, and the IPIP
 * protocol number. */
#define FILTER_HANDLE	0x746c
#define FILTER_PRIORITY 94

/* True if a filter with our preference, handle and program name exists,
 * wherever it is pinned. */
bool hooked_filter(enum hook h, uint32_t ifindex);
/* Adds the number of filters of that hook to *n. */
int hooked_filters(enum hook h, uint32_t ifindex, size_t *n);
/* True if programs of tunload are on the XDP or a TCX hook, wherever they are
 * pinned. Always false without CAP_SYS_ADMIN. */
bool hooked_links(uint32_t ifindex);
/* True for such a filter or program on any hook. */
bool hooked_any(uint32_t ifindex);
/* The kind of qdisc that holds ingress and egress filters: "clsact", "ingress",
 * or "" for none. */
int hooked_clsact(uint32_t ifindex, char kind[static IFNAMSIZ]);

/* A program or filter of somebody else on a hook. */
struct other_prog {
	enum hook hook;
	uint32_t id;	     /* of a BPF program; 0: none */
	uint32_t link;	     /* its BPF link, 0: none */
	uint32_t preference; /* of a tc filter, 0: none */
	bool generic;	     /* XDP in generic mode */
	char name[32];
};
/* Lists those that see a packet before ours do, or would; *out is
 * malloc()ed. */
int hooked_before(uint32_t ifindex, struct other_prog **out, size_t *n);

/* A tunnel device of the kernel for protocol 4 or 41, with a fixed other end.
 */
struct ip_tunnel {
	char name[IFNAMSIZ];
	char kind[8]; /* ipip, sit, ip6tnl */
	struct ip remote;
	bool options; /* sends a Destination Options header (RFC 2473 4.1.1) */
};
int ip_tunnel_list(struct ip_tunnel **out, size_t *n);
/* False if the link of a message is no such tunnel. */
bool ip_tunnel_parse(const struct nlmsghdr *nlh, struct ip_tunnel *out);

/* A policy of IPsec. */
struct xfrm_rule {
	struct prefix src, dst;
	uint8_t protocol;  /* 0: any */
	bool out, forward; /* neither: in */
	bool blocks;
	bool transforms; /* encrypts, or requires it */
};
int xfrm_list(struct xfrm_rule **out, size_t *n);

/* What this process needs to use BPF: capabilities, a kernel of 6.1 or newer,
 * BTF at /sys/kernel/btf/vmlinux. */
enum { REQUIRE_RIGHTS, REQUIRE_KERNEL, REQUIRE_BTF, N_REQUIREMENTS };
#define REQUIREMENT_LEN 256
struct requirement {
	const char *name;
	/* False, with the reason and what to do in why. */
	bool (*is_met)(char *why, size_t len);
};
extern const struct requirement requirements[N_REQUIREMENTS];
/* FAILED, with one line, if one is not met. */
int require_bpf(void);

/* Reads a sysctl by its path below /proc/sys; false if it does not exist. */
bool sysctl_read(const char *path, int *value);

/* True if the running kernel has this version or a newer one. */
bool kernel_at_least(unsigned int major, unsigned int minor);

/* systemd.c. Who else manages an interface. */

bool systemd_runs(void);
/* True if a unit is pulled in by another one. */
bool unit_enabled(const char *unit);
/* True if systemd-networkd configures the interface. */
bool networkd_manages(uint32_t ifindex);
/* A key of networkd.conf that is yes by default. */
bool networkd_is_on(const char *key);
bool networkmanager_manages(uint32_t ifindex);

/* What the driver of an interface says. */
struct nic {
	char driver[32];
	uint32_t channels, channels_max; /* 0: it has none */
};
void nic_read(const char *ifname, struct nic *out);

/* Native XDP on ena needs an MTU of at most this, and half of the channels
 * free. */
#define ENA_XDP_MTU 3498
/* True if the MTU is in the way. */
bool nic_ena_mtu(const struct nic *nic, uint32_t mtu);
/* The number of channels that leaves half of them free, if there are more now;
 * else 0. */
uint32_t nic_ena_channels(const struct nic *nic);

/* An Ethernet interface. */
struct device {
	uint32_t ifindex;
	uint8_t mac[MAC_LEN];
	bool sends; /* frames that XDP redirects to it */
};

/* Lists all of this network namespace but the ports of bridges and bonds; *out
 * is malloc()ed. Kernels before 6.3 do not tell which of them send redirected
 * frames: then none does. */
int device_list(struct device **out, size_t *n);

/* True if an interface has receive queues and RPS on none of them, as far as
 * /sys is that of this network namespace. */
bool rps_is_off(const char *ifname, uint32_t ifindex);

/* Writes the mask of all CPUs as rps_cpus takes it: "ff,ffffffff". */
void rps_all_cpus(char *mask, size_t len);

/* An inner prefix that is not part of any tunnel although a shorter allowed
 * prefix contains it. own: an address of this host. */
struct exception {
	struct prefix prefix; /* the first field: also prefix_compare()d */
	bool own;
};

/* Facts of the host that the data plane needs. */
struct host_facts {
	struct exception *exceptions;
	size_t n_exceptions;
	struct ip *broadcasts; /* IPv4, of the host's networks */
	size_t n_broadcasts;
	struct device *devices; /* only for forward = xdp */
	size_t n_devices;
};

#include "metadata.h"

#endif
