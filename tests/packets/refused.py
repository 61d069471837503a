# SPDX-License-Identifier: GPL-2.0-only
"""Tunnel packets that are not decapsulated: outer header and peer."""

from . import wire
from .case import (EMPTY, LOCAL, NESTED, PEER, STALE_ENDPOINT, STRANGER, US,
                   net, rx, table)
from .ingress import DSTOPT, HBH, NOP4, inner_packet
from .wire import COMBOS, combo_name, eth, from_peer, ip


def patched(data, offset, value):
    return data[:offset] + value + data[offset + len(value):]


def resummed(data, header=0):
    """The IPv4 header at that offset with a right checksum."""
    size = (data[header] & 15) * 4
    head = bytearray(data[header:header + size])
    head[10:12] = b"\0\0"
    head[10:12] = wire.checksum(head).to_bytes(2, "big")
    return data[:header] + bytes(head) + data[header + size:]


@table
def truncated_frames():
    """Cut at every length: a packet too short for its addresses is not a
    tunnel packet; longer ones do not match the outer length."""
    for inner, outer in COMBOS:
        packet = from_peer(PEER[outer], inner_packet(outer, inner))
        known = 20 if outer == 4 else 40
        for size in range(1, len(packet)):
            data = eth(packet)[:14 + size]
            what = f"{combo_name(inner, outer)} cut to {size}"
            if size < known:
                # the kernel does not run tc with such a frame
                yield rx(what, data, "rx_plain", "RFC 791 3.1, 8200 3",
                         hook="xdp")
            else:
                yield rx(what, data, "rx_bad_outer", "RFC 791 3.1, 8200 3",
                         PEER[outer])


@table
def truncated_options():
    """Cut in the options, or right after them."""
    for inner in (4, 6):
        packet = from_peer(PEER[4], inner_packet(4, inner), options=NOP4)
        for size in (20, 23, 24, 25, 40):
            yield rx(f"{combo_name(inner, 4)} with options cut to {size}",
                     eth(packet)[:14 + size], "rx_bad_outer", "RFC 791 3.1",
                     PEER[4])
        nh, data = wire.opt_chain([DSTOPT], wire.PROTO[inner],
                                  inner_packet(6, inner))
        packet = from_peer(PEER[6], data, nh)
        for size in (42, 44, 47):  # the next protocol cannot be read
            yield rx(f"{combo_name(inner, 6)} with options cut to {size}",
                     eth(packet)[:14 + size], "rx_plain", "RFC 8200 4")
        for size in (48, 49, 87):
            yield rx(f"{combo_name(inner, 6)} with options cut to {size}",
                     eth(packet)[:14 + size], "rx_bad_outer", "RFC 8200 4",
                     PEER[6])


@table
def truncated_jumbo_frames():
    """Longer than a page, and still shorter than the headers say."""
    for inner, outer in COMBOS:
        packet = wire.exactly(inner, net(outer, inner), US[inner], 5000)
        data = eth(from_peer(PEER[outer], packet))
        for cut in (1, 100, 1200):
            yield rx(f"{combo_name(inner, outer)} 5000 bytes less {cut}",
                     data[:-cut], "rx_bad_outer", "RFC 791 3.1, 8200 3",
                     PEER[outer], hook="xdp")
            yield rx(f"{combo_name(inner, outer)} 5000 bytes inner less "
                     f"{cut}", eth(from_peer(PEER[outer], packet[:-cut])),
                     "rx_bad_inner", "RFC 4213 3.6", PEER[outer],
                     hook="xdp")


@table
def truncated_inner():
    """The outer length fits, the inner packet is cut at every length."""
    for inner, outer in COMBOS:
        packet = inner_packet(outer, inner)
        for size in range(len(packet)):
            yield rx(f"{combo_name(inner, outer)} inner cut to {size}",
                     eth(from_peer(PEER[outer], packet[:size],
                                   wire.PROTO[inner])),
                     "rx_bad_inner", "RFC 4213 3.6", PEER[outer])


@table
def outer_lengths():
    for inner in (4, 6):
        packet = inner_packet(4, inner)
        for size in (0, 19, 10):
            yield rx(f"{combo_name(inner, 4)} outer total length {size}",
                     eth(from_peer(PEER[4], packet, len=size)),
                     "rx_bad_outer", "RFC 791 3.1", PEER[4])
        for more in (1, 1000):
            size = 20 + len(packet) + more
            yield rx(f"{combo_name(inner, 4)} outer length {more} too long",
                     eth(from_peer(PEER[4], packet, len=size)),
                     "rx_bad_outer", "RFC 791 3.1", PEER[4])
            yield rx(f"{combo_name(inner, 6)} payload {more} too long",
                     eth(from_peer(PEER[6], inner_packet(6, inner),
                                   plen=len(packet) + more)),
                     "rx_bad_outer", "RFC 8200 3", PEER[6])
        with_options = from_peer(PEER[4], packet, options=NOP4)
        yield rx(f"{combo_name(inner, 4)} length inside the options",
                 eth(resummed(patched(with_options, 2, b"\0\x16"))),
                 "rx_bad_outer", "RFC 791 3.1", PEER[4])
        for ihl in range(5):
            data = from_peer(PEER[4], packet)
            data = patched(data, 0, bytes([0x40 + ihl]))
            yield rx(f"{combo_name(inner, 4)} outer IHL {ihl}", eth(data,
                     0x0800), "rx_bad_outer", "RFC 791 3.1", PEER[4])
        yield rx(f"{combo_name(inner, 6)} payload length 0",
                 eth(from_peer(PEER[6], inner_packet(6, inner), plen=0)),
                 "rx_bad_inner", "RFC 8200 3", PEER[6])


@table
def option_lengths():
    """An options header longer than the payload (RFC 8200 4.2)."""
    for inner in (4, 6):
        packet = inner_packet(6, inner)
        for kind in (HBH, DSTOPT):
            for proto in (wire.PROTO[inner], 17):
                head = bytes([proto, 200]) + bytes(6)
                data = eth(from_peer(PEER[6], head + packet, kind))
                what = (f"{combo_name(inner, 6)} header {kind} past the end, "
                        f"then {proto}")
                if proto == 17:  # not a tunnel packet, whatever its length
                    yield rx(what, data, "rx_plain", "RFC 8200 4")
                else:
                    yield rx(what, data, "rx_bad_outer", "RFC 8200 4",
                             PEER[6])
        head = bytes([wire.PROTO[inner], 3]) + bytes(30)
        data = from_peer(PEER[6], head + packet, DSTOPT, plen=16)
        yield rx(f"{combo_name(inner, 6)} options longer than the payload",
                 eth(data), "rx_bad_outer", "RFC 8200 3", PEER[6])


@table
def options_behind_a_page():
    """XDP can remove only bytes of the linear part of the buffer."""
    options = (b"\1\xfe" + bytes(254)) * 7 + b"\1\xfc" + bytes(252)
    for inner in (4, 6):
        data = inner_packet(6, inner)
        data = wire.opt_header(wire.PROTO[inner], options) + data
        data = wire.opt_header(DSTOPT, options) + data
        yield rx(f"{combo_name(inner, 6)} behind 4096 bytes of options",
                 eth(from_peer(PEER[6], data, DSTOPT)), "rx_error",
                 "RFC 8200 4", PEER[6], hook="xdp")


@table
def outer_checksum():
    """Every bit of the outer checksum, and every word of the header."""
    for inner in (4, 6):
        name = combo_name(inner, 4)
        good = from_peer(PEER[4], inner_packet(4, inner))
        right = int.from_bytes(good[10:12], "big")
        for bit in range(16):
            data = patched(good, 10, (right ^ 1 << bit).to_bytes(2, "big"))
            yield rx(f"{name} checksum bit {bit}", eth(data),
                     "rx_bad_checksum", "RFC 791 3.1", PEER[4])
        for offset, what in [(1, "tos"), (5, "id"), (8, "ttl")]:
            data = patched(good, offset, bytes([good[offset] ^ 0x40]))
            yield rx(f"{name} {what} changed", eth(data),
                     "rx_bad_checksum", "RFC 791 3.1", PEER[4])
        long = from_peer(PEER[4], inner_packet(4, inner), options=NOP4 * 2)
        for offset in range(20, 28):
            data = patched(long, offset, bytes([long[offset] ^ 1]))
            yield rx(f"{name} option byte {offset} changed", eth(data),
                     "rx_bad_checksum", "RFC 791 3.1", PEER[4])
        yield rx(f"{name} checksum zero", eth(patched(good, 10, b"\0\0")),
                 "rx_bad_checksum", "RFC 791 3.1", PEER[4])


@table
def fragments():
    """Outer fragments are left to the kernel (RFC 4213 3.6)."""
    for inner, outer in COMBOS:
        packet = inner_packet(outer, inner, size=64)
        name = combo_name(inner, outer)
        for what, more, offset in [("first", 1, 0), ("middle", 1, 3),
                                   ("last", 0, 185), ("last, far", 0, 8191)]:
            data = fragment(PEER[outer], packet, more, offset)
            yield rx(f"{name} {what} outer fragment", eth(data), "rx_fragment",
                     "RFC 4213 3.6", PEER[outer])
        data = fragment(PEER[outer], packet, 1, 0, src=STRANGER[outer])
        yield rx(f"{name} fragment of a stranger", eth(data), "rx_no_peer",
                 "RFC 4213 3.6")
    for inner in (4, 6):
        data = fragment_header(wire.PROTO[inner], 1, 0) + bytes(64)
        nh, data = wire.opt_chain([HBH], 44, data)
        yield rx(f"{combo_name(inner, 6)} fragment behind hop-by-hop",
                 eth(from_peer(PEER[6], data, nh)), "rx_fragment",
                 "RFC 8200 4.5", PEER[6])


def fragment_header(following, more, offset):
    return (bytes([following, 0]) + (offset << 3 | more).to_bytes(2, "big")
            + b"\0\0\0\7")


def routing_header(following, segments_left, words=0):
    """A routing header of type 4, with `words` times eight bytes more."""
    return bytes([following, words, 4, segments_left]) + bytes(4 + 8 * words)


def fragment(peer, packet, more, offset, src=None):
    """An outer packet cut out of a longer one."""
    src = src or peer.endpoint
    proto = wire.PROTO[wire.version(packet)]
    if peer.family == 4:
        return ip(4, src, peer.local, proto, packet, id=7, frag=offset,
                  flags=more)
    return ip(6, src, peer.local, 44,
              fragment_header(proto, more, offset) + packet)


@table
def strangers():
    """(source, destination) without a peer: never decapsulated, left alone
    (CVE-2020-10136, CVE-2024-7595, CVE-2025-23018)."""
    for inner, outer in COMBOS:
        peer, name = PEER[outer], combo_name(inner, outer)
        packet = inner_packet(outer, inner)
        proto = wire.PROTO[inner]
        close = {4: "198.51.100.2", 6: "2001:db8:2::2"}[outer]
        near = {4: "192.0.2.11", 6: "2001:db8:0:1::11"}[outer]
        mask = {4: "0.0.0.0", 6: "::"}[outer]
        for what, src, dst in [
                ("unknown source", STRANGER[outer], peer.local),
                ("source one off", close, peer.local),
                ("destination one off", peer.endpoint, near),
                ("swapped", peer.local, peer.endpoint),
                ("both local", peer.local, peer.local),
                ("both remote", peer.endpoint, NESTED[outer].endpoint),
                ("source zero", mask, peer.local)]:
            yield rx(f"{name} {what}",
                     eth(ip(outer, src, dst, proto, packet)), "rx_no_peer",
                     "RFC 4213 3.6")
        yield rx(f"{name} without any peer", eth(from_peer(peer, packet)),
                 "rx_no_peer", "RFC 4213 3.6", world=EMPTY)
        yield rx(f"{name} peer that does not exist",
                 eth(ip(outer, STALE_ENDPOINT[outer], peer.local, proto,
                        packet)), "rx_stale_peer", "verdicts.h")
    for inner in (4, 6):
        # an IPv6 address with the bytes of an IPv4 endpoint is another one
        for src in ("::ffff:198.51.100.1", "c633:6401::", "::198.51.100.1"):
            yield rx(f"{combo_name(inner, 6)} from {src}",
                     eth(ip(6, src, "c000:20a::", wire.PROTO[inner],
                            inner_packet(4, inner))), "rx_no_peer",
                     "RFC 4213 3.6")
        bad = patched(ip(4, STRANGER[4], LOCAL[4], wire.PROTO[inner],
                         inner_packet(4, inner)), 10, b"\1\2")
        yield rx(f"{combo_name(inner, 4)} stranger with wrong checksum",
                 eth(bad), "rx_no_peer", "RFC 4213 3.6")
