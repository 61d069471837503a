/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every verdict of the data plane, in one list. The enum, the counter struct
 * of the maps, the names in text and JSON, the man page's table and the test
 * that each verdict has a case all come from here.
 *
 * VERDICT(name, fate, report, from, text)
 *   name    in JSON, in text and as a field of struct tl_verdicts; rx_ for
 *           what arrives, tx_ for what goes to a tunnel
 *   fate    the result for the packet: TUNNEL decapsulated or encapsulated,
 *           PASS left untouched, DROP dropped, ANSWER turned into its answer
 *   report  REPORT: a monitor prints it; QUIET: not, as it is the normal case
 *   from    the origin of the packet, which decides who a hint is about:
 *           PEER  a peer's tunnel, by its outer addresses
 *           WIRE  no tunnel; BARE: no tunnel, but with an inner source
 *           ICMP  an error about one of our outer packets
 *           HOST  this host; the packet leaves
 *   text    one line for people, with the RFC section if there is one
 *
 * Add a row at the end of its direction, with a new TL_LAYOUT (layout.h): the
 * order is the layout of the pinned counters.
 */
#ifndef TUNLOAD_VERDICTS_H
#define TUNLOAD_VERDICTS_H

/* clang-format off */
#define TL_VERDICTS(VERDICT)                                                   \
	VERDICT(rx_decap, TUNNEL, QUIET, PEER, "decapsulated")                 \
	VERDICT(rx_plain, PASS, QUIET, WIRE, "no tunnel packet, left alone")   \
	VERDICT(rx_no_peer, PASS, REPORT, WIRE,                                \
		"protocol 4/41 from or to an address of no peer, left "        \
		"alone (RFC 4213 3.6)")                                        \
	VERDICT(rx_fragment, PASS, REPORT, PEER,                               \
		"fragment of an outer packet, left to the kernel "             \
		"(RFC 4213 3.6)")                                              \
	VERDICT(rx_too_many_options, PASS, REPORT, WIRE,                       \
		"too many IPv6 options headers before 4/41, left alone")       \
	VERDICT(rx_icmp_too_big, PASS, REPORT, ICMP,                           \
		"ICMP: our outer packet was too big (RFC 2003 5.1, 2473 8)")   \
	VERDICT(rx_icmp_unreachable, PASS, REPORT, ICMP,                       \
		"ICMP: our outer packet could not be delivered (RFC 2003 4)")  \
	VERDICT(rx_icmp_time_exceeded, PASS, REPORT, ICMP,                     \
		"ICMP: our outer packet ran out of hops (RFC 2003 4)")         \
	VERDICT(rx_icmp_other, PASS, REPORT, ICMP,                             \
		"ICMP: another error about our outer packet (RFC 2003 4)")     \
	VERDICT(rx_bad_outer, DROP, REPORT, PEER,                              \
		"outer header malformed or longer than the packet")            \
	VERDICT(rx_bad_checksum, DROP, REPORT, PEER,                           \
		"outer IPv4 header checksum wrong (RFC 791 3.1)")              \
	VERDICT(rx_bad_version, DROP, REPORT, PEER,                            \
		"inner version does not fit the outer protocol number")        \
	VERDICT(rx_bad_inner, DROP, REPORT, PEER,                              \
		"inner header malformed or longer than the outer says")        \
	VERDICT(rx_martian, DROP, REPORT, PEER,                                \
		"inner source loopback, multicast, unspecified or "            \
		"v4-mapped (RFC 4213 3.6)")                                    \
	VERDICT(rx_own_source, DROP, REPORT, PEER,                             \
		"inner source is an address of this host (RFC 4213 3.6)")      \
	VERDICT(rx_not_allowed, DROP, REPORT, PEER,                            \
		"inner source not in the peer's allowed prefixes "             \
		"(RFC 4213 3.6)")                                              \
	VERDICT(rx_borrowed, DROP, REPORT, BARE,                               \
		"a tunnelled prefix as source, but without the tunnel")        \
	VERDICT(rx_ecn, DROP, REPORT, PEER,                                    \
		"outer CE on an inner packet without ECN (RFC 6040 4.2)")      \
	VERDICT(rx_stale_peer, DROP, REPORT, PEER,                             \
		"the maps name a peer that does not exist")                    \
	VERDICT(rx_error, DROP, REPORT, PEER,                                  \
		"the kernel refused to shorten the packet")                    \
	VERDICT(rx_neighbour, DROP, REPORT, PEER,                              \
		"inner packet that only a neighbour on the wire may send: "    \
		"neighbour discovery (RFC 4861 11.2), link-local, "            \
		"broadcast or link-scope multicast destination "               \
		"(RFC 3927 2.7, 4291 2.5.6)")                                  \
	VERDICT(rx_gateway, DROP, REPORT, WIRE,                                \
		"ARP or neighbour discovery from the wire that claims a "      \
		"gateway's address")                                           \
	VERDICT(rx_forward, TUNNEL, QUIET, PEER,                               \
		"decapsulated and forwarded in XDP (forward = xdp)")           \
	VERDICT(rx_low_ttl, DROP, REPORT, PEER,                                \
		"outer TTL or hop limit below the peer's min-ttl (RFC 5082)")  \
	VERDICT(rx_rate, DROP, REPORT, PEER,                                   \
		"more packets a second than the peer's rate")                  \
	VERDICT(rx_no_vrf, DROP, REPORT, PEER,                                 \
		"the peer's VRF is not there")                                 \
	VERDICT(tx_encap, TUNNEL, QUIET, HOST, "encapsulated")                 \
	VERDICT(tx_plain, PASS, QUIET, HOST, "not to a gateway, left alone")   \
	VERDICT(tx_tunnelled, PASS, QUIET, HOST,                               \
		"already on its way to the endpoint, left alone "              \
		"(RFC 2473 4.1.2)")                                            \
	VERDICT(tx_loop, DROP, REPORT, HOST,                                   \
		"inner source is the peer's endpoint (RFC 2003 3.2)")          \
	VERDICT(tx_too_big, DROP, REPORT, HOST,                                \
		"larger than the peer's MTU "                                  \
		"(RFC 2003 5.1, 2473 7, 4213 3.2)")                            \
	VERDICT(tx_bad_inner, DROP, REPORT, HOST,                              \
		"inner header malformed or longer than the packet")            \
	VERDICT(tx_stale_peer, DROP, REPORT, HOST,                             \
		"to the gateway of a peer that does not exist")                \
	VERDICT(tx_error, DROP, REPORT, HOST,                                  \
		"the kernel refused to lengthen the packet")                   \
	VERDICT(tx_waiting, DROP, REPORT, HOST,                                \
		"the peer waits for its endpoint's or our own address")        \
	VERDICT(tx_no_source, DROP, REPORT, HOST,                              \
		"the outer source is no address of the interface now")         \
	VERDICT(tx_not_routed, DROP, REPORT, HOST,                             \
		"to a gateway, but not routed there by this host: from a "     \
		"bridge, macvlan or packet socket")                            \
	VERDICT(tx_neighbour, DROP, REPORT, HOST,                              \
		"to a gateway, but must not leave its link: link-local, no "   \
		"IP")                                                          \
	VERDICT(tx_fragmented, TUNNEL, QUIET, HOST,                            \
		"larger than the peer's MTU, sent in fragments that are "      \
		"counted themselves (RFC 791 3.2, 2003 5.1)")                  \
	VERDICT(tx_redirect, DROP, REPORT, HOST,                               \
		"ICMP redirect to a gateway, which is nobody else's "          \
		"neighbour (RFC 792, RFC 4861 8)")                             \
	VERDICT(tx_answered, ANSWER, QUIET, HOST,                              \
		"ARP request or neighbour solicitation for a gateway")         \
	VERDICT(tx_forward, TUNNEL, QUIET, HOST,                               \
		"forwarded in XDP and encapsulated (forward = xdp)")
/* clang-format on */

enum tl_fate { TL_FATE_TUNNEL, TL_FATE_PASS, TL_FATE_DROP, TL_FATE_ANSWER };
enum tl_report { TL_REPORT, TL_QUIET };
enum tl_from {
	TL_FROM_PEER,
	TL_FROM_WIRE,
	TL_FROM_BARE,
	TL_FROM_ICMP,
	TL_FROM_HOST
};

#define TL_VERDICT_ENUM(name, fate, report, from, text) TL_##name,
enum tl_verdict { TL_VERDICTS(TL_VERDICT_ENUM) TL_VERDICT_COUNT };
#undef TL_VERDICT_ENUM

#endif
