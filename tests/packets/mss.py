# SPDX-License-Identifier: GPL-2.0-only
"""The MSS option of SYN and SYN-ACK segments: at most what fits the peer's MTU
(RFC 9293 3.7.1, RFC 6691), never raised, with the checksum updated."""

from . import wire
from .case import PEER, US, net, rx, table, tx
from .wire import COMBOS, combo_name, eth, from_peer, tcp

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
        received = tcp(inner, net(outer, inner), US[inner], flags="S",
                       options=[("MSS", 8960)])
        yield rx(f"{name} MSS: not at ingress",
                 eth(from_peer(peer, received)), "rx_decap",
                 "RFC 9293 3.7.1", peer, received)
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
