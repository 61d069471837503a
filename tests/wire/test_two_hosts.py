# SPDX-License-Identifier: GPL-2.0-only
"""Two hosts on one wire: every combination of outer and inner family, both
modes and directions, against tunload and against an independent tunnel end.
The tests compare every outer packet with the one that scapy builds, and the
inner packets that a stack gets with those that were sent."""
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
    """One of the two hosts, with tunload on eth0, or with site_tun.py."""

    def __init__(self, lab, index, outer, independent):
        self.lab, self.index, self.independent = lab, index, independent
        self.outer, self.remote = OUTER[outer][index], OUTER[outer][1 - index]
        self.inner = {v: INNER[v][index] for v in INNER}
        self.mtu = MTU[outer]
        self.ns = lab.netns("ab"[index])
        self.tunload = None

    def configure(self, mode, more=""):
        """Sets the outer and inner addresses and starts the tunnel; more: lines
        for the peer's section."""
        for pair in OUTER.values():
            length = 64 if ":" in pair[0] else 24
            self.ns.addr("eth0", f"{pair[self.index]}/{length}")
        self.ns.addr("lo", *(f"{a}/{128 if v == 6 else 32}"
                             for v, a in self.inner.items()))
        # wire has the tunnel packets that this host sends; tap, or tun, the
        # inner packets between its stack and the tunnel.
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
        # A TUN device has no link layer header; packets that the program
        # writes into it are not outgoing.
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
        """The outer frames that the host sent."""
        return self.wire.packets()


def inner_of(frame):
    """The inner packet of an outer frame."""
    return packet_of(frame).payload


def no_tcp(packets):
    """The packets without TCP, whose segments the kernel splits and merges."""
    return [p for p in packets if Packet(p).proto != 6]


def check_wire(sender, receiver):
    """Checks every outer packet of a tunload sender, whole, and their order."""
    frames, sent = sender.on_wire(), sender.sent()
    macs = sender.ns.mac("eth0"), receiver.ns.mac("eth0")
    for frame in frames:
        assert frame == outer_frame(frame, inner_of(frame), sender.outer,
                                    sender.remote, *macs)
    assert no_tcp(map(inner_of, frames)) == no_tcp(sent)
    check_flow_labels([f for f in frames if f[14] >> 4 == 6])


def check_flow_labels(frames):
    """Checks that each inner flow has one flow label (RFC 6438 3), and that
    several flows do not all share one."""
    labels = {}
    for frame in frames:
        flow = Packet(inner_of(frame)).flow
        labels.setdefault(flow, set()).add(packet_of(frame).label)
    assert all(len(of_flow) == 1 for of_flow in labels.values())
    if len(labels) > 1:
        assert len(set.union(*labels.values())) > 1


def check_counters(host, other):
    """Checks that status counts every inner packet and byte once, and no
    drop."""
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
    """The two Hosts with the tunnel up."""
    a = Host(lab, 0, outer, False)
    b = Host(lab, 1, outer, request.param == "independent")
    # Without offloads the independent end, which uses raw sockets, gets no
    # super-packets and no unfinished checksums, as from a real wire.
    lab.veth(a.ns, "eth0", b.ns, "eth0", offload=not b.independent)
    for host in a, b:
        host.configure(mode)
    assert a.tunload.status()["mode"] == mode
    assert a.tunload.status()["peers"][0]["mtu"] == a.mtu
    return a, b


@pytest.fixture(params=["native", "tc"])
def mode(request):
    """The mode of tunload's ingress."""
    return request.param


@pytest.fixture(params=[4, 6], ids=["outer4", "outer6"])
def outer(request):
    """Outer family."""
    return request.param


def exchange(a, b, inner):
    """Sends a ping, UDP around the MTU and TCP bulk in both directions."""
    sizes = [a.mtu - HEADER[inner] + d for d in (-1, 0, 1)]
    for src, dst in (a, b), (b, a):
        ends = src.ns, src.inner[inner], dst.ns, dst.inner[inner]
        assert ping(src.ns, dst.inner[inner], src.inner[inner], size=1000)
        udp_transfer(*ends, [1, *sizes, 4000], tos=EF_ECT0)
        udp_transfer(*ends, [1, *sizes[:-1]], df=True, port=5202)
        tcp_transfer(*ends, TCP_BYTES)


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_every_packet(hosts, inner):
    """Every packet is right for 4in4, 6in4, 4in6 and 6in6."""
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
    """A local sender with DF gets EMSGSIZE for one byte more than the route's
    MTU, and no packet is sent."""
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
    """The outer TTL is the peer's `ttl`, the inner TTL stays. The outer DSCP is
    the inner one or a fixed one, the outer ECN field always the inner one (RFC
    2983, RFC 6040)."""
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
