# SPDX-License-Identifier: GPL-2.0-only
"""cpus = all: the stack's work on what comes out of a tunnel is done on all
CPUs, a flow on one of them. What arrives is what was sent, in the order of each
flow; the kernel's threads come and go with the setting."""
import os
import random
import re
import socket

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from addresses import INNER, OUTER, PREFIXES
from lab import run, wait_until
from lifecycle import bpftool_pinned
from packets.runner import one_cpu
from router import LAN, ROUTER, SITE_BYTES, Router, header
from traffic import tcp_transfer

CPUS = sorted(os.sched_getaffinity(0))
CONF = """
[interface]
mode = {mode}
cpus = {cpus}
[peer site]
endpoint = {endpoint}
allowed-ips = {allowed}
"""
FLOWS, EACH = 48, 6
SENDER = "02:00:00:00:00:01"
ROUTER_BYTES = [socket.inet_pton(family, ROUTER[version]) for version, family
                in ((4, socket.AF_INET), (6, socket.AF_INET6))]


def threads_of(tl):
    """{CPU: its thread's id} of the map in a Tunload's program."""
    prog = bpftool_pinned("prog", f"{tl.pins}/prog_xdp_ingress")
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                name = re.match(r"cpumap/(\d+)/map:(\d+)$", f.read())
        except (FileNotFoundError, ProcessLookupError, UnicodeDecodeError):
            continue
        if name and int(name[2]) in prog["map_ids"]:
            found[int(name[1])] = int(pid)
    return found


class Host:
    """A host with tunload in native mode, and a site that sends to it. Their
    packets have whole checksums, as XDP hands on no others."""

    def __init__(self, lab, outer=4, cpus="all", mode="native"):
        self.outer = outer
        self.host, self.site = lab.netns("host"), lab.netns("site")
        lab.veth(self.host, "eth0", self.site, "eth0", offload=False)
        for i, ns in enumerate((self.host, self.site)):
            ns.addr("eth0", f"{OUTER[4][i]}/24", f"{OUTER[6][i]}/64")
            ns.addr("lo", f"{INNER[4][i]}/32", f"{INNER[6][i]}/128")
        self.tl = lab.tunload(self.host)
        self.set(cpus, mode)
        self.sender = lab.sender(self.site, "eth0")
        self.stack = lab.capture(
            self.host, "eth0",
            lambda f: f.data[6:12] == bytes.fromhex(SENDER.replace(":", "")))

    def conf(self, cpus, mode="native"):
        """The configuration."""
        return CONF.format(mode=mode, cpus=cpus, allowed=PREFIXES[1],
                           endpoint=OUTER[self.outer][1])

    def set(self, cpus, mode="native"):
        """Attaches, or reloads."""
        attached = os.path.exists(self.tl.pins)
        (self.tl.reload if attached else self.tl.attach)(
            self.conf(cpus, mode), *[] if attached else ["--no-trigger"])

    def threads(self):
        """{CPU: its thread's id} of the map in the running program."""
        return threads_of(self.tl)

    def link(self):
        """An Ethernet header to the host."""
        return Ether(src=SENDER, dst=self.host.mac("eth0"))

    def tunnelled(self, inner, link=None):
        """The frame of a tunnel packet."""
        ends = dict(src=OUTER[self.outer][1], dst=OUTER[self.outer][0])
        proto = 4 if inner.version == 4 else 41
        outer = (IP(proto=proto, **ends) if self.outer == 4 else
                 IPv6(nh=proto, **ends))
        return bytes((link or self.link()) / outer / inner)

    def send(self, inners, link=None):
        """Sends inner packets through the tunnel; the frames that the stack
        sees, after the number before."""
        self.stack.clear()
        link = link or self.link()
        for at in range(0, len(inners), 64):
            self.sender.send(*(self.tunnelled(i, link)
                               for i in inners[at:at + 64]))
            self.stack.wait(min(at + 64, len(inners)))
        return self.stack.packets()


def inner_header(family):
    """From the site to the host."""
    make = IP if family == 4 else IPv6
    return make(src=INNER[family][1], dst=INNER[family][0])


def tail(flow, number, size=0):
    """A payload that says what it is."""
    return Raw(b"%04d %04d " % (flow, number) + bytes(size))


def packets_of(seed, make=inner_header):
    """Packets of many flows, of both families; those of a flow in order, without
    a pause.
    [(flow, packet)]"""
    rng = random.Random(seed)
    flows = [(f, n) for f in range(FLOWS) for n in range(EACH)]
    made = []
    for flow, number in flows:
        # TCP would be merged (GRO).
        layer = UDP(sport=4000 + flow, dport=9 + flow // 7)
        made.append((flow, make(4 if flow % 2 else 6) / layer /
                     tail(flow, number, rng.randrange(900))))
    return made


def switches(threads):
    """How often each thread has run."""
    found = {}
    for cpu, pid in threads.items():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            found[cpu] = sum(map(int, re.findall(r"ctxt_switches:\s*(\d+)",
                                                 f.read())))
    return found


@pytest.fixture(name="host", params=[4, 6], ids=["outer4", "outer6"])
def fixture_host(request, lab):
    """The Host with cpus = all."""
    return Host(lab, request.param)


def test_many_flows(host):
    """Every packet arrives as it was, in the order of its flow, and all CPUs
    have worked."""
    threads = host.threads()
    assert sorted(threads) == CPUS
    before = switches(threads)
    sent = packets_of(1)
    link = host.link()
    seen = host.send([packet for _, packet in sent])
    expected = [(flow, bytes(link / packet)) for flow, packet in sent]
    in_order(seen, expected)
    after = switches(threads)
    assert all(after[cpu] > before[cpu] for cpu in CPUS), (before, after)
    verdicts = host.tl.status()["verdicts"]
    assert verdicts["rx_decap"]["packets"] >= len(sent)


def in_order(seen, expected):
    """Checks that these are the frames, [(flow, frame)], each once, and in the
    order of each flow."""
    assert sorted(seen) == sorted(frame for _, frame in expected)
    for flow in range(FLOWS):
        wanted = [frame for f, frame in expected if f == flow]
        assert [frame for frame in seen if frame in wanted] == wanted, flow


class Forwarding(Router):
    """The Router with cpus = all."""

    def __init__(self, lab, outer):
        super().__init__(lab, outer, forward="xdp\ncpus = all")
        self.stack = lab.capture(
            self.router, "eth0",
            lambda f: not f.outgoing and SITE_BYTES[f.data[12:14]] in
            f.data[:42] and re.search(rb"\d{4} \d{4} ", f.data))

    def up(self, packet):
        """The frame of an inner packet that the stack gets."""
        return bytes(Ether(src=self.site.mac("eth0"),
                           dst=self.router.mac("eth0")) / packet)

    def mix(self, ours, theirs):
        """Sends packets to the router and to the LAN in turn; the frames that the
        stack and the LAN got."""
        self.wire.clear()
        for at in range(0, len(ours), 32):
            end = min(at + 32, len(ours))
            with one_cpu():
                for pair in zip(ours[at:end], theirs[at:end]):
                    self.sender.send(*(self.frame(p) for _, p in pair))
            self.wire.wait(end)
            wait_until(lambda: sum(map(self.is_ours, self.stack.packets()))
                       >= end, "the router's packets")
        return self.stack.packets(), self.wire.packets()

    @staticmethod
    def is_ours(frame):
        """Whether an inner packet is for the router."""
        return any(dst in frame[30:54] for dst in ROUTER_BYTES)


@pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
def test_beside_forwarding(lab, outer):
    """What is for this host is spread; what XDP forwards is not, and never sees
    the stack. Both are in the order of their flows."""
    router = Forwarding(lab, outer)
    for family in 4, 6:
        router.warm(family)
    ours, theirs = (packets_of(seed, lambda family, to=to: header(
        family, to[family])) for seed, to in enumerate((ROUTER, LAN)))
    threads = threads_of(router.tunload)
    before, ran = router.counted("rx_forward")[0], switches(threads)
    stack, wire = router.mix(ours, theirs)
    assert sorted(threads) == CPUS
    assert all(n > ran[cpu] for cpu, n in switches(threads).items())
    # One of each source and second goes up.
    went_up = [(flow, p) for flow, p in theirs if router.up(p) in stack]
    forwarded = [one for one in theirs if one not in went_up]
    assert router.counted("rx_forward")[0] - before == len(forwarded) > 200
    # They were sent between the packets of ours, at any place.
    in_order(list(filter(router.is_ours, stack)),
             [(flow, router.up(p)) for flow, p in ours])
    assert len(stack) == len(ours) + len(went_up)
    late = [router.expected(p) for _, p in went_up]
    assert not set(late) - set(wire)
    in_order([frame for frame in wire if frame not in late],
             [(flow, router.expected(p)) for flow, p in forwarded])


def test_fragments_stay_in_order(host):
    """Those of one datagram, and of many between two hosts, go one way."""
    link = host.link()
    for family in 4, 6:
        datagrams = []
        for number in range(20):
            whole = UDP(sport=4000 + number, dport=9) / Raw(
                tail(0, number).load * 220)
            if family == 4:
                datagrams += fragment(inner_header(4) / whole, 1000)
            else:
                made = inner_header(6) / IPv6ExtHdrFragment(
                    id=number + 1) / whole
                datagrams += fragment6(made, 1000)
        assert len(datagrams) == 60
        assert host.send(datagrams) == [bytes(link / d) for d in datagrams]


def test_tagged_frames(host):
    """A VLAN tag stays."""
    link = host.link() / Dot1Q(vlan=7)
    inner = inner_header(4) / UDP(sport=1, dport=9) / tail(1, 1)
    assert host.send([inner], link) == [bytes(link / inner)]


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_tcp(lab, inner):
    """A stream, between two hosts that spread both."""
    host = Host(lab)
    other = lab.tunload(host.site, bpffs=lab.new_bpffs())
    other.attach(CONF.format(mode="native", cpus="all", allowed=PREFIXES[0],
                             endpoint=OUTER[4][0]), "--no-trigger")
    tcp_transfer(host.site, INNER[inner][1], host.host, INNER[inner][0],
                 4 << 20)
    assert host.tl.peer("site")["rx"]["packets"] > 1000


def test_switched_on_and_off(lab):
    """By reload; other commands keep it, detach leaves no thread."""
    host = Host(lab, cpus="no")
    tl = host.tl
    assert host.threads() == {}
    for cpus in "all", "no", "all":
        host.set(cpus)
        assert tl.status()["cpus"] == cpus
        assert sorted(host.threads()) == (CPUS if cpus == "all" else [])
    for args in (("attach", "eth0"), ("reload", "eth0", "-c", tl.conf),
                 ("peer", "set", "eth0", "site", "ttl", "9"),
                 ("trigger", "eth0", "--due")):
        tl.ok(*args)
        assert sorted(host.threads()) == CPUS, args
    threads = host.threads()
    assert "\ncpus     all, by inner flow" in tl.ok("status", "eth0")
    tl.ok("detach", "eth0")
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}")
                               for pid in threads.values()), "no threads")


def test_chosen_cpus(lab):
    """The CPUs on which the command may run."""
    host = Host(lab, cpus="no")
    run("taskset", "-c", CPUS[-1], *host.tl.argv(
        "reload", "eth0", "-c", host.tl.write(host.conf("all"))))
    assert sorted(host.threads()) == CPUS[-1:]
    inner = inner_header(4) / UDP(sport=1, dport=9) / tail(1, 1)
    assert host.send([inner]) == [bytes(host.link() / inner)]


def test_tc(lab):
    """It has no effect there, and status says so."""
    host = Host(lab, mode="tc")
    assert ("\ncpus     as the kernel chooses: cpus = all needs native "
            "mode\n" in host.tl.ok("status", "eth0"))
