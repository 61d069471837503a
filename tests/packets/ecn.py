# SPDX-License-Identifier: GPL-2.0-only
"""ECN and DSCP in both directions (RFC 6040, RFC 2983)."""

from . import wire
from .case import LOCAL, PEER, US, World, net, rx, table, tx
from .wire import COMBOS, combo_name, eth, from_peer, udp

NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3
ECN_NAMES = {NOT_ECT: "Not-ECT", ECT1: "ECT(1)", ECT0: "ECT(0)", CE: "CE"}

# RFC 6040 4.2, figure 4: inner -> the result for outer Not-ECT, ECT(0),
# ECT(1), CE; None: dropped.
DECAP = {
    NOT_ECT: (NOT_ECT, NOT_ECT, NOT_ECT, None),
    ECT0: (ECT0, ECT0, ECT1, CE),
    ECT1: (ECT1, ECT1, ECT1, CE),
    CE: (CE, CE, CE, CE),
}
COLUMNS = (NOT_ECT, ECT0, ECT1, CE)


def remarked(packet, ecn):
    """The packet with another ECN field and a right checksum."""
    return wire.with_tos(packet, wire.tos(packet) & ~3 | ecn)


def one(inner, outer, inner_field, outer_field, result):
    mark, dscp = inner_field
    outer_mark, outer_dscp = outer_field
    packet = udp(inner, net(outer, inner), US[inner], tos=dscp << 2 | mark)
    data = eth(from_peer(PEER[outer], packet,
                         tos=outer_dscp << 2 | outer_mark))
    name = (f"{combo_name(inner, outer)} {ECN_NAMES[outer_mark]}/{outer_dscp}"
            f" on {ECN_NAMES[mark]}/{dscp}")
    if result is None:
        return rx(name, data, "rx_ecn", "RFC 6040 4.2", PEER[outer], packet)
    return rx(name, data, "rx_decap", "RFC 6040 4.2", PEER[outer],
              remarked(packet, result))


@table
def decapsulated():
    for inner, outer in COMBOS:
        for mark, row in DECAP.items():
            for outer_mark, result in zip(COLUMNS, row):
                for dscp, outer_dscp in ((0, 0), (46, 0), (0, 63), (34, 10)):
                    yield one(inner, outer, (mark, dscp),
                              (outer_mark, outer_dscp), result)


@table
def checksum_edges():
    """Inner checksums around the wrap (RFC 1624 3)."""
    for outer in (4, 6):
        for old, mark, outer_mark in ((ECT0, CE, CE), (ECT0, ECT1, ECT1),
                                      (ECT1, CE, CE)):
            for wanted in (0x0000, 0x0001, 0x0002, 0xfffe, 0xfffd, 0x8000):
                packet = udp(4, net(outer, 4), US[4], tos=mark, id=0)
                now = int.from_bytes(packet[10:12], "big")
                packet = udp(4, net(outer, 4), US[4], tos=mark,
                             id=(now - wanted) % 0xffff)
                assert packet[10:12] == wanted.to_bytes(2, "big")
                yield rx(f"4in{outer} {ECN_NAMES[old]} becomes "
                         f"{ECN_NAMES[mark]}, checksum {wanted:#06x}",
                         eth(from_peer(PEER[outer], remarked(packet, old),
                                       tos=outer_mark)), "rx_decap",
                         "RFC 1624 3, 6040 4.2", PEER[outer], packet)


@table
def wrong_inner_checksum():
    """A wrong inner checksum stays wrong by the same amount: decapsulation
    must not repair packets that the path has damaged (RFC 1624)."""
    for outer in (4, 6):
        for wrong in (0x0000, 0x1234, 0xabcd):
            packet = udp(4, net(outer, 4), US[4], tos=ECT0, chksum=wrong)
            after = bytearray(packet)
            after[1] = CE
            total = (~wrong & 0xffff) + (~0x4502 & 0xffff) + 0x4503
            total = (total & 0xffff) + (total >> 16)
            total = (total & 0xffff) + (total >> 16)
            after[10:12] = (~total & 0xffff).to_bytes(2, "big")
            yield rx(f"4in{outer} CE on wrong checksum {wrong:#06x}",
                     eth(from_peer(PEER[outer], packet, tos=CE)), "rx_decap",
                     "RFC 1624 3", PEER[outer], bytes(after))


@table
def encapsulated():
    """Normal mode: outer ECN = inner ECN (RFC 6040 4.1); DSCP copied."""
    for inner, outer in COMBOS:
        for dscp in (0, 8, 10, 46, 63):
            for mark, name in ECN_NAMES.items():
                packet = udp(inner, US[inner], net(outer, inner),
                             tos=dscp << 2 | mark)
                yield tx(f"{combo_name(inner, outer)} {name}, dscp {dscp}",
                         packet, "tx_encap", "RFC 6040 4.1, 2983 3",
                         PEER[outer])


def fixed_world():
    """Peers with a fixed DSCP, by (outer family, DSCP)."""
    world, peers = World(), {}
    for outer in (4, 6):
        for n, dscp in enumerate((0, 1, 46, 63)):
            end = f"198.51.100.{n + 1}" if outer == 4 else f"2001:db8:2::{n}"
            peers[outer, dscp] = world.peer(
                end, LOCAL[outer],
                [f"10.{outer}.{n}.0/24", f"fd00:{outer}:{n}::/48"],
                dscp=dscp)
    return world, peers


@table
def fixed_dscp():
    world, peers = fixed_world()
    for inner in (4, 6):
        for (outer, dscp), peer in peers.items():
            n = (0, 1, 46, 63).index(dscp)
            dst = (f"10.{outer}.{n}.9" if inner == 4
                   else f"fd00:{outer}:{n}::9")
            for value, mark in ((0, 0), (0, 3), (46, 1), (63, 2)):
                packet = udp(inner, US[inner], dst, tos=value << 2 | mark)
                yield tx(f"{combo_name(inner, outer)} dscp fixed {dscp}, "
                         f"inner {value}, {ECN_NAMES[mark]}", packet,
                         "tx_encap", "RFC 2983 3.1", peer, world=world)

