# SPDX-License-Identifier: GPL-2.0-only
"""What the tc programs cost with many peers and prefixes under traffic, when
packets go to or come from all of them alike (uniform) or mostly some (Zipf).

Small UDP packets from one CPU; the kernel measures each run of a program, less
that of an empty one. The minimum of the runs counts, and the median of several
attachments of a small size (Samples.typical()). Two peers with a prefix each
take turns with each size, for the ratio; with 1,000 by Zipf so do programs that
make one look-up and check nothing (tc.bpf.c)."""
import os

from packets import bpf

from .harness import Table, interleave, say
from .many import (FAMILIES, FIRST_PREFIX, LOCAL, PREFIX_LEN, ROUTER_MAC,
                   Attached, Population, attached, short)
from .pair import PORT, RunTime, quiet_lab, run_times, udp_tool
from .programs import Programs
from .tc import HEADER, LINK, UDP_DATA, attach

RUNS, REPEAT = 5, 1000000
SIZES = [(1000, 1000, "zipf"), (1000, 1000, "uniform"),
         (1000, 1000000, "uniform"), (100000, 100000, "uniform"),
         (100000, 1000000, "uniform")]
PROGRAMS = {"encap": "tc_egress", "decap": "tc_ingress"}


class Traffic:
    """Sends packets of a population out of a namespace by its eth0, and into it
    from a router."""

    def prepare(self, work, population, ns, router):
        """Of these namespaces."""
        self.population, self.ns, self.router = population, ns, router
        self.tool = udp_tool(work)
        self.file = os.path.join(work, f"frame{population.family}")
        with open(self.file, "wb") as f:
            f.write(population.frame)

    def burst(self, what, number, shape):
        """ns of a run of that program while so many packets pass."""
        population, prog = self.population, self.progs[what]
        networks = population.peers * population.each
        first = FIRST_PREFIX[population.family]
        if what == "encap":
            ns, command = self.ns, ["spread", first, PORT]
            more = []
        else:
            ns, command = self.router, ["tunnel", "eth0",
                                        population.endpoint(0), first,
                                        population.each]
            more = [self.file]
        return run_times({what: prog}, number, lambda: ns.run(
            "taskset", "-c", "0", self.tool, *command, number, networks, shape,
            *more))[what]


class Host(Traffic, Attached):
    """A population that is attached, with routes."""

    def __init__(self, lab, work, population):
        Attached.__init__(self, lab, population, "routes = yes")
        self.prepare(work, population, self.tl.ns, self.router)
        self.progs = {what: bpf.obj_get(f"{self.tl.pins}/prog_{name}")
                      for what, name in PROGRAMS.items()}

    def check(self):
        """Fails unless all packets pass."""
        verdicts = {"encap": "tx_encap", "decap": "rx_decap"}
        for what, verdict in verdicts.items():
            before = self.tl.verdict(verdict)
            self.burst(what, 1000, "uniform")
            assert self.tl.verdict(verdict) >= before + 1000, what


class Known(Traffic):
    """The same with programs in place of tunload that make one look-up of what
    the CPU remembers of a packet's peer, count twice, and check nothing."""

    def __init__(self, lab, work, population):
        self.prepare(work, population, lab.netns("known"), lab.netns("router"))
        lab.veth(self.ns, "eth0", self.router, "eth0")
        family, frame = population.family, population.frame
        self.ns.addr("eth0", LOCAL[family])
        self.ns.batch(*self.gateways())
        begin = LINK + HEADER[family]
        header = int.from_bytes(frame[:begin], "little")
        self.loaded = {what: Programs(
            work, "tc", length=length, outer_family=family,
            inner_family=family, header=header) for what, length in (
                ("encap", begin + UDP_DATA),
                ("decap", len(frame)))}
        self.progs = {"encap": self.loaded["encap"].progs["push_known"],
                      "decap": self.loaded["decap"].progs["pop_known"]}
        attach(lab, self.ns, "eth0", egress=self.progs["encap"],
               ingress=self.progs["decap"])

    def gateways(self):
        """Lines of ip: each peer's, by whose MAC address its number is found,
        and the way to its prefixes."""
        length = PREFIX_LEN[self.population.family]
        for peer in range(self.population.peers):
            gateway = self.population.endpoint(peer)
            yield (f"neigh add {gateway} lladdr 02:00:00:00:{peer >> 8:02x}:"
                   f"{peer & 255:02x} dev eth0 nud permanent")
            for number in self.population.of(peer):
                yield (f"route add {self.population.prefix(number)}/{length} "
                       f"via {gateway} dev eth0 onlink")

    def check(self):
        """Fails unless all packets pass."""
        for what, loaded in self.loaded.items():
            before = self.counted(loaded)
            self.burst(what, 1000, "uniform")
            assert self.counted(loaded) >= before + 1000, what

    @staticmethod
    def counted(loaded):
        """Packets so far."""
        return sum(int.from_bytes(value[:8], "little")
                   for value in loaded.maps["all"].lookup(bytes(4)))

    def close(self):
        """The lab removes the namespaces."""


class Empty:
    """An interface whose programs do nothing, to send by in the same way."""

    def __init__(self, lab, work):
        self.tool, self.ns = udp_tool(work), lab.netns("empty")
        self.prog = Programs(work, "tc").progs["tc_empty"]
        lab.veth(self.ns, "eth0", lab.netns("other"), "eth0")
        self.ns.addr("eth0", "192.0.2.9/24")
        self.ns.ip("neigh", "replace", "192.0.2.1", "lladdr",
                   ROUTER_MAC, "dev", "eth0", "nud", "permanent")
        attach(lab, self.ns, "eth0", egress=self.prog)

    def burst(self, number):
        """ns of a run."""
        return run_times({"empty": self.prog}, number, lambda: self.ns.run(
            "taskset", "-c", "0", self.tool, "send", "192.0.2.9", "192.0.2.1",
            PORT, number))["empty"]


def bursts(which, hosts, number, shape):
    """{(which, program, copy): function}."""
    return {(which, what, copy): lambda h=host, w=what: h.burst(w, number,
                                                                shape)
            for copy, host in enumerate(hosts) for what in PROGRAMS}


def measured(args, work, two, empty, population, shape):
    """(ns, times two, the same of one look-up) of both programs; two: {kind:
    attachments}."""
    number = args.repeat or REPEAT
    kinds = [Host] + [Known] * (shape == "zipf")
    with quiet_lab() as lab:
        measures = {"empty": lambda: empty.burst(number // 10)}
        for kind in kinds:
            many = attached(lab, kind, work, population)
            measures |= bursts((kind, "many"), many, number, shape)
            measures |= bursts((kind, "two"), two[kind], number // 4,
                               "uniform")
        samples = interleave(args.runs or RUNS, measures)
    for what in PROGRAMS:
        took = {kind: [samples.typical((kind, which), what)
                       - samples.least("empty") for which in ("many", "two")]
                for kind in kinds}
        ratios = {kind: round(many / base, 2)
                  for kind, (many, base) in took.items()}
        yield from (took[Host][0], ratios[Host], ratios.get(Known))


def run(args):
    """The table."""
    rows = {size: [] for size in SIZES}
    with quiet_lab() as lab:
        lab.keep(RunTime())
        empty = Empty(lab, args.work)
        for family, combination in FAMILIES.items():
            two = {kind: attached(lab, kind, args.work,
                                  Population(family, 2, 2))
                   for kind in (Host, Known)}
            for size in SIZES:
                say(f"{combination}, {size[0]:,} peers x {size[1]:,}")
                rows[size] += measured(args, args.work, two, empty,
                                       Population(family, *size[:2]), size[2])
    head = ["peers / prefixes"] + [
        f"{name} {combination}{what}" for combination in FAMILIES.values()
        for name in PROGRAMS.values()
        for what in ("", ", times two", ", one look-up, times two")]
    table = Table("many_tc", "ns a packet", head, digits=2)
    for (peers, prefixes, shape), row in rows.items():
        table.row(f"{short(peers)} / {short(prefixes)}, {shape}", *row)
    yield table
