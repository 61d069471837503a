# SPDX-License-Identifier: GPL-2.0-only
"""Packets without a tunnel: left alone, unless their source is in a tunnelled
prefix (borrowed)."""

from . import wire
from .case import (DEFAULT, EMPTY, LOCAL, NESTED, PEER, STRANGER, SUSPENDED,
                   UNGUARDED, US, make_default, net, rx, table, tx)
from .ingress import DSTOPT, HBH, NOP4
from .refused import fragment_header, routing_header
from .wire import ETH, eth, ip, tcp, udp

FAR = {4: "203.0.113.9", 6: "2001:db8:9::9"}
ARP = bytes.fromhex("0001080006040001" "020000000002" "0a010009"
                    "000000000000" "ac160202")


def other_packets(version):
    """(name, packet) of other packets from a peer's endpoint."""
    src, dst = PEER[version].endpoint, LOCAL[version]
    yield "udp", udp(version, src, dst)
    yield "tcp", tcp(version, src, dst, flags="S")
    for proto in (0xfd, 50, 51, 47, 3, 5, 40, 42, 132):
        yield f"protocol {proto}", ip(version, src, dst, proto, b"\x45" * 40)
    yield "empty", ip(version, src, dst, 59)
    yield "from a router", udp(version, FAR[version], dst)


@table
def left_alone():
    for version in (4, 6):
        for name, packet in other_packets(version):
            yield rx(f"IPv{version} {name}", eth(packet), "rx_plain",
                     "RFC 2003 3.1")
            yield rx(f"IPv{version} {name}, no peers", eth(packet),
                     "rx_plain", "RFC 2003 3.1", world=EMPTY)
    src, dst = PEER[6].endpoint, LOCAL[6]
    inner = udp(4, net(6, 4), US[4])
    for name, kind in [("authentication", 51),
                       ("mobility", 135), ("shim6", 140)]:
        head = bytes([4, 0]) + bytes(6)
        yield rx(f"4in6 behind a {name} header",
                 eth(ip(6, src, dst, kind, head + inner)), "rx_plain",
                 "RFC 8200 4")
    for left in (1, 255):
        yield rx(f"4in6 behind a routing header, {left} segments left",
                 eth(ip(6, src, dst, 43, routing_header(4, left) + inner)),
                 "rx_plain", "RFC 8200 4.4")
    for name, data in (
            ("routing", routing_header(17, 0) + b"u" * 16),
            ("atomic fragment", fragment_header(17, 0, 0) + b"u" * 16)):
        yield rx(f"udp behind a header: {name}", eth(ip(
            6, src, dst, 43 if name == "routing" else 44, data)), "rx_plain",
            "RFC 8200 4")
    nh, data = wire.opt_chain([HBH, DSTOPT], 17, b"u" * 16)
    yield rx("udp behind options", eth(ip(6, src, dst, nh, data)),
             "rx_plain", "RFC 8200 4")
    yield rx("udp fragment behind options", eth(ip(
        6, src, dst, HBH, wire.opt_header(44) + fragment_header(17, 1, 0)
        + b"u" * 16)), "rx_plain", "RFC 8200 4.5")


@table
def not_ip():
    """Other EtherTypes; the frame is not read any further."""
    inner = udp(4, net(4, 4), US[4])
    tunnel = ip(4, PEER[4].endpoint, LOCAL[4], 4, inner)
    for name, ethertype, payload in [
            ("arp", 0x0806, ARP), ("lldp", 0x88cc, b"\x02\x07\x04"),
            ("mpls", 0x8847, b"\0\0\1\x40" + tunnel),
            ("pppoe", 0x8864, b"\x11\0\0\1\0\x50\0\x21" + tunnel),
            ("802.3 length", 60, tunnel), ("macsec", 0x88e5, tunnel),
            ("loopback", 0x9000, tunnel), ("zero", 0, tunnel)]:
        yield rx(f"{name} received", eth(payload, ethertype), "rx_plain",
                 "RFC 894")
        yield sent(f"{name} sent", eth(payload, ethertype))
    for version, ethertype in ((4, 0x86dd), (6, 0x0800)):
        packet = udp(version, US[version], net(4, version))
        yield rx(f"IPv{version} under the other EtherType received",
                 eth(packet, ethertype), "rx_plain", "RFC 2464 3")
        yield sent(f"IPv{version} under the other EtherType sent",
                   eth(packet, ethertype))


def sent(name, frame):
    case = tx(name, udp(4, US[4], FAR[4]), "tx_plain", "RFC 894")
    case.data, case.size = frame, len(frame) - 14
    return case


@table
def xdp_only_ethernet():
    yield rx("nothing behind the Ethernet header", ETH + b"\x08\0",
             "rx_plain", "RFC 894", hook="xdp")
    yield rx("a VLAN tag cut off", ETH + b"\x81\0\0", "rx_plain",
             "IEEE 802.1Q", hook="xdp", size=-1)


def borrowers(version, src):
    """(name, packet) of all kinds of plain packets from src."""
    dst = US[version]
    yield "udp", udp(version, src, dst)
    yield "tcp", tcp(version, src, dst, flags="S")
    yield "to our outer address", udp(version, src, LOCAL[version])
    yield "bare header", ip(version, src, dst, 59)
    for inner in (4, 6):
        packet = udp(inner, net(4, inner), US[inner])
        yield f"tunnel of version {inner}", ip(
            version, src, LOCAL[version], wire.PROTO[inner], packet)
    if version == 4:
        yield "options", udp(4, src, dst, options=NOP4)
        yield "fragment", ip(4, src, dst, 17, b"f" * 32, flags="MF", frag=9)
        yield "icmp error", ip(4, src, dst, 1, b"\3\1" + bytes(40))
    else:
        yield "options", ip(6, src, dst, HBH, wire.opt_header(17) + b"u" * 8)
        yield "fragment", ip(6, src, dst, 44,
                             fragment_header(17, 0, 7) + b"f" * 32)
        yield "routing header", ip(6, src, dst, 43, b"\x11\0\4\0" + bytes(12))


@table
def borrowed():
    """A tunnelled prefix as source, without the tunnel."""
    for version in (4, 6):
        for outer in (4, 6):
            for peers, k, src in ((PEER, outer, net(outer, version)),
                                  (NESTED, outer, nested(outer, version))):
                for name, packet in borrowers(version, src):
                    yield rx(f"IPv{version} {src} borrowed: {name}",
                             eth(packet), "rx_borrowed", "RFC 4213 3.6",
                             peers[k])


def nested(outer, version):
    k = {4: 1, 6: 2}[outer]
    return f"10.{k}.3.9" if version == 4 else f"fd00:{k}:3::9"


@table
def not_borrowed():
    """Sources that are not guarded: exceptions, our own, unguarded prefixes,
    neighbours of the prefix."""
    for version, sources in [
            (4, ["10.1.3.128", "10.1.3.255", "10.1.0.5", "10.7.0.1",
                 "10.0.255.255", "10.3.0.0", "8.8.8.8"]),
            (6, ["fd00:1:3:8000::1", "fd00:1::5", "fd00:7::1",
                 "fd00:0:ffff::", "fd00:3::", "fe80::1", "2001:db8:8::8"])]:
        for src in sources:
            yield rx(f"IPv{version} {src} plain",
                     eth(udp(version, src, US[version])), "rx_plain",
                     "RFC 4213 3.6")
        for outer in (4, 6):
            src = net(outer, version)
            yield rx(f"IPv{version} {src}, guard suspended",
                     eth(udp(version, src, US[version])), "rx_plain",
                     "RFC 4213 3.6", world=SUSPENDED)
            yield rx(f"IPv{version} {src}, default route unguarded",
                     eth(udp(version, src, US[version])), "rx_plain",
                     "RFC 4213 3.6", world=DEFAULT[outer][0])
    packet = udp(4, "10.7.0.9", US[4])
    yield rx("unguarded peer's tunnel", eth(wire.from_peer(
        UNGUARDED, packet)), "rx_decap", "RFC 4213 3.6", UNGUARDED, packet)


@table
def guarded_default_route():
    """With a guarded default route, only the tunnel's packets and exceptions
    pass."""
    for outer in (4, 6):
        world, peer = make_default(PEER[outer].endpoint, outer, guard=1)
        world.prefix("203.0.113.0/24")
        world.prefix("2001:db8:9::/48")
        for version in (4, 6):
            src = {4: "8.8.8.8", 6: "2001:db8:8::8"}[version]
            yield rx(f"IPv{version} {src}, guarded default route in "
                     f"IPv{outer}", eth(udp(version, src, US[version])),
                     "rx_borrowed", "RFC 4213 3.6", peer, world=world)
            yield rx(f"IPv{version} exception of a guarded default route in "
                     f"IPv{outer}", eth(udp(version, FAR[version],
                                            US[version])),
                     "rx_plain", "RFC 4213 3.6", world=world)
            packet = udp(version, src, US[version])
            yield rx(f"IPv{version} through the tunnel of a guarded default "
                     f"route in IPv{outer}", eth(wire.from_peer(
                         peer, packet)), "rx_decap", "RFC 4213 3.6", peer,
                     packet, world=world)


@table
def strangers_tunnels_guarded():
    """The guard also checks protocol 4/41 of unknown sources, see borrowers();
    from unguarded sources these pass to the kernel."""
    for version in (4, 6):
        for inner in (4, 6):
            packet = ip(version, STRANGER[version], LOCAL[version],
                        wire.PROTO[inner], udp(inner, net(4, inner),
                                               US[inner]))
            yield rx(f"{inner}in{version} of a stranger, guard on",
                     eth(packet), "rx_no_peer", "RFC 4213 3.6")
