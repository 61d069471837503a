# SPDX-License-Identifier: GPL-2.0-only
"""Frames over a page: XDP can read only the linear part of the buffer, the
rest are fragments. Payload in fragments makes no difference; for headers in
fragments see the fallback of ingress.h: packets that the guard would drop do
not pass."""

from . import wire
from .case import (LOCAL, PEER, STALE_ENDPOINT, STRANGER, SUSPENDED, US, net,
                   rx, table)
from .ingress import DSTOPT, HBH, TAGS
from .plain import FAR
from .refused import fragment, fragment_header, patched
from .wire import COMBOS, combo_name, eth, exactly, from_peer, ip

SIZES = (4100, 6001, 9000)
FRAGMENT, ICMPV6 = 44, 58
LONGEST = (b"\1\xfe" + bytes(254)) * 7 + b"\1\xfc" + bytes(252)  # 2048 bytes


@table
def decapsulated():
    for inner, outer in COMBOS:
        for size in SIZES:
            name = f"{combo_name(inner, outer)} of {size} bytes"
            packet = exactly(inner, net(outer, inner), US[inner], size, tos=2)
            yield rx(name, eth(from_peer(PEER[outer], packet)), "rx_decap",
                     "architecture.md", PEER[outer], packet, hook="xdp")
            yield rx(f"{name}, CE", eth(from_peer(PEER[outer], packet,
                                                  tos=3)), "rx_decap",
                     "RFC 6040 4.2", PEER[outer], packet, hook="xdp",
                     out=eth(wire.with_tos(packet, 3)))
            yield rx(f"{name}, QinQ", eth(from_peer(PEER[outer], packet),
                                          tags=TAGS["QinQ"]), "rx_decap",
                     "IEEE 802.1Q", PEER[outer], packet, hook="xdp",
                     out=eth(packet, tags=TAGS["QinQ"]))
            yield rx(f"{name}, padded", eth(from_peer(
                PEER[outer], packet)) + b"\xaa" * 9, "rx_decap",
                "RFC 4213 3.6", PEER[outer], packet, hook="xdp",
                out=eth(packet) + b"\xaa" * 9)


def faults(inner, outer, size):
    """(verdict, peer, outer packet)."""
    peer = PEER[outer]
    good = exactly(inner, net(outer, inner), US[inner], size)
    proto = wire.PROTO[inner]

    def inside(src):
        return from_peer(peer, exactly(inner, src, US[inner], size))
    yield "rx_borrowed", peer, good
    yield "rx_martian", peer, inside({4: "127.0.0.1", 6: "::1"}[inner])
    yield "rx_own_source", peer, inside(net(outer, inner, "5"))
    yield "rx_not_allowed", peer, inside({4: "8.8.8.8",
                                          6: "2001:db8:8::8"}[inner])
    yield "rx_bad_version", peer, from_peer(peer, good, 45 - proto)
    yield "rx_ecn", peer, from_peer(peer, good, tos=3)
    yield "rx_fragment", peer, fragment(peer, good, 1, 0)
    yield "rx_bad_outer", peer, from_peer(peer, good)[:-1]
    yield "rx_bad_inner", peer, from_peer(peer, good[:-1])
    yield "rx_no_peer", None, ip(outer, STRANGER[outer], LOCAL[outer], proto,
                                 good)
    yield "rx_stale_peer", None, ip(outer, STALE_ENDPOINT[outer],
                                    LOCAL[outer], proto, good)
    if outer == 4:
        yield "rx_bad_checksum", peer, patched(from_peer(peer, good), 10,
                                               b"\0\0")


@table
def refused():
    for inner, outer in COMBOS:
        for size in SIZES:
            for verdict, peer, packet in faults(inner, outer, size):
                yield rx(f"{combo_name(inner, outer)} of {size} bytes: "
                         f"{verdict}", eth(packet), verdict,
                         "RFC 4213 3.6, 6040 4.2", peer, hook="xdp")


def behind(headers, proto, data, src, dst=LOCAL[6]):
    """A frame with several options headers of 2048 bytes: the second begins
    within the first page, the third does not."""
    kinds = [HBH] + [DSTOPT] * (headers - 1)
    for following in reversed(kinds[1:] + [proto]):
        data = wire.opt_header(following, LONGEST) + data
    return eth(ip(6, src, dst, kinds[0], data))


@table
def headers_behind_a_page():
    """If the protocol cannot be read, the packet passes to the kernel; if only
    the inner packet cannot be read, it is dropped."""
    rfc = "RFC 8200 4"
    for inner in (4, 6):
        packet = exactly(inner, net(6, inner), US[inner], 100)
        proto = wire.PROTO[inner]
        for headers in (3, 4):
            yield rx(f"{combo_name(inner, 6)} behind {headers} long headers",
                     behind(headers, proto, packet, PEER[6].endpoint),
                     "rx_too_many_options", rfc, peer=-1, hook="xdp")
        yield rx(f"{combo_name(inner, 6)} of a stranger behind 2 long headers",
                 behind(2, proto, packet, STRANGER[6]), "rx_no_peer", rfc,
                 hook="xdp")
    yield rx("fragment behind 2 long headers", behind(
        2, FRAGMENT, fragment_header(4, 1, 0) + bytes(64), PEER[6].endpoint),
        "rx_too_many_options", rfc, peer=-1, hook="xdp")
    quoted = ip(6, LOCAL[6], PEER[6].endpoint, 4, bytes(100))
    yield rx("ICMP error behind 2 long headers", behind(
        2, ICMPV6, b"\1" + bytes(7) + quoted, FAR[6]), "rx_plain", rfc,
        hook="xdp")


@table
def guard_in_front_of_a_page():
    """The guard can always read the source."""
    packet = exactly(4, net(6, 4), US[4], 100)
    for headers, proto in [(1, 17), (2, 17), (3, 17), (4, 17), (5, 17),
                           (2, 4), (3, 4), (4, 4), (4, 41), (2, FRAGMENT),
                           (3, FRAGMENT), (1, ICMPV6), (2, ICMPV6)]:
        name = f"protocol {proto} behind {headers} long headers"
        data = behind(headers, proto, packet, net(6, 6), US[6])
        yield rx(f"{name} borrowed", data, "rx_borrowed", "RFC 4213 3.6",
                 PEER[6], hook="xdp")
        verdict = "rx_too_many_options"
        if headers < 3 and proto != FRAGMENT:
            verdict = "rx_no_peer" if proto == 4 else "rx_plain"
        yield rx(f"{name}, guard suspended", data, verdict, "RFC 4213 3.6",
                 peer=None if headers < 3 and proto != FRAGMENT else -1,
                 hook="xdp", world=SUSPENDED)
