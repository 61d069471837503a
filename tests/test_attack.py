# SPDX-License-Identifier: GPL-2.0-only
"""What strangers, and peers gone bad, can send to a host with a tunnel: for
each frame the one verdict that counts it, and what the stack gets."""
import contextlib

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrHopByHop, PadN)
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from lab import Lab, wait_until
from traffic import packet_of, udp_socket

US, US6 = "192.0.2.1", "2001:db8::1"
PEER, PEER6 = "192.0.2.2", "2001:db8::2"
STRANGER, STRANGER6 = "192.0.2.66", "2001:db8::66"
INNER, INNER6 = "172.22.2.2", "fd00:22::2"
# Behind the IPv4 peer, and behind the IPv6 one.
LAN, LAN6 = "10.10.0.1", "fd00:10::1"
FAR, FAR6 = "10.20.0.1", "fd00:20::1"
# Ours, though in their prefixes.
OWN, OWN6 = "10.10.0.77", "fd00:20::77"
CONF = f"""
[interface]
local4 = {US}
local6 = {US6}
source = {INNER}, {INNER6}
[peer four]
endpoint = {PEER}
allowed-ips = 10.10.0.0/24, fd00:10::/64
[peer six]
endpoint = {PEER6}
allowed-ips = 10.20.0.0/24, fd00:20::/64
"""


def udp(src, dst=None, **kwargs):
    """An inner packet, to our inner address."""
    layer, to = (IPv6, INNER6) if ":" in src else (IP, INNER)
    return layer(src=src, dst=dst or to, **kwargs) / UDP(
        sport=1, dport=9) / Raw(b"inner packet")


def by4(inner, src=PEER, dst=US, **kwargs):
    """In an outer IPv4 packet."""
    return IP(src=src, dst=dst, **kwargs) / inner


def by6(inner, src=PEER6, dst=US6, **kwargs):
    """In an outer IPv6 packet."""
    return IPv6(src=src, dst=dst, **kwargs) / inner


def limit(**kwargs):
    """The Destination Options header of Linux's ip6tnl (RFC 2473 4.1.1)."""
    option = HBHOptUnknown(otype=4, optlen=1, optdata=b"\x04")
    return IPv6ExtHdrDestOpt(options=[option, PadN(optdata=b"\0")], **kwargs)


def options(number):
    """That many options headers."""
    chain = limit()
    for _ in range(number - 2):
        chain /= limit()
    return chain / limit(nh=4)


QINQ = Dot1AD(vlan=7) / Dot1Q(vlan=5)

# name: what is behind the Ethernet addresses, and what the stack gets.
DECAPSULATED = {
    "4in4": (by4(udp(LAN)), udp(LAN)),
    "6in4": (by4(udp(LAN6)), udp(LAN6)),
    "4in6": (by6(udp(FAR)), udp(FAR)),
    "6in6": (by6(udp(FAR6)), udp(FAR6)),
    "encapsulation limit": (by6(limit(nh=4) / udp(FAR)), udp(FAR)),
    "hop-by-hop": (by6(IPv6ExtHdrHopByHop() / limit(nh=41) / udp(FAR6)),
                   udp(FAR6)),
    "outer IPv4 options": (by4(udp(LAN), options=b"\x01\x01\x01\x00"),
                           udp(LAN)),
    "outer TTL 1": (by4(udp(LAN), ttl=1), udp(LAN)),
    "inner TTL 1": (by4(udp(LAN, ttl=1)), udp(LAN, ttl=1)),
    "inner hop limit 1": (by6(udp(FAR6, hlim=1)), udp(FAR6, hlim=1)),
    "VLAN": (Dot1Q(vlan=5) / by4(udp(LAN)), Dot1Q(vlan=5) / udp(LAN)),
    "VLAN, 4in6": (Dot1Q(vlan=5) / by6(udp(FAR)), Dot1Q(vlan=5) / udp(FAR)),
    "QinQ": (QINQ / by4(udp(LAN)), QINQ / udp(LAN)),
    "QinQ, 6in4": (QINQ / by4(udp(LAN6)), QINQ / udp(LAN6)),
    "QinQ, 4in6": (QINQ / by6(udp(FAR)), QINQ / udp(FAR)),
    "QinQ, CE": (QINQ / by6(udp(FAR6, tc=2), tc=3), QINQ / udp(FAR6, tc=3)),
    # RFC 6040 4.2, RFC 2983 (the outer DSCP is not copied inwards).
    "CE": (by4(udp(LAN, tos=2), tos=3), udp(LAN, tos=3)),
    "CE, 6in6": (by6(udp(FAR6, tc=1), tc=3), udp(FAR6, tc=3)),
    "CE, 4in6": (by6(udp(FAR, tos=1), tc=3), udp(FAR, tos=3)),
    "ECT(1) on ECT(0)": (by4(udp(LAN, tos=2), tos=1), udp(LAN, tos=1)),
    "ECT(0) on ECT(1)": (by4(udp(LAN, tos=1), tos=2), udp(LAN, tos=1)),
    "Not-ECT on CE": (by4(udp(LAN, tos=3)), udp(LAN, tos=3)),
    "other DSCP": (by4(udp(LAN, tos=0x20), tos=0xb8), udp(LAN, tos=0x20)),
}

# name: (what is behind the Ethernet addresses, verdict); the stack gets
# nothing of it at the inner address.
REFUSED = {
    # Open decapsulators: CVE-2020-10136, CVE-2024-7595, CVE-2025-23018.
    "stranger 4in4": (by4(udp(LAN), src=STRANGER), "rx_no_peer"),
    "stranger 6in4": (by4(udp(LAN6), src=STRANGER), "rx_no_peer"),
    "stranger 4in6": (by6(udp(FAR), src=STRANGER6), "rx_no_peer"),
    "stranger 6in6": (by6(udp(FAR6), src=STRANGER6), "rx_no_peer"),
    "to our other address": (by4(udp(LAN), dst="192.0.2.3"), "rx_no_peer"),
    # Reflection through us, to somebody else.
    "reflection": (by4(udp(STRANGER, "198.51.100.1")), "rx_not_allowed"),
    "reflection, IPv6": (by6(udp(STRANGER6, "2001:db8:5::1")),
                         "rx_not_allowed"),
    "not allowed": (by4(udp("10.11.0.1")), "rx_not_allowed"),
    "not allowed, IPv6": (by6(udp("fd00:11::1")), "rx_not_allowed"),
    "the other peer's": (by4(udp(FAR)), "rx_not_allowed"),
    "the other peer's, IPv6": (by6(udp(LAN6)), "rx_not_allowed"),
    # RFC 4213 3.6.
    "loopback": (by4(udp("127.0.0.1")), "rx_martian"),
    "multicast": (by4(udp("224.0.0.1")), "rx_martian"),
    "unspecified": (by4(udp("0.0.0.0")), "rx_martian"),
    "loopback, IPv6": (by6(udp("::1")), "rx_martian"),
    "multicast, IPv6": (by6(udp("ff02::1")), "rx_martian"),
    "unspecified, IPv6": (by6(udp("::")), "rx_martian"),
    "v4-mapped": (by6(udp("::ffff:10.10.0.1")), "rx_martian"),
    "our own": (by4(udp(US)), "rx_not_allowed"),
    "our own inner": (by4(udp(INNER)), "rx_not_allowed"),
    "our own inner, IPv6": (by6(udp(INNER6)), "rx_not_allowed"),
    "our own, allowed": (by4(udp(OWN)), "rx_own_source"),
    "our own, allowed, IPv6": (by6(udp(OWN6)), "rx_own_source"),
    "borrowed": (udp(LAN), "rx_borrowed"),
    "borrowed, IPv6": (udp(FAR6), "rx_borrowed"),
    "borrowed, VLAN": (Dot1Q(vlan=5) / udp(LAN), "rx_borrowed"),
    "borrowed, QinQ": (QINQ / udp(LAN), "rx_borrowed"),
    # Malformed.
    "checksum": (by4(udp(LAN), chksum=0x1234), "rx_bad_checksum"),
    "outer too long": (by4(udp(LAN), len=400), "rx_bad_outer"),
    "outer too long, IPv6": (by6(udp(FAR), plen=400), "rx_bad_outer"),
    "inner too long": (by4(udp(LAN, len=400)), "rx_bad_inner"),
    "inner too long, IPv6": (by6(udp(FAR6, plen=400)), "rx_bad_inner"),
    "inner longer than the outer says": (by4(udp(LAN), len=40) /
                                         Raw(b"x" * 60), "rx_bad_inner"),
    "6 in protocol 4": (by4(udp(LAN6), proto=4), "rx_bad_version"),
    "4 in next header 41": (by6(udp(FAR), nh=41), "rx_bad_version"),
    "CE on Not-ECT": (by4(udp(LAN), tos=3), "rx_ecn"),
    "CE on Not-ECT, IPv6": (by6(udp(FAR6), tc=3), "rx_ecn"),
    "many options": (by6(options(40) / udp(FAR)), "rx_too_many_options"),
    "first fragment": (by4(udp(LAN), flags="MF"), "rx_fragment"),
    "last fragment": (by4(udp(LAN), frag=3), "rx_fragment"),
}
# What the stack causes by itself: neighbour discovery, answers.
BACKGROUND = {"rx_plain", "tx_plain", "tx_encap"}


class Host:
    """A host with two peers, and another on its wire that pretends to be
    anybody."""

    def __init__(self, lab, mode):
        self.ns, self.other = lab.netns("host"), lab.netns("other")
        lab.veth(self.ns, "eth0", self.other, "eth0")
        self.ns.addr("eth0", US + "/24", "192.0.2.3/24", US6 + "/64")
        self.ns.addr("lo", INNER + "/32", INNER6 + "/128", OWN + "/32",
                     OWN6 + "/128")
        self.other.addr("eth0", PEER + "/24", PEER6 + "/64")
        self.ether = Ether(src=self.other.mac("eth0"),
                           dst=self.ns.mac("eth0"))
        self.sender = lab.sender(self.other, "eth0")
        self.tap = lab.tap(self.ns, "eth0", self._to_inner)
        # Somebody listens, so the host has nothing to answer.
        self.listeners = [lab.keep(udp_socket(self.ns, any_address, 9))
                          for any_address in ("0.0.0.0", "::")]
        self.listeners[0].setblocking(False)
        self.tunload = lab.tunload(self.ns)
        self.tunload.attach(CONF, "--mode", mode, "--no-trigger")

    @staticmethod
    def _to_inner(frame):
        packet = packet_of(frame.data)
        return packet is not None and packet.dst in (INNER, INNER6)

    def counters(self):
        """Packets by verdict."""
        return {name: counter["packets"] for name, counter in
                self.tunload.status()["verdicts"].items()}

    def drain(self):
        """What the IPv4 listener got since the last call."""
        got = []
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(self.listeners[0].recv(100))
        return got

    def send(self, packet, verdict):
        """Sends it, waits until it is counted for that verdict, and for no
        other; returns what the stack got at the inner address."""
        self.tap.received().clear()
        before = self.counters()

        def new():
            return {name: n - before.get(name, 0)
                    for name, n in self.counters().items()
                    if n > before.get(name, 0) and name not in BACKGROUND}

        self.sender.send(self.ether / packet)
        wait_until(new, f"{verdict} counted", timeout=3)
        assert new() == {verdict: 1}
        return self.tap.received().packets()


@pytest.fixture(scope="module", params=["native", "tc"])
def host(request):
    """One host for all cases."""
    with Lab() as lab:
        yield Host(lab, request.param)


@pytest.mark.parametrize("name", DECAPSULATED)
def test_decapsulated(host, name):
    """So that the refusals below mean something: this host does listen."""
    packet, inner = DECAPSULATED[name]
    got = host.send(packet, "rx_decap")
    assert got == [bytes(host.ether / inner)]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(host, name):
    """Counted once, under the right name, and not delivered."""
    packet, verdict = REFUSED[name]
    assert host.send(packet, verdict) == []


@pytest.mark.parametrize("where", ["inside", "behind"])
def test_padding(host, where):
    """Behind the inner packet, inside the outer one or behind that (as
    Ethernet pads short frames): harmless, RFC 4213 3.6."""
    inner = bytes(udp(LAN))
    if where == "inside":
        packet = by4(Raw(inner + b"padding"), proto=4)
    else:
        packet = IP(bytes(by4(udp(LAN))) + b"padding")
    host.drain()
    got = host.send(packet, "rx_decap")
    assert len(got) == 1 and got[0][14:].startswith(inner)
    assert host.drain() == [b"inner packet"]


def test_the_endpoint_itself_is_not_tunnelled(host):
    """Plain traffic of a peer's endpoint goes on as before."""
    assert host.other.run("ping", "-c1", "-W2", US).returncode == 0
    assert host.other.run("ping", "-c1", "-W2", US6).returncode == 0
