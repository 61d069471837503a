# SPDX-License-Identifier: GPL-2.0-only
"""The path MTU lab: a tunnel over links of decreasing MTU.

    lan --9001-- host --9001-- r1 --1500-- r2 --1454-- r3 --1400-- site

tunload is on the host's eth0; the site's end is site_tun.py. The inner
networks are 172.22.2.0/24, fd00:22::/64 (the host and the LAN behind it) and
10.10.0.0/24, fd00:10::/64 (the site).
"""
import errno
import socket

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from addresses import HEADER, INNER, PREFIX
from lab import TIMEOUT, Lab, wait_until
from traffic import is_tunnel, packet_of

JUMBO = 9001
LINKS = {"r1": 1500, "r2": 1454, "r3": 1400}  # MTU towards the site
NARROWEST = min(LINKS.values())
OUTER = {4: ("192.0.2.2", "198.51.100.7"),
         6: ("2001:db8:1::2", "2001:db8:2::7")}
ROUTER = {4: "192.0.2.1", 6: "2001:db8:1::1"}  # r1, as the host sees it
HOST = {4: "172.22.2.1", 6: "fd00:22::1"}  # inner addresses
LAN = {v: INNER[v][0] for v in INNER}
SITE = {v: INNER[v][1] for v in INNER}
HOST_PREFIXES = {v: PREFIX[v][0] for v in PREFIX}
SITE_PREFIXES = {v: PREFIX[v][1] for v in PREFIX}
UDP_HEADER = 8
IP_MTU, IPV6_MTU = 14, 24
BLACKHOLE = """
table inet blackhole {
	chain output {
		type filter hook output priority filter;
		icmp type destination-unreachable icmp code 4 drop
		icmpv6 type packet-too-big drop
	}
}
"""


class Path:
    """The namespaces .lan, .host, .r1, .r2, .r3, .site, and a tunnel over
    `outer` (4 or 6) between .tunload on the host and the site. attach() resets
    everything, so that one Path serves many tests; it resets the counters of
    the peer, but not of the interface."""

    def __init__(self, lab, outer, mode):
        self.lab, self.outer, self.mode = lab, outer, mode
        names = "lan", "host", "r1", "r2", "r3", "site"
        self.chain = [lab.netns(n) for n in names]
        (self.lan, self.host, self.r1, self.r2, self.r3,
         self.site) = self.chain
        self._wire()
        self._inner()
        self._outer()
        self.from_r1 = lab.sender(self.r1, "host")
        self.from_lan = lab.sender(self.lan, "eth0")
        self.mac = {"r1": self.r1.mac("host"), "eth0": self.host.mac("eth0"),
                    "lan": self.host.mac("lan"),
                    "lan-host": self.lan.mac("eth0")}
        self.tunload = lab.tunload(self.host)
        self.attached = False
        self.running = None  # the configuration, unless something else has changed
        self.links = dict(LINKS)
        self.filtered = []
        lab.site_tun(self.site, *reversed(OUTER[outer]),
                     NARROWEST - HEADER[outer], {})
        self._site_routes()

    def _wire(self):
        lab = self.lab
        lab.veth(self.lan, "eth0", self.host, "lan", mtu=JUMBO)
        # Packets that the host sends there have complete checksums, as with a
        # network card without offload.
        self.host.run("ethtool", "-K", "lan", "tx", "off")
        lab.veth(self.host, "eth0", self.r1, "host", mtu=JUMBO)
        # Super-packets are segmented after tc egress.
        self.host.run("ethtool", "-K", "eth0", "tso", "off")
        for left, right in zip(self.chain[2:], self.chain[3:]):
            lab.veth(left, "next", right, "prev", mtu=LINKS[left.label],
                     offload=False)

    def _inner(self):
        lan, host = self.lan, self.host
        lan.addr("eth0", LAN[4] + "/24", LAN[6] + "/64")
        host.addr("lan", HOST[4] + "/24", HOST[6] + "/64")
        lan.ip("route", "add", "default", "via", HOST[4])
        lan.ip("route", "add", "default", "via", HOST[6])

    def _outer(self):
        for ns in self.chain[1:5]:
            ns.forward()
        self.host.addr("eth0", OUTER[4][0] + "/24", OUTER[6][0] + "/64")
        self.r1.addr("host", ROUTER[4] + "/24", ROUTER[6] + "/64")
        self.site.addr("prev", OUTER[4][1] + "/24", OUTER[6][1] + "/64")
        self.r3.addr("next", "198.51.100.1/24", "2001:db8:2::1/64")
        for i, (left, right) in enumerate(zip(self.chain[2:4],
                                              self.chain[3:5])):
            left.addr("next", f"198.18.{i}.1/24", f"2001:db8:a{i}::1/64")
            right.addr("prev", f"198.18.{i}.2/24", f"2001:db8:a{i}::2/64")
            self._towards_site(left, f"198.18.{i}.2", f"2001:db8:a{i}::2")
            self._towards_host(right, f"198.18.{i}.1", f"2001:db8:a{i}::1")
        self._towards_site(self.host, ROUTER[4], ROUTER[6])
        self._towards_host(self.site, "198.51.100.1", "2001:db8:2::1")

    @staticmethod
    def _towards_site(ns, *via):
        for prefix, hop in zip(("198.51.100.0/24", "2001:db8:2::/64"), via):
            ns.ip("route", "add", prefix, "via", hop)

    @staticmethod
    def _towards_host(ns, *via):
        # This includes the routers' own addresses, the sources of ICMP errors.
        for prefix, hop in zip(("0.0.0.0/0", "::/0"), via):
            ns.ip("route", "add", prefix, "via", hop)

    def _site_routes(self):
        for v in 4, 6:
            length = 24 if v == 4 else 64
            self.site.addr("lo", f"{SITE[v]}/{length}")
            # Segments may have any size: only the path limits them.
            self.site.ip("route", "add", HOST_PREFIXES[v], "dev", "tun0",
                         "src", SITE[v], "advmss", JUMBO - 100)

    def conf(self, interface="path-mtu = 9001", peer=""):
        """A configuration that assumes jumbo frames on the whole path, or with
        other lines."""
        return f"""
[interface]
mode = {self.mode}
source = {HOST[4]}, {HOST[6]}
{interface}
[peer site]
endpoint = {OUTER[self.outer][1]}
allowed-ips = {SITE_PREFIXES[4]}, {SITE_PREFIXES[6]}
{peer}
"""

    def attach(self, *args, **kwargs):
        """Resets everything, and attaches with conf(*args, **kwargs)."""
        for ns in self.host, self.lan:
            ns.ip("route", "flush", "cache")
            ns.ip("-6", "route", "flush", "cache")
        for ns in self.filtered:
            ns.run("nft", "flush", "ruleset")
        self.filtered = []
        self.widths(**LINKS)
        conf = self.conf(*args, **kwargs)
        if self.attached:
            # A new peer has no learned MTU and no counts.
            self.tunload.reload(conf.partition("[peer")[0])
            self.tunload.reload(conf)
        else:
            self.tunload.attach(conf, "--no-trigger")
        self.attached = True
        self.running = conf
        assert self.learned() is None
        assert self.tunload.status()["mode"] == self.mode

    def untouched(self, *args, **kwargs):
        """attach(), unless the same is running and nothing is learned."""
        if self.running != self.conf(*args, **kwargs) or self.learned():
            self.attach(*args, **kwargs)

    def widths(self, **links):
        """Sets the MTU of links: of both ends of the link after r1, r2..."""
        for label, mtu in links.items():
            if self.links[label] == mtu:
                continue
            i = [ns.label for ns in self.chain].index(label)
            self.chain[i].ip("link", "set", "next", "mtu", mtu)
            self.chain[i + 1].ip("link", "set", "prev", "mtu", mtu)
            self.links[label] = mtu

    def blackhole(self):
        """Makes the routers drop "too big" errors."""
        for ns in self.r1, self.r2, self.r3:
            self.nft(ns, BLACKHOLE)

    def nft(self, ns, rules):
        """nftables rules in ns until the next attach()."""
        self.filtered.append(ns)
        ns.nft(rules)

    def inner_mtu(self, mtu=NARROWEST):
        """The largest inner packet on a path of mtu bytes."""
        return mtu - HEADER[self.outer]

    def learned(self):
        """The MTU that tunload has learned, in bytes of the inner packet, or
        None."""
        peer = self.tunload.peer("site")
        learned = peer["learned_mtu"]
        assert learned is None or learned["mtu"] == peer["mtu"]
        return learned and learned["mtu"]

    def learn(self, mtu):
        """Makes tunload learn a path MTU of mtu bytes, by an error of a
        router."""
        icmp = self.icmp(self.quoted(), mtu)
        self.send_to_host(icmp)
        wait_until(lambda: self.learned() == self.inner_mtu(mtu),
                   f"path MTU {mtu} learnt")

    def send_to_host(self, packet):
        """Sends a packet that arrives at the host's eth0 by r1."""
        self.from_r1.send(Ether(src=self.mac["r1"], dst=self.mac["eth0"])
                          / packet)

    def send_from_lan(self, *packets, times=1):
        """Sends packets from the LAN, which the host forwards."""
        ether = Ether(src=self.mac["lan-host"], dst=self.mac["lan"])
        frames = [bytes(ether / p) for p in packets]
        self.from_lan.send(*frames * times)

    def count(self, verdict):
        """Packets with that verdict, of the peer since attach()."""
        return self.tunload.verdict(verdict, "site")

    def quoted(self, inner=None, **fields):
        """An outer packet that tunload may have sent, of 5000 inner bytes or
        with that inner packet, with `fields` of its outer header changed."""
        inner = inner or udp_packet(LAN[4], SITE[4], 5000)
        local, endpoint = OUTER[self.outer]
        layer = IPv6 if self.outer == 6 else IP
        outer = layer(**{"src": local, "dst": endpoint, **fields}) / inner
        if self.outer == 4:
            outer.flags = "DF"
        return outer

    def icmp(self, quoted, mtu, **fields):
        """The ICMP error of r1 about it (RFC 1191 4, RFC 4443 3.2)."""
        addresses = {"src": ROUTER[self.outer],
                     "dst": OUTER[self.outer][0], **fields}
        if self.outer == 4:
            return IP(**addresses) / ICMP(type=3, code=4, nexthopmtu=mtu) \
                / Raw(bytes(quoted)[:548])
        return IPv6(**addresses) / ICMPv6PacketTooBig(mtu=mtu) \
            / Raw(bytes(quoted)[:1232])

    def sender(self, where):
        """(namespace, {version: inner address}) of a "local" or "forwarded"
        flow's end here."""
        return (self.host, HOST) if where == "local" else (self.lan, LAN)

    def to_site(self):
        """A Capture of the tunnel's outer packets as they leave the host."""
        return self.lab.capture(
            self.host, "eth0", lambda frame: frame.outgoing and is_tunnel(
                packet_of(frame.data)))


@pytest.fixture(scope="module", name="path", params=[
    (outer, mode) for mode in ("native", "tc") for outer in (4, 6)],
    ids=lambda p: f"outer{p[0]}-{p[1]}")
def fixture_path(request):
    """One path for all tests of a file over one outer family in one mode."""
    with Lab() as lab:
        yield Path(lab, *request.param)


def hop(packet):
    """A packet as a router forwards it."""
    packet = packet.copy()
    if IPv6 in packet:
        packet.hlim -= 1
    else:
        packet.ttl -= 1
        del packet.chksum
    return packet


def udp_packet(src, dst, length, df=True, **fields):
    """An IP packet of that many bytes with a UDP datagram to port 9."""
    layer = UDP(sport=7, dport=9)
    if ":" in src:
        return IPv6(src=src, dst=dst, **fields) / layer / Raw(
            bytes(length - 48))
    return IP(src=src, dst=dst, flags="DF" if df else 0, **fields) / layer \
        / Raw(bytes(length - 28))


def kernel_mtu(sock):
    """The kernel's path MTU for a connected socket."""
    if sock.family == socket.AF_INET6:
        return sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return sock.getsockopt(socket.IPPROTO_IP, IP_MTU)


def arrives(server, client, data, wait=TIMEOUT):
    """Sends a datagram over a connected socket; True if it came out at the
    server, False if it did not in `wait` seconds, None for EMSGSIZE."""
    server.settimeout(wait)
    try:
        client.send(data)
    except OSError as e:
        if e.errno != errno.EMSGSIZE:
            raise
        return None
    try:
        while True:
            if server.recv(65536) == data:
                return True
    except TimeoutError:
        return False


def is_too_big(packet):
    """True for ICMP "fragmentation needed" and Packet Too Big."""
    if packet is None:
        return False
    return (packet.proto == 1 and packet.payload[:2] == b"\x03\x04") or \
        (packet.proto == 58 and packet.payload[:1] == b"\x02")
