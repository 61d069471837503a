# SPDX-License-Identifier: GPL-2.0-only
"""Packets per second through a host that forwards between two veth pairs, all
of it on one CPU: a generator in XDP (live frames) in front, a counting XDP
program behind. Beside a redirect that changes nothing. The median of the
rounds' own ratios counts."""
import ctypes
import os
import struct
import time

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from packets import bpf

from .harness import Table, interleave
from .packet import COMBINATIONS, packets
from .pair import quiet_lab
from .programs import HEAD, KEY, Programs

RUNS, REPEAT = 9, 1000000
LIVE_FRAMES, BATCH = 2, 64  # BPF_F_TEST_XDP_LIVE_FRAMES

IN, OUT = "in0", "out0"
ADDRESSES = {IN: ("192.0.2.9/24", "2001:db8::9/64"),
             OUT: ("172.22.2.1/24", "fd00:22::1/64",
                   "198.51.100.1/24", "2001:db8:2::1/64")}
SINK = "172.22.2.2", "fd00:22::2", "198.51.100.2", "2001:db8:2::2"

DECAP = """[peer over4]
endpoint = 192.0.2.1
allowed-ips = 10.10.0.0/16, fd00:10::/32
[peer over6]
endpoint = 2001:db8::1
allowed-ips = 10.20.0.0/16, fd00:20::/32
"""
ENCAP = """[peer over4]
endpoint = 198.51.100.2
allowed-ips = 10.30.0.0/16, fd00:30::/32
[peer over6]
endpoint = 2001:db8:2::2
allowed-ips = 10.40.0.0/16, fd00:40::/32
"""
# What goes into the tunnels of ENCAP, by combination.
INNER = {"4in4": IP(src="10.1.0.1", dst="10.30.0.1"),
         "6in4": IPv6(src="fd00:1::1", dst="fd00:30::1"),
         "4in6": IP(src="10.1.0.1", dst="10.40.0.1"),
         "6in6": IPv6(src="fd00:1::1", dst="fd00:40::1")}


def set_frame(programs, links, data, ports_at=0):
    """Says where the programs of live.bpf.c redirect to, and what to."""
    programs.maps["frames"].update(
        KEY, struct.pack("II", links[0]["ifindex"], ports_at) + data[:HEAD])


class Host:
    """A namespace that forwards from in0 to out0, with a generator and a sink
    at the far ends."""

    def __init__(self, lab, work):
        self.progs = Programs(work, "live")
        self.ns, self.far = lab.netns("host"), lab.netns("far")
        self.pins, self.lab = lab.new_bpffs(), lab
        lab.veth(self.far, "gen0", self.ns, IN)
        lab.veth(self.ns, OUT, self.far, "sink0")
        self.ns.forward()
        for ifname, addresses in ADDRESSES.items():
            self.ns.addr(ifname, *addresses)
        for address in SINK:
            self.ns.ip("neigh", "replace", address, "lladdr",
                       self.far.mac("sink0"), "dev", OUT, "nud", "permanent")
        self.xdp(self.far, "sink0", "sink")

    def xdp(self, ns, ifname, prog):
        """Attaches a program of live.bpf.c."""
        ns.ip("link", "set", ifname, "xdp", "pinned", self.pin(prog))

    def gro(self):
        """Lets veth take redirected frames without a program of XDP, as a
        network card does."""
        self.ns.run("ethtool", "-K", IN, "gro", "on")

    def pin(self, prog):
        """Pins a program of live.bpf.c; the path."""
        path = f"{self.pins}/{prog}"
        bpf.obj_pin(self.progs.progs[prog], path)
        return path

    def tunload(self, ifname, mode, peers, forward=None):
        """Attaches tunload; False if it does not know `forward`."""
        tl = self.lab.tunload(self.ns, ifname, self.lab.new_bpffs())
        done = tl.attach(f"[interface]\nmode = {mode}\naddress = 172.22.2.1\n"
                         + f"forward = {forward}\n" * bool(forward) + peers,
                         "--no-trigger", check=not forward)
        return done.returncode == 0

    def arrived(self):
        """Packets that the sink has counted."""
        return struct.unpack_from("Q", self.progs.maps["arrivals"].lookup(
            KEY)[0])[0]

    def sender(self, data, number, ports_at=0):
        """A function that sends so many packets through; of many flows, if it
        is said where their UDP ports are."""
        data = bytes.fromhex(self.ns.mac(IN).replace(":", "")) + data[6:]
        set_frame(self.progs, self.far.links("gen0"), data, ports_at)
        data_in = ctypes.create_string_buffer(data, len(data))
        attr = bpf.TestRunAttr(
            prog_fd=self.progs.progs["generate_flows" if ports_at
                                     else "generate"],
            data_size_in=len(data), data_in=ctypes.addressof(data_in),
            repeat=number, flags=LIVE_FRAMES, batch_size=BATCH)
        attr.keep = data_in
        return lambda: self.far.call(bpf.bpf, bpf.PROG_TEST_RUN, attr)

    def generate(self, data, number):
        """Sends so many packets through."""
        self.sender(data, number)()

    def rate(self, data, number):
        """Million packets a second that arrive."""
        before, begin = self.arrived(), time.monotonic()
        self.generate(data, number)
        took = time.monotonic() - begin
        arrived = self.arrived() - before
        assert arrived > number / 10, f"{arrived} of {number} arrived"
        return arrived / took / 1e6


class Redirecting(Host):
    """Only an XDP program that passes each frame on."""

    def __init__(self, lab, work):
        super().__init__(lab, work)
        # Its own object, as its map says where to.
        other = Programs(work, "live")
        path = f"{self.pins}/pass_on"
        bpf.obj_pin(other.progs["pass_on"], path)
        self.ns.ip("link", "set", IN, "xdp", "pinned", path)
        set_frame(other, self.ns.links(OUT), bytes(HEAD))


def plain_frame(inner):
    """A frame that is not tunnelled."""
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
                 / inner / UDP(sport=1, dport=2) / Raw(bytes(100)))


def hosts(lab, work):
    """{row: function that gives (host, frame)}: all that is compared."""
    redirect = Redirecting(lab, work)
    rows = {"XDP redirect, unchanged": (redirect, packets()["4in4"])}
    forwarding, with_gro = Host(lab, work), Host(lab, work)
    forwarding.xdp(forwarding.ns, IN, "to_stack")
    with_gro.gro()
    for version, dst in (4, IP(src="10.1.0.1", dst="172.22.2.2")), \
            (6, IPv6(src="fd00:1::1", dst="fd00:22::2")):
        name = f"forwarded by the kernel, IPv{version}"
        rows[name] = forwarding, plain_frame(dst)
        rows[f"{name}, GRO"] = with_gro, plain_frame(dst)

    def add(what, ifname, mode, peers, frames, forward=None):
        host = Host(lab, work)
        if ifname == OUT and not forward:
            host.xdp(host.ns, IN, "to_stack")
        elif mode == "tc":
            host.gro()
        if host.tunload(ifname, mode, peers, forward):
            rows.update({f"{what} {name}": (host, frames[name])
                         for name in COMBINATIONS})

    encap = {name: plain_frame(inner) for name, inner in INNER.items()}
    add("decap, native", IN, "native", DECAP, packets())
    add("decap, tc", IN, "tc", DECAP, packets())
    add("encap", OUT, "tc", ENCAP, encap)
    add("decap, forward = xdp", IN, "native", DECAP, packets(), "xdp")
    add("encap, forward = xdp", OUT, "native", ENCAP, encap, f"xdp {IN}")
    return rows


def run(args):
    """The table."""
    number = args.repeat or REPEAT
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with quiet_lab() as lab:
        samples = interleave(args.runs or RUNS, {
            name: lambda h=host, f=frame: h.rate(f, number)
            for name, (host, frame) in hosts(lab, args.work).items()})
    first = next(iter(samples))
    table = Table("rates", "million packets a second",
                  ["packets", "median", "of the redirect"], digits=2)
    table.samples = samples
    for name in samples:
        table.row(name, samples.median(name), samples.ratio(name, first))
    table.draw("bars", "median")
    yield table
