# SPDX-License-Identifier: GPL-2.0-only
"""The attack lab: a router with two peers on eth0, an attacker on that wire
who uses any address, and a third party on eth1."""
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (HBHOptUnknown, ICMPv6ND_NA,
                                ICMPv6NDOptDstLLAddr, IPv6, IPv6ExtHdrDestOpt,
                                PadN)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import addresses
from addresses import OUTER
from traffic import packet_of, udp_socket

US, PEER = OUTER[4]
US6, PEER6 = OUTER[6]
STRANGER, STRANGER6 = "192.0.2.66", "2001:db8::66"
# Inner addresses: ours, behind the IPv4 peer, and behind the IPv6 peer.
INNER, LAN = addresses.INNER[4]
INNER6, LAN6 = addresses.INNER[6]
FAR, FAR6 = "10.20.0.1", "fd00:20::1"
# Addresses of ours in prefixes of the peers.
OWN, OWN6 = "10.10.0.77", "fd00:20::77"
# The third party, on another wire of the host.
THIRD, THIRD6 = "198.51.100.1", "2001:db8:5::1"
FORGED_MAC = "02:de:ad:00:00:01"
CONF = f"""
[interface]
local4 = {US}
local6 = {US6}
source = {INNER}, {INNER6}
[peer four]
endpoint = {PEER}
allowed-ips = {addresses.PREFIXES[1]}
[peer six]
endpoint = {PEER6}
allowed-ips = 10.20.0.0/24, fd00:20::/64
[peer open]
endpoint = 192.0.2.9
allowed-ips = 10.30.0.0/24, fd00:30::/64
guard = no
"""


def udp(src, dst=None, **kwargs):
    """An inner packet, to our inner address."""
    layer, to = (IPv6, INNER6) if ":" in src else (IP, INNER)
    return layer(src=src, dst=dst or to, **kwargs) / UDP(
        sport=1, dport=9) / Raw(b"inner packet")


def by4(inner, src=PEER, dst=US, **kwargs):
    """inner in an outer IPv4 packet."""
    return IP(src=src, dst=dst, **kwargs) / inner


def by6(inner, src=PEER6, dst=US6, **kwargs):
    """inner in an outer IPv6 packet."""
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


def advertisement():
    """A neighbour advertisement that moves the peer's address on our wire."""
    return IPv6(src=FAR6, dst=INNER6, hlim=255) / ICMPv6ND_NA(
        tgt=PEER6, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=FORGED_MAC)


# Verdicts of packets that the stack sends by itself (neighbour discovery), and
# of the datagram of mark().
BACKGROUND = {"rx_plain", "tx_plain"}
MARK = b"all before has been dealt with"


def is_noise(packet):
    """True for neighbour discovery, multicast membership, and the stack's
    errors about fragments that are incomplete after half a minute."""
    return packet is None or packet.proto == 0 or (
        packet.proto == 58 and 133 <= packet.payload[0] <= 143) or (
        packet.proto == 1 and packet.payload[:2] == b"\x0b\1")


def is_unknown_protocol(packet):
    """True for the stack's answer to a packet that is passed to it: no such
    protocol or port."""
    return (packet.proto == 1 and packet.payload[:2] in (b"\3\2", b"\3\3")
            ) or (packet.proto == 58 and packet.payload[:2] in (b"\4\1",
                                                               b"\1\4"))


class Host:
    """A host with two peers, and an attacker on its wire who uses any
    address."""

    def __init__(self, lab, mode):
        self.ns, self.other = lab.netns("host"), lab.netns("other")
        third = lab.netns("third")
        lab.veth(self.ns, "eth0", self.other, "eth0")
        lab.veth(self.ns, "eth1", third, "eth0")
        self.ns.forward()
        self.ns.addr("eth0", US + "/24", "192.0.2.3/24", US6 + "/64")
        self.ns.addr("eth1", "198.51.100.254/24", "2001:db8:5::fe/64")
        self.ns.addr("lo", INNER + "/32", INNER6 + "/128", OWN + "/32",
                     OWN6 + "/128")
        self.other.addr("eth0", PEER + "/24", PEER6 + "/64")
        third.addr("eth0", THIRD + "/24", THIRD6 + "/64")
        self.ether = Ether(src=self.other.mac("eth0"),
                           dst=self.ns.mac("eth0"))
        self.sender = lab.sender(self.other, "eth0")
        self.tap = lab.tap(self.ns, "eth0", self._to_inner)
        self.leaving = [lab.capture(self.ns, dev, lambda f: f.outgoing and
                                    not is_noise(packet_of(f.data)))
                        for dev in ("eth0", "eth1")]
        # The ports are open, so that the host sends no errors.
        self.listeners = [lab.keep(udp_socket(self.ns, any_address, 9))
                          for any_address in ("0.0.0.0", "::")]
        self.heard = []  # by the IPv4 listener, from the last packet
        self.tunload = lab.tunload(self.ns)
        self.tunload.attach(CONF, "--mode", mode, "--no-trigger")

    @staticmethod
    def _to_inner(frame):
        packet = packet_of(frame.data)
        return packet is not None and packet.dst in (INNER, INNER6)

    def counters(self):
        """Packets by verdict: (of the interface, of all peers)."""
        status = self.tunload.status()
        sums = {}
        for verdicts in (p["verdicts"] for p in status["peers"]):
            for name, counter in verdicts.items():
                sums[name] = sums.get(name, 0) + counter["packets"]
        return {name: counter["packets"] for name, counter in
                status["verdicts"].items()}, sums

    def mark(self):
        """Sends a plain datagram and waits until the stack has it, and with it
        everything sent before."""
        self.sender.send(self.ether / IP(src=PEER, dst=US) / UDP(
            sport=1, dport=9) / Raw(MARK))
        self.heard = []
        while (got := self.listeners[0].recv(100)) != MARK:
            self.heard.append(got)

    def send(self, packet):
        """Sends it; returns (its verdicts, of the interface and of peers; what
        the stack received at the inner address)."""
        self.tap.received().clear()
        for capture in self.leaving:
            capture.clear()
        before = self.counters()
        self.sender.send(self.ether / packet)
        self.mark()
        counted = [{name: n - old.get(name, 0) for name, n in new.items()
                    if n > old.get(name, 0) and name not in BACKGROUND}
                   for old, new in zip(before, self.counters())]
        return counted, self.tap.received().packets()

    def left(self):
        """The packets that have left any interface since send()."""
        return [packet_of(data) for capture in self.leaving
                for data in capture.packets()]

    def entries(self):
        """The number of entries of each map."""
        return {name: len(self.tunload.map(name)) for name in (
            "peers", "endpoints", "prefixes4", "prefixes6", "peer_stats",
            "hostnames", "verdicts", "interface")}
