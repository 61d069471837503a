# SPDX-License-Identifier: GPL-2.0-only
"""A host with tunload, and the other end of its tunnel built as
`tunload remote-config` prints it:

    host eth0 --- eth0 site eth1 --- eth0 lan
"""
import errno
import re
import socket

from addresses import INNER, OUTER, PREFIX
from lab import wait_until
from traffic import (PORT, Packet, is_tunnel, packet_of, ping, tcp_transfer,
                     udp_socket, udp_transfer)

LAN = {4: "10.10.0.2", 6: "fd00:10::2"}
UDP_HEADERS = {4: 28, 6: 48}  # with that of IP
TTL = 33
EF_ECT0 = 46 << 2 | 2
FIXED = 10  # a DSCP
# (outer version, inner versions, dscp) of each tunnel.
TUNNELS = [(4, (4,), "copy"), (4, (6,), "copy"), (4, (4, 6), FIXED),
           (6, (4,), "copy"), (6, (6,), FIXED), (6, (4, 6), "copy")]


def tunnel_id(tunnel):
    """A name for a test's parameter: in4-46-copy."""
    outer, inner, dscp = tunnel
    return f"in{outer}-{''.join(map(str, inner))}-{dscp}"


class FarEnd:
    """.tl is attached on .host; .site has addresses, and no tunnel yet."""

    def __init__(self, lab, tunnel):
        self.outer, self.inner, self.dscp = tunnel
        self.mtu = 1500 - (20 if self.outer == 4 else 40)
        self.host, self.site = lab.netns("host"), lab.netns("site")
        self.lan = lab.netns("lan")
        lab.veth(self.host, "eth0", self.site, "eth0")
        lab.veth(self.site, "eth1", self.lan, "eth0")
        for i, ns in enumerate((self.host, self.site)):
            ns.addr("eth0", f"{OUTER[4][i]}/24", f"{OUTER[6][i]}/64")
        self.host.addr("lo", f"{INNER[4][0]}/32", f"{INNER[6][0]}/128")
        self.site.addr("eth1", f"{INNER[4][1]}/24", f"{INNER[6][1]}/64")
        self.lan.addr("eth0", f"{LAN[4]}/24", f"{LAN[6]}/64")
        for v in (4, 6):
            self.lan.ip("route", "add", "default", "via", INNER[v][1])
        self.site.forward()
        self.wire = lab.capture(self.host, "eth0",
                                lambda f: is_tunnel(packet_of(f.data)))
        self.tl = lab.tunload(self.host)
        self.tl.attach(self._conf(), "--no-trigger", "--mode", "tc")

    def _conf(self):
        allowed = ", ".join(PREFIX[v][1] for v in self.inner)
        source = ", ".join(INNER[v][0] for v in self.inner)
        return f"""[interface]
source = {source}
[peer site]
endpoint = {OUTER[self.outer][1]}
allowed-ips = {allowed}
ttl = {TTL}
dscp = {self.dscp}
"""

    def printed(self, form):
        """What remote-config prints."""
        return self.tl.ok(
            "remote-config", "eth0", "site", "--for", form, "--their-source",
            ",".join(INNER[v][1] for v in self.inner))

    def build(self, commands):
        """Types the commands at the site."""
        self.site.run("sh", "-e", "-c", commands)

    def wait(self):
        """Waits until the tunnel works."""
        for v in self.inner:
            wait_until(lambda v=v: ping(self.site, INNER[v][0], wait=1),
                       f"ping by IPv{v}")

    def _tos(self, sent, copied):
        if self.dscp == "copy":
            return sent if copied else sent & 3
        return (self.dscp if copied else 0) << 2 | sent & 3

    def _expected(self, frame, outgoing, tos):
        # Imported here, as it takes seconds in a virtual machine.
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import Ether
        from scapy.packet import Raw

        got = packet_of(frame)
        macs = [ns.mac("eth0") for ns in (self.host, self.site)]
        ends = list(OUTER[self.outer])
        if not outgoing:
            macs.reverse()
            ends.reverse()
        proto = 4 if got.payload[0] >> 4 == 4 else 41
        # Only the ID or the flow label may be chosen by the sender.
        if self.outer == 4:
            outer = IP(src=ends[0], dst=ends[1], proto=proto, ttl=TTL, tos=tos,
                       flags="DF", id=int.from_bytes(got.id, "big"))
        else:
            outer = IPv6(src=ends[0], dst=ends[1], nh=proto, hlim=TTL, tc=tos,
                         fl=got.label, plen=len(got.payload))
        return bytes(Ether(src=macs[0], dst=macs[1]) / outer / Raw(got.payload))

    def check(self, far_copies=True):
        """Sends datagrams both ways, the largest that fit among them, and
        compares the whole of every outer packet. far_copies: the other end
        writes a DSCP into its outer header."""
        for v in self.inner:
            sizes = [1, 700, self.mtu - UDP_HEADERS[v]]
            self.wire.clear()
            for src, dst, i in ((self.host, self.site, 0),
                                (self.site, self.host, 1)):
                udp_transfer(src, INNER[v][i], dst, INNER[v][1 - i], sizes,
                             df=True, tos=EF_ECT0)
                self._refuses(src, INNER[v][i], INNER[v][1 - i], sizes[-1] + 1)
            frames = [f for f in self.wire.frames()
                      if Packet(packet_of(f.data).payload).proto == 17]
            assert len(frames) == 2 * len(sizes), [len(f.data) for f in frames]
            for frame in frames:
                tos = self._tos(EF_ECT0, frame.outgoing or far_copies)
                wanted = self._expected(frame.data, frame.outgoing, tos)
                assert frame.data == wanted, (
                    f"\n{frame.data[:80].hex()}, not\n{wanted[:80].hex()}")

    @staticmethod
    def _refuses(ns, address, to, size):
        with udp_socket(ns, address, df=True) as sock:
            try:
                sock.sendto(bytes(size), (to, PORT))
            except OSError as e:
                assert e.errno == errno.EMSGSIZE
                return
        raise AssertionError(f"{size} bytes are not too long")

    def check_mss(self):
        """The MSS of a TCP connection that the site forwards fits."""
        for v in self.inner:
            self.wire.clear()
            tcp_transfer(self.lan, LAN[v], self.host, INNER[v][0], 1 << 16)
            syns = [mss_of(packet_of(f.data).payload)
                    for f in self.wire.frames() if not f.outgoing]
            assert [n for n in syns if n] == [
                self.mtu - (40 if v == 4 else 60)]


def mss_of(inner):
    """The MSS option of a SYN, else None; it is the first option of Linux."""
    packet = Packet(inner)
    tcp = packet.payload
    if packet.proto != socket.IPPROTO_TCP or not tcp[13] & 2:
        return None
    assert tcp[20:22] == b"\x02\x04"
    return int.from_bytes(tcp[22:24], "big")


def bare(text):
    """A configuration without comments, its peer named as the only device."""
    text = "\n".join(line for line in text.splitlines()
                     if not line.startswith("#"))
    return re.sub(r"^\[peer tunload[46]\]$", "[peer tunload]", text, flags=re.M)
