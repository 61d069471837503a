# SPDX-License-Identifier: GPL-2.0-only
"""The MSS option of SYN and SYN-ACK segments in both directions: at most what
fits the peer's MTU (RFC 9293 3.7.1, RFC 6691) or its key mss says, never
raised, with the checksum updated."""

from scapy.layers.inet import IPOption_NOP

from . import wire
from .case import LOCAL, PEER, US, net, rx, table, tx
from .wire import COMBOS, combo_name, eth, from_peer, tcp
from .world import World

NOP4 = [IPOption_NOP()] * 4

OPTIONS = {
    "alone": lambda mss: [("MSS", mss)],
    "first": lambda mss: [("MSS", mss), ("SAckOK", b""), ("WScale", 7)],
    "as Linux": lambda mss: [("MSS", mss), ("SAckOK", b""),
                             ("Timestamp", (1, 0)), ("NOP", None),
                             ("WScale", 7)],
    "last": lambda mss: [("SAckOK", b""), ("Timestamp", (1, 0)),
                         ("MSS", mss)],
    "odd offset": lambda mss: [("NOP", None), ("MSS", mss),
                               ("NOP", None), ("SAckOK", b"")],
    "behind WScale": lambda mss: [("WScale", 7), ("MSS", mss)],
}


def most(inner, peer):
    """The largest MSS: MTU minus IP and TCP header without options."""
    return peer.mtu - (40 if inner == 4 else 60)


def segment(outer, inner, mss, options="alone", **fields):
    fields.setdefault("flags", "S")
    return tcp(inner, US[inner], net(outer, inner),
               options=OPTIONS[options](mss), **fields)


def clamped(name, before, after, peer):
    """Egress of before must be egress of after."""
    case = tx(name, after, "tx_encap", "RFC 9293 3.7.1", peer)
    case.data = eth(before, to=peer.mac)
    return case


@table
def syn():
    for inner, outer in COMBOS:
        peer, name = PEER[outer], combo_name(inner, outer)
        limit = most(inner, peer)
        for flags in ("S", "SA", "SEC"):
            for mss in (limit - 1, limit, limit + 1, 8960, 65535, 1, 0):
                before = segment(outer, inner, mss, flags=flags)
                after = segment(outer, inner, min(mss, limit), flags=flags)
                yield clamped(f"{name} {flags} with MSS {mss}", before,
                              after, peer)
        for options in OPTIONS:
            before = segment(outer, inner, 8960, options)
            after = segment(outer, inner, limit, options)
            yield clamped(f"{name} MSS {options}", before, after, peer)
        yield clamped(f"{name} MSS with data",
                      segment(outer, inner, 8960, size=100),
                      segment(outer, inner, limit, size=100), peer)


def raw_options(outer, inner, options, flags="S"):
    """A segment with these option bytes and a right checksum."""
    kinds = [(b, None) if b in ("NOP", "EOL") else b for b in options]
    return tcp(inner, US[inner], net(outer, inner), flags=flags,
               options=kinds)


@table
def left_alone():
    """Not a SYN, no MSS option, or a malformed one."""
    for inner, outer in COMBOS:
        peer, name = PEER[outer], combo_name(inner, outer)
        end = bytes.fromhex("0204ffff")
        for what, options, flags in [
                ("no options", [], "S"),
                ("other options", ["NOP", ("WScale", 7)], "S"),
                ("end of options before it", ["EOL", (2, end[2:])], "S"),
                ("length 3", [(2, b"\xff"), "NOP"], "S"),
                ("length 6", [(2, b"\xff" * 4), "NOP", "NOP"], "S"),
                ("not in a SYN", [("MSS", 8960)], "A"),
                ("not in a RST", [("MSS", 8960)], "R"),
                ("not in a FIN", [("MSS", 8960)], "FA")]:
            yield tx(f"{name} MSS: {what}",
                     raw_options(outer, inner, options, flags), "tx_encap",
                     "RFC 9293 3.7.1", peer)
        packet = bytearray(segment(outer, inner, 8960))
        at = 20 if inner == 4 else 40
        for offset in (0, 4):  # data offset of TCP
            packet[at + 12] = offset << 4
            yield tx(f"{name} MSS: TCP data offset {offset}", bytes(packet),
                     "tx_encap", "RFC 9293 3.1", peer)
        packet[at + 12] = 15 << 4
        yield tx(f"{name} MSS: TCP header past the end", bytes(packet),
                 "tx_encap", "RFC 9293 3.1", peer)
        packet = bytearray(raw_options(outer, inner, [
            (254, b"\0\0"), ("MSS", 8960)]))
        packet[at + 21] = 0
        yield tx(f"{name} MSS: behind an option of length 0", bytes(packet),
                 "tx_encap", "RFC 9293 3.2", peer)
    later = wire.ip(4, US[4], net(4, 4), 6, segment(4, 4, 8960)[20:],
                    frag=100)
    yield tx("MSS: a fragment that looks like a SYN", later, "tx_encap",
             "RFC 791 3.1", PEER[4])


@table
def behind_another_length():
    """An MSS option of a wrong length is skipped."""
    for inner, outer in COMBOS:
        peer = PEER[outer]
        pair = [raw_options(outer, inner, [(2, bytes(8)), ("MSS", mss)])
                for mss in (8960, most(inner, peer))]
        yield clamped(f"{combo_name(inner, outer)} MSS: behind one of length "
                      "10", *pair, peer)


@table
def wrong_checksum():
    """A wrong checksum stays wrong by the same amount (RFC 1624), so that the
    receiver notices."""
    for inner, outer in COMBOS:
        peer = PEER[outer]
        limit, at = most(inner, peer), (20 if inner == 4 else 40) + 16
        pair = [bytearray(segment(outer, inner, mss)) for mss in
                (8960, limit)]
        for packet in pair:
            total = int.from_bytes(packet[at:at + 2], "big") + 0x1111
            total = (total & 0xffff) + (total >> 16)
            packet[at:at + 2] = total.to_bytes(2, "big")
        yield clamped(f"{combo_name(inner, outer)} MSS, wrong checksum",
                      bytes(pair[0]), bytes(pair[1]), peer)


def arriving(outer, inner, options, **fields):
    """A segment from a peer's network."""
    fields.setdefault("flags", "S")
    return tcp(inner, net(outer, inner), US[inner], options=options, **fields)


def arrives(name, before, after, peer, **more):
    """A packet from the tunnel that becomes another one."""
    return rx(name, eth(from_peer(peer, before)), "rx_decap",
              "RFC 9293 3.7.1", peer, after, **more)


@table
def syn_out_of_the_tunnel():
    for inner, outer in COMBOS:
        peer, name = PEER[outer], combo_name(inner, outer)
        limit = most(inner, peer)
        for flags in ("S", "SA"):
            for mss in (limit - 1, limit, limit + 1, 8960, 0):
                yield arrives(f"{name} {flags} with MSS {mss} arrives",
                              *(arriving(outer, inner, OPTIONS["alone"](value),
                                         flags=flags)
                                for value in (mss, min(mss, limit))), peer)
        for options, make in OPTIONS.items():
            yield arrives(f"{name} MSS {options} arrives",
                          arriving(outer, inner, make(8960)),
                          arriving(outer, inner, make(limit), size=0), peer)
        for flags in ("A", "R", "FA"):
            packet = arriving(outer, inner, OPTIONS["alone"](8960),
                              flags=flags)
            yield arrives(f"{name} {flags} with MSS arrives", packet, packet,
                          peer)
        packet = bytearray(arriving(outer, inner, OPTIONS["alone"](8960)))
        packet[(20 if inner == 4 else 40) + 12] = 15 << 4
        yield arrives(f"{name} MSS: TCP header past the end arrives",
                      bytes(packet), bytes(packet), peer)
    pair = [wire.ip(4, net(4, 4), US[4], 6,
                    arriving(4, 4, OPTIONS["alone"](mss))[20:],
                    options=NOP4)
            for mss in (8960, most(4, PEER[4]))]
    yield arrives("MSS behind IPv4 options arrives", *pair, PEER[4])
    later = wire.ip(4, net(4, 4), US[4], 6,
                    arriving(4, 4, OPTIONS["alone"](8960))[20:], frag=100)
    yield arrives("MSS: a fragment that looks like a SYN arrives", later,
                  later, PEER[4])


def make_fixed():
    """Peers whose key mss is 1000, or off."""
    world = World()
    return world, {
        (outer, mss): world.peer(
            endpoint.format(n), LOCAL[outer],
            [f"10.{10 * n + outer}.0.0/16", f"fd00:{10 * n + outer}::/32"],
            mss=mss)
        for n, mss in ((1, 1000), (2, 65535))
        for outer, endpoint in ((4, "198.51.100.{}"), (6, "2001:db8:2::{}"))}


FIXED, FIXED_PEERS = make_fixed()


@table
def fixed():
    """The key mss takes the place of what the MTU says."""
    for inner, outer in COMBOS:
        for n, mss in ((1, 1000), (2, 65535)):
            peer = FIXED_PEERS[outer, mss]
            far = f"10.{10 * n + outer}.0.9" if inner == 4 \
                else f"fd00:{10 * n + outer}::9"
            name = f"{combo_name(inner, outer)} mss = {mss}"
            for sent in (999, 1001, 8960):
                pair = [[tcp(inner, *ends, flags="S", options=[("MSS", value)])
                         for value in (sent, min(sent, mss))]
                        for ends in ((US[inner], far), (far, US[inner]))]
                one = clamped(f"{name}, {sent} is sent", *pair[0], peer)
                one.world = FIXED
                yield one
                yield arrives(f"{name}, {sent} arrives", *pair[1], peer,
                              world=FIXED)
