# SPDX-License-Identifier: GPL-2.0-only
"""What peers cost whose prefixes only routes know (allowed-ips = routed), with
one route and with a million, beside the same prefixes in the configuration.

decap: xdp_ingress for packets from all prefixes alike, measured as in `many`,
where the program remembers few of the sources and asks the kernel's FIB about
the others. encap: tc_egress under traffic to all prefixes alike, by the
kernel's own measurement, so without the look-up of the route. The minimum of
the runs counts; the two numbers of routes take turns."""
import os

from packets import bpf

from .harness import Table, interleave, say
from .many import FAMILIES, FIRST_PREFIX, PREFIX_LEN, SOURCES, \
    Population, Tested, short
from .pair import PORT, RunTime, quiet_lab, run_times, udp_tool
from .programs import Wrapper

RUNS, REPEAT = 3, 300000
ROUTES = [1, 1000000]
GATEWAY = {4: "240.0.0.1", 6: "fe80::74:6e:0:1"}


class Routed(Population):
    """One peer, and routes via its gateway to so many prefixes."""

    def conf(self, settings="routes = no", ttl=64):
        return (f"[interface]\nmode = tc\n{settings}\n[peer p0]\n"
                f"endpoint = {self.endpoint(0)}\nkeepalive = 0\n"
                f"allowed-ips = routed\nttl = {ttl}\n")

    def routes(self):
        """The lines of `ip -batch`."""
        for n in range(self.each):
            yield (f"route add {self.prefix(n)}/{PREFIX_LEN[self.family]} via "
                   f"{GATEWAY[self.family]} dev eth0 onlink")


class Host(Tested):
    """A population that is attached; the FIB is asked in its namespace."""

    def __init__(self, lab, wrapper, population):
        super().__init__(lab, wrapper, population)
        ns = self.tl.ns
        ns.forward()
        if isinstance(population, Routed):
            ns.run("ip", "-batch", "-", input="\n".join(population.routes()),
                   timeout=900)

    def time(self, distribution, repeat, prog=None):
        return self.tl.ns.call(super().time, distribution, repeat, prog)

    def encap(self, tool, number, prog):
        """ns of a run of tc_egress while packets go to all prefixes."""
        family, routes = self.population.family, self.population.each
        return run_times({"encap": prog}, number, lambda: self.tl.ns.run(
            "taskset", "-c", "0", tool, "spread", FIRST_PREFIX[family], PORT,
            number, routes, "uniform"))["encap"]


def decap_rows(args, wrapper, family):
    """(what, [ns with one prefix, ns with a million, ratio])."""
    repeat = args.repeat or SOURCES
    kinds = {"static": Population, "routed": Routed}
    with quiet_lab() as lab:
        measures = {}
        for kind, made in kinds.items():
            for n in ROUTES:
                say(f"{FAMILIES[family]}, {kind}, {n:,}")
                host = lab.keep(Host(lab, wrapper, made(family, 1, n)))
                host.check()
                measures[kind, n] = lambda h=host: h.time("uniform", repeat)
                measures["empty", n] = lambda h=host: h.time(
                    "uniform", repeat, wrapper.progs["empty"])
        samples = interleave(args.runs or RUNS, measures)
    for kind in kinds:
        one, many = (samples.least((kind, n)) - samples.least(("empty", n))
                     for n in ROUTES)
        yield f"decap {FAMILIES[family]} {kind}", [one, many,
                                                   round(many / one, 2)]


def encap_row(args, wrapper, family):
    """The same of tc_egress."""
    tool, number = udp_tool(args.work), args.repeat or REPEAT
    with quiet_lab() as lab:
        lab.keep(RunTime())
        measures = {}
        for n in ROUTES:
            say(f"encap {FAMILIES[family]}, {n:,}")
            host = lab.keep(Host(lab, wrapper, Routed(family, 1, n)))
            prog = bpf.obj_get(f"{host.tl.pins}/prog_tc_egress")
            host.encap(tool, 10000, prog)  # next hops are learnt
            measures[n] = lambda h=host, p=prog: h.encap(tool, number, p)
        samples = interleave(3 * (args.runs or RUNS), measures)
    one, many = (round(samples.least(n)) for n in ROUTES)
    return f"encap {FAMILIES[family]} routed", [one, many,
                                                round(many / one, 2)]


def run(args):
    """The table."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    table = Table("fleet", "ns a packet",
                  ["program and prefixes", *(short(n) for n in ROUTES),
                   "ratio"], digits=2)
    wrapper = Wrapper(args.work)
    for family in FAMILIES:
        for what, row in decap_rows(args, wrapper, family):
            table.row(what, *row)
        what, row = encap_row(args, wrapper, family)
        table.row(what, *row)
    table.draw("bars", *(short(n) for n in ROUTES))
    yield table
