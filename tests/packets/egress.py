# SPDX-License-Identifier: GPL-2.0-only
"""Encapsulation: outer header, refusals, sizes."""

from . import wire
from .case import (DEFAULT, LOCAL, NESTED, PEER, UNGUARDED, US, World, net,
                   rx, table, tx)
from .ingress import inner_packet, kinds, kinds4, kinds6
from .plain import FAR, nested
from .wire import COMBOS, combo_name, eth, exactly, ip, tcp, udp
from .world import FIB_NEXTHOP


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
def prefixes():
    """Longest match; the first and last address of each prefix."""
    for inner, outer in COMBOS:
        k = {4: 1, 6: 2}[outer]
        wide = {4: [f"10.{k}.0.0", f"10.{k}.255.255", f"10.{k}.2.255",
                    f"10.{k}.4.0"],
                6: [f"fd00:{k}::", f"fd00:{k}:ffff:ffff::",
                    f"fd00:{k}:2:ffff::", f"fd00:{k}:4::"]}[inner]
        narrow = {4: [f"10.{k}.3.0", f"10.{k}.3.127"],
                  6: [f"fd00:{k}:3::", f"fd00:{k}:3:7fff::"]}[inner]
        holes = {4: [f"10.{k}.3.128", f"10.{k}.3.255", f"10.{k}.0.5",
                     "10.0.255.255", "10.3.0.0", "8.8.8.8", "0.0.0.0",
                     "255.255.255.255"],
                 6: [f"fd00:{k}:3:8000::", f"fd00:{k}::5", "fd00:3::",
                     "fd01::", "fe80::1", "ff02::1", "::"]}[inner]
        for peers, destinations in ((PEER, wide), (NESTED, narrow)):
            for dst in destinations:
                yield tx(f"{combo_name(inner, outer)} to {dst}",
                         udp(inner, US[inner], dst), "tx_encap",
                         "RFC 4213 3.2", peers[outer])
        for dst in holes:
            yield tx(f"{combo_name(inner, outer)} to {dst}",
                     udp(inner, US[inner], dst), "tx_plain", "RFC 4213 3.2")
        world, peer = DEFAULT[outer]
        for dst in (FAR[inner], {4: "1.1.1.1", 6: "2000::1"}[inner]):
            yield tx(f"{combo_name(inner, outer)} default route to {dst}",
                     udp(inner, US[inner], dst), "tx_encap", "RFC 4213 3.2",
                     peer, world=world)
    yield tx("4in4 to an unguarded peer", udp(4, US[4], "10.7.0.1"),
             "tx_encap", "RFC 4213 3.2", UNGUARDED)


@table
def stale():
    for inner, dst in ((4, "10.99.0.1"), (6, "fd00:99::1")):
        yield tx(f"IPv{inner} to a peer that does not exist",
                 udp(inner, US[inner], dst), "tx_stale_peer", "design 5")


@table
def already_tunnelled():
    """Protocol 4/41 to the endpoint is not encapsulated again; anything else
    to it is, where the allowed prefixes hold it."""
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
    """Peers by (outer, ttl, mtu), and where they are reached."""
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
    """The outer one is the peer's, the inner one is left alone."""
    for (outer, ttl, mtu), (peer, dst) in VARIANT_PEERS.items():
        for inner in (4, 6):
            for inner_ttl in (1, 64, 255):
                packet = udp(inner, US[inner], dst[inner], ttl=inner_ttl)
                yield tx(f"{combo_name(inner, outer)} ttl {ttl}, inner "
                         f"{inner_ttl}, mtu {mtu}", packet, "tx_encap",
                         "RFC 2003 3.1, 2473 6.3", peer, world=VARIANTS)


@table
def sizes():
    """Around the peer's MTU; IPv6 and IPv4 with DF above it are refused,
    but for IPv6 packets that every link takes."""
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
        for kind in kinds_of:  # no errors: as good as any other packet
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
    """Must get through (RFC 2003 5.1): the outer IPv4 header without DF. No
    router fragments an IPv6 outer: there it is refused and counted."""
    for (outer, ttl, mtu), (peer, dst) in VARIANT_PEERS.items():
        if ttl != 64:
            continue
        for size in (mtu - 1, mtu, mtu + 1, mtu + 400):
            packet = exactly(4, US[4], dst[4], size, id=77)
            name = f"4in{outer} {size} of {mtu} without DF"
            if size > mtu and outer == 6:
                yield tx(name, packet, "tx_too_big", "RFC 2473 7.2", peer,
                         world=VARIANTS, answer=mtu)
            elif size > mtu:
                yield oversized(name, packet, peer, "RFC 2003 5.1, 6864 4.1")
            else:
                yield tx(name, packet, "tx_encap", "RFC 2003 3.1", peer,
                         world=VARIANTS)


@table
def next_hop_by_fib():
    """Where no route of ours has resolved the outer next hop."""
    for outer in (4, 6):
        world = World()
        peer = world.peer(PEER[outer].endpoint, LOCAL[outer],
                          ["10.1.0.0/16", "fd00:1::/32"], flags=FIB_NEXTHOP)
        for inner in (4, 6):
            yield tx(f"{combo_name(inner, outer)} next hop by FIB",
                     outgoing(4, inner), "tx_encap", "design 3", peer,
                     world=world)


@table
def malformed():
    for inner, outer in COMBOS:
        name = combo_name(inner, outer)
        good = outgoing(outer, inner)
        # shorter ones no test run takes
        for size in range(20 if inner == 4 else 40, len(good)):
            case = tx(f"{name} sent, cut to {size}", good, "tx_bad_inner",
                      "RFC 791 3.1, 8200 3", PEER[outer])
            case.data = case.data[:14 + size]
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
    """Bytes behind the inner packet are not counted as its own; whether the
    outer length covers them makes no difference (RFC 4213 3.6)."""
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
            outer, inner, size=1000), "tx_error", "design 5", PEER[outer],
            gso=500)
        yield tx(f"{name} super-packet cannot be lengthened",
                 tcp(inner, US[inner], net(outer, inner), 3000), "tx_error",
                 "design 5", PEER[outer], gso=1000)
        packet = inner_packet(outer, inner, size=1000)
        yield rx(f"{name} cannot be shortened",
                 eth(wire.from_peer(PEER[outer], packet)), "rx_error",
                 "design 5", PEER[outer], hook="tc", gso=500)
