# SPDX-License-Identifier: GPL-2.0-only
"""A host with tunnels of which `tunload capture` writes the frames, and raw
frames at the other end."""
import os
import re
import signal

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import pcapng
from addresses import HEADER, INNER, OUTER, PREFIXES, THIRD
from lab import wait_until
from traffic import is_tunnel, packet_of, payload, udp_socket

LAYER = {4: IP, 6: IPv6}
PROTO = {4: 4, 6: 41}
FRAMES = re.compile(r"(\d+) frames written, (\d+) lost\n\Z")


class Running:
    """A capture that runs, and what it wrote in the end."""

    def __init__(self, site, *args, **kwargs):
        self.path = os.path.join(site.tl.dir, "packets.pcapng")
        self.process = site.lab.keep(site.tl.start(
            "capture", "eth0", *args, "-w", self.path, **kwargs))
        wait_until(lambda: self.process.output() or
                   self.process.popen.poll() is not None, "an output")
        if "refuses to trace" in self.process.output() and \
                "Operation not permitted" in self.process.output():
            pytest.skip("expected: this kernel takes no tracing programs")
        self.process.wait_output("capturing on eth0, ^C ends\n")

    def frames(self):
        """The frames that are in the file by now."""
        try:
            return pcapng.load(self.path).frames
        except AssertionError:  # in the middle of a block
            return []

    def wait(self, number):
        """Waits for so many frames."""
        return wait_until(lambda: len(self.frames()) >= number,
                          f"{number} frames", interval=0.1)

    def end(self, status=0):
        """Ends it; returns the File, the numbers of written and lost frames."""
        self.process.signal(signal.SIGINT)
        assert self.process.wait() == status, self.process.output()
        said = FRAMES.search(self.process.output())
        return pcapng.load(self.path), int(said[1]), int(said[2])


class Site:
    """A host with tunnels, and the other end, which is raw frames."""

    def __init__(self, lab, mode, outer=4, mtu=1500, keys="", peer_keys=""):
        self.lab, self.outer = lab, outer
        self.a, self.b = lab.netns("a"), lab.netns("b")
        lab.veth(self.a, "eth0", self.b, "eth0", mtu=mtu)
        for i, ns in enumerate((self.a, self.b)):
            ns.addr("eth0", f"{OUTER[4][i]}/24", f"{OUTER[6][i]}/64")
        self.a.addr("lo", f"{INNER[4][0]}/32", f"{INNER[6][0]}/128")
        self.b.addr("eth0", f"{THIRD[4]}/24")
        self.tl = lab.tunload(self.a)
        self.tl.attach(f"""
[interface]
mode = {mode}
path-mtu = {mtu}
{keys}
source = {INNER[4][0]}, {INNER[6][0]}
[peer b]
endpoint = {OUTER[outer][1]}
allowed-ips = {PREFIXES[1]}
{peer_keys}
[peer c]
endpoint = {THIRD[4]}
allowed-ips = 10.30.0.0/24
""", "--no-trigger")
        self.wire = lab.capture(self.b, "eth0", lambda f: not f.outgoing
                                and is_tunnel(packet_of(f.data)))
        # The other end answers nothing.
        self.b.nft("table inet quiet { chain input { type filter hook input "
                   "priority 0; meta l4proto { 4, 41 } drop; }; }")
        self.sender = lab.sender(self.b, "eth0")
        # Open, so that nothing that arrives is answered.
        self.sockets = {v: lab.keep(udp_socket(self.a, INNER[v][0], 7000))
                        for v in INNER}

    def send(self, to, size=100, seed=0):
        """Sends a datagram into a tunnel."""
        self.sockets[6 if ":" in to else 4].sendto(payload(size, seed),
                                                   (to, 7000))

    def ether(self, version):
        """The Ethernet header of a frame to the host."""
        return Ether(dst=self.a.mac("eth0"), src=self.b.mac("eth0"),
                     type={4: 0x800, 6: 0x86dd}[version])

    def inner(self, version, source=None):
        """A datagram of the other end."""
        there = source or INNER[version][1]
        return (LAYER[version](src=there, dst=INNER[version][0]) /
                UDP(sport=7000, dport=7000) / Raw(payload(80)))

    def outer_of(self, inner, version, source=None):
        """Its frame in the tunnel."""
        number = {"nh" if self.outer == 6 else "proto": PROTO[version]}
        return bytes(self.ether(self.outer) / LAYER[self.outer](
            src=source or OUTER[self.outer][1], dst=OUTER[self.outer][0],
            **number) / inner)


def shown(frames):
    """What is compared of frames."""
    return [(f.interface, f.way, f.comment.partition(":")[0], f.data)
            for f in frames]


def sent_twice(site, outgoing, peer="b"):
    """What is captured of a frame that left: the inner one to the peer's gateway, and
    that on the wire."""
    number = {"b": 1, "c": 2}[peer]
    size = 14 + HEADER[site.outer]
    version = outgoing[size] >> 4
    kind = {4: b"\x08\x00", 6: b"\x86\xdd"}[version]
    gateway = bytes.fromhex(f"02746e0000{number:02x}")
    inner = gateway + outgoing[6:12] + kind + outgoing[size:]
    return [("eth0 inner", "out", f"tx_encap, peer {peer}", inner),
            ("eth0 outer", "out", f"tx_encap, peer {peer}", outgoing)]


def received_twice(site, frame, version):
    """The same of a frame that arrived."""
    inner = bytes(site.ether(version)) + frame[14 + HEADER[site.outer]:]
    return [("eth0 outer", "in", "rx_decap, peer b", frame),
            ("eth0 inner", "in", "rx_decap, peer b", inner)]
