/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pinned maps, which the data plane and the loader share, and which
 * `bpftool map dump` shows. Addresses are byte arrays in network order, so that
 * dumps read in order; an IPv4 address uses the first four of sixteen bytes and
 * the others are zero. All other numbers are in host byte order.
 *
 * A change here, in verdicts.h or of a key's field needs a new TL_LAYOUT:
 * `attach` does not upgrade an attachment of another layout in place.
 */
#ifndef TUNLOAD_LAYOUT_H
#define TUNLOAD_LAYOUT_H

#include "keys.h"
#include "verdicts.h"

#define TL_LAYOUT 8

#define TL_MAX_PEERS	131072
#define TL_MAX_PREFIXES (1 << 20)
#define TL_NAME_LEN	32   /* peer name with its NUL */
#define TL_HOST_LEN	256  /* DNS name with its NUL (RFC 1035 2.3.4) */
#define TL_REASON_LEN	128  /* why this mode, with its NUL */
#define TL_WAITING_LEN	192  /* why a peer waits, with its NUL */
#define TL_DSCP_COPY	0xff /* outer DSCP = inner DSCP (RFC 2983 uniform) */
#define TL_PEER_NONE	0    /* no peer: ids start at 1 */
#define TL_PEER_MAX	0xffffff /* an id has three bytes */
#define TL_FORWARD_FROM 8	 /* names of interfaces after forward = xdp */

/*
 * Each peer has a gateway, a neighbour on the interface. Packets to the
 * gateway's MAC go into the peer's tunnel. The MAC is 02:74:6e ("tn", locally
 * administered) and the peer id in three bytes, big endian. The gateway's
 * addresses contain the id in the same way: 240.x.x.x (240.0.0.7 for peer 7),
 * fe80::74:6e:xx:xxxx.
 */
#define TL_GATEWAY_MAC                                                         \
	{                                                                      \
		0x02, 0x74, 0x6e                                               \
	}
#define TL_GATEWAY_NET4 240 /* first byte; a prefix of 8 bits */
#define TL_GATEWAY_NET6                                                        \
	{                                                                      \
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x74, 0, 0x6e, 0              \
	}
#define TL_GATEWAY_NET6_LEN 104 /* bits */

/* Packets, and bytes of the inner packet (of the packet itself if it is not
 * tunnelled), without the link layer header. */
struct tl_counter {
	__u64 packets;
	__u64 bytes;
};

/* One counter per verdict, in the order of enum tl_verdict. */
#define TL_VERDICT_FIELD(name, fate, report, from, text) struct tl_counter name;
struct tl_verdicts {
	TL_VERDICTS(TL_VERDICT_FIELD)
};
#undef TL_VERDICT_FIELD

/* The fields that the rows of keys.h declare; an address has family 0 for
 * auto. */
#define TL_KEY_FIELD(id, name, field, type, map, ...)                          \
	TL_KEY_FIELD_##map(field, type)
#define TL_KEY_FIELD_ADDED(field, type) TL_KEY_FIELD_##type(field)
#define TL_KEY_FIELD_PLAIN(field, type)
#define TL_KEY_FIELD_CONVERTED(field, type)
#define TL_KEY_FIELD_NUMBER(field) __u32 field;
#define TL_KEY_FIELD_CHOICE(field) __u32 field;
#define TL_KEY_FIELD_ADDRESS(field)                                            \
	__u8 field[16];                                                        \
	__u32 field##_family;

/* A VRF of this host. */
struct tl_vrf {
	__u32 ifindex; /* 0: it is not there now */
	__u32 table;   /* of its routes */
	__u8 mac[6];
	__u8 zero[2];
};

/* peers: peer id -> this. */
struct tl_peer {
	char name[TL_NAME_LEN];
	__u8 family;	   /* of the outer header: 4 or 6 */
	__u8 ttl;	   /* outer TTL or hop limit, 1 to 255 */
	__u8 dscp;	   /* 0 to 63, or TL_DSCP_COPY */
	__u8 flags;	   /* TL_PEER_F_* */
	__u32 mtu;	   /* largest inner packet, bytes */
	__u8 endpoint[16]; /* outer destination */
	__u8 local[16];	   /* outer source */
	/* Zero. Former attachments have the learned MTU here. */
	__u64 unused;
	__u32 unused_too;
	/* Of the fields below, the data plane reads mark, min_ttl, mss, rate
	 * and the VRF. */
	__u8 probe[16];	    /* inner address that answers a ping */
	__u32 probe_family; /* 4, 6, or 0: no probe */
	TL_PEER_KEYS(TL_KEY_FIELD)
	char vrf[16]; /* "": none */
	struct tl_vrf in_vrf;
	/* CLOCK_MONOTONIC; since when a watch has known that nothing comes from
	 * the peer, so that others have the routes of the prefixes that it
	 * shares. 0: nothing is known. */
	__u64 silent_ns;
	/* Addresses of the other end inside the tunnel, which routes may name
	 * as their gateway; zero: none. */
	__u8 gateway6[16];
	__u8 gateway4[4];
	__u8 zero[4];
};

/* generations: one entry. What a CPU remembers of the maps is stale when they
 * have moved on. */
struct tl_generations {
	__u32 maps;    /* the loader, after a change */
	__u32 learned; /* the data plane, after it has learned an MTU */
	__u32 ingress; /* TL_INGRESS_*: the hooks in use for what arrives */
	__u32 zero;
} __attribute__((aligned(8)));

/* Both: XDP leaves the packets of some peers (TL_PEER_F_TC) to tc. */
#define TL_INGRESS_XDP 0x01
#define TL_INGRESS_TC  0x02

/* learned: peer id -> the MTU of its path, learned from ICMP (RFC 1191, 8201).
 * The data plane writes it; the loader deletes the rows of former paths. */
struct tl_learned {
	__u64 until_ns; /* CLOCK_MONOTONIC; expiry */
	__u32 mtu;	/* largest inner packet, bytes */
	__u32 zero;
};

/* rates: peer id -> when its packets would all have arrived if they kept to the
 * peer's rate. The data plane makes the rows. */
struct tl_rate {
	__u64 ahead_ns; /* CLOCK_MONOTONIC */
};

/* learned_until: slot (peer id modulo TL_LEARNED_SLOTS) -> CLOCK_MONOTONIC
 * until which a peer of that slot may have a row in `learned`. All other peers
 * need no look-up there. */
#define TL_LEARNED_SLOTS 1024

#define TL_PEER_F_LOCAL_FIXED 0x01 /* `local` was configured */
#define TL_PEER_F_PROBE_FIXED 0x02 /* `probe` was configured */
#define TL_PEER_F_GUARD_SET   0x04 /* `guard` was configured ... */
#define TL_PEER_F_GUARD	      0x08 /* ... as yes */
#define TL_PEER_F_SPECIAL     0x10 /* has mark, vrf, min-ttl or rate */
#define TL_PEER_F_TC	      0x20 /* has mark or vrf */
#define TL_PEER_F_ROUTED      0x40 /* routes decide what it may send, too */

/* A peer that waits for its endpoint (a name that does not resolve) has family
 * 0; one that waits for an address of ours has an all-zero local. */

/* names: the loader's index of `peers`: name -> this. The row without a name is
 * about all: the highest id, all prefixes, all peers. */
struct tl_name {
	char name[TL_NAME_LEN];
};

struct tl_named {
	__u32 peer;	/* id */
	__u32 prefixes; /* how many are allowed */
	__u32 peers;	/* 1 */
};

/* allowed: the loader's index of the prefixes by peer: so many in each row. */
#define TL_ALLOWED 8

struct tl_allowed_key {
	__u32 peer;
	__u32 part; /* from 0 */
};

struct tl_allowed {
	struct {
		__u8 family; /* 0: no more */
		__u8 len;    /* bits */
		__u8 addr[16];
	} prefix[TL_ALLOWED];
};

/* endpoints: outer addresses -> peer id. */
struct tl_endpoint {
	__u8 family; /* 4 or 6 */
	__u8 zero[3];
	__u8 endpoint[16]; /* outer source of received packets */
	__u8 local[16];	   /* outer destination of received packets */
};

struct tl_peer_id {
	__u32 peer;
};

/* prefixes4, prefixes6: inner prefix -> peer. The data plane looks for each
 * length of `lengths` until it finds the address. */
struct tl_prefix4 {
	__u32 prefixlen; /* bits */
	__u8 addr[4];
};

struct tl_prefix6 {
	__u32 prefixlen; /* bits */
	__u8 addr[16];
};

struct tl_prefix {
	__u32 peer;  /* TL_PEER_NONE: not tunnelled, an exception from a shorter
			allowed prefix */
	__u32 flags; /* TL_PREFIX_F_* */
};

#define TL_PREFIX_F_GUARD   0x01 /* drop plain packets with this source */
#define TL_PREFIX_F_OWN	    0x02 /* an address of this host */
#define TL_PREFIX_F_SHARED  0x04 /* of several peers, see `shared` */
#define TL_PREFIX_F_GATEWAY 0x08 /* the gateway address of that peer */
#define TL_PREFIX_LEN_SHIFT 8	 /* and its length, in the bits from here on */

/* lengths: slot (TL_LENGTHS_*) -> the prefix lengths in use: at the index of
 * one is the next shorter one plus 1, or 0 behind the last. TL_LENGTH_TOP comes
 * before the longest. A length is there before its first prefix and until after
 * its last one. */
#define TL_LENGTH_TOP 129
enum { TL_LENGTHS_4, TL_LENGTHS_6, TL_LENGTHS };

struct tl_lengths {
	__u32 shorter[TL_LENGTH_TOP + 1];
	__u32 rows[TL_LENGTH_TOP]; /* prefixes of each length */
};

/* What the loader gives to the program write_prefixes, the only writer of
 * prefixes4, prefixes6 and `lengths`: rows in its own memory. */
struct tl_prefix_row {
	struct tl_prefix6 key; /* IPv4: the first four bytes of the address */
	struct tl_prefix value;
};

struct tl_prefix_write {
	__u64 rows; /* address of an array of struct tl_prefix_row */
	__u32 n;
	__u32 family; /* 4 or 6 */
	__u32 remove; /* 1: deletes the rows */
	__u32 done;   /* answer: rows until the first error ... */
	__s32 error;  /* ... a negative errno, or 0 */
	__u32 zero;
};

/* shared: prefixes that several peers share (routes = no), one row per prefix
 * and peer -> its length; looked up with family and peer fixed. */
struct tl_shared {
	__u32 prefixlen; /* bits: 32 of family and peer, plus the prefix's */
	__u8 family;	 /* 4 or 6: ::/0 does not contain IPv4 */
	__u8 peer[3];	 /* id, big endian */
	__u8 addr[16];
};

struct tl_shared_len {
	__u32 prefixlen; /* of the prefix, bits */
};

/* broadcasts: IPv4 broadcast addresses of the host's networks -> itself. */
struct tl_broadcast {
	__u8 addr[4];
};

/* peer_stats: peer and CPU -> this; made by the data plane when it counts the
 * first packet there, so that memory use depends on the traffic. Tunnelled
 * packets may still be in `traffic`. */
struct tl_stats_key {
	__u32 peer;
	__u32 cpu;
};

struct tl_peer_stats {
	/* CLOCK_MONOTONIC of the last rx_decap or rx_forward, 0 = never */
	__u64 last_rx_ns;
	__u64 last_tx_ns; /* the same of the last tx_encap or tx_forward */
	struct tl_verdicts verdicts;
};

/* The verdicts that `traffic` counts, each in a slot of its own, so that a
 * packet has no other counters in the cache. */
enum tl_traffic_kind {
	TL_TRAFFIC_rx_decap,
	TL_TRAFFIC_tx_encap,
	TL_TRAFFIC_rx_forward,
	TL_TRAFFIC_tx_forward,
	TL_TRAFFIC_KINDS
};

/* traffic: what each CPU has tunnelled for a peer: (CPU times TL_TRAFFIC_KINDS
 * plus kind) times the number of slots of each, plus slot (peer id modulo that
 * number) -> this. It is not in the row of `peer_stats` yet; that is where it
 * goes when another peer takes the slot. Half a cache line. */
struct tl_traffic {
	__u32 peer; /* id, or TL_PEER_NONE */
	__u32 zero;
	struct tl_counter counter;
	/* CLOCK_MONOTONIC of a packet, or when the slot was taken; 0 = never */
	__u64 last_ns;
};

#define TL_PEER_SLOTS	   1024		 /* more if there is room (room.c) */
#define TL_TRAFFIC_IDLE_NS 2000000000ULL /* then another peer may take it */

/* interface: one entry, the loader's record of this attachment. */
struct tl_interface {
	__u32 layout; /* TL_LAYOUT */
	__u32 ifindex;
	__u64 netns_cookie; /* SO_NETNS_COOKIE */
	char name[16];
	__u32 flags;	   /* TL_IF_F_* */
	__u32 mode;	   /* enum tl_mode: in use */
	__u32 mode_asked;  /* enum tl_mode: requested */
	__u32 path_mtu;	   /* bytes, of the outer packet */
	__u32 pmtu_expiry; /* seconds until a learned path MTU expires */
	__u8 local4[4];	   /* zero: none */
	__u8 local6[16];
	__u8 source4[4]; /* inner source of the host's own packets, or zero */
	__u8 source6[16];
	char mode_reason[TL_REASON_LEN];
	__u64 monitor_until_ns;	 /* CLOCK_MONOTONIC until which events are sent
				  */
	__u64 no_guard_until_ns; /* CLOCK_MONOTONIC until which the guard is
				  * suspended, while modes change */
	__u8 address4_len;	 /* prefix length + 1 of source4 if given as
				    `address`; 0: not added by tunload */
	__u8 address6_len;
	TL_INTERFACE_KEYS(TL_KEY_FIELD)
	__u32 forward; /* enum tl_forward */
	/* The names of other interfaces whose packets XDP sends into tunnels,
	 * padded with zeros; an empty one ends the list. */
	char forward_from[TL_FORWARD_FROM][16];
};

enum tl_mode { TL_MODE_AUTO, TL_MODE_NATIVE, TL_MODE_TC };
enum tl_forward { TL_FORWARD_NO, TL_FORWARD_XDP };
enum tl_cpus { TL_CPUS_NO, TL_CPUS_ALL };

#define TL_IF_F_READY	     0x01 /* attach completed successfully */
#define TL_IF_F_CLSACT_OURS  0x02 /* we made the clsact qdisc */
#define TL_IF_F_LOCAL4_FIXED 0x04 /* `local4` was configured */
#define TL_IF_F_LOCAL6_FIXED 0x08
#define TL_IF_F_NO_ROUTES    0x10 /* routes = no */
#define TL_IF_F_TC_TOO	     0x20 /* a peer needs tc ingress, also beside XDP */

/* hostnames: peer id -> this, for endpoints configured as a DNS name. */
struct tl_hostname {
	char name[TL_HOST_LEN];
};

/* waiting: peer id -> why the peer cannot work now. */
struct tl_waiting {
	char reason[TL_WAITING_LEN];
};

/* next_hops: the link layer header towards a peer's endpoint, learned by each
 * CPU, at slot (peer id modulo the number of slots). */
struct tl_next_hop {
	__u64 until;   /* the kernel's jiffies64; expiry */
	__u32 peer;    /* id, or TL_PEER_NONE */
	__u8 macs[12]; /* destination, source */
};

/* devices: slot (ifindex modulo TL_DEVICES) -> an Ethernet interface of the
 * host, for `forward = xdp`. Of two with the same slot only one is there. */
struct tl_device {
	__u32 ifindex; /* 0: none */
	__u8 mac[6];
	__u16 flags; /* TL_DEVICE_F_* */
};

#define TL_DEVICES	  1024
#define TL_DEVICE_F_SENDS 0x01 /* sends the frames that XDP redirects to it */

#define TL_SPREAD_CPUS 256 /* that `cpus = all` can use */

/* events: ring buffer of these while a `tunload monitor` listens. */
#define TL_EVENT_HEAD 128

struct tl_event {
	__u64 time_ns;		  /* CLOCK_MONOTONIC */
	__u32 verdict;		  /* enum tl_verdict */
	__u32 peer;		  /* peer id or TL_PEER_NONE */
	__u32 length;		  /* bytes as counted for the verdict */
	__u32 head_len;		  /* bytes of head that are filled */
	__u8 head[TL_EVENT_HEAD]; /* the packet from its first IP header on: the
				   * outer one at ingress, the inner one at
				   * egress; parse.h reads it */
};

/* limits: counts what this CPU has done in this window: events and ICMP errors
 * to inner sources that it has sent (RFC 1812 4.3.2.8, RFC 4443 2.4 f), and
 * long searches for a way back (way_back.h). */
struct tl_limit {
	__u64 window_ns; /* its start, CLOCK_MONOTONIC */
	__u64 done;
};

enum { TL_LIMIT_EVENTS, TL_LIMIT_ICMP, TL_LIMIT_WAYS_BACK, TL_LIMITS };

#define TL_LIMIT_WINDOW_NS 100000000ULL
#define TL_LIMIT_A_WINDOW  100 /* per CPU */

#endif
