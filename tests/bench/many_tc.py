# SPDX-License-Identifier: GPL-2.0-only
"""What the tc programs cost with many peers and prefixes under traffic, when
packets go to or come from all of them alike (uniform) or mostly some (Zipf).

Small UDP packets from one CPU; the kernel measures each run of a program, less
that of an empty one. The minimum of the runs counts, and the median of several
attachments of a small size (Samples.typical()). Two peers with a prefix each
take turns with each size, for the ratio."""
import os

from packets import bpf

from .harness import Table, interleave, say
from .many import (FAMILIES, FIRST_PREFIX, ROUTER_MAC, Attached, Population,
                   attached, short)
from .pair import PORT, RunTime, quiet_lab, run_times, udp_tool
from .programs import Programs

RUNS, REPEAT = 5, 1000000
SIZES = [(1000, 1000, "zipf"), (1000, 1000, "uniform"),
         (1000, 1000000, "uniform"), (100000, 100000, "uniform"),
         (100000, 1000000, "uniform")]
PROGRAMS = {"encap": "tc_egress", "decap": "tc_ingress"}


class Host(Attached):
    """A population that is attached, with routes; packets leave and arrive by
    its eth0."""

    def __init__(self, lab, work, population):
        super().__init__(lab, population, "routes = yes")
        self.tool = udp_tool(work)
        self.file = os.path.join(work, f"frame{population.family}")
        with open(self.file, "wb") as f:
            f.write(population.frame)
        self.progs = {what: bpf.obj_get(f"{self.tl.pins}/prog_{name}")
                      for what, name in PROGRAMS.items()}

    def burst(self, what, number, shape):
        """ns of a run of that program while so many packets pass."""
        population, prog = self.population, self.progs[what]
        networks = population.peers * population.each
        first = FIRST_PREFIX[population.family]
        if what == "encap":
            ns, command = self.tl.ns, ["spread", first, PORT]
            more = []
        else:
            ns, command = self.router, ["tunnel", "eth0",
                                        population.endpoint(0), first,
                                        population.each]
            more = [self.file]
        return run_times({what: prog}, number, lambda: ns.run(
            "taskset", "-c", "0", self.tool, *command, number, networks, shape,
            *more))[what]

    def check(self):
        """Fails unless all packets pass."""
        verdicts = {"encap": "tx_encap", "decap": "rx_decap"}
        for what, verdict in verdicts.items():
            before = self.tl.verdict(verdict)
            self.burst(what, 1000, "uniform")
            assert self.tl.verdict(verdict) >= before + 1000, what


class Empty:
    """An interface whose programs do nothing, to send by in the same way."""

    def __init__(self, lab, work):
        self.tool, self.ns = udp_tool(work), lab.netns("empty")
        self.prog = Programs(work, "tc").progs["tc_empty"]
        lab.veth(self.ns, "eth0", lab.netns("other"), "eth0")
        self.ns.addr("eth0", "192.0.2.9/24")
        self.ns.ip("neigh", "replace", "192.0.2.1", "lladdr",
                   ROUTER_MAC, "dev", "eth0", "nud", "permanent")
        path = f"{lab.bpffs()}/empty"
        bpf.obj_pin(self.prog, path)
        self.ns.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
        self.ns.run("tc", "filter", "add", "dev", "eth0", "egress", "bpf",
                    "da", "object-pinned", path)

    def burst(self, number):
        """ns of a run."""
        return run_times({"empty": self.prog}, number, lambda: self.ns.run(
            "taskset", "-c", "0", self.tool, "send", "192.0.2.9", "192.0.2.1",
            PORT, number))["empty"]


def measured(args, work, two, empty, population, shape):
    """(ns, times two) of both programs."""
    number = args.repeat or REPEAT
    with quiet_lab() as lab:
        measures = {"empty": lambda: empty.burst(number // 10)}
        for copy, host in enumerate(attached(lab, Host, work, population)):
            for what in PROGRAMS:
                measures["many", what, copy] = (
                    lambda h=host, w=what: h.burst(w, number, shape))
        for copy, host in enumerate(two):
            for what in PROGRAMS:
                measures["two", what, copy] = (
                    lambda h=host, w=what: h.burst(w, number // 4, "uniform"))
        samples = interleave(args.runs or RUNS, measures)
    for what in PROGRAMS:
        many, base = (samples.typical(which, what) - samples.least("empty")
                      for which in ("many", "two"))
        yield from (many, round(many / base, 2))


def run(args):
    """The table."""
    rows = {size: [] for size in SIZES}
    with quiet_lab() as lab:
        lab.keep(RunTime())
        empty = Empty(lab, args.work)
        for family, combination in FAMILIES.items():
            two = attached(lab, Host, args.work, Population(family, 2, 2))
            for size in SIZES:
                say(f"{combination}, {size[0]:,} peers x {size[1]:,}")
                rows[size] += measured(args, args.work, two, empty,
                                       Population(family, *size[:2]), size[2])
    head = ["peers / prefixes"] + [
        f"{name} {combination}{what}" for combination in FAMILIES.values()
        for name in PROGRAMS.values() for what in ("", ", times two")]
    table = Table("many_tc", "ns a packet", head, digits=2)
    for (peers, prefixes, shape), row in rows.items():
        table.row(f"{short(peers)} / {short(prefixes)}, {shape}", *row)
    yield table
