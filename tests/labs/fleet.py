# SPDX-License-Identifier: GPL-2.0-only
"""Two gateways and two sites that tell each other their networks by BGP inside
of the tunnels, as docs/fleet.md has them:

    lan 10.1.0.1 -+- g1 (BIRD) -+                +- s1 (tunload, BIRD) 10.9.0.1
                  |             +- r, internet --+
                  +- g2 (FRR) --+                +- s2 (tunnel devices, FRR) 10.10.0.1

Every gateway has a tunnel to every site. lan is a router behind the gateways
that knows them by BGP, too. The configurations are those of dist/examples/fleet.
"""
import contextlib
import json
import os
import shutil

from bird import Bird
from flows import Flows
from frr import Frr
from lab import REPO, read, wait_until
from netns import run, scratch

EXAMPLES = os.path.join("dist", "examples", "fleet")
HASH_SEED = "net.ipv4.fib_multipath_hash_seed"
# Outer addresses; the router has the last one of each network.
OUTER = {"g1": "192.0.2.1/25", "g2": "192.0.2.129/25",
         "s1": "198.51.100.1/24", "s2": "203.0.113.1/24"}
ROUTERS = {"g1": "192.0.2.126/25", "g2": "192.0.2.254/25",
           "s1": "198.51.100.254/24", "s2": "203.0.113.254/24"}
# The end of the addresses inside of the tunnels, 172.30.0.N and fd00:30::N. FRR
# takes a session for one of the device that has its own address, so s2's devices
# have different ones.
INSIDE = {"g1": 1, "g2": 2, "s1": 11}
S2_DEVICES = {"g1": 12, "g2": 22}
PEERS = {"g1": ["s1", "s2"], "g2": ["s1", "s2"], "s1": ["g1", "g2"]}
# Hosts in their networks, by family. Both sites have SHARED.
LAN = {4: "10.1.0.1", 6: "fd00:1::1"}
S1 = {4: "10.9.0.1", 6: "fd00:9::1"}
S2 = {4: "10.10.0.1", 6: "fd00:10::1"}
SHARED = {4: "10.20.0.1", 6: "fd00:20::1"}
HOSTS = {"lan": [LAN], "s1": [S1, SHARED], "s2": [S2, SHARED]}
# What these hosts know from both gateways.
ROUTES = {"lan": [S1, S2, SHARED], "s1": [LAN], "s2": [LAN]}
PREFIXES = [f"10.{128 + i // 256}.{i % 256}.0/24" for i in range(10000)]


def prefix(host):
    """The network of the first host in it."""
    return host[:-1] + ("0/24" if "." in host else "/64")


def address(host):
    """The outer address of a host."""
    return OUTER[host].split("/", maxsplit=1)[0]


def inside(host, seen_by, family=4):
    """The inner address of a host, at its end of the tunnel to another."""
    number = S2_DEVICES[seen_by] if host == "s2" else INSIDE[host]
    return f"172.30.0.{number}" if family == 4 else f"fd00:30::{number}"


def sessions(name):
    """The BGP sessions of a host, by the names that its daemon has for them."""
    if name in ("g1", "s1", "lan"):
        peers = ["g1", "g2"] if name in ("s1", "lan") else ["s1", "s2", "lan"]
        return [*peers, *(f"{p}_6" for p in peers)]
    if name == "s2":
        return [inside(g, "s2", f) for g in ("g1", "g2") for f in (4, 6)]
    return ["10.1.2.2", "fd00:1:0:2::2"] + [
        inside(s, "g2", f) for s in ("s1", "s2") for f in (4, 6)]


def example(name):
    """The text of an example configuration."""
    return read(EXAMPLES, name)


class Fleet:
    """The lab; its hosts by name in .ns, .tl (tunload) and .daemon."""

    def __init__(self, lab, prefixes=PREFIXES):
        self.lab, self.prefixes = lab, prefixes
        self.ns = {name: lab.netns(name)
                   for name in ("lan", "g1", "g2", "r", "s1", "s2")}
        self.tl, self.daemon, self.tun = {}, {}, {}
        self._wire()
        for name in PEERS:
            self._tunload(name)
        self._tunnel_devices()
        for name in "g1", "g2", "s1", "s2", "lan":
            self._daemon(name)

    def _wire(self):
        for i, name in enumerate(OUTER, 1):
            ns = self.ns[name]
            # A tunnel device needs what leaves a host to have checksums.
            self.lab.veth(ns, "eth0", self.ns["r"], f"eth{i}",
                          offload=name != "s2")
            ns.addr("eth0", OUTER[name])
            self.ns["r"].addr(f"eth{i}", ROUTERS[name])
            ns.ip("route", "add", "default", "via",
                  ROUTERS[name].split("/", maxsplit=1)[0])
        for i, name in enumerate(("g1", "g2"), 1):
            self.lab.veth(self.ns[name], "eth1", self.ns["lan"], f"eth{i}")
            self.ns[name].addr("eth1", f"10.1.{i}.1/24", f"fd00:1:0:{i}::1/64")
            self.ns["lan"].addr(f"eth{i}", f"10.1.{i}.2/24",
                                f"fd00:1:0:{i}::2/64")
        for name, networks in HOSTS.items():
            for own in networks:
                self.ns[name].addr("lo", f"{own[4]}/32", f"{own[6]}/128")
        for option in [], ["-6"]:
            self.ns["lan"].ip(*option, "route", "add", "default", *(
                word for i in (1, 2) for word in (
                    "nexthop", "via", f"fd00:1:0:{i}::1" if option else
                    f"10.1.{i}.1")))
        # s1 has every address of what it announces.
        self.ns["s1"].ip("route", "add", "local", "10.128.0.0/9", "dev", "lo")
        for name in "r", "g1", "g2", "s1", "s2":
            self.ns[name].forward()
        for i, ns in enumerate(self.ns.values(), 1):
            for family in 4, 6:
                ns.sysctl(f"net.ipv{family}.fib_multipath_hash_policy", 1)
            # Hosts have different seeds, namespaces of one kernel have not: all
            # would choose the same of their next hops (from Linux 6.11).
            if os.path.exists(f"/proc/sys/{HASH_SEED.replace('.', '/')}"):
                ns.sysctl(HASH_SEED, i)

    def _tunload(self, name):
        self.tl[name] = self.lab.tunload(self.ns[name],
                                         bpffs=self.lab.new_bpffs())
        self.attach(name)

    def attach(self, name):
        """Attaches tunload there."""
        self.tl[name].attach(example(f"{name}.conf"), "--no-trigger")

    def _tunnel_devices(self):
        ns = self.ns["s2"]
        for peer in "g1", "g2":
            self.tun[peer] = self.lab.site_tun(
                ns, address("s2"), address(peer), 1480, {}, "--tun", peer)
            run("renice", "-n", "-15", "-p", self.tun[peer].popen.pid)
            for family in 4, 6:
                ns.ip("addr", "add", inside("s2", peer, family), "peer",
                      inside(peer, "s2", family), "dev", peer)

    def _daemon(self, name):
        directory = self.lab.enter_context(scratch(name))
        if name in ("g2", "s2"):
            shutil.chown(directory, "frr", "frr")
            self.daemon[name] = Frr(self.lab, self.ns[name], directory)
            self.daemon[name].write(example(f"{name}-frr.conf"))
        else:
            self.daemon[name] = Bird(self.lab, self.ns[name], directory)
            self.daemon[name].write(example(f"{name}-bird.conf"))
        if name == "s1":
            self.daemon[name].write(
                example(f"{name}-bird.conf"), **{"more.conf": "".join(
                    f"route {p} blackhole;\n" for p in self.prefixes)})
        self.daemon[name].start()

    def wait_established(self):
        """Waits until all sessions are up."""
        for name, daemon in self.daemon.items():
            wait_until(lambda: daemon.established(*sessions(name)),
                       f"sessions of {name}: {', '.join(sessions(name))}")

    def next_hops(self, name, prefix):
        """The next hops of a host's route to a prefix: [(gateway, device)]."""
        family = "-6" if ":" in prefix else "-4"
        out = self.ns[name].ip(family, "-json", "route", "show", prefix).stdout
        return sorted((hop.get("gateway"), hop.get("dev"))
                      for route in json.loads(out or "[]")
                      for hop in route.get("nexthops", [route]))

    def wait_next_hops(self, name, prefix, number):
        """Waits until that route has so many next hops."""
        wait_until(lambda: len(self.next_hops(name, prefix)) == number,
                   f"{name}: {number} next hops to {prefix}")

    def wait_converged(self):
        """Waits until all routes are there."""
        self.wait_established()
        for family in 4, 6:
            for name in "g1", "g2":
                for number, network in (1, LAN), (1, S1), (1, S2), (2, SHARED):
                    self.wait_next_hops(name, prefix(network[family]), number)
            for name, networks in ROUTES.items():
                for network in networks:
                    self.wait_next_hops(name, prefix(network[family]), 2)
        for name in "g1", "g2", "lan":
            for one in self.prefixes[:1] + self.prefixes[-1:]:
                self.wait_next_hops(name, one, 1 + (name == "lan"))

    def flows_to(self, network, family, *sites, **kwargs):
        """Flows from the LAN to the first host of a network that the sites
        have."""
        return Flows((self.ns["lan"], LAN[family]),
                     (network[family], {s: self.ns[s] for s in sites}),
                     **kwargs)

    @contextlib.contextmanager
    def silent(self, name):
        """That host hangs: nothing comes from it or arrives there, and no link
        goes down."""
        devices = [d for d in ("eth0", "eth1")
                   if self.ns[name].ip("link", "show", d,
                                       check=False).returncode == 0]
        self.ns[name].nft("table netdev dead {\n" + "\n".join(
            f"chain {way}_{d} {{ type filter hook {way} device {d} "
            f"priority -400; policy drop; }}"
            for d in devices for way in ("ingress", "egress")) + "\n}")
        try:
            yield
        finally:
            self.ns[name].run("nft", "delete", "table", "netdev", "dead")
