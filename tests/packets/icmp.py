# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors about our outer packets: counted for the peer, passed on."""

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoRequest,
                                ICMPv6PacketTooBig, ICMPv6ParamProblem,
                                ICMPv6TimeExceeded, IPv6)
from scapy.packet import Raw

from . import wire
from .case import LOCAL, NESTED, PEER, STRANGER, US, net, rx, table
from .ingress import NOP4
from .plain import FAR
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
    """Any router on the path may say so, and the peer itself."""
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
    """Eight bytes behind the quoted header are what a router must send
    (RFC 792); less than its addresses says nothing."""
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
    fragment = error4(3, 4, quoted(4, 4), frag=100)
    yield rx("a fragment that looks like an error", eth(fragment),
             "rx_plain", "RFC 791 3.1")
