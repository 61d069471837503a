# SPDX-License-Identifier: GPL-2.0-only
"""Decapsulation that succeeds: inner kinds, options, padding, VLANs."""

from scapy.layers.inet import IPOption_NOP

from . import wire
from .case import (DEFAULT, LOCAL, NESTED, PEER, US, net, rx, table)
from .wire import COMBOS, combo_name, eth, from_peer, ip, tcp, udp

NOP4 = [IPOption_NOP()] * 4
HBH, DSTOPT = 0, 60


def inner_packet(outer, inner, **fields):
    return udp(inner, net(outer, inner), US[inner], **fields)


def kinds(outer, inner):
    """(name, inner packet) of many kinds."""
    src, dst = net(outer, inner), US[inner]
    yield "udp", udp(inner, src, dst)
    yield "no data", udp(inner, src, dst, 0)
    yield "odd size", udp(inner, src, dst, 33)
    yield "large", udp(inner, src, dst, 1400)
    yield "tcp syn", tcp(inner, src, dst, flags="S", options=[("MSS", 536)])
    yield "tcp data", tcp(inner, src, dst, 1000, "PA")
    yield "echo", ip(inner, src, dst, {4: 1, 6: 58}[inner],
                     bytes.fromhex("0800f7ff00000000"))
    yield "unknown protocol", ip(inner, src, dst, 253, b"x" * 20)
    yield "bare header", ip(inner, src, dst, 59)
    yield "hop limit 0", udp(inner, src, dst, ttl=0)
    yield "hop limit 1", udp(inner, src, dst, ttl=1)
    yield "hop limit 255", udp(inner, src, dst, ttl=255)
    yield "dscp ef", udp(inner, src, dst, tos=46 << 2)


def kinds4(outer):
    src, dst = net(outer, 4), US[4]
    yield "options", udp(4, src, dst, options=NOP4)
    yield "60 byte header", udp(4, src, dst, options=NOP4 * 10)
    yield "df", udp(4, src, dst, flags="DF", id=0)
    yield "first fragment", udp(4, src, dst, 40, flags="MF", id=7)
    yield "middle fragment", ip(4, src, dst, 17, b"y" * 40, flags="MF",
                                frag=5, id=7)
    yield "last fragment", ip(4, src, dst, 17, b"z" * 9, frag=10, id=7)
    yield "wrong checksum", udp(4, src, dst, chksum=0x1234)


def kinds6(outer):
    src, dst = net(outer, 6), US[6]
    yield "flow label", udp(6, src, dst, fl=0xabcde)
    yield "fragment header", ip(6, src, dst, 44,
                                bytes.fromhex("1100000100000007") + b"q" * 16)
    yield "destination options", ip(
        6, src, dst, DSTOPT, wire.opt_header(17) + b"u" * 16)
    yield "routing header", ip(
        6, src, dst, 43, bytes.fromhex("1100040000000000") + b"u" * 16)


@table
def inner_kinds():
    for inner, outer in COMBOS:
        more = kinds4(outer) if inner == 4 else kinds6(outer)
        for name, packet in [*kinds(outer, inner), *more]:
            yield rx(f"{combo_name(inner, outer)} {name}",
                     eth(from_peer(PEER[outer], packet)), "rx_decap",
                     "RFC 2003 3.1, 2473 3", PEER[outer], packet)


@table
def jumbo_frames():
    """More than a page: XDP sees the rest as fragments of the buffer."""
    for inner, outer in COMBOS:
        for size in (3000, 3500, 4200, 8900):
            packet = wire.exactly(inner, net(outer, inner), US[inner], size)
            yield rx(f"{combo_name(inner, outer)} {size} bytes",
                     eth(from_peer(PEER[outer], packet)), "rx_decap",
                     "architecture.md", PEER[outer], packet, hook="xdp")


@table
def outer_fields():
    """Other fields of the outer header do not matter."""
    for inner, outer in COMBOS:
        packet = inner_packet(outer, inner)
        for name, fields in [
                ("ttl 1", {"ttl": 1}), ("ttl 255", {"ttl": 255}),
                ("dscp 63", {"tos": 63 << 2}),
                *([("df", {"flags": "DF", "id": 0}),
                   ("reserved bit", {"flags": 4}),
                   ("id", {"id": 0xffff})] if outer == 4 else
                  [("flow label", {"fl": 0xfffff})])]:
            yield rx(f"{combo_name(inner, outer)} outer {name}",
                     eth(from_peer(PEER[outer], packet, **fields)),
                     "rx_decap", "RFC 2003 3.1, 2473 6", PEER[outer], packet)


def summing_to_zero(header):
    """The header with other last bytes, so that it does not change a checksum
    that covers it."""
    last = wire.checksum(header[:-2] + bytes(2))
    return header[:-2] + last.to_bytes(2, "big")


@table
def options_like_inner_headers():
    """Outer options with the bytes of a good inner header of the same source,
    which do not change the checksum: not to be taken for the inner header."""
    for inner, size in (4, 20), (6, 40):
        packet = inner_packet(4, inner)
        data = bytearray(from_peer(PEER[4], packet, ihl=5 + size // 4,
                                   len=20 + size + len(packet)))
        data[20:20] = summing_to_zero(packet[:size])
        yield rx(f"{combo_name(inner, 4)} outer options like an inner header",
                 eth(bytes(data)), "rx_decap", "RFC 791 3.1", PEER[4],
                 inner=packet)


@table
def outer_options4():
    for inner in (4, 6):
        packet = inner_packet(4, inner)
        for words in range(1, 11):
            data = eth(from_peer(PEER[4], packet, options=NOP4 * words))
            assert data[14] == 0x45 + words
            yield rx(f"{combo_name(inner, 4)} outer options, {words} words",
                     data, "rx_decap", "RFC 791 3.1", PEER[4], packet)


@table
def outer_options6():
    """Up to four option headers in front of 4/41 are skipped."""
    chains = [[DSTOPT] * n for n in range(1, 6)]
    chains += [[HBH], [HBH, DSTOPT], [HBH, DSTOPT, DSTOPT, DSTOPT],
               [HBH, DSTOPT, DSTOPT, DSTOPT, DSTOPT]]
    for inner in (4, 6):
        packet = inner_packet(6, inner)
        for chain in chains:
            nh, data = wire.opt_chain(chain, wire.PROTO[inner], packet)
            data = eth(from_peer(PEER[6], data, nh))
            name = f"{combo_name(inner, 6)} behind headers {chain}"
            if len(chain) <= 4:
                yield rx(name, data, "rx_decap", "RFC 2473 4.1, 8200 4",
                         PEER[6], packet)
            else:
                yield rx(name, data, "rx_too_many_options", "RFC 8200 4",
                         peer=-1)


def chained(kinds, proto, data):
    """(first next header, bytes) of a chain of skipped headers: 43 with no
    segments left (RFC 8200 4.4), 44 of an unfragmented packet (RFC 6946)."""
    for kind in reversed(kinds):
        if kind == 43:
            head = bytes([proto, 2, 4, 0]) + bytes(20)
        elif kind == 44:  # reserved fields are ignored
            head = bytes([proto, 0xff, 0, 6]) + b"\1\2\3\4"
        else:
            head = wire.opt_header(proto)
        data, proto = head + data, kind
    return proto, data


@table
def skipped_headers():
    """Four in all, of any kind."""
    chains = [[43], [44], [HBH, 43], [43, 44], [HBH, DSTOPT, 43, 44],
              [44, 44, 44, 44], [43, 43, 43, 43], [44, DSTOPT],
              [HBH, DSTOPT, 43, 44, DSTOPT], [43] * 5, [44] * 5,
              [DSTOPT] * 4 + [43], [DSTOPT] * 4 + [44]]
    for inner in (4, 6):
        packet = inner_packet(6, inner)
        for chain in chains:
            nh, data = chained(chain, wire.PROTO[inner], packet)
            data = eth(from_peer(PEER[6], data, nh))
            name = f"{combo_name(inner, 6)} behind {chain}, skipped"
            if len(chain) <= 4:
                yield rx(name, data, "rx_decap", "RFC 6946 4, 8200 4.4",
                         PEER[6], packet)
            else:
                yield rx(name, data, "rx_too_many_options", "RFC 8200 4",
                         peer=-1)


@table
def encapsulation_limit():
    """The default of Linux's ip6tnl, and long options."""
    for inner in (4, 6):
        packet = inner_packet(6, inner)
        for name, options in [("limit 4", wire.ENCAP_LIMIT),
                              ("limit 0", bytes.fromhex("040100010100")),
                              ("24 bytes", b"\1\x14" + bytes(20)),
                              ("2048 bytes", (b"\1\xfe" + bytes(254)) * 7
                               + b"\1\xfc" + bytes(252))]:
            head = wire.opt_header(wire.PROTO[inner], options)
            yield rx(f"{combo_name(inner, 6)} destination options {name}",
                     eth(from_peer(PEER[6], head + packet, DSTOPT)),
                     "rx_decap", "RFC 2473 4.1.1", PEER[6], packet)


@table
def padding():
    """The length comes from the inner header (RFC 4213 3.6)."""
    for inner, outer in COMBOS:
        packet = udp(inner, net(outer, inner), US[inner], 4)
        for size in (1, 6, 18, 100):
            pad = b"\xaa" * size
            for name, frame in [
                    ("behind the outer", eth(from_peer(PEER[outer], packet))
                     + pad),
                    ("behind the inner",
                     eth(from_peer(PEER[outer], packet + pad)))]:
                yield rx(f"{combo_name(inner, outer)} {size} bytes {name}",
                         frame, "rx_decap", "RFC 4213 3.6", PEER[outer],
                         packet, out=eth(packet) + pad)


TAGS = {
    "802.1Q": [(0x8100, 5)],
    "priority tag": [(0x8100, 0xe000)],
    "802.1ad": [(0x88a8, 100)],
    "QinQ": [(0x88a8, 100), (0x8100, 200)],
    "802.1Q twice": [(0x8100, 100), (0x8100, 200)],
}


def tagged():
    """(name, tags, hook, tags that are in the frame afterwards). tc has the
    outermost tag in the metadata, and so at most one in the frame: a tag in
    the frame of a test run stands for the second one. It ends up in the
    metadata here, as that is empty (test_attack.py has both)."""
    for name, tags in TAGS.items():
        yield name, tags, "xdp", tags
        if len(tags) == 1:
            yield name, tags, "tc", ()


@table
def vlans():
    for inner, outer in COMBOS:
        packet = inner_packet(outer, inner)
        ect, ce = (inner_packet(outer, inner, tos=tos) for tos in (2, 3))
        bad = udp(inner, "192.168.9.9" if inner == 4 else "fd99::1", US[inner])
        for name, tags, hook, after in tagged():
            what = f"{combo_name(inner, outer)} {name}"
            yield rx(f"{what}, {hook}",
                     eth(from_peer(PEER[outer], packet), tags=tags),
                     "rx_decap", "IEEE 802.1Q", PEER[outer], packet, hook=hook,
                     out=eth(packet, tags=after))
            yield rx(f"{what} CE, {hook}",
                     eth(from_peer(PEER[outer], ect, tos=3), tags=tags),
                     "rx_decap", "RFC 6040 4.2", PEER[outer], ect, hook=hook,
                     out=eth(ce, tags=after))
            yield rx(f"{what} not allowed, {hook}",
                     eth(from_peer(PEER[outer], bad), tags=tags),
                     "rx_not_allowed", "RFC 4213 3.6", PEER[outer], bad,
                     hook=hook)
            yield rx(f"{what} borrowed, {hook}", eth(packet, tags=tags),
                     "rx_borrowed", "RFC 4213 3.6", PEER[outer], hook=hook,
                     size=len(packet))
    for version in (4, 6):
        data = udp(version, "8.8.8.8" if version == 4 else "2001:db8:8::8",
                   LOCAL[version])
        for name, tags, hook, _ in tagged():
            yield rx(f"IPv{version} {name} plain, {hook}",
                     eth(data, tags=tags), "rx_plain", "IEEE 802.1Q",
                     hook=hook, size=len(data))


@table
def too_many_vlans():
    """Three tags for XDP; for tc two in the frame are three on the wire."""
    packet = inner_packet(4, 4)
    for hook, number in ("xdp", 3), ("tc", 2):
        for what, data in (("tunnelled", from_peer(PEER[4], packet)),
                           ("plain", packet)):
            yield rx(f"three tags, {what}, {hook}",
                     eth(data, tags=[(0x8100, 7)] * number), "rx_plain",
                     "IEEE 802.1Q", hook=hook, size=len(data) + 4)


@table
def nested_tunnels():
    """Only one header is removed."""
    for inner, outer in COMBOS:
        core = inner_packet(outer, inner)
        for middle in (4, 6):
            packet = ip(middle, net(outer, middle), US[middle],
                        wire.PROTO[inner], core)
            yield rx(f"{combo_name(inner, middle)} in IPv{outer} once",
                     eth(from_peer(PEER[outer], packet)), "rx_decap",
                     "RFC 2473 4.1", PEER[outer], packet)
        # a middle packet that a peer could have sent, from its endpoint
        world, peer = DEFAULT[outer]
        packet = from_peer(peer, core)
        yield rx(f"{combo_name(inner, outer)} in itself once",
                 eth(from_peer(peer, packet)), "rx_decap",
                 "RFC 2473 4.1", peer, packet, world=world)


@table
def longest_match():
    for inner, outer in COMBOS:
        k = {4: 1, 6: 2}[outer]
        hosts = {4: [f"10.{k}.3.0", f"10.{k}.3.127"],
                 6: [f"fd00:{k}:3::",
                     f"fd00:{k}:3:7fff:ffff:ffff:ffff:ffff"]}[inner]
        edges = {4: [f"10.{k}.0.0", f"10.{k}.255.255", f"10.{k}.2.255",
                     f"10.{k}.4.0"],
                 6: [f"fd00:{k}::",
                     f"fd00:{k}:ffff:ffff:ffff:ffff:ffff:ffff",
                     f"fd00:{k}:2:ffff::", f"fd00:{k}:4::"]}[inner]
        for peer, sources in ((NESTED, hosts), (PEER, edges)):
            for src in sources:
                packet = udp(inner, src, US[inner])
                yield rx(f"{combo_name(inner, outer)} from {src}",
                         eth(from_peer(peer[outer], packet)), "rx_decap",
                         "RFC 4213 3.6", peer[outer], packet)


@table
def default_routes():
    for inner, outer in COMBOS:
        world, peer = DEFAULT[outer]
        sources = {4: ["1.0.0.1", "126.255.255.255", "128.0.0.0",
                       "223.255.255.255", "10.1.2.3"],
                   6: ["2000::1", "fd99::1", "::1:0:0", "2001:db8::ff00:1",
                       "::fffe:102:304", "feff::1"]}[inner]
        for src in sources:
            packet = udp(inner, src, US[inner])
            yield rx(f"{combo_name(inner, outer)} default route from {src}",
                     eth(from_peer(peer, packet)), "rx_decap",
                     "RFC 4213 3.6", peer, packet, world=world)

