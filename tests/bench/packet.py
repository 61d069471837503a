# SPDX-License-Identifier: GPL-2.0-only
"""What xdp_ingress costs for each kind of packet, beside the floor: a program
that looks the outer source up, counts, and checks nothing.

Test runs of the program behind one that restores the packet (xdp.bpf.c), less
the time of an empty program there. The minimum of the runs counts."""
import functools
import importlib.util
import os
import subprocess
import sys

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import REPO
from packets import runner as packets_runner
from packets import world as packets_world

from .harness import Table, interleave
from .programs import HEAD, Wrapper, compiled

RUNS, REPEAT = 25, 200000

OUTER = {4: IP(src="192.0.2.1", dst="192.0.2.9"),
         6: IPv6(src="2001:db8::1", dst="2001:db8::9")}
# By inner and outer version: each peer has prefixes of its own.
INNER = {(4, 4): IP(src="10.10.0.1", dst="172.22.2.2"),
         (6, 4): IPv6(src="fd00:10::1", dst="fd00:22::2"),
         (4, 6): IP(src="10.20.0.1", dst="172.22.2.2"),
         (6, 6): IPv6(src="fd00:20::1", dst="fd00:22::2")}
LIMIT = Raw(bytes.fromhex("0400040104010100"))  # RFC 2473 4.1.1
COMBINATIONS = [f"{inner}in{outer}" for inner, outer in INNER]

# What xdp_ingress says of each kind.
VERDICTS = {"not IP": "rx_plain", "plain IPv4": "rx_plain",
            "plain IPv6": "rx_plain", "of no peer": "rx_no_peer",
            **dict.fromkeys(COMBINATIONS, "rx_decap"),
            "4in6 with encapsulation limit": "rx_decap",
            "not allowed": "rx_not_allowed"}
# The floor does not do the same to these.
NO_FLOOR = ["4in6 with encapsulation limit", "not allowed"]


@functools.cache
def packets():
    """{name: bytes} of the kinds of packet."""
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    tail = UDP(sport=1, dport=2) / Raw(bytes(100))
    kinds = {"not IP": ether / Raw(bytes(100))}
    kinds["not IP"].type = 0x88cc
    for family, outer in OUTER.items():
        kinds[f"plain IPv{family}"] = ether / outer / tail
    for (version, family), inner in INNER.items():
        kinds[f"{version}in{family}"] = ether / OUTER[family] / inner / tail
    kinds["of no peer"] = ether / IP(src="192.0.2.7", dst="192.0.2.9") / \
        INNER[4, 4] / tail
    kinds["4in6 with encapsulation limit"] = ether / OUTER[6].copy() / LIMIT \
        / INNER[4, 6] / tail
    kinds["4in6 with encapsulation limit"][IPv6].nh = 60
    kinds["not allowed"] = ether / OUTER[4] / INNER[4, 6] / tail
    return {name: bytes(kinds[name]) for name in VERDICTS}


def peers(made):
    """A world with a peer of each family, each with a prefix of both."""
    made.peer("192.0.2.1", "192.0.2.9", ["10.10.0.0/16", "fd00:10::/32"])
    made.peer("2001:db8::1", "2001:db8::9", ["10.20.0.0/16", "fd00:20::/32"])
    return made


def tests_of(tree):
    """The package `packets` of another commit, which knows its maps."""
    name = f"packets_of_{os.path.basename(tree)}"
    path = os.path.join(tree, "tests/packets")
    spec = importlib.util.spec_from_file_location(
        name, f"{path}/__init__.py", submodule_search_locations=[path])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return (importlib.import_module(f"{name}.{part}")
            for part in ("runner", "world"))


def variant(work, commit=None, change=None):
    """A Runner of this tree's programs, or those of a commit that has
    tests/packets/runner.py; change: (file, text, instead)."""
    obj = tree_object(work, commit, change)
    runner, world = tests_of(os.path.dirname(obj)) if commit else (
        packets_runner, packets_world)
    loaded = runner.Runner(obj)
    loaded.enter(peers(world.World()))
    return loaded


def tree_object(work, commit=None, change=None):
    """The object of that, compiled; this tree's may be there already."""
    obj = os.path.join(work, "tunload.bpf.o")
    if not commit and not change and os.path.exists(obj):
        return obj
    tree = os.path.join(work, f"tree{len(os.listdir(work))}")
    os.makedirs(tree)
    subprocess.run(
        f"git -C {REPO} archive {commit} bpf vmlinux.h tests/packets | "
        f"tar x -C {tree}"
        if commit else f"cp -r {REPO}/bpf {REPO}/vmlinux.h {tree}",
        shell=True, check=True)
    if change:
        path = os.path.join(tree, "bpf", change[0])
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert change[1] in text, f"not in {change[0]} any more: {change[1]}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(change[1], change[2]))
    return compiled(f"{tree}/bpf/tunload.bpf.c", f"{tree}/tunload.bpf.o",
                    tree, f"{tree}/bpf")


def check_verdicts(runner):
    """Fails unless each kind gets its verdict: a figure is worth nothing
    otherwise."""
    for name, data in packets().items():
        result = runner.run("xdp_ingress", data)
        assert list(result.counted) == [VERDICTS[name]], (name, result.counted)


def fill_floor(wrapper):
    """Tells the floor of both peers."""
    for family, outer in OUTER.items():
        source = bytes(outer)[12:16] if family == 4 else bytes(outer)[8:24]
        wrapper.maps["floor_peers"].update(
            family.to_bytes(4, "little") + source.ljust(16, b"\0"),
            family.to_bytes(4, "little"))


def measured(wrapper, progs, runs, repeat, kinds=None):
    """Samples by (name in progs, kind); kinds: {name: those of it}."""
    def one(prog, data):
        return lambda: wrapper.time(prog, data, repeat)

    return interleave(runs, {
        (name, kind): one(prog, data) for kind, data in packets().items()
        for name, prog in progs.items()
        if not kinds or kind in kinds.get(name, packets())})


def run(args):
    """The table."""
    wrapper = Wrapper(args.work)
    fill_floor(wrapper)
    now = variant(args.work)
    check_verdicts(now)
    progs = {"empty": wrapper.progs["empty"],
             "floor": wrapper.progs["floor_decap"],
             "xdp_ingress": now.progs["xdp_ingress"]}
    head = ["packet", "xdp_ingress", "floor", "ratio"]
    if args.against:
        former = variant(args.work, args.against)
        progs["former"] = former.progs["xdp_ingress"]
        head.append(args.against)
    samples = measured(wrapper, progs, args.runs or RUNS,
                       args.repeat or REPEAT)
    table = Table("packet", "ns a packet", head)
    table.samples = samples
    for kind in packets():
        empty, floor, took, *former = (samples.least((name, kind))
                                       for name in progs)
        took, floor = took - empty, floor - empty
        if kind in NO_FLOOR:
            floor = None
        table.row(kind, took, floor,
                  # Of a few ns a ratio says nothing.
                  f"{took / floor:.2f}" if (floor or 0) > 5 else None,
                  *(one - empty for one in former))
    table.draw("bars", "xdp_ingress", "floor")
    yield table


assert HEAD <= min(len(data) for data in packets().values())
