# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors about our outer packets: counted for the peer, passed on."""

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoRequest,
                                ICMPv6PacketTooBig, ICMPv6ParamProblem,
                                ICMPv6TimeExceeded, IPv6)
from scapy.packet import Raw

from . import wire
from .case import LOCAL, NESTED, PEER, STRANGER, US, net, rx, table
from .ingress import NOP4, TAGS
from .plain import FAR
from .refused import fragment_header
from .wire import COMBOS, combo_name, eth, ip, to_peer, udp


def error4(kind, code, quote, src=FAR[4], dst=LOCAL[4], **fields):
    layer = ICMP(type=kind, code=code)
    if (kind, code) == (3, 4):
        layer.nexthopmtu = 1400
    return bytes(IP(src=src, dst=dst, **fields) / layer / Raw(quote))


def error6(kind, code, quote, src=FAR[6], dst=LOCAL[6], **fields):
    layer = {1: ICMPv6DestUnreach, 2: ICMPv6PacketTooBig,
             3: ICMPv6TimeExceeded, 4: ICMPv6ParamProblem,
             128: ICMPv6EchoRequest}[kind](code=code)
    if kind == 2:
        layer.mtu = 1400
    if kind == 128:
        return bytes(IPv6(src=src, dst=dst)
                     / ICMPv6EchoRequest(data=quote))
    return bytes(IPv6(src=src, dst=dst, **fields) / layer / Raw(quote))


ERROR = {4: error4, 6: error6}
TOO_BIG = {4: (3, 4), 6: (2, 0)}
KINDS = {
    4: [(3, 4, "rx_icmp_too_big"),
        *[(3, code, "rx_icmp_unreachable") for code in range(16)
          if code != 4],
        (11, 0, "rx_icmp_time_exceeded"), (11, 1, "rx_icmp_time_exceeded"),
        (12, 0, "rx_icmp_other"), (4, 0, "rx_icmp_other")],
    6: [(2, 0, "rx_icmp_too_big"),
        *[(1, code, "rx_icmp_unreachable") for code in range(8)],
        (3, 0, "rx_icmp_time_exceeded"), (3, 1, "rx_icmp_time_exceeded"),
        *[(4, code, "rx_icmp_other") for code in range(3)]],
}


def quoted(inner, outer, peers=PEER):
    return to_peer(peers[outer], udp(inner, US[inner], net(outer, inner)))


@table
def errors():
    for inner, outer in COMBOS:
        quote = quoted(inner, outer)
        for kind, code, verdict in KINDS[outer]:
            yield rx(f"{combo_name(inner, outer)} ICMP {kind}/{code}",
                     eth(ERROR[outer](kind, code, quote)), verdict,
                     "RFC 2003 4, 2473 8", PEER[outer])


@table
def senders():
    """Errors come from any router on the path, and from the peer itself."""
    for inner, outer in COMBOS:
        for who, peers in (("wide", PEER), ("nested", NESTED)):
            quote = quoted(inner, outer, peers)
            yield rx(f"{combo_name(inner, outer)} too big from the {who} "
                     "peer", eth(ERROR[outer](
                         *TOO_BIG[outer], quote,
                         src=peers[outer].endpoint)), "rx_icmp_too_big",
                     "RFC 2003 5.1", peers[outer])
        if outer == 4:
            yield rx(f"{combo_name(inner, 4)} too big with IP options",
                     eth(error4(3, 4, quoted(inner, 4), options=NOP4)),
                     "rx_icmp_too_big", "RFC 791 3.1", PEER[4])


@table
def quotes():
    """A router must quote eight bytes after the header (RFC 792); a quote that
    ends before the addresses is ignored."""
    for inner, outer in COMBOS:
        head = {4: 20, 6: 40}[outer]
        quote, name = quoted(inner, outer), combo_name(inner, outer)
        for size in (head, head + 8, head + 28, len(quote)):
            yield rx(f"{name} quote of {size} bytes",
                     eth(ERROR[outer](*TOO_BIG[outer], quote[:size])),
                     "rx_icmp_too_big", "RFC 792, 4443 3.2", PEER[outer])
        for size in (0, 1, head - 1):
            yield rx(f"{name} quote of {size} bytes",
                     eth(ERROR[outer](*TOO_BIG[outer], quote[:size])),
                     "rx_plain", "RFC 792, 4443 3.2")


@table
def about_others():
    for inner, outer in COMBOS:
        peer, name = PEER[outer], combo_name(inner, outer)
        packet = udp(inner, US[inner], net(outer, inner))
        proto = wire.PROTO[inner]
        for what, quote in [
                ("UDP to the endpoint", udp(outer, LOCAL[outer],
                                            peer.endpoint)),
                ("a stranger", ip(outer, LOCAL[outer], STRANGER[outer],
                                  proto, packet)),
                ("another source", ip(outer, STRANGER[outer], peer.endpoint,
                                      proto, packet)),
                ("the other direction", ip(outer, peer.endpoint,
                                           LOCAL[outer], proto, packet)),
                ("the inner packet", packet)]:
            yield rx(f"{name} too big about {what}",
                     eth(ERROR[outer](*TOO_BIG[outer], quote)), "rx_plain",
                     "RFC 2003 5.1")
        transit = ERROR[outer](*TOO_BIG[outer], quoted(inner, outer),
                               dst=US[outer])
        yield rx(f"{name} too big sent to somebody else", eth(transit),
                 "rx_plain", "RFC 792, 4443 2.2")
        kind = {4: 8, 6: 128}[outer]
        yield rx(f"{name} echo request that holds our packet",
                 eth(ERROR[outer](kind, 0, quoted(inner, outer))),
                 "rx_plain", "RFC 792, 4443 4.1")


def with_checksum(packet, change, pseudo=None):
    """The packet with another ICMP checksum: some bits changed, or 0 (which
    has no special meaning, RFC 792, 4443 2.3)."""
    at = {4: 20, 6: 40}[wire.version(packet)] + 2
    value = int.from_bytes(packet[at:at + 2], "big") ^ change
    if pseudo is not None:
        value = wire.checksum(packet[at - 2:at] + packet[at + 2:] + pseudo)
    return packet[:at] + value.to_bytes(2, "big") + packet[at + 2:]


@table
def wrong_checksums():
    """Nothing in such an error is trusted, also not its peer."""
    for inner, outer in COMBOS:
        quote, rfc = quoted(inner, outer), {4: "RFC 792",
                                            6: "RFC 4443 2.3"}[outer]
        for kind, code, _ in KINDS[outer]:
            packet = ERROR[outer](kind, code, quote)
            name = f"{combo_name(inner, outer)} ICMP {kind}/{code}"
            for what, change in ("low", 1), ("high", 0x8000), \
                    ("complement", 0xffff):
                yield rx(f"{name} with a wrong checksum, {what}",
                         eth(with_checksum(packet, change)), "rx_plain", rfc)
        packet = ERROR[outer](*TOO_BIG[outer], quote)
        name = f"{combo_name(inner, outer)} too big"
        mtu = {4: 26, 6: 46}[outer]
        for at in mtu, mtu + 1, len(packet) - 1:
            bad = packet[:at] + bytes([packet[at] ^ 4]) + packet[at + 1:]
            yield rx(f"{name}, byte {at} damaged", eth(bad), "rx_plain", rfc)
        addresses = {4: packet[12:20], 6: packet[8:40]}[outer]
        size = len(packet) - {4: 20, 6: 40}[outer]
        pseudo = b"" if outer == 6 else addresses + size.to_bytes(
            4, "big") + b"\0\0\0\1"
        yield rx(f"{name}, the other family's checksum",
                 eth(with_checksum(packet, 0, pseudo)), "rx_plain", rfc)
    damaged = error4(3, 4, quoted(4, 4), chksum=0x1234)
    yield rx("too big with a wrong IPv4 header checksum", eth(damaged),
             "rx_plain", "RFC 1122 3.2.1.2")


# Bytes of the whole error: what RFC 1812 4.3.2.3 and RFC 4443 2.4 c allow,
# some odd, and the longest that is looked at.
SIZES = {4: (576, 575, 577, 601, 1280, 1520), 6: (1280, 1279, 1281, 576, 1540)}


def sized(inner, outer, size):
    """An ICMP error of that many bytes."""
    quote = to_peer(PEER[outer], wire.exactly(inner, US[inner],
                                              net(outer, inner), 1440))
    quote += bytes(range(200))  # or more: RFC 4884 extensions, anything
    head = {4: 28, 6: 48}[outer]
    return ERROR[outer](*TOO_BIG[outer], quote[:size - head])


@table
def sizes():
    for inner, outer in COMBOS:
        name = combo_name(inner, outer)
        for size in SIZES[outer]:
            packet = sized(inner, outer, size)
            yield rx(f"{name} error of {size} bytes", eth(packet),
                     "rx_icmp_too_big", "RFC 1812 4.3.2.3, 4443 2.4 c",
                     PEER[outer])
            yield rx(f"{name} error of {size} bytes with padding",
                     eth(packet + b"\x5a\xa5\x33"), "rx_icmp_too_big",
                     "RFC 894, 1122 2.3.3", PEER[outer])
            yield rx(f"{name} error of {size} bytes, the last one damaged",
                     eth(packet[:-1] + bytes([packet[-1] ^ 1])), "rx_plain",
                     "RFC 792, 4443 2.3")
            yield rx(f"{name} error of {size} bytes, the last one cut off",
                     eth(packet[:-1]), "rx_plain", "RFC 791 3.1, 8200 3")
        longest = {4: 1520, 6: 1540}[outer]
        yield rx(f"{name} error of {longest + 1} bytes",
                 eth(sized(inner, outer, longest + 1)), "rx_plain",
                 "RFC 1812 4.3.2.3, 4443 2.4 c")


@table
def in_parts():
    """The checksum of a fragment cannot be verified (RFC 791 3.1, 8200
    4.5)."""
    for inner in 4, 6:
        quote = quoted(inner, 4)
        for what, fields in (("first", {"flags": "MF"}),
                             ("later", {"frag": 100}),
                             ("middle", {"flags": "MF", "frag": 1})):
            yield rx(f"{combo_name(inner, 4)} {what} fragment of an error",
                     eth(error4(3, 4, quote, **fields)), "rx_plain",
                     "RFC 791 3.1")
        packet = error6(2, 0, quoted(inner, 6))
        for what, more, offset in ("first", 1, 0), ("later", 0, 1), \
                ("middle", 1, 5):
            header = fragment_header(58, more, offset)
            yield rx(f"{combo_name(inner, 6)} {what} fragment of an error",
                     eth(ip(6, FAR[6], LOCAL[6], 44, header + packet[40:])),
                     "rx_plain", "RFC 8200 4.5")
        yield rx(f"{combo_name(inner, 6)} only fragment of an error",
                 eth(ip(6, FAR[6], LOCAL[6], 44,
                        fragment_header(58, 0, 0) + packet[40:])),
                 "rx_icmp_too_big", "RFC 6946 4", PEER[6])


@table
def behind_options():
    """The pseudo-header has the length and protocol of the message (RFC 8200
    8.1)."""
    for inner in 4, 6:
        packet = error6(2, 0, quoted(inner, 6))
        for kinds in [0], [60], [0, 60]:
            proto, data = wire.opt_chain(kinds, 58, packet[40:])
            name = f"{combo_name(inner, 6)} error behind options {kinds}"
            yield rx(name, eth(ip(6, FAR[6], LOCAL[6], proto, data)),
                     "rx_icmp_too_big", "RFC 8200 8.1", PEER[6])
            yield rx(f"{name}, damaged",
                     eth(ip(6, FAR[6], LOCAL[6], proto,
                            data[:-1] + bytes([data[-1] ^ 1]))),
                     "rx_plain", "RFC 8200 8.1")


@table
def vlans():
    """In XDP the tags are in the frame."""
    for inner, outer in COMBOS:
        for what, tags in TAGS.items():
            packet = sized(inner, outer, 577)
            name = f"{combo_name(inner, outer)} too big, {what}"
            yield rx(name, eth(packet, tags=tags), "rx_icmp_too_big",
                     "802.1Q", PEER[outer], hook="xdp", size=577)
            yield rx(f"{name}, damaged",
                     eth(with_checksum(packet, 1), tags=tags), "rx_plain",
                     "802.1Q", hook="xdp", size=577)
