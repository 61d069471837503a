# SPDX-License-Identifier: GPL-2.0-only
"""Loads the BPF object, runs one packet, returns the result.

The object is loaded by bpftool into a bpffs of its own that is gone again
before the first test: only file descriptors stay.
"""

import contextlib
import operator
import os
import re
import subprocess
import tempfile
from array import array
from pathlib import Path

from netns import scratch

from . import bpf
from .world import (NAMES, TlEvent, TlNextHop, TlTraffic, traffic_slots_of,
                    moves_on, slot_of)

ROOT = Path(__file__).resolve().parents[2]
OBJECT = Path(os.environ.get("TUNLOAD_OBJECT", ROOT / "build/tunload.bpf.o"))

PROGRAMS = ("xdp_ingress", "xdp_forward", "tc_ingress", "tc_egress",
            "write_prefixes")
MAPS = ("peers", "endpoints", "prefixes4", "prefixes6", "shared",
        "broadcasts", "peer_stats", "verdicts", "interface", "next_hops",
        "generations", "traffic", "lengths", "devices", "learned", "learned_until",
        "ways",
        "events", "limits", "rates")

SECTIONS = {"generations": "_data_generations"}  # maps that libbpf names

XDP_DROP, XDP_PASS = 1, 2
TC_ACT_UNSPEC, TC_ACT_SHOT, TC_ACT_REDIRECT = -1, 2, 7


class Result:
    """The result of one run."""

    def __init__(self, action, data, counted, peers):
        self.action, self.data = action, data
        self.counted = counted  # {verdict: (packets, bytes)}
        self.peers = peers  # {peer id: the same}, those that changed


def numbers(values):
    """Per-CPU values of 64-bit numbers, summed field by field."""
    total, *others = (array("Q", v) for v in values)
    for more in others:
        total = map(operator.add, total, more)
    return list(total)


def changes(before, after):
    """{verdict: (packets, bytes)} between two struct tl_verdicts."""
    return {name: (after[2 * i] - before[2 * i],
                   after[2 * i + 1] - before[2 * i + 1])
            for i, name in enumerate(NAMES)
            if before[2 * i:2 * i + 2] != after[2 * i:2 * i + 2]}


@contextlib.contextmanager
def one_cpu():
    """Keeps to one CPU: each remembers for itself."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Runner:
    """The programs and their maps."""

    def __init__(self, obj=OBJECT, **constants):
        self.progs, self.maps = {}, {}
        self.world, self.listen = None, False
        with scratch("packets") as top:
            subprocess.run(["mount", "-t", "bpf", "-o", "mode=0700",
                            "bpf", top], check=True)
            try:
                self._load(obj, top, constants)
            finally:
                # Another process may look at all mounts just now.
                subprocess.run(["umount", "-l", top], check=True)
        self.runs = 0
        self.ring = bpf.Ring(self.maps["events"])
        self.last = self._verdicts()

    def _load(self, obj, top, constants):
        with tempfile.NamedTemporaryFile(suffix=".bpf.o") as copy:
            data = Path(obj).read_bytes()
            for name, value in constants.items():
                data = bpf.with_constant(data, name, value)
            copy.write(data)
            copy.flush()
            self._pin(copy.name, top)

    def _pin(self, obj, top):
        done = subprocess.run(
            ["bpftool", "prog", "loadall", str(obj), f"{top}/progs",
             "pinmaps", f"{top}/maps"], capture_output=True, text=True)
        assert done.returncode == 0, \
            f"{obj} does not load:\n{done.stderr[-3000:]}"
        for name in PROGRAMS:
            self.progs[name] = bpf.obj_get(f"{top}/progs/{name}")
        for name in MAPS:
            path = f"{top}/maps/{SECTIONS.get(name, name)}"
            self.maps[name] = bpf.Map(bpf.obj_get(path))

    def close(self):
        self.ring.close()
        for fd in self.progs.values():
            os.close(fd)
        for one in self.maps.values():
            os.close(one.fd)

    @staticmethod
    def linux():
        """The version of the kernel that runs the programs."""
        return tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])

    def enter(self, world, listen=False):
        """Writes a world into the maps unless it is there already."""
        if world is not self.world or listen != self.listen:
            world.write(self.maps, listen)
            self.world, self.listen = world, listen

    def forget(self):
        """Makes stale what the programs remember of addresses and peers."""
        moves_on(self.maps["generations"])

    def next_hop(self, ident, macs=None):
        """Makes a peer's next hop known to all CPUs, or unknown."""
        row = TlNextHop(2 ** 62, ident, tuple(macs)) if macs else TlNextHop()
        slots = self.maps["next_hops"]
        slots.update(slot_of(slots, ident), bytes(row))

    def events(self):
        """The events for a monitor since the last call."""
        return [TlEvent.from_buffer_copy(data) for data in self.ring.read()]

    def _verdicts(self):
        return numbers(self.maps["verdicts"].lookup(bytes(4)))

    def stats(self):
        """{peer id: numbers of struct tl_peer_stats}, of the peers that have
        rows; the last_*_ns of the CPUs are summed too, which still shows a
        change."""
        rows, values = self.maps["peer_stats"], {}
        for key in rows.keys():
            ident = int.from_bytes(key[:4], "little")
            values.setdefault(ident, []).extend(rows.lookup(key))
        values = {ident: numbers(value) for ident, value in values.items()}
        for ident in self.world.peers:
            for name, value in self.traffic(ident):
                sums = values.setdefault(ident, [0] * (2 + 2 * len(NAMES)))
                sums[name.startswith("tx_")] += value.last_ns
                for i in range(2):
                    sums[2 + 2 * NAMES.index(name) + i] += value.counter[i]
        return values

    def traffic(self, ident):
        """[(verdict, slot)] of that peer, of each CPU."""
        found = [(verdict, TlTraffic.from_buffer_copy(
            self.maps["traffic"].lookup(key)[0]))
                 for verdict, key in traffic_slots_of(self.maps, ident)]
        return [(verdict, slot) for verdict, slot in found
                if slot.peer == ident]

    def counted(self):
        """Changes of the interface's verdicts since the last call."""
        before, self.last = self.last, self._verdicts()
        return changes(before, self.last)

    def quick(self, prog, data, ctx=None, after=None):
        """(action, packet, {verdict: (packets, bytes)}) of one run; its
        context afterwards goes to `after`."""
        with one_cpu():
            action, out = bpf.test_run(self.progs[prog], data, ctx, after)
        self.runs += 1
        return action, out, self.counted()

    def run(self, prog, data, gso_size=0, linear=None):
        """One run with everything that it changed. linear: how many bytes of
        an XDP frame are in front of the fragments."""
        ctx = None
        if linear is not None:
            ctx = bpf.XdpMd(data_end=linear)
        elif gso_size:
            ctx = bpf.SkBuff(gso_size=gso_size, wire_len=len(data),
                             gso_segs=-(-len(data) // gso_size))
        before = self.stats()
        action, out, counted = self.quick(prog, data, ctx)
        moved = {}
        for ident, now in self.stats().items():
            then = before.get(ident, [0] * len(now))
            if now != then:
                moved[ident] = changes(then[2:], now[2:])
                # equal times are possible: the clock may be coarse
                moved[ident]["last rx"] = (then[0], now[0])
                moved[ident]["last tx"] = (then[1], now[1])
        return Result(action, out, counted, moved)
