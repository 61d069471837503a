# SPDX-License-Identifier: GPL-2.0-only
"""Encapsulation: outer header, refusals, sizes."""

from . import wire
from .case import (DEFAULT, EMPTY, LOCAL, MAIN, NESTED, PEER, UNGUARDED, US,
                   World, net, rx, table, tx)
from .ingress import NOP4, inner_packet, kinds, kinds4, kinds6
from .plain import ARP, FAR, nested
from .wire import COMBOS, combo_name, eth, exactly, ip, tcp, udp
from .world import gateway_mac


def outgoing(outer, inner, **fields):
    return udp(inner, US[inner], net(outer, inner), **fields)


def turned(packet):
    """Source and destination exchanged: checksums stay right."""
    at, size = (12, 4) if wire.version(packet) == 4 else (8, 16)
    src, dst = packet[at:at + size], packet[at + size:at + 2 * size]
    return packet[:at] + dst + src + packet[at + 2 * size:]


@table
def inner_kinds():
    for inner, outer in COMBOS:
        more = kinds4(outer) if inner == 4 else kinds6(outer)
        for name, packet in [*kinds(outer, inner), *more]:
            yield tx(f"{combo_name(inner, outer)} {name} sent",
                     turned(packet), "tx_encap", "RFC 2003 3.1, 2473 3",
                     PEER[outer])


@table
def destinations():
    """A packet that is routed to a gateway goes into its peer's tunnel,
    whatever the allowed prefixes are (docs/architecture.md), also to prefixes
    of others and our own addresses."""
    for inner, outer in COMBOS:
        k, other = (1, 2) if outer == 4 else (2, 1)
        anywhere = {4: [f"10.{k}.0.0", f"10.{k}.255.255", f"10.{k}.3.1",
                        f"10.{k}.3.128", f"10.{k}.0.5", f"10.{other}.0.9",
                        "10.99.0.1", "172.22.2.2", "8.8.8.8", "1.0.0.0",
                        "126.255.255.255", "128.0.0.1", "169.253.255.255",
                        "169.255.0.0", "223.255.255.255", "224.0.1.0",
                        "225.0.0.1", "239.255.255.255"],
                    6: [f"fd00:{k}::", f"fd00:{k}:ffff:ffff::",
                        f"fd00:{k}:3::1", f"fd00:{k}:3:8000::",
                        f"fd00:{k}::5", f"fd00:{other}::9", "fd00:99::1",
                        "fd00:22::2", "2000::1", "::", "::1", "fe7f::1",
                        "fec0::1", "ff03::1", "ff05::1", "ff15::1",
                        "ff0e::1"]}[inner]
        for dst in anywhere:
            packet = udp(inner, US[inner], dst)
            for peer in (PEER[outer], NESTED[outer]):
                yield tx(f"{combo_name(inner, outer)} to {dst} by peer "
                         f"{peer.id}", packet, "tx_encap",
                         "architecture.md", peer)
            yield tx(f"{combo_name(inner, outer)} to {dst}, to no gateway",
                     packet, "tx_plain", "verdicts.h")
    for inner in (4, 6):
        yield tx(f"{inner}in4 to an unguarded peer",
                 udp(inner, US[inner], {4: "10.7.0.1", 6: "fd00:7::1"}[inner]),
                 "tx_encap", "architecture.md", UNGUARDED)


# Ids with different bytes, and the greatest one; none shares a slot with
# another, of 256.
IDS = 0x0a0b0c, 0xffffff, 0x010002, 0x000103


def worlds_of_ids():
    """Peers of either outer family by their id."""
    world, peers = World(), {}
    for n, ident in enumerate(IDS):
        outer = 6 if n % 2 else 4
        end = f"198.51.100.{n + 1}" if outer == 4 else f"2001:db8:2::{n}"
        peers[ident] = world.peer(end, LOCAL[outer], [], ident=ident)
    return world, peers


BY_ID, BY_IDS = worlds_of_ids()


@table
def gateways():
    """02:74:6e and the id, big endian (docs/architecture.md)."""
    for inner in (4, 6):
        packet = udp(inner, US[inner], net(4, inner))
        for ident, peer in BY_IDS.items():
            yield tx(f"IPv{inner} to the gateway of peer {ident:#x}", packet,
                     "tx_encap", "architecture.md", peer, world=BY_ID)
        for near in ("03746e0a0b0c", "00746e0a0b0c", "02756e0a0b0c",
                     "02746f0a0b0c", "0c0b0a6e7402", "ffffffffffff",
                     "01005e746e0a"):
            yield tx(f"IPv{inner} to {near}", packet, "tx_plain", "verdicts.h",
                     world=BY_ID, to=bytes.fromhex(near))


@table
def stale():
    """Packets to a gateway without a peer are never sent."""
    for inner, dst in ((4, "10.99.0.1"), (6, "fd00:99::1")):
        for world, ident in ((MAIN, 99), (MAIN, 0), (BY_ID, 0x0c0b0a),
                             (BY_ID, 0xffff), (EMPTY, 1)):
            yield tx(f"IPv{inner} to absent peer {ident:#x}",
                     udp(inner, US[inner], dst), "tx_stale_peer", "verdicts.h",
                     world=world, to=gateway_mac(ident))
    yield frame_to("to an absent peer, no IP", 0x88cc, b"\2\7\4",
                   "tx_stale_peer", None, to=gateway_mac(99))


def frame_to(name, ethertype, payload, verdict, peer, **more):
    """An egress case of any EtherType."""
    to = more.get("to", peer and peer.mac)
    case = tx(name, udp(4, US[4], FAR[4]), verdict, "verdicts.h", peer,
              size=len(payload), **more)
    case.data = eth(payload, ethertype, to=to)
    return case


@table
def waiting():
    """Peers that wait for a name or for an address of ours: nothing is sent
    (README)."""
    world = World()
    for outer in (4, 6):
        for waits in ("endpoint", "local"):
            peer = world.peer(PEER[outer].endpoint, LOCAL[outer],
                              ["10.1.0.0/16"], waits=waits)
            for inner in (4, 6):
                yield tx(f"{combo_name(inner, outer)} waiting for its "
                         f"{waits}", outgoing(outer, inner), "tx_waiting",
                         "verdicts.h", peer, world=world)
            yield frame_to(f"no IP to a peer in IPv{outer} that waits for "
                           f"its {waits}", 0x88cc, b"\2\7\4", "tx_waiting",
                           peer, world=world)


@table
def zeroes_in_local():
    """A local is missing only if it is all zero."""
    for outer, local in ((4, "0.0.0.1"), (4, "1.0.0.0"), (6, "100::"),
                         (6, "0:0:1::"), (6, "::1:0:0"), (6, "::1")):
        world = World()
        peer = world.peer(PEER[outer].endpoint, local, [])
        yield tx(f"4in{outer} with a local of {local}", outgoing(outer, 4),
                 "tx_encap", "verdicts.h", peer, world=world)


@table
def neighbours():
    """Packets that must not leave their link do not go through a tunnel (RFC
    3927 2.7, 4291 2.5.6, 2.7, 5771 4): a gateway is not a real neighbour."""
    for inner, outer in COMBOS:
        name = combo_name(inner, outer)
        here = {4: ["0.0.0.0", "0.255.255.255", "127.0.0.1",
                    "127.255.255.255", "169.254.0.0", "169.254.255.255",
                    "224.0.0.0", "224.0.0.255", "240.0.0.0", "240.0.0.1",
                    "255.255.255.254", "255.255.255.255"],
                6: ["fe80::", "fe80::1", "febf:ffff::1", "ff01::1",
                    "ff02::1", "ff12::1", "ff00::1", "ff31::1"]}[inner]
        for dst in here:
            yield tx(f"{name} link scope, to {dst}",
                     udp(inner, US[inner], dst), "tx_neighbour",
                     "RFC 3927 2.7, 4291 2.7", PEER[outer])
    for outer in (4, 6):
        for src, verdict in (("fe80::", "tx_neighbour"),
                             ("febf::1", "tx_neighbour"),
                             ("fe7f::1", "tx_encap"),
                             ("fec0::1", "tx_encap")):
            yield tx(f"{combo_name(6, outer)} from {src}",
                     udp(6, src, net(outer, 6)), verdict, "RFC 4291 2.5.6",
                     PEER[outer])
        for name, ethertype, payload in (
                ("arp", 0x0806, ARP), ("lldp", 0x88cc, b"\2\7\4"),
                ("mpls", 0x8847, b"\0\0\1\x40" + outgoing(4, 4)),
                ("802.1Q", 0x8100, b"\0\5\x08\0" + outgoing(4, 4)),
                ("802.3 length", 60, outgoing(4, 4)),
                ("zero", 0, outgoing(4, 4))):
            yield frame_to(f"{name} to the gateway of a peer in IPv{outer}",
                           ethertype, payload, "tx_neighbour", PEER[outer])


@table
def already_tunnelled():
    """Protocol 4/41 to the endpoint is sent as it is; other packets to it are
    encapsulated."""
    for inner, outer in COMBOS:
        world, peer = DEFAULT[outer]
        packet = outgoing(outer, inner)
        name = combo_name(inner, outer)
        yield tx(f"{name} already tunnelled", wire.to_peer(peer, packet),
                 "tx_tunnelled", "RFC 2473 4.1.2", peer, world=world)
        yield tx(f"{name} already tunnelled from elsewhere",
                 ip(outer, US[outer], peer.endpoint, wire.PROTO[inner],
                    packet), "tx_tunnelled", "RFC 2473 4.1.2", peer,
                 world=world)
        yield tx(f"{name} tunnelled to somebody else",
                 ip(outer, LOCAL[outer], FAR[outer], wire.PROTO[inner],
                    packet), "tx_encap", "RFC 2473 4.1.2", peer,
                 world=world)
    for outer in (4, 6):
        world, peer = DEFAULT[outer]
        yield tx(f"udp to the endpoint in IPv{outer}",
                 udp(outer, LOCAL[outer], peer.endpoint), "tx_encap",
                 "RFC 2473 4.1.2", peer, world=world)
    fragment = ip(4, LOCAL[4], DEFAULT[4][1].endpoint, 4, b"f" * 32, frag=9)
    yield tx("already tunnelled fragment", fragment, "tx_tunnelled",
             "RFC 2473 4.1.2", DEFAULT[4][1], world=DEFAULT[4][0])


@table
def loops():
    """The endpoint as inner source (RFC 2003 3.2)."""
    for outer in (4, 6):
        for peers, dst in ((PEER, net(outer, outer)),
                           (NESTED, nested(outer, outer))):
            src = peers[outer].endpoint
            yield tx(f"IPv{outer} from the endpoint {src}",
                     udp(outer, src, dst), "tx_loop", "RFC 2003 3.2",
                     peers[outer])
        src = NESTED[outer].endpoint
        yield tx(f"IPv{outer} from another endpoint",
                 udp(outer, src, net(outer, outer)), "tx_encap",
                 "RFC 2003 3.2", PEER[outer])
        world, peer = DEFAULT[outer]
        yield tx(f"IPv{outer} from the endpoint, default route",
                 udp(outer, peer.endpoint, FAR[outer]), "tx_loop",
                 "RFC 2003 3.2", peer, world=world)


def variants():
    """Peers by (outer, ttl, mtu), and their gateways."""
    world, peers = World(), {}
    settings = [(1, 1480), (255, 1480), (64, 1280), (64, 576), (17, 3000)]
    for outer in (4, 6):
        for n, (ttl, mtu) in enumerate(settings):
            end = f"198.51.100.{n + 1}" if outer == 4 else f"2001:db8:2::{n}"
            peer = world.peer(
                end, LOCAL[outer],
                [f"10.{outer}.{n}.0/24", f"fd00:{outer}:{n}::/48"],
                ttl=ttl, mtu=mtu)
            peers[outer, ttl, mtu] = (peer, {4: f"10.{outer}.{n}.9",
                                             6: f"fd00:{outer}:{n}::9"})
    return world, peers


VARIANTS, VARIANT_PEERS = variants()


@table
def ttls():
    """The outer TTL is the peer's, the inner one does not change."""
    for (outer, ttl, mtu), (peer, dst) in VARIANT_PEERS.items():
        for inner in (4, 6):
            for inner_ttl in (1, 64, 255):
                packet = udp(inner, US[inner], dst[inner], ttl=inner_ttl)
                yield tx(f"{combo_name(inner, outer)} ttl {ttl}, inner "
                         f"{inner_ttl}, mtu {mtu}", packet, "tx_encap",
                         "RFC 2003 3.1, 2473 6.3", peer, world=VARIANTS)


@table
def sizes():
    """Sizes around the peer's MTU. Larger IPv6 and IPv4 with DF are refused,
    except IPv6 packets up to 1280 bytes."""
    for (outer, ttl, mtu), (peer, dst) in VARIANT_PEERS.items():
        if ttl != 64 and mtu != 3000:
            continue
        for inner in (4, 6):
            for more in (-1, 0, 1, 400):
                df = {"flags": "DF", "id": 0} if inner == 4 else {}
                packet = exactly(inner, US[inner], dst[inner], mtu + more,
                                 **df)
                yield sized(f"{combo_name(inner, outer)} {mtu + more} of "
                            f"{mtu}", packet, peer)


def sized(name, packet, peer):
    inner, size = wire.version(packet), len(packet)
    rfc = "RFC 2003 5.1, 2473 7.1, 4213 3.2.2"
    if size <= peer.mtu:
        return tx(name, packet, "tx_encap", rfc, peer, world=VARIANTS)
    if inner == 6 and size <= 1280:
        return oversized(name, packet, peer, rfc)
    return tx(name, packet, "tx_too_big", rfc, peer, world=VARIANTS,
              answer=peer.mtu if inner == 4 else max(peer.mtu, 1280))


def oversized(name, packet, peer, rfc):
    """Encapsulated although larger than the MTU: fragmented on the way."""
    if peer.family == 6:
        return tx(name, packet, "tx_encap", rfc, peer, world=VARIANTS)
    return tx(name, packet, "tx_encap", rfc, peer, world=VARIANTS, df=False,
              loose=(18, 19, 24, 25), check=check_fragmentable)


@table
def unanswered():
    """Too big, and no ICMP error about it (RFC 1122 3.2.2, RFC 4443 2.4)."""
    (peer, dst) = VARIANT_PEERS[4, 64, 1280]

    def packet(inner, src, proto, data, **fields):
        if inner == 4:
            fields.setdefault("flags", "DF")
        return ip(inner, src, dst[inner], proto, data + bytes(1400),
                  **fields)
    for name, one in [
            ("ICMP error", packet(4, US[4], 1, b"\3\1" + bytes(6))),
            ("ICMPv6 error", packet(6, US[6], 58, b"\1\0" + bytes(6))),
            ("fragment", packet(4, US[4], 17, b"", frag=9)),
            ("unspecified IPv4", packet(4, "0.0.0.0", 17, b"")),
            ("unspecified IPv6", packet(6, "::", 17, b"")),
            ("multicast IPv4", packet(4, "224.0.0.9", 17, b"")),
            ("multicast IPv6", packet(6, "ff02::1", 17, b"")),
            ("broadcast", packet(4, "255.255.255.255", 17, b"")),
            ("loopback", packet(4, "127.0.0.1", 17, b""))]:
        yield tx(f"no answer to a too big {name}", one, "tx_too_big",
                 "RFC 1122 3.2.2, 4443 2.4", peer, world=VARIANTS)
    for inner, proto, kinds_of in ((4, 1, (0, 8, 13)), (6, 58, (128, 129))):
        for kind in kinds_of:  # not errors, so answered like other packets
            one = packet(inner, US[inner], proto, bytes([kind]) + bytes(7))
            yield tx(f"too big ICMP {kind} of IPv{inner}", one, "tx_too_big",
                     "RFC 1122 3.2.2, 4443 2.4", peer, world=VARIANTS,
                     answer=1280)


def check_fragmentable(out):
    """RFC 6864: a fragmentable datagram needs a unique ID."""
    outer = out[14:34]
    assert outer[4:6] != b"\0\0", "fragmentable, but its ID is zero"
    assert wire.checksum(outer) == 0, "outer checksum is wrong"


@table
def sizes_without_df():
    """Must get through (RFC 2003 5.1), as fragments. A test run lacks the
    secret for them, so the source is told to send less."""
    for (outer, ttl, mtu), (peer, dst) in VARIANT_PEERS.items():
        if ttl != 64:
            continue
        for size in (mtu - 1, mtu, mtu + 1, mtu + 400):
            packet = exactly(4, US[4], dst[4], size, id=77)
            name = f"4in{outer} {size} of {mtu} without DF"
            if size > mtu:
                yield tx(name, packet, "tx_too_big", "RFC 2003 5.1", peer,
                         world=VARIANTS, answer=mtu)
            else:
                yield tx(name, packet, "tx_encap", "RFC 2003 3.1", peer,
                         world=VARIANTS)


@table
def options_without_df():
    """IPv4 options would have to be distributed to the fragments (RFC 791
    3.1), so the outer packet, without DF, is left to routers to fragment. They
    do not fragment IPv6."""
    for outer in (4, 6):
        peer, dst = VARIANT_PEERS[outer, 64, 576]
        for size, words in ((576, 1), (577, 1), (600, 10)):
            packet = udp(4, US[4], dst[4], size - 28 - 4 * words, id=77,
                         options=NOP4 * words)
            name = f"4in{outer} {size} of 576 without DF, {words} options"
            if size <= 576:
                yield tx(name, packet, "tx_encap", "RFC 791 3.1", peer,
                         world=VARIANTS)
            elif outer == 4:
                yield oversized(name, packet, peer, "RFC 2003 5.1, 6864 4.1")
            else:
                yield tx(name, packet, "tx_too_big", "RFC 2473 7.2", peer,
                         world=VARIANTS, answer=576)


@table
def malformed():
    for inner, outer in COMBOS:
        name = combo_name(inner, outer)
        good = outgoing(outer, inner)
        # a test run refuses shorter ones
        for size in range(20 if inner == 4 else 40, len(good)):
            case = tx(f"{name} sent, cut to {size}", good, "tx_bad_inner",
                      "RFC 791 3.1, 8200 3", PEER[outer])
            case.data, case.size = case.data[:14 + size], size
            yield case
        if inner == 4:
            for ihl in range(5):
                yield tx(f"{name} sent, IHL {ihl}",
                         bytes([0x40 | ihl]) + good[1:], "tx_bad_inner",
                         "RFC 791 3.1", PEER[outer])
            for size in (1, 19):
                yield tx(f"{name} sent, total length {size}",
                         outgoing(outer, 4, len=size), "tx_bad_inner",
                         "RFC 791 3.1", PEER[outer])


@table
def trailers():
    """Bytes after the inner packet are not counted; whether the outer length
    covers them does not matter (RFC 4213 3.6)."""
    for inner, outer in COMBOS:
        case = tx(f"{combo_name(inner, outer)} sent with a trailer",
                  outgoing(outer, inner), "tx_encap", "RFC 4213 3.6",
                  PEER[outer],
                  loose=(16, 17, 24, 25) if outer == 4 else (18, 19))
        case.data += b"\xaa" * 7
        case.out += b"\xaa" * 7
        yield case


@table
def refused_by_the_kernel():
    """A test run marks the packet as GSO of no type, which the kernel does
    not resize."""
    for inner, outer in COMBOS:
        name = combo_name(inner, outer)
        yield tx(f"{name} cannot be lengthened", outgoing(
            outer, inner, size=1000), "tx_error", "verdicts.h", PEER[outer],
            gso=500)
        yield tx(f"{name} super-packet cannot be lengthened",
                 tcp(inner, US[inner], net(outer, inner), 3000), "tx_error",
                 "verdicts.h", PEER[outer], gso=1000)
        packet = inner_packet(outer, inner, size=1000)
        yield rx(f"{name} cannot be shortened",
                 eth(wire.from_peer(PEER[outer], packet)), "rx_error",
                 "verdicts.h", PEER[outer], hook="tc", gso=500)
