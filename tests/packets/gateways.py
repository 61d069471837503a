# SPDX-License-Identifier: GPL-2.0-only
"""Gateways as neighbours: requests for one are answered at once, and packets
from the wire must not claim to be one. The known next hops of outer
packets."""

from socket import AF_INET6, inet_pton

from scapy.layers.inet import ICMP, IP, IPOption_NOP
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr,
                                ICMPv6NDOptUnknown, IPv6)
from scapy.layers.l2 import ARP

from . import wire
from .case import (EMPTY, LOCAL, MAIN, NESTED, PEER, US, World, rx, table, tx)
from .egress import BY_ID, BY_IDS, outgoing
from .icmp import ERROR, TOO_BIG, quoted
from .plain import FAR
from .refused import fragment_header
from .wire import COMBOS, combo_name, eth, ip, udp
from .world import NO_PEER, gateway, gateway_mac

OUR_MAC, BROADCAST = wire.ETH[6:], b"\xff" * 6
ROUTER_MAC = bytes.fromhex("020000000099")
LINK_LOCAL = "fe80::ff:fe00:2"
NOBODY = 0x0c0b0a  # no peer's id in either world
NONCE = ICMPv6NDOptUnknown(type=14, len=1, data=b"nonce!")  # RFC 3971 5.3.2


def text(mac):
    return ":".join(f"{byte:02x}" for byte in mac)


def arp(op, src, dst, sha=OUR_MAC, tha=bytes(6)):
    return bytes(ARP(op=op, hwsrc=text(sha), psrc=src, hwdst=text(tha),
                     pdst=dst))


def odd_arp(packet):
    """An ARP packet with another type or length of addresses, whose fields
    stay where those of IPv4 over Ethernet are (scapy would move them)."""
    for what, at, value in [("network", 0, b"\0\6"),
                            ("protocol", 2, b"\x86\xdd"),
                            ("length of hardware addresses", 4, b"\x08"),
                            ("length of addresses", 5, b"\x10")]:
        yield (f"of another {what}",
               packet[:at] + value + packet[at + len(value):])
    yield "cut off", packet[:27]


def frame(name, to, ethertype, payload, verdict, rfc, peer=None, **more):
    """An egress case for that frame."""
    case = tx(name, payload if ethertype != 0x0806 else udp(
        4, US[4], FAR[4]), verdict, rfc, peer, to=to, size=len(payload),
        **more)
    case.data = eth(payload, ethertype, to=to)
    return case


WORLDS = [(MAIN, [PEER[4], PEER[6], NESTED[4]]), (BY_ID, BY_IDS.values())]


@table
def arp_requests():
    """RFC 826: the answer has the fields swapped, in a frame to the
    requester."""
    for world, peers in WORLDS:
        for peer in peers:
            asked = gateway(4, peer.id)
            for what, to, src, pad in (
                    ("broadcast", BROADCAST, US[4], b""),
                    ("probed", peer.mac, "240.9.9.9", b""),
                    ("of no address (RFC 5227)", BROADCAST, "0.0.0.0", b""),
                    ("padded", BROADCAST, LOCAL[4], bytes(18))):
                answer = eth(arp(2, asked, src, sha=peer.mac, tha=OUR_MAC),
                             0x0806, to=OUR_MAC)
                yield frame(f"ARP for {asked}, {what}", to, 0x0806,
                            arp(1, src, asked) + pad, "tx_answered",
                            "RFC 826", peer, world=world,
                            out=answer[:6] + peer.mac + answer[12:] + pad)
    for world, ident in ((MAIN, 99), (BY_ID, NOBODY), (MAIN, NO_PEER),
                         (EMPTY, 1)):
        asked = gateway(4, ident)
        for to in (BROADCAST, gateway_mac(ident)):
            yield frame(f"ARP for {asked} of nobody to {text(to)}", to,
                        0x0806, arp(1, US[4], asked), "tx_stale_peer",
                        "design 3", world=world)


@table
def other_arp():
    """ARP about real neighbours of the interface, and packets that no stack
    sends."""
    asked = gateway(4, PEER[4].id)
    for what, packet in [
            *((f"request for {dst}", arp(1, US[4], dst)) for dst in (
                "10.1.0.9", "239.0.0.1", "241.0.0.1", "112.0.0.1", "0.0.0.1",
                "1.0.0.240")),
            ("reply to a gateway", arp(2, US[4], asked)),
            ("request of a gateway", arp(1, asked, "10.1.0.9")),
            ("reverse request", arp(3, US[4], asked)),
            *odd_arp(arp(1, US[4], asked))]:
        yield frame(f"ARP: {what}", BROADCAST, 0x0806, packet, "tx_plain",
                    "RFC 826")
        yield frame(f"ARP to a gateway's MAC: {what}", PEER[4].mac, 0x0806,
                    packet, "tx_neighbour", "design 5", PEER[4])


def solicitation(target, src=LINK_LOCAL, dst=None, options=(), code=0):
    """RFC 4861 4.3; by default to the target's multicast address."""
    if dst is None:
        dst = _nsma(target)
    packet = IPv6(src=src, dst=dst, hlim=255) / ICMPv6ND_NS(tgt=target,
                                                            code=code)
    for option in options:
        packet /= option
    return bytes(packet)


def _nsma(target):
    """The solicited-node multicast address (RFC 4291 2.7.1)."""
    last = inet_pton(AF_INET6, target)[13:].hex()
    return f"ff02::1:ff{last[:2]}:{last[2:]}"


def multicast_mac(dst):
    """RFC 2464 7."""
    return b"\x33\x33" + inet_pton(AF_INET6, dst)[12:]


def advertisement(peer, dst, solicited=1):
    """RFC 4861 4.4, 7.2.4; behind its Ethernet header."""
    packet = bytes(
        IPv6(src=gateway(6, peer.id), dst=dst, hlim=255)
        / ICMPv6ND_NA(R=0, S=solicited, O=1, tgt=gateway(6, peer.id))
        / ICMPv6NDOptDstLLAddr(lladdr=text(peer.mac)))
    return OUR_MAC + peer.mac + b"\x86\xdd" + packet


@table
def solicitations():
    ours = ICMPv6NDOptSrcLLAddr(lladdr=text(OUR_MAC))
    for world, peers in WORLDS:
        for peer in peers:
            asked = gateway(6, peer.id)
            group = multicast_mac(_nsma(asked))
            for what, to, packet in (
                    ("multicast", group, solicitation(asked, options=[ours])),
                    ("of a global address", group, solicitation(
                        asked, LOCAL[6], options=[ours])),
                    ("without an option", group, solicitation(asked)),
                    ("with a nonce", group, solicitation(
                        asked, options=[ours, NONCE])),
                    ("with a nonce alone", group, solicitation(
                        asked, options=[NONCE])),
                    ("probed", peer.mac, solicitation(
                        asked, dst=asked, options=[ours])),
                    ("probed without an option", peer.mac, solicitation(
                        asked, LOCAL[6], dst=asked))):
                src = LOCAL[6] if packet[8:10] == b"\x20\1" else LINK_LOCAL
                yield frame(f"solicitation for {asked}, {what}", to, 0x86dd,
                            packet, "tx_answered", "RFC 4861 7.2.4", peer,
                            world=world, out=advertisement(peer, src))
            yield frame(f"duplicate of {asked}?", group, 0x86dd,
                        solicitation(asked, "::", options=[NONCE]),
                        "tx_answered", "RFC 4861 7.2.4, 4862 5.4", peer,
                        world=world, out=advertisement(peer, "ff02::1", 0))
    for world, ident in ((MAIN, 99), (BY_ID, NOBODY), (MAIN, NO_PEER),
                         (EMPTY, 1)):
        asked = gateway(6, ident)
        for to in (multicast_mac(_nsma(asked)), gateway_mac(ident)):
            yield frame(f"solicitation for {asked} of nobody to {text(to)}",
                        to, 0x86dd, solicitation(asked), "tx_stale_peer",
                        "design 3", world=world)


NO_GATEWAYS = ["fe80::74:6e:100:1", "fe80::74:6e:8000:1", "fe80::74:6f:0:1",
               "fe80::75:6e:0:1", "fe80::1:74:6e:0:1", "fe80:1::74:6e:0:1",
               "fe80:0:0:1:74:6e:0:1", "fec0::74:6e:0:1", "fe81::74:6e:0:1",
               "fd80::74:6e:0:1", "fe80::1", "2001:db8::74:6e:0:1"]


@table
def other_discovery():
    """Neighbour discovery about real neighbours of the interface."""
    asked = gateway(6, PEER[6].id)
    group = multicast_mac(_nsma(asked))
    for target in NO_GATEWAYS:
        yield frame(f"solicitation for {target}", multicast_mac(
            _nsma(target)), 0x86dd, solicitation(target), "tx_plain",
            "RFC 4861 7.2.2")
        yield frame(f"solicitation for {target} to a gateway", PEER[6].mac,
                    0x86dd, solicitation(target), "tx_neighbour",
                    "RFC 4291 2.7", PEER[6])
    base = IPv6(src=LINK_LOCAL, dst="ff02::1", hlim=255)
    for what, packet in [
            ("an advertisement", bytes(base / ICMPv6ND_NA(tgt=asked))),
            ("a redirect to a router", bytes(
                base / ICMPv6ND_Redirect(tgt="fe80::1"))),
            ("a router solicitation", bytes(base / ICMPv6ND_RS())),
            ("a query", ip(6, LINK_LOCAL, "ff02::1", 58, b"\x82" + bytes(7)
                           + inet_pton(AF_INET6, asked))),
            ("UDP that looks like one", ip(6, LINK_LOCAL, "ff02::1", 17,
                                           solicitation(asked)[40:])),
            ("one that is cut off", solicitation(asked)[:63]),
            ("an echo request", bytes(base / ICMPv6EchoRequest()))]:
        yield frame(f"multicast: {what}", group, 0x86dd, packet, "tx_plain",
                    "RFC 4861 4.3")
    yield frame("a solicitation to a real neighbour", wire.ETH[:6], 0x86dd,
                solicitation(asked), "tx_plain", "design 5")


@table
def claims_by_arp():
    """The kernel would learn the sender of any ARP packet (RFC 826)."""
    for src, verdict in [
            ("240.0.0.1", "rx_gateway"), ("240.0.0.0", "rx_gateway"),
            ("240.255.255.255", "rx_gateway"), ("239.255.255.255",
                                                "rx_plain"),
            ("241.0.0.0", "rx_plain"), ("10.1.0.9", "rx_plain"),
            ("0.0.0.0", "rx_plain"), ("1.0.0.240", "rx_plain")]:
        for op in (1, 2):
            for dst in (LOCAL[4], src, "240.0.0.7"):
                packet = arp(op, src, dst, sha=ROUTER_MAC, tha=OUR_MAC)
                for pad in (b"", bytes(18)):
                    yield rx(f"ARP {op} from {src} to {dst}, {len(pad)} more",
                             eth(packet + pad, 0x0806), verdict, "RFC 826",
                             size=len(packet + pad))
    for what, packet in odd_arp(arp(2, "240.0.0.1", LOCAL[4])):
        yield rx(f"ARP received: {what}", eth(packet, 0x0806), "rx_plain",
                 "RFC 826")


def discovery(kind, src, target, hlim=255):
    """A message of RFC 4861 4 about target, in whose option is a MAC."""
    mac = text(ROUTER_MAC)
    layer = {"solicitation": ICMPv6ND_NS(tgt=target)
             / ICMPv6NDOptSrcLLAddr(lladdr=mac),
             "advertisement": ICMPv6ND_NA(tgt=target, O=1)
             / ICMPv6NDOptDstLLAddr(lladdr=mac),
             "redirect": ICMPv6ND_Redirect(tgt=target, dst=FAR[6])
             / ICMPv6NDOptDstLLAddr(lladdr=mac),
             "router": ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=mac),
             "router solicitation": ICMPv6ND_RS()
             / ICMPv6NDOptSrcLLAddr(lladdr=mac)}[kind]
    return bytes(IPv6(src=src, dst=LOCAL[6], hlim=hlim) / layer)


GATEWAYS6 = ["fe80::74:6e:0:0", "fe80::74:6e:0:7", "fe80::74:6e:ff:ffff",
             "fe80::74:6e:a:b0c"]
CLAIMS = ("advertisement", "redirect")  # of an address of their target


@table
def claims_by_discovery():
    router = "fe80::99"
    for kind in ("solicitation", "advertisement", "redirect", "router",
                 "router solicitation"):
        for src in GATEWAYS6:
            yield rx(f"{kind} from {src}", eth(discovery(
                kind, src, router)), "rx_gateway", "RFC 4861 7.2.3, 7.2.5")
        for src in NO_GATEWAYS:
            yield rx(f"{kind} from {src}", eth(discovery(
                kind, src, router)), "rx_plain", "RFC 4861 7.2.3, 7.2.5")
        if kind.startswith("router"):
            continue
        for target in GATEWAYS6:
            yield rx(f"{kind} about {target}", eth(discovery(
                kind, router, target)),
                "rx_gateway" if kind in CLAIMS else "rx_plain",
                "RFC 4861 4.4, 4.5")
        for target in NO_GATEWAYS:
            yield rx(f"{kind} about {target}", eth(discovery(
                kind, router, target)), "rx_plain", "RFC 4861 4.4, 4.5")
    for kind in CLAIMS:
        packet = discovery(kind, router, GATEWAYS6[1])
        for chain in ([0], [60], [0, 60, 60, 60]):
            nh, data = wire.opt_chain(chain, 58, packet[40:])
            yield rx(f"{kind} behind {chain}", eth(ip(
                6, router, LOCAL[6], nh, data, ttl=255)), "rx_gateway",
                "RFC 8200 4")
        yield rx(f"{kind} in a fragment", eth(ip(
            6, router, LOCAL[6], 44, fragment_header(58, 1, 0) + packet[40:],
            ttl=255)), "rx_plain", "RFC 6980 5")
        yield rx(f"{kind} cut off", eth(packet[:63]), "rx_plain",
                 "RFC 4861 7.1.2")
        yield rx(f"{kind} cut off behind its target", eth(packet[:64]),
                 "rx_gateway", "RFC 4861 7.1.2")


@table
def other_packets_of_gateways():
    """A gateway is not on the wire, so packets from one are refused."""
    for src in GATEWAYS6:
        for what, packet in [
                ("udp", udp(6, src, LOCAL[6])),
                ("bare header", ip(6, src, LOCAL[6], 59)),
                ("echo", bytes(IPv6(src=src, dst=LOCAL[6])
                               / ICMPv6EchoRequest())),
                ("fragment", ip(6, src, LOCAL[6], 44, fragment_header(
                    17, 0, 7) + bytes(32))),
                ("error", ERROR[6](*TOO_BIG[6], quoted(4, 6), src=src))]:
            yield rx(f"{what} from {src}", eth(packet), "rx_gateway",
                     "design 3")
    # A gateway's IPv4 address matters only as an ARP sender: no stack accepts
    # it as a source.
    yield rx("IPv4 from a gateway", eth(udp(4, "240.0.0.1", LOCAL[4])),
             "rx_plain", "RFC 1112 4")


# A header that the kernel has found, with times before and after its expiry.
TO_ROUTER = ROUTER_MAC + bytes.fromhex("0200000000aa")
LATER, LONG_AGO = 2 ** 62, 1


def next_hop_world(ident, until, of=None):
    """A peer of each outer family, and the next hops in their slots; `of`: the
    id in the slot, if it is another peer's."""
    world = World()
    peers = {outer: world.peer(PEER[outer].endpoint, LOCAL[outer],
                               ident=ident + n)
             for n, outer in enumerate((4, 6))}
    for peer in peers.values():
        world.next_hops[peer.id + (of or 0)] = until, TO_ROUTER
    return world, peers


@table
def next_hops():
    """A known next hop is used: the frame leaves at once. An expired one, or
    another peer's, is not used."""
    for what, ident, until, of in (
            ("known", 1, LATER, None), ("known of 1025", 1025, LATER, None),
            ("known of 0xfffc01", 0xfffc01, LATER, None),
            ("too old", 1, LONG_AGO, None), ("never known", 1, 0, None),
            ("another peer's", 1, LATER, 1024),
            ("another's", 1025, LATER, -1024)):
        world, peers = next_hop_world(ident, until, of)
        usable = what.startswith("known")
        for inner, outer in COMBOS:
            name, peer = combo_name(inner, outer), peers[outer]
            packet = outgoing(outer, inner)
            out = eth(wire.to_peer(peer, packet), to=peer.mac)
            if usable:
                out = TO_ROUTER + out[12:]
            yield tx(f"{name} next hop {what}", packet, "tx_encap",
                     "design 3", peer, world=world, out=out,
                     redirect=not usable)
            yield tx(f"{name} already tunnelled, next hop {what}",
                     wire.to_peer(peer, packet), "tx_tunnelled",
                     "RFC 2473 4.1.2", peer, world=world)
            if usable:
                yield tx(f"{name} to no gateway, next hop {what}", packet,
                         "tx_plain", "design 5", world=world)
    world, peers = next_hop_world(1, LATER)
    for inner, outer in COMBOS:
        dst = {4: "169.254.1.1", 6: "fe80::1"}[inner]
        yield tx(f"{combo_name(inner, outer)} link-local, next hop known",
                 udp(inner, US[inner], dst), "tx_neighbour",
                 "RFC 3927 2.7, 4291 2.5.6", peers[outer], world=world)


def redirect4(via, options=()):
    """RFC 792: use that gateway for the quoted packet."""
    return bytes(IP(src=LOCAL[4], dst=FAR[4], options=list(options))
                 / ICMP(type=5, code=1, gw=via) / quoted4())


def other_type(packet):
    """The same bytes in an ICMP message of another type."""
    return packet[:20] + b"\3" + packet[21:]


def quoted4():
    return udp(4, FAR[4], US[4])[:28]


def redirect6(target, kind=ICMPv6ND_Redirect):
    """RFC 4861 4.5."""
    return bytes(IPv6(src=LINK_LOCAL, dst=FAR[6], hlim=255)
                 / kind(tgt=target, dst=FAR[6]))


@table
def redirects():
    """Redirects to other hosts about our gateways: the kernel sends them if a
    packet leaves by the interface that it came in by."""
    for to, peer in ((ROUTER_MAC, PEER[4]), (PEER[6].mac, PEER[6])):
        for name, packet in [
                ("IPv4", redirect4(gateway(4, peer.id))),
                ("IPv4 with options", redirect4(
                    gateway(4, peer.id), options=[IPOption_NOP()] * 4)),
                ("IPv6", redirect6(gateway(6, peer.id)))]:
            yield frame(f"{name} redirect to a gateway, to {text(to)}", to,
                        0x0800 if packet[0] >> 4 == 4 else 0x86dd, packet,
                        "tx_redirect", "RFC 792, RFC 4861 8", peer)
    for name, packet in [
            ("IPv4 redirect to a router", redirect4("10.1.0.254")),
            ("IPv4 error with a gateway's address", other_type(redirect4(
                gateway(4, PEER[4].id)))),
            ("IPv4 redirect cut off", redirect4(
                gateway(4, PEER[4].id))[:27]),
            ("IPv6 redirect to a router", redirect6("fe80::1")),
            ("IPv6 redirect cut off", redirect6(
                gateway(6, PEER[4].id))[:63])]:
        yield frame(name, ROUTER_MAC,
                    0x0800 if packet[0] >> 4 == 4 else 0x86dd, packet,
                    "tx_plain", "RFC 792, RFC 4861 8")
