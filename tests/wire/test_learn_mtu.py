# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors about outer packets that are too big, one by one: which of them
a tunnel learns from, and which it ignores."""
import json

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6PacketTooBig
from scapy.layers.l2 import Ether

from capture import RingSender
from lab import wait_until
from pmtu import HEADER, HOST, LAN, SITE, fixture_path, udp_packet

MTU = 1400
LEAST = {4: 576, 6: 1280}  # bytes that every path carries
STRANGER = {4: "192.0.2.66", 6: "2001:db8:1::66"}
BIG = 5000


def outer_field(path, name4, name6):
    """The name of a header field in the outer family."""
    return name4 if path.outer == 4 else name6


def quoting(fields=None, **addresses):
    """Makes ICMP about a packet with other outer fields or addresses. fields:
    {scapy's name for IPv4: (its name for IPv6, value)}."""
    def make(path):
        changed = {outer_field(path, name, name6): value
                   for name, (name6, value) in (fields or {}).items()}
        changed |= {k: v[path.outer] for k, v in addresses.items()}
        return path.icmp(path.quoted(**changed), MTU)
    return make


def about(length, mtu=MTU):
    """Makes ICMP about an outer packet of `length` bytes."""
    def make(path):
        inner = udp_packet(LAN[4], SITE[4], length - HEADER[path.outer])
        return path.icmp(path.quoted(inner), mtu)
    return make


def inside(src, dst):
    """Makes ICMP about an inner packet from src to dst."""
    return lambda path: path.icmp(path.quoted(udp_packet(src, dst, BIG)), MTU)


def cut(length):
    """Makes ICMP that quotes `length` bytes of the inner packet."""
    def make(path):
        quoted = bytes(path.quoted())[:HEADER[path.outer] + length]
        return path.icmp(quoted, MTU)
    return make


def unreachable(path):
    """ICMP "unreachable" about a packet of ours, with an MTU in its header."""
    packet = path.icmp(path.quoted(), MTU)
    if path.outer == 4:
        packet[ICMP].code = 1
    else:
        packet[ICMPv6PacketTooBig].type = 1
    return packet


def damaged(path):
    """ICMP whose last byte has changed, so that its checksum is wrong."""
    packet = path.icmp(path.quoted(), MTU)
    data = bytes(packet)
    return type(packet)(data[:-1] + bytes([data[-1] ^ 1]))


# name: (function that makes the packet, its verdict)
FORGED = {
    "about a packet to a stranger": (quoting(dst=STRANGER), "rx_plain"),
    "about a packet from a stranger": (quoting(src=STRANGER), "rx_plain"),
    "to another destination": (
        lambda path: path.icmp(path.quoted(), MTU, dst=STRANGER[path.outer]),
        "rx_plain"),
    "about UDP": (quoting({"proto": ("nh", 17)}), "rx_plain"),
    "wrong checksum": (damaged, "rx_plain"),
    "another error": (unreachable, "rx_icmp_unreachable"),
    "fits anyway": (about(MTU), "rx_icmp_too_big"),
    "longer than we send": (about(9002), "rx_icmp_too_big"),
    "outer length": (lambda path: quoting(
        {"len": ("plen", BIG + HEADER[4] + 1 if path.outer == 4
                 else BIG + 1)})(path), "rx_icmp_too_big"),
    "inner version": (lambda path: path.icmp(path.quoted(
        udp_packet(LAN[6], SITE[6], BIG),
        **{outer_field(path, "proto", "nh"): 4}), MTU), "rx_icmp_too_big"),
    "inner destination": (inside(LAN[4], "10.11.0.1"), "rx_icmp_too_big"),
    "inner destination, IPv6": (inside(LAN[6], "fd00:11::1"),
                                "rx_icmp_too_big"),
    "inner destination is ours": (inside(SITE[4], LAN[4]),
                                  "rx_icmp_too_big"),
    "quotes too little": (cut(7), "rx_icmp_too_big"),
    "MTU 0": (about(BIG, 0), "rx_icmp_too_big"),
}


def count_one(path, packet, verdict):
    """Sends a packet to the host and waits until it is counted."""
    before = path.tunload.verdict(verdict)
    path.send_to_host(packet)
    wait_until(lambda: path.tunload.verdict(verdict) > before,
               f"{verdict} counted")


@pytest.mark.parametrize("name", FORGED)
def test_forged(path, name):
    """The packet is counted, but nothing is learnt from it."""
    make, verdict = FORGED[name]
    path.untouched()
    count_one(path, make(path), verdict)
    assert path.learned() is None


@pytest.mark.parametrize("make", [
    about(BIG), about(MTU + 1), about(9001), cut(200),
    inside(HOST[6], SITE[6]), about(BIG, LEAST[6])])
def test_believed(path, make):
    """Valid errors are learnt from, so the refusals above are real."""
    path.attach()
    packet = make(path)
    count_one(path, packet, "rx_icmp_too_big")
    mtu = packet[ICMP].nexthopmtu if path.outer == 4 else \
        packet[ICMPv6PacketTooBig].mtu
    assert path.learned() == path.inner_mtu(mtu)
    learned = path.tunload.peer("site")["learned_mtu"]
    assert 0 < learned["expires_seconds"] <= 600


def path_mtu_finding(path):
    """What `check` says about the path's MTU: a list of one, or an empty one."""
    out = path.tunload.run("check", path.tunload.ifname, "--json").stdout
    return [f for f in json.loads(out) if f["what"] == "path MTU"]


def test_check_tells_and_mends(path):
    path.attach()
    assert path_mtu_finding(path) == []
    was, inner = path.tunload.peer("site")["mtu"], path.inner_mtu(MTU)
    count_one(path, about(BIG)(path), "rx_icmp_too_big")
    finding, = path_mtu_finding(path)
    assert (finding["level"], finding["peer"], finding["why"]) == (
        "warning", "site",
        f"a router of the path said that inner packets of more than {inner} "
        f"bytes do not fit, instead of {was}: until this is set, it is learnt "
        "again and again from lost packets")
    tunload, *words = finding["command"].split()
    assert tunload == "tunload"
    path.tunload.ok(*words)
    assert path.tunload.peer("site")["mtu"] == inner
    assert path_mtu_finding(path) == []


@pytest.mark.parametrize("make,learnt", [(about(BIG), True),
                                         (damaged, False)])
def test_in_pages(path, make, learnt):
    """If the driver leaves little of a frame in the linear part of the skb, tc
    makes all of the message readable to verify its checksum."""
    path.attach()
    ring = path.lab.keep(RingSender(path.r1, "host"))
    before = path.tunload.verdict("rx_plain")
    ring.send(Ether(src=path.mac["r1"], dst=path.mac["eth0"]) / make(path))
    wait_until(lambda: path.count("rx_icmp_too_big") if learnt else
               path.tunload.verdict("rx_plain") > before,
               "the message is counted")
    assert path.learned() == (path.inner_mtu(MTU) if learnt else None)


def test_eight_bytes_inside(path):
    """Some IPv4 routers quote eight bytes of the inner packet only (RFC 792),
    which is enough. IPv6 routers quote all that fits (RFC 4443 2.4 c), so that
    eight bytes are ignored."""
    path.attach()
    packet = cut(8)(path)
    count_one(path, packet, "rx_icmp_too_big")
    assert path.learned() == (path.inner_mtu(packet[ICMP].nexthopmtu)
                              if path.outer == 4 else None)


def test_floor(path):
    """An MTU below the family's minimum: IPv4 learns the minimum, IPv6 discards
    the message (RFC 8201 4)."""
    path.attach()
    count_one(path, about(BIG, LEAST[path.outer] - 1)(path),
              "rx_icmp_too_big")
    expected = {4: LEAST[4] - HEADER[4], 6: None}
    assert path.learned() == expected[path.outer]


def test_never_upwards(path):
    """A late error with a larger MTU does not raise what was learnt: RFC 8201
    4, "must not increase its estimate in response"."""
    path.attach()
    path.learn(MTU)
    count_one(path, about(BIG, 1454)(path), "rx_icmp_too_big")
    assert path.learned() == path.inner_mtu(MTU)
