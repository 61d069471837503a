/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every key of the configuration, in one list for each kind of section. The
 * fields of the model and of the maps, reading, defaults, comparing, writing,
 * JSON, `peer add|set`, completion, help and the tables of the man pages all
 * come from here.
 *
 * KEY(id, name, field, type, map, help, ...)
 *   id     KEY_id is its index in the table
 *   name   in the file and on the command line; JSON has _ for -
 *   field  of struct conf or struct peer, which this row declares
 *   type   NUMBER   from .min to .max; .word is written for .meaning, .most
 *                   for .max; .hex also takes and writes 0x...
 *          CHOICE   one of .words; the value is its index
 *          ADDRESS  of .family, or of any; FIELD_fixed is false for auto
 *          OTHER    has its own functions, .ops; .word is its default
 *   map    ADDED      a field of that name, also declared by this row; for an
 *                     ADDRESS, FIELD_family is 0 for auto
 *          PLAIN      a field of that name, declared in layout.h
 *          CONVERTED  loader/maps/ has code for it
 *   help   a line for people, without range and default
 *   ...    designated initialisers: those of the type, and
 *          .initial   the default of a NUMBER or CHOICE
 *          .hint      what to write, appended to the error about a bad value
 *          .values    the values of an OTHER key, for help
 *          .always    showconf prints it even if it has its default
 *          .again     may be given again, which adds to the list
 *
 * Add a row at the end of its list; an ADDED row needs a new TL_LAYOUT
 * (layout.h).
 */
#ifndef TUNLOAD_KEYS_H
#define TUNLOAD_KEYS_H

/* clang-format off */
#define TL_INTERFACE_KEYS(KEY)                                                 \
	KEY(LOCAL4, "local4", local4, ADDRESS, CONVERTED,                      \
	    "outer source address of IPv4 endpoints",                          \
	    .family = 4, .hint = " of this interface", .always = true)         \
	KEY(LOCAL6, "local6", local6, ADDRESS, CONVERTED,                      \
	    "outer source address of IPv6 endpoints",                          \
	    .family = 6, .hint = " of this interface", .always = true)         \
	KEY(MODE, "mode", mode, CHOICE, CONVERTED,                             \
	    "native: XDP in the driver; tc: behind it; auto: native where "    \
	    "the driver takes it",                                             \
	    .words = {"auto", "native", "tc"}, .initial = TL_MODE_AUTO,        \
	    .always = true)                                                    \
	KEY(SOURCE, "source", source, OTHER, CONVERTED,                        \
	    "address of this host: inner source of its own packets",           \
	    .ops = &inner_ops, .values = "A,A")                                \
	KEY(ADDRESS, "address", address, OTHER, CONVERTED,                     \
	    "the same, and on the host while it is attached",                  \
	    .ops = &inner_ops, .values = "A/N,A/N")                            \
	KEY(PATH_MTU, "path-mtu", path_mtu, NUMBER, PLAIN,                     \
	    "bytes of the largest outer packet",                               \
	    .min = 576 /* RFC 791 3.1 */, .max = 65535, .initial = 1500,       \
	    .always = true)                                                    \
	KEY(PMTU_EXPIRY, "pmtu-expiry", pmtu_expiry, NUMBER, PLAIN,            \
	    "seconds for which a path MTU learnt from ICMP holds",             \
	    .min = 1, .max = 86400, .initial = 600 /* RFC 1191 6.3, 8201 4 */) \
	KEY(ROUTES, "routes", routes, CHOICE, CONVERTED,                       \
	    "no: install no routes to the allowed prefixes",                   \
	    .words = {"no", "yes"}, .initial = true, .always = true)           \
	KEY(FORWARD, "forward", forward, OTHER, CONVERTED,                     \
	    "xdp: forward in the driver, past netfilter; native mode only; "   \
	    "IF: from these interfaces, too",                                  \
	    .ops = &forward_ops, .values = "no|xdp [IF,IF...]", .word = "no")  \
	KEY(CPUS, "cpus", cpus, CHOICE, ADDED,                                 \
	    "all: the stack's work on all CPUs, by inner flow; native mode "   \
	    "only",                                                            \
	    .words = {"no", "all"}, .initial = TL_CPUS_NO)

#define TL_PEER_KEYS(KEY)                                                      \
	KEY(ENDPOINT, "endpoint", endpoint, OTHER, CONVERTED,                  \
	    "outer address of the other end, or its DNS name",                 \
	    .ops = &endpoint_ops, .values = "A")                               \
	KEY(ALLOWED_IPS, "allowed-ips", allowed, OTHER, CONVERTED,             \
	    "inner prefixes behind it; routed: what routes lead to it, too; "  \
	    "set replaces them all",                                           \
	    .ops = &allowed_ops, .values = "P,P...|routed", .again = true)     \
	KEY(GATEWAY, "gateway", gateway, OTHER, CONVERTED,                     \
	    "its address inside the tunnel, for routes via it",                \
	    .ops = &gateway_ops, .values = "A,A|no", .word = "no")             \
	KEY(LOCAL, "local", local, ADDRESS, CONVERTED, "our outer address")    \
	KEY(PROBE, "probe", probe, ADDRESS, CONVERTED,                         \
	    "inner address that answers a ping")                               \
	KEY(KEEPALIVE, "keepalive", keepalive, NUMBER, ADDED,                  \
	    "seconds between triggers, 0 = never",                             \
	    .max = 65535, .initial = 25, .hint = " (seconds, 0 = never)",      \
	    .always = true)                                                    \
	KEY(MTU, "mtu", mtu_fixed, NUMBER, ADDED,                              \
	    "bytes of the largest inner packet",                               \
	    .min = PEER_MTU_MIN, .max = 65535, .word = "auto")                 \
	KEY(TTL, "ttl", ttl, NUMBER, PLAIN, "outer TTL or hop limit",          \
	    .min = 1, .max = 255, .initial = 64, .always = true)               \
	KEY(DSCP, "dscp", dscp, NUMBER, PLAIN, "outer DSCP",                   \
	    .max = 63, .word = "copy", .meaning = TL_DSCP_COPY,                \
	    .initial = TL_DSCP_COPY)                                           \
	KEY(GUARD, "guard", guard, CHOICE, CONVERTED,                          \
	    "drop plain packets with an allowed prefix as source; auto: yes "  \
	    "but for default routes",                                          \
	    .words = {"yes", "no", "auto"}, .initial = GUARD_DEFAULT)          \
	KEY(MARK, "mark", mark, NUMBER, ADDED,                                 \
	    "mark of the packets out of its tunnel, for rules and nftables; "  \
	    "0: none",                                                         \
	    .max = UINT32_MAX, .hex = true)                                    \
	KEY(TABLE, "table", table, NUMBER, ADDED,                              \
	    "routing table of its routes; auto: the interface's",              \
	    .min = 1, .max = UINT32_MAX, .word = "auto")                       \
	KEY(VRF, "vrf", vrf, OTHER, CONVERTED,                                 \
	    "VRF of its routes and of the packets out of its tunnel",          \
	    .ops = &vrf_ops, .values = "IF|no", .word = "no")                  \
	KEY(MIN_TTL, "min-ttl", min_ttl, NUMBER, ADDED,                        \
	    "least outer TTL or hop limit of what it sends; 0: any",           \
	    .max = 255 /* RFC 5082 */)                                         \
	KEY(MSS, "mss", mss, NUMBER, ADDED,                                    \
	    "largest TCP segment, both ways; auto: what fits its MTU",         \
	    .min = 88, .max = 65535, .word = "auto", .most = "off")            \
	KEY(RATE, "rate", rate, NUMBER, ADDED,                                 \
	    "packets a second that are taken from it; 0: all",                 \
	    .max = 1000000000)                                                 \
	KEY(PRIORITY, "priority", priority, NUMBER, ADDED,                     \
	    "of peers with the same prefix, the lowest that works has the route", \
	    .max = 65535)
/* clang-format on */

#endif
