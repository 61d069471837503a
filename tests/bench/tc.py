# SPDX-License-Identifier: GPL-2.0-only
"""What the tc programs cost under traffic, beside programs that push and pop a
constant header with the same helpers and look nothing up (tc.bpf.c).

Small UDP packets from one CPU; the kernel measures each run of a program
(BPF_ENABLE_STATS), less that of an empty one. The minimum of the runs counts,
and the median of several attachments (Samples.typical())."""
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from packets import bpf
from traffic import family, udp_socket

from .harness import Samples, Table, interleave
from .pair import (COMBINATIONS, PORT, Pair, RunTime, address, former, named,
                   quiet_lab, run_times, udp_tool)
from .programs import Programs

RUNS, REPEAT, COPIES = 6, 60000, 6
PAYLOAD = 64  # of udp.c
LINK, HEADER, UDP_DATA = 14, {4: 20, 6: 40}, 8 + PAYLOAD  # bytes


def attach(lab, ns, ifname, **progs):
    """Puts programs on the hooks of an interface; they stay with it."""
    ns.run("tc", "qdisc", "add", "dev", ifname, "clsact")
    for hook, prog in progs.items():
        path = f"{lab.bpffs()}/{ns.name}{ifname}{hook}"
        bpf.obj_pin(prog, path)
        ns.run("tc", "filter", "add", "dev", ifname, hook, "bpf", "da",
               "object-pinned", path)


class Constant:
    """A veth pair between the two namespaces whose ends push and pop a
    constant header, or do nothing (outer=None): the programs, and addresses
    to send between. how: "_known" for those that look one peer up."""

    def __init__(self, lab, work, pair, number, inner, outer, how=""):
        self.ifname = f"eth{2 + number}"
        lab.veth(pair.send, self.ifname, pair.recv, self.ifname)
        self.path = [f"10.9.{number}.1", f"10.9.{number}.2"] if inner == 4 \
            else [f"fd00:9:{number}::1", f"fd00:9:{number}::2"]
        for ns, one in zip(pair.ends, self.path):
            ns.addr(self.ifname, f"{one}/{24 if inner == 4 else 64}")
        frame = LINK + HEADER[inner] + UDP_DATA
        if not outer:
            progs = Programs(work, "tc").progs
            self.push = self.pop = progs["tc_empty"]
        else:
            header = self.header(pair, inner, outer)
            self.push = Programs(
                work, "tc", length=frame, outer_family=outer,
                inner_family=inner, header=header).progs[f"push{how}"]
            self.pop = Programs(
                work, "tc", length=frame + HEADER[outer],
                outer_family=outer, inner_family=inner).progs[f"pop{how}"]
        attach(lab, pair.send, self.ifname, egress=self.push)
        attach(lab, pair.recv, self.ifname, ingress=self.pop)

    def header(self, pair, inner, outer):
        """The constant header, as a number in the order of memory."""
        proto = {4: 4, 6: 41}[inner]
        size = HEADER[inner] + UDP_DATA
        ip = IP(src="192.0.2.1", dst="192.0.2.2", proto=proto, len=20 + size) \
            if outer == 4 else IPv6(src="2001:db8::1", dst="2001:db8::2",
                                    nh=proto, plen=size)
        link = Ether(src=pair.send.mac(self.ifname),
                     dst=pair.recv.mac(self.ifname))
        return int.from_bytes(bytes(link / ip), "little")


def burst(tool, pair, path, number, push, pop):
    """ns a run of both programs while that many packets go from one end to the
    other."""
    return run_times({"encap": push, "decap": pop}, number,
                     lambda: pair.send.run("taskset", "-c", "0", tool, "send",
                                           *path, PORT, number))


def check(pair, paths, sockets):
    """Fails unless each path delivers: a figure is worth nothing otherwise."""
    for source, destination in paths:
        udp_socket(pair.send, source).sendto(bytes(PAYLOAD),
                                             (destination, PORT))
        assert sockets[family(source)].recvfrom(100)[1][0] == source


def tunnels(pair, label=""):
    """{name: (path, program that encapsulates, one that decapsulates)}."""
    progs = pair.prog(0, "tc_egress"), pair.prog(1, "tc_ingress")
    return {f"{label}{named(inner, outer)}": (
        [address(inner, outer, side) for side in (0, 1)], *progs)
            for inner, outer in COMBINATIONS}


def constants(lab, work, pair):
    """The same of programs that look nothing up, or do nothing."""
    found = {}
    for how in "", "_known":
        for inner, outer in COMBINATIONS:
            one = Constant(lab, work, pair, len(found), inner, outer, how)
            found[f"constant{how} {named(inner, outer)}"] = (
                one.path, one.push, one.pop)
    one = Constant(lab, work, pair, len(found), 4, None)
    found["empty"] = one.path, one.push, one.pop
    return found


def measured(lab, args):
    """Samples by (name, direction, copy)."""
    tool, number = udp_tool(args.work), args.repeat or REPEAT
    program = former(args.work, args.against) if args.against else None
    flows = []
    for copy in range(COPIES):
        pair = Pair(lab)
        flows.append((copy, pair, {**tunnels(pair),
                                   **constants(lab, args.work, pair)}))
        if program:
            pair = Pair(lab, program)
            flows.append((copy, pair, tunnels(pair, "former ")))
    measures = {}
    for copy, pair, found in flows:
        check(pair, [path for path, *_ in found.values()], pair.listen(lab))
        for name, (path, push, pop) in found.items():
            measures[name, copy] = (
                lambda p=pair, way=path, progs=(push, pop): burst(
                    tool, p, way, number, *progs))
    lab.keep(RunTime())
    samples = interleave(args.runs or RUNS, measures)
    return Samples({(name, direction, copy): runs
                    for ((name, copy), direction), runs in samples.items()})


def run(args):
    """The table."""
    with quiet_lab() as lab:
        samples = measured(lab, args)
    against = [args.against] if args.against else []
    table = Table("tc", "ns a packet", [
        "packet", "tunload", "constant header", "ratio", "one look-up, no checks",
        "ratio of it", *against])
    table.samples = samples
    for direction, prog in ("encap", "tc_egress"), ("decap", "tc_ingress"):
        for name in (named(*one) for one in COMBINATIONS):
            ours, constant, known, *others = (
                samples.typical(f"{which}{name}", direction)
                - samples.typical("empty", direction)
                for which in ("", "constant ", "constant_known ",
                              *["former "] * len(against)))
            table.row(f"{prog} {name}", round(ours), round(constant),
                      f"{ours / constant:.2f}", round(known),
                      f"{ours / known:.2f}", *map(round, others))
    table.draw("bars", "tunload", "constant header", "one look-up, no checks")
    yield table
