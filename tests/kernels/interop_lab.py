# SPDX-License-Identifier: GPL-2.0-only
"""The program that test_interop.py runs in a virtual machine. It sends traffic
through the lab of interop_tunnels.py three times: with the kernel at both ends,
then with tunload on b in each mode. r1 and r2 mark, lose and reorder packets,
and the link between them can be narrow. Both sides send the packets of
cases.json.

    interop_lab.py DIRECTORY      writes results.json and *.pcap there
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
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "labs"))

# pylint: disable=wrong-import-position
import interop_traffic as flows
from interop_network import (BAD_PATH, EDGES, LEFT, LISTEN, QUEUE, RIGHT,
                             TOWARDS, Network)
from interop_tunnels import (FIXED_DSCP, FIXED_TTL, KINDS, LAST, OTHER, SIDES,
                             TUNNELS, fixed, fixed_dscp, inner, outer, prefix,
                             tunnel_name)
from lab import Capture, Lab, Sender, wait_until
from traffic import packet_of, udp_socket

PHASES = ["kernel", "tc", "native"]


class Path:
    """A tunnel with one inner version: its namespaces and addresses by side."""

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
        """The namespace and address at this side, then those at the other: of
        the LANs, or of the hosts themselves."""
        names, host = (self.lan, 2) if lan else (self.host, 1)
        there = OTHER[side]
        return (names[side], self.address(side, host), names[there],
                self.address(there, host))


class Interop(Network):
    """The lab; it collects results in .results."""

    def __init__(self, lab, share):
        super().__init__(lab)
        self.share = share
        self.results = {"scenarios": [], "packets": {}, "status": {},
                        "longest": {}, "bad path": {}}
        self.phase = None
        self.tunload = lab.tunload(self.ns["b"], LEFT)
        self.paths = [Path(self, *tunnel) for tunnel in TUNNELS]
        with open(os.path.join(share, "cases.json"), encoding="ascii") as f:
            self.cases = json.load(f)

    # The tunnels.

    def enter(self, phase):
        """Makes new tunnels, with no path MTU known."""
        self.phase = phase
        self.forget("lan_a", "a", "b", "lan_b")
        self.batch("a", self.devices("a"))
        if phase == "kernel":
            self.batch("b", self.devices("b"))
        else:
            self.tunload.attach(self.conf(), "--mode", phase, "--no-trigger")
            assert self.tunload.status()["mode"] == phase
        self.offloads("on", self.kernel_ends())

    def kernel_ends(self):
        """The sides that have the kernel's tunnels."""
        return SIDES if self.phase == "kernel" else ["a"]

    def leave(self):
        """Removes the tunnels."""
        for side in self.kernel_ends():
            self.batch(side, [f"link del t{n}" for n in self.numbers()])
        if self.phase != "kernel":
            self.results["status"][self.phase] = self.tunload.status()
            self.tunload.detach()

    @staticmethod
    def numbers():
        """The numbers of the kinds, from 1."""
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
            # tunload has one inner source for all peers; so has the kernel on b.
            lines += [f"route add {prefix(OTHER[side], n, v)} dev t{n} src "
                      f"{inner(side, 0 if side == 'b' else n, v, 1)}"
                      for v in kind.inner]
        return lines

    @staticmethod
    def conf():
        """tunload's configuration, with a peer for each kind."""
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

    # The scenarios.

    def run(self, phase):
        """Runs all scenarios in one phase."""
        self.enter(phase)
        self.scenario("ping", flows.pings)
        self.scenario("tcp", flows.tcp)
        self.scenario("udp-fragments", flows.udp_fragments)
        with self.qdiscs(QUEUE):
            self.scenario("ecn-queue", flows.marked_tcp)
        with self.offloads_off(self.kernel_ends()):
            with self.pcap(f"{phase}-wide.pcap"):
                self.scenario("no-offloads", flows.everything)
            self.packets("wide", self._through_lan)
            self.packets("direct", self._into_tunnel)
        with self.qdiscs(BAD_PATH) as self.results["bad path"][phase]:
            self.scenario("netem", flows.small_tcp, parallel=True)
        with self.narrow():
            for side in SIDES:
                # Else the MTU learnt in one direction would lower the MSS of
                # the other one.
                self.forget("lan_a", "lan_b")
                self.scenario(f"pmtu-{side}",
                              functools.partial(flows.pmtu, side=side),
                              parallel=True)
            self.forget("lan_a", "lan_b")
            self.scenario("narrow-datagrams", flows.narrow_datagrams,
                          parallel=True)
            with self.pcap(f"{phase}-narrow.pcap"):
                self.packets("narrow", self._through_lan)
        self.leave()

    def scenario(self, name, function, parallel=False):
        """Calls the function with every path; records its value or error."""
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
        """A Capture as a context, as short as possible: it slows the lab."""
        return contextlib.closing(Capture(self.ns[name], dev, keep))

    def watch_lan(self, side):
        """A Capture of the packets that arrive from the tunnels at a LAN."""
        return self.watch(f"lan_{side}", TOWARDS[side], flows.arrived)

    @contextlib.contextmanager
    def pcap(self, name):
        """Writes the frames between a and b to a file, from the link in the
        middle, where super-packets of a and b would be seen."""
        with self.watch("r1", RIGHT) as wire:
            yield
            frames = wire.packets()
            flows.write_pcap(os.path.join(self.share, name), frames)
            self.results["longest"][name] = max(map(len, frames))
            assert not wire.lost()

    def packets(self, stage, send):
        """Sends the cases of each tunnel from both sides. Records the packets
        that arrived at each LAN, those on the wire, and the datagrams that b
        itself received."""
        with self.watch_lan("a") as at_a, self.watch_lan("b") as at_b, \
                self.watch("r1", LEFT) as wire, self._listening() as at_host:
            for side, there in ("a", at_b), ("b", at_a):
                for (n, _, _), cases in zip(TUNNELS, self.cases[stage][side]):
                    packets = [bytes.fromhex(case) for case in cases]
                    if not packets:
                        continue
                    send(side, n, packets)
                    self._wait_for(there, packets[-1][-LAST:])
            time.sleep(0.5)  # for late packets that must not come
            found = self.results["packets"].setdefault(
                self.phase, {"a": [], "b": [], "wire": [], "host": []})
            found["a"] += hexadecimal(at_a.packets(False))
            found["b"] += hexadecimal(at_b.packets(False))
            found["wire"] += hexadecimal(filter(packet_of, wire.packets()))
            found["host"] += datagrams(at_host)

    @contextlib.contextmanager
    def _listening(self):
        """Sockets for datagrams to any address of b."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(udp_socket(self.ns["b"], any_, LISTEN))
                   for any_ in ("0.0.0.0", "::")]

    def _through_lan(self, side, _n, packets):
        """Sends packets from a LAN to its host, which forwards them."""
        back = LEFT if TOWARDS[side] == RIGHT else RIGHT
        self._send(f"lan_{side}", TOWARDS[side], packets, (side, back))

    def _into_tunnel(self, side, n, packets):
        """Sends packets into a tunnel as if the host had routed them there."""
        if side in self.kernel_ends():
            self._send(side, f"t{n}", packets)
        else:
            self._send(side, TOWARDS[side], packets, EDGES[side])

    def _send(self, name, dev, packets, to=None):
        """Sends packets into a tunnel's device; or, to a neighbour's interface
        (host, device), as Ethernet frames."""
        if to:
            macs = self._mac(*to) + self._mac(name, dev)
            types = {4: b"\x08\x00", 6: b"\x86\xdd"}
            packets = [macs + types[p[0] >> 4] + p for p in packets]
        with contextlib.closing(Sender(self.ns[name], dev)) as sender:
            sender.send(*packets)

    @functools.lru_cache
    def _mac(self, name, dev):
        return bytes.fromhex(self.ns[name].mac(dev).replace(":", ""))

    @staticmethod
    def _wait_for(capture, end):
        """Waits for a packet that ends with these bytes."""
        seen = len(capture.seen)
        wait_until(lambda: any(f.data.endswith(end)
                               for f in capture.frames()[seen:]),
                   f"the last packet, {end}", 60, 0.1)


def datagrams(sockets):
    """The datagrams that the sockets have received so far."""
    out = []
    for sock in sockets:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                out.append(sock.recv(1 << 16).decode())
    return out


def hexadecimal(frames):
    """The frames' IP packets as hexadecimal text, for JSON."""
    return [frame[14:].hex() for frame in frames]


def main(share):
    """Runs the lab."""
    # Bursts must fit into the queue.
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
