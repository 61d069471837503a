# SPDX-License-Identifier: GPL-2.0-only
"""A router that forwards in XDP (forward = xdp), between a site behind a tunnel and
a LAN, and the packets of both."""
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from addresses import OUTER
from netns import wait_until
from packets.runner import one_cpu
from traffic import is_tunnel, outer_frame, packet_of

SITE = {4: "10.10.0.1", 6: "fd00:10::1"}
LAN = {4: "172.22.2.9", 6: "fd00:22::9"}
ROUTER = {4: "172.22.2.1", 6: "fd00:22::1"}
GOOD = 100  # bytes of payload
# What tells that a captured frame is from the site.
SITE_BYTES = {b"\x08\x00": bytes([10, 10, 0, 1]),
              b"\x86\xdd": bytes.fromhex("fd000010" + "0" * 22 + "01"),
              b"\x08\x06": b"no packet"}

CONF = """
[interface]
mode = native
forward = {forward}
[peer site]
endpoint = {endpoint}
allowed-ips = 10.10.0.0/24, fd00:10::/64{more}
"""


def header(family, dst=None, ttl=64, **fields):
    """An inner header from the site."""
    dst = dst or LAN[family]
    if family == 4:
        return IP(src=SITE[4], dst=dst, ttl=ttl, id=7, **fields)
    return IPv6(src=SITE[6], dst=dst, hlim=ttl, **fields)


def udp(family, size=GOOD, **fields):
    """An inner datagram from the site to the host on the LAN."""
    return header(family, **fields) / UDP(sport=5000, dport=9) / Raw(
        bytes(size))


class Router:
    """site - router - lan. The router's tunload forwards in XDP; the site's
    packets are made here. lan's GRO makes veth accept redirected frames."""

    def __init__(self, lab, outer=4, forward="xdp", more=""):
        self.lab, self.outer = lab, outer
        self.site, self.router, self.lan = (
            lab.netns(n) for n in ("site", "router", "lan"))
        lab.veth(self.site, "eth0", self.router, "eth0", offload=False)
        lab.veth(self.router, "eth1", self.lan, "eth0", offload=False)
        self.lan.run("ethtool", "-K", "eth0", "gro", "on")
        self.router.forward()
        for pair in OUTER.values():
            length = 64 if ":" in pair[0] else 24
            self.router.addr("eth0", f"{pair[0]}/{length}")
            self.site.addr("eth0", f"{pair[1]}/{length}")
        self.router.addr("eth1", ROUTER[4] + "/24", ROUTER[6] + "/64")
        self.lan.addr("eth0", LAN[4] + "/24", LAN[6] + "/64")
        for address in ROUTER.values():
            self.lan.ip("route", "add", "default", "via", address)
        self.tunload = lab.tunload(self.router)
        self.conf = dict(endpoint=OUTER[outer][1], more=more)
        self.tunload.attach(CONF.format(forward=forward, **self.conf),
                            "--no-trigger")
        self.sender = lab.sender(self.site, "eth0")
        self.wire = lab.capture(
            self.lan, "eth0", lambda f: not f.outgoing and
            SITE_BYTES[f.data[12:14]] in f.data[:42])

    def frame(self, inner, to=None, tos=0):
        """The frame of a tunnel packet from the site."""
        ends = dict(src=OUTER[self.outer][1], dst=OUTER[self.outer][0])
        proto = 4 if inner.version == 4 else 41
        outer = (IP(proto=proto, tos=tos, **ends) if self.outer == 4 else
                 IPv6(nh=proto, tc=tos, **ends))
        return bytes(Ether(src=self.site.mac("eth0"),
                           dst=to or self.router.mac("eth0")) / outer / inner)

    def expected(self, inner):
        """What the LAN receives of an inner packet: one hop less."""
        inner = inner.copy()
        if inner.version == 4:
            inner.ttl -= 1
        else:
            inner.hlim -= 1
        return bytes(Ether(src=self.router.mac("eth1"),
                           dst=self.lan.mac("eth0")) / inner)

    def counted(self, verdict):
        """(packets, bytes) of a verdict."""
        seen = self.tunload.status()["verdicts"].get(verdict, {})
        return seen.get("packets", 0), seen.get("bytes", 0)

    def send(self, *frames):
        """Sends frames, from one CPU, as each remembers for itself."""
        with one_cpu():
            self.sender.send(*frames)

    def warm(self, family):
        """Sends good packets until XDP forwards them. Returns their number; all
        have arrived."""
        return self._until("rx_forward", self.frame(udp(family)), self.wire)

    def _until(self, verdict, frame, wire):
        """Sends this frame until the verdict counts it. Returns how often, when
        the capture `wire` has seen all: a test may clear it."""
        before, seen = self.counted(verdict)[0], len(wire.frames())
        sent = 0

        def counts():
            nonlocal sent
            self.send(frame, frame, frame)
            sent += 3
            return self.counted(verdict)[0] > before
        wait_until(counts, f"XDP counts {verdict}", interval=0.1)
        wire.wait(seen + sent)
        return sent

    def goes_up(self, family, frame, verdict="rx_decap"):
        """Checks that XDP does not forward this packet, though it does others
        of the same addresses."""
        self.warm(family)
        self._only("rx_forward", [self.frame(udp(family))] * 2,
                   len(udp(family)), frame, verdict)

    def _only(self, verdict, goods, size, frame, other):
        """Checks that of good packets of that size most count as `verdict`, and
        a frame that is sent behind them as `other`."""
        before = self.counted(verdict), self.counted(other)
        self.send(*goods, frame)

        def grown():
            """Packets and bytes of the verdict, and packets of the other, when
            all are counted."""
            now = self.counted(verdict), self.counted(other)
            (packets, length), (others, _) = (
                [a - b for a, b in zip(*pair)] for pair in zip(now, before))
            return packets + others > len(goods) and (packets, length, others)
        packets, length, others = wait_until(grown, "they are counted")
        assert 0 < packets <= len(goods) and length == packets * size
        assert others > 0


# Into a tunnel. Far hosts of the site send to the LAN; here the router's LAN
# is on eth0 too (a router on a stick, as an instance in the cloud is): the plain
# packet arrives where the tunnel packet leaves.

STICK = {4: "10.10.0.7", 6: "fd00:10::7"}


def plain(family, size=GOOD, ttl=64, dst=None, src=None, **fields):
    """A datagram to the site, from a host on eth0's network if no other is
    named."""
    dst = dst or STICK[family]
    src = src or {4: "192.0.2.9", 6: "2001:db8::9"}[family]
    ip = (IP(src=src, dst=dst, ttl=ttl, id=9, **fields) if family == 4
          else IPv6(src=src, dst=dst, hlim=ttl, **fields))
    return ip / UDP(sport=6000, dport=9) / Raw(bytes(size))


class Stick(Router):
    """The Router, whose eth0 also receives what goes into the tunnel."""

    def __init__(self, lab, outer=4, **kwargs):
        super().__init__(lab, outer, **kwargs)
        # XDP_TX of a veth needs the other end's GRO, too.
        self.site.run("ethtool", "-K", "eth0", "gro", "on")
        self.tunload.ok("trigger", "eth0", "--due")
        self.out = lab.capture(
            self.site, "eth0", lambda f: not f.outgoing and
            f.data[12:14] != b"\x08\x06" and is_tunnel(packet_of(f.data))
            and b"\x17\x70\0\x09" in f.data)  # the ports

    @staticmethod
    def plain(family, *args, **kwargs):
        """A datagram to the site."""
        return plain(family, *args, **kwargs)

    def arrives(self, packet, to=None):
        """The frame of a plain packet."""
        return bytes(Ether(src=self.site.mac("eth0"),
                           dst=to or self.router.mac("eth0")) / packet)

    def leaves(self, frame, packet):
        """The frame of its tunnel packet; frame: the one to compare, whose
        flow label is taken."""
        packet = packet.copy()
        if packet.version == 4:
            packet.ttl -= 1
        else:
            packet.hlim -= 1
        return outer_frame(frame, bytes(packet), *OUTER[self.outer],
                           self.router.mac("eth0"), self.site.mac("eth0"))

    def warm_out(self, family):
        """Sends good packets until XDP encapsulates them, and all have arrived."""
        self._until("tx_forward", self.arrives(self.plain(family)), self.out)

    def left_alone(self, family, frame, verdict="rx_plain"):
        """Checks that XDP leaves this packet to the kernel, though it does
        encapsulate others of the same addresses."""
        self.warm_out(family)
        good = self.plain(family)
        self._only("tx_forward", [self.arrives(good)] * 3, len(good), frame,
                   verdict)


class FromLan(Stick):
    """The Router, into whose tunnel the LAN sends, by eth1."""

    def __init__(self, lab, outer=4):
        super().__init__(lab, outer, forward="xdp eth1")
        self.sender = lab.sender(self.lan, "eth0")

    @staticmethod
    def plain(family, *args, **kwargs):
        return plain(family, *args, **{"src": LAN[family]} | kwargs)

    def arrives(self, packet, to=None):
        return bytes(Ether(src=self.lan.mac("eth0"),
                           dst=to or self.router.mac("eth1")) / packet)


def impatient(ns, device):
    """Makes the neighbours of a device stale, and probed, within seconds."""
    for version in "ipv4", "ipv6":
        for name, value in (("base_reachable_time_ms", 500),
                            ("delay_first_probe_time", 1),
                            ("retrans_time_ms", 200)):
            ns.sysctl(f"net.{version}.neigh.{device}.{name}", value)
    # Those that are known keep their former time.
    ns.ip("neigh", "flush", "dev", device)


def is_probe(frame):
    """True for an ARP request or a neighbour solicitation that arrives."""
    data = frame.data
    return not frame.outgoing and (
        data[12:14] == b"\x08\x06" and data[20:22] == b"\0\1" or
        data[12:14] == b"\x86\xdd" and data[20] == 58 and data[54] == 135)


def probed_and_followed(router, frame, verdict, neighbour, wire, probes):
    """The neighbour that only XDP uses is probed, and XDP follows it to another
    address."""
    before = router.counted(verdict)[0]

    def probed():
        router.send(*[frame] * 20)
        return len(probes()) >= 3
    wait_until(probed, "the neighbour is probed", interval=0.1)
    assert router.counted(verdict)[0] - before >= 20
    neighbour.ip("link", "set", "eth0", "address", "02:00:00:00:00:88")
    wire.clear()

    def followed():
        then = router.counted(verdict)[0]
        router.send(*[frame] * 20)
        return router.counted(verdict)[0] > then + 10 and any(
            f.data[:6] == bytes.fromhex("020000000088")
            for f in wire.frames())
    wait_until(followed, "XDP uses the new address", interval=0.1)
