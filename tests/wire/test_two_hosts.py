# SPDX-License-Identifier: GPL-2.0-only
"""Two hosts on one wire: every combination of outer and inner family, either
mode, both directions, against tunload and against an independent end. Every
outer packet is compared with what scapy makes of the inner one, and what the
other stack gets with what was sent."""
import errno

import pytest

from addresses import INNER, OUTER, PREFIXES
from lab import Capture
from netns import PATIENCE
from traffic import (Packet, family, is_tunnel, outer_frame, packet_of,
                     payload, ping, tcp_transfer, udp_socket, udp_transfer)

MTU = {4: 1500 - 20, 6: 1500 - 40}
HEADER = {4: 28, 6: 48}  # inner IP and UDP
EF_ECT0 = 46 << 2 | 2  # a DSCP and an ECN field that are not zero
TCP_BYTES = (2 << 20) // PATIENCE


class Host:
    """One of the two: tunload on eth0, or site_tun.py behind it."""

    def __init__(self, lab, index, outer, independent):
        self.lab, self.index, self.independent = lab, index, independent
        self.outer, self.remote = OUTER[outer][index], OUTER[outer][1 - index]
        self.inner = {v: INNER[v][index] for v in INNER}
        self.mtu = MTU[outer]
        self.ns = lab.netns("ab"[index])
        self.tunload = None

    def configure(self, mode, more=""):
        """Outer and inner addresses, and the tunnel; more: lines for the
        peer's section."""
        for pair in OUTER.values():
            length = 64 if ":" in pair[0] else 24
            self.ns.addr("eth0", f"{pair[self.index]}/{length}")
        self.ns.addr("lo", *(f"{a}/{128 if v == 6 else 32}"
                             for v, a in self.inner.items()))
        # The wire: what this host sends. The inside: what its stack gets.
        self.wire = self.lab.capture(self.ns, "eth0", self._wire_packet)
        if self.independent:
            self._site_tun()
        else:
            self.tap = self.lab.tap(self.ns, "eth0", self._inner_frame)
            self.tunload = self.lab.tunload(self.ns,
                                            bpffs=self.lab.new_bpffs())
            self.tunload.attach(self._conf() + more, "--mode", mode,
                                "--no-trigger")

    def _conf(self):
        return f"""
[interface]
source = {self.inner[4]}, {self.inner[6]}
[peer other]
endpoint = {self.remote}
allowed-ips = {PREFIXES[1 - self.index]}
"""

    def _site_tun(self):
        prefixes = PREFIXES[1 - self.index].split(", ")
        self.lab.site_tun(self.ns, self.outer, self.remote, self.mtu,
                          dict(zip(prefixes, self.inner.values())))
        self.tun = self.lab.keep(Capture(self.ns, "tun0"))

    def _wire_packet(self, frame):
        return frame.outgoing and is_tunnel(packet_of(frame.data))

    def _inner_frame(self, frame):
        packet = packet_of(frame.data)
        return packet is not None and packet.dst in (
            [a for pair in INNER.values() for a in pair])

    def _tun_packets(self, outgoing):
        # A TUN device has no link layer header; what the program wrote into
        # it comes in.
        inner = [p for pair in INNER.values() for p in pair]
        return [p for p in self.tun.packets(outgoing)
                if Packet(p).dst in inner]

    def sent(self):
        """Inner packets that the stack sent towards the tunnel."""
        if self.independent:
            return self._tun_packets(True)
        return [f[14:] for f in self.tap.sent().packets()]

    def received(self):
        """Inner packets that came to the stack out of the tunnel."""
        if self.independent:
            return self._tun_packets(False)
        return [f[14:] for f in self.tap.received().packets()]

    def on_wire(self):
        """The outer frames that it sent."""
        return self.wire.packets()


def inner_of(frame):
    """The inner packet of an outer frame."""
    return packet_of(frame).payload


def no_tcp(packets):
    """TCP is cut into segments and put together in between."""
    return [p for p in packets if Packet(p).proto != 6]


def check_wire(sender, receiver):
    """Every outer packet of a tunload sender, whole, and the order of all;
    then what the receiver's stack got."""
    frames, sent = sender.on_wire(), sender.sent()
    macs = sender.ns.mac("eth0"), receiver.ns.mac("eth0")
    for frame in frames:
        assert frame == outer_frame(frame, inner_of(frame), sender.outer,
                                    sender.remote, *macs)
    assert no_tcp(map(inner_of, frames)) == no_tcp(sent)
    check_flow_labels([f for f in frames if f[14] >> 4 == 6])


def check_flow_labels(frames):
    """One inner flow, one label (RFC 6438 3); several flows, several."""
    labels = {}
    for frame in frames:
        flow = Packet(inner_of(frame)).flow
        labels.setdefault(flow, set()).add(packet_of(frame).label)
    assert all(len(of_flow) == 1 for of_flow in labels.values())
    if len(labels) > 1:
        assert len(set.union(*labels.values())) > 1


def check_counters(host, other):
    """status: every inner packet and byte once, and nothing dropped."""
    status = host.tunload.status()
    peer = status["peers"][0]
    sent, arrived = host.sent(), list(map(inner_of, other.on_wire()))
    for counters, packets in (peer["tx"], sent), (peer["rx"], arrived):
        assert counters == {"packets": len(packets),
                            "bytes": sum(map(len, packets))}
    assert set(peer["verdicts"]) == {"tx_encap", "rx_decap"}
    assert set(status["verdicts"]) <= {"tx_encap", "rx_decap", "tx_plain",
                                       "rx_plain"}


@pytest.fixture(params=["tunload", "independent"])
def hosts(request, lab, mode, outer):
    """The two hosts, tunnel up."""
    a = Host(lab, 0, outer, False)
    b = Host(lab, 1, outer, request.param == "independent")
    # The raw sockets of the independent end get what a wire would carry:
    # super-packets and checksums left to the hardware are none.
    lab.veth(a.ns, "eth0", b.ns, "eth0", offload=not b.independent)
    for host in a, b:
        host.configure(mode)
    assert a.tunload.status()["mode"] == mode
    assert a.tunload.status()["peers"][0]["mtu"] == a.mtu
    return a, b


@pytest.fixture(params=["native", "tc"])
def mode(request):
    """Where tunload takes packets in."""
    return request.param


@pytest.fixture(params=[4, 6], ids=["outer4", "outer6"])
def outer(request):
    """Outer family."""
    return request.param


def exchange(a, b, inner):
    """ping, UDP around the MTU and TCP bulk, in both directions."""
    sizes = [a.mtu - HEADER[inner] + d for d in (-1, 0, 1)]
    for src, dst in (a, b), (b, a):
        ends = src.ns, src.inner[inner], dst.ns, dst.inner[inner]
        assert ping(src.ns, dst.inner[inner], src.inner[inner], size=1000)
        udp_transfer(*ends, [1, *sizes, 4000], tos=EF_ECT0)
        udp_transfer(*ends, [1, *sizes[:-1]], df=True, port=5202)
        tcp_transfer(*ends, TCP_BYTES)


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_every_packet(hosts, inner):
    """4in4, 6in4, 4in6, 6in6."""
    a, b = hosts
    exchange(a, b, inner)
    check_wire(a, b)
    if not b.independent:
        check_wire(b, a)
        check_counters(b, a)
    assert no_tcp(b.received()) == no_tcp(a.sent())
    assert no_tcp(a.received()) == no_tcp(b.sent())
    check_counters(a, b)
    assert not a.wire.lost() + b.wire.lost()


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_dont_fragment_is_refused_locally(hosts, inner):
    """The route's MTU: one byte more than fits is EMSGSIZE for a local
    sender, and nothing is sent."""
    a, b = hosts
    size = a.mtu - HEADER[inner] + 1
    with udp_socket(a.ns, a.inner[inner], df=True) as sock:
        assert sock.family == family(b.inner[inner])
        with pytest.raises(OSError) as e:
            sock.sendto(payload(size), (b.inner[inner], 9))
        assert e.value.errno == errno.EMSGSIZE
    assert a.on_wire() == []


@pytest.mark.parametrize("dscp", ["copy", "10"])
def test_ttl_and_dscp(lab, outer, mode, dscp):
    """The outer TTL is the peer's, the inner one's stays; the outer DSCP is
    the inner one's or fixed, ECN always the inner one's (RFC 2983, 6040)."""
    a, b = Host(lab, 0, outer, False), Host(lab, 1, outer, True)
    lab.veth(a.ns, "eth0", b.ns, "eth0", offload=False)
    a.configure(mode, f"ttl = 7\ndscp = {dscp}\n")
    b.configure(mode)
    for v in 4, 6:
        udp_transfer(a.ns, a.inner[v], b.ns, b.inner[v], [100], tos=EF_ECT0)
    macs = a.ns.mac("eth0"), b.ns.mac("eth0")
    tos = EF_ECT0 if dscp == "copy" else 10 << 2 | EF_ECT0 & 3
    assert len(a.on_wire()) == 2
    for frame in a.on_wire():
        assert frame == outer_frame(frame, inner_of(frame), a.outer,
                                    a.remote, *macs, ttl=7, tos=tos)
    assert list(map(inner_of, a.on_wire())) == a.sent() == b.received()
