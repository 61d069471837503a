# SPDX-License-Identifier: GPL-2.0-only
"""What test_interop.py runs in a virtual machine: the lab of
interop_tunnels.py, and traffic through it, three times: with the kernel at
both ends, then with tunload on b in either mode. r1 and r2 mark, lose, reorder
and narrow. The packets of cases.json are sent from both sides.

    interop_lab.py DIRECTORY      writes results.json and MODE.pcap there
"""
import contextlib
import functools
import json
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

# pylint: disable=wrong-import-position
import interop_traffic as flows
from interop_network import (BAD_PATH, LEFT, QUEUE, RIGHT, TOWARDS,
                             Network)
from interop_tunnels import (FIXED_DSCP, FIXED_TTL, KINDS, LAST, OTHER, SIDES,
                             TUNNELS, fixed, fixed_dscp, inner, outer, prefix,
                             tunnel_name)
from lab import Capture, Lab, wait_until
from traffic import packet_of

PHASES = ["kernel", "tc", "native"]


class Path:
    """One tunnel, one inner version: namespaces and addresses by side."""

    def __init__(self, interop, n, kind, version):
        self.interop, self.n = interop, n
        self.kind, self.version = kind, version
        self.name = tunnel_name(kind, version)
        self.host = {s: interop.ns[s] for s in SIDES}
        self.lan = {s: interop.ns[f"lan_{s}"] for s in SIDES}

    def address(self, side, host):
        """See inner()."""
        return inner(side, self.n, self.version, host)

    def ends(self, side, lan):
        """(namespace, address) here and at the other side: of the hosts
        themselves or of the LANs."""
        names, host = (self.lan, 2) if lan else (self.host, 1)
        there = OTHER[side]
        return (names[side], self.address(side, host), names[there],
                self.address(there, host))


class Interop(Network):
    """The lab. Results are collected in .results."""

    def __init__(self, lab, share):
        super().__init__(lab)
        self.share = share
        self.results = {"scenarios": [], "packets": {}, "status": {}}
        self.phase = None
        self.tunload = lab.tunload(self.ns["b"], LEFT)
        self.paths = [Path(self, *tunnel) for tunnel in TUNNELS]
        with open(os.path.join(share, "cases.json"), encoding="ascii") as f:
            self.cases = json.load(f)

    # The tunnels.

    def enter(self, phase):
        """Makes the tunnels anew, with nothing learnt of any path."""
        self.phase = phase
        self.forget("lan_a", "a", "b", "lan_b")
        self.batch("a", self.devices("a"))
        if phase == "kernel":
            self.batch("b", self.devices("b"))
        else:
            self.tunload.attach(self.conf(), "--mode", phase, "--no-trigger")
            assert self.tunload.status()["mode"] == phase

    def leave(self):
        """Takes the tunnels away."""
        self.batch("a", [f"link del t{n}" for n in self.numbers()])
        if self.phase == "kernel":
            self.batch("b", [f"link del t{n}" for n in self.numbers()])
        else:
            self.results["status"][self.phase] = self.tunload.status()
            self.tunload.detach()

    @staticmethod
    def numbers():
        """1, 2... of the kinds."""
        return range(1, len(KINDS) + 1)

    @staticmethod
    def devices(side):
        """Lines that make a host's tunnel devices and their routes."""
        lines = []
        for n, kind in enumerate(KINDS, 1):
            ends = [outer(s, n, kind.outer) for s in (side, OTHER[side])]
            lines += [f"link add t{n} type {kind.driver} local {ends[0]} "
                      f"remote {ends[1]} {kind.options}",
                      f"link set t{n} up"]
            # tunload has one address for all peers: b has, too.
            lines += [f"route add {prefix(OTHER[side], n, v)} dev t{n} src "
                      f"{inner(side, 0 if side == 'b' else n, v, 1)}"
                      for v in kind.inner]
        return lines

    @staticmethod
    def conf():
        """tunload's configuration: as many peers as kinds."""
        text = (f"[interface]\nsource = {inner('b', 0, 4, 1)}, "
                f"{inner('b', 0, 6, 1)}\n")
        for n, kind in enumerate(KINDS, 1):
            ips = ", ".join(prefix("a", n, v) for v in kind.inner)
            text += (f"[peer {kind.name}]\n"
                     f"endpoint = {outer('a', n, kind.outer)}\n"
                     f"local = {outer('b', n, kind.outer)}\n"
                     f"allowed-ips = {ips}\n")
            if fixed(kind):
                text += f"ttl = {FIXED_TTL}\n"
            if fixed_dscp(kind):
                text += f"dscp = {FIXED_DSCP}\n"
        return text

    # What is done with them.

    def run(self, phase):
        """Everything with one kind of b."""
        self.enter(phase)
        self.scenario("ping", flows.pings)
        self.scenario("tcp", flows.tcp)
        self.scenario("udp-fragments", flows.udp_fragments)
        with self.qdiscs(QUEUE):
            self.scenario("ecn-queue", flows.marked_tcp)
        with self.offloads_off():
            with self.pcap(f"{phase}.pcap"):
                self.scenario("no-offloads", flows.everything)
            self.packets("wide")
        with self.qdiscs(BAD_PATH):
            self.scenario("netem", flows.small_tcp, parallel=True)
        with self.narrow():
            for side in SIDES:
                # What one direction learnt would lower the other one's MSS.
                self.forget("lan_a", "lan_b")
                self.scenario(f"pmtu-{side}",
                              functools.partial(flows.pmtu, side=side))
            self.forget("lan_a", "lan_b")
            self.scenario("narrow-datagrams", flows.narrow_datagrams)
            self.packets("narrow")
        self.leave()

    def scenario(self, name, function, parallel=False):
        """Calls the function with every path; an error is its result."""
        def one(path):
            try:
                value, error = function(path), None
            except Exception as e:  # pylint: disable=broad-except
                value = None
                error = "".join(traceback.format_exception(e)[-3:])
            return {"phase": self.phase, "scenario": name,
                    "tunnel": path.name, "value": value, "error": error}

        start = time.monotonic()
        with ThreadPoolExecutor(len(self.paths) if parallel else 1) as pool:
            results = list(pool.map(one, self.paths))
        self.results["scenarios"] += results
        print(f"{self.phase} {name}: {time.monotonic() - start:.1f} s",
              *(f"{r['tunnel']}: {r['error']}" for r in results if r["error"]),
              sep="\n    ", flush=True)

    def watch(self, name, dev, keep=None):
        """A Capture, only while it is needed: they are slow here."""
        return contextlib.closing(Capture(self.ns[name], dev, keep))

    def watch_lan(self, side):
        """What comes out of the tunnels at a LAN."""
        return self.watch(f"lan_{side}", TOWARDS[side], flows.arrived)

    @contextlib.contextmanager
    def pcap(self, name):
        """Writes what a and b send each other to a file."""
        with self.watch("r1", LEFT) as wire:
            yield
            flows.write_pcap(os.path.join(self.share, name), wire.packets())
            assert not wire.lost()

    def packets(self, stage):
        """Sends the cases of each tunnel from both LANs. Keeps what came: by
        side, what arrived there; and what was on the wire."""
        with self.watch_lan("a") as at_a, self.watch_lan("b") as at_b, \
                self.watch("r1", LEFT) as wire:
            self._send("a", self.cases[stage]["a"], at_b)
            self._send("b", self.cases[stage]["b"], at_a)
            time.sleep(0.5)  # for what is not to come
            found = self.results["packets"].setdefault(
                self.phase, {"a": [], "b": [], "wire": []})
            found["a"] += hexadecimal(at_a.packets(False))
            found["b"] += hexadecimal(at_b.packets(False))
            found["wire"] += hexadecimal(filter(packet_of, wire.packets()))

    def _send(self, side, cases, there):
        """The cases of one side; `there` is where they come out."""
        sender = self.lab.sender(self.ns[f"lan_{side}"], TOWARDS[side])
        ether = self._ether(side)
        for of_tunnel in cases:
            packets = [bytes.fromhex(case) for case in of_tunnel]
            sender.send(*(ether[p[0] >> 4] + p for p in packets))
            self._wait_for(there, packets[-1][-LAST:])

    def _ether(self, side):
        """Ethernet header from a LAN to its host, by IP version."""
        back = LEFT if TOWARDS[side] == RIGHT else RIGHT
        macs = self.ns[side].mac(back) + \
            self.ns[f"lan_{side}"].mac(TOWARDS[side])
        macs = bytes.fromhex(macs.replace(":", ""))
        return {4: macs + b"\x08\x00", 6: macs + b"\x86\xdd"}

    @staticmethod
    def _wait_for(capture, end):
        """Waits for a packet that ends like this."""
        seen = len(capture.seen)
        wait_until(lambda: any(f.data.endswith(end)
                               for f in capture.frames()[seen:]),
                   f"the last packet, {end}", 60, 0.1)


def hexadecimal(frames):
    """IP packets for JSON."""
    return [frame[14:].hex() for frame in frames]


def main(share):
    """Runs the lab."""
    # So that bursts find room.
    with open("/proc/sys/net/core/netdev_max_backlog", "w",
              encoding="ascii") as f:
        f.write("20000")
    with Lab() as lab:
        interop = Interop(lab, share)
        for phase in PHASES:
            interop.run(phase)
            with open(os.path.join(share, "results.json"), "w",
                      encoding="ascii") as f:
                json.dump(interop.results, f)


if __name__ == "__main__":
    main(sys.argv[1])
