# SPDX-License-Identifier: GPL-2.0-only
"""A host whose routes say what its two peers may send (allowed-ips = routed),
with a site behind each of them."""
import socket

from lab import wait_until

IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75

# Of the host, and of the peers' ends of the tunnels.
OWN = {4: "172.30.0.1", 6: "fd00:30::1"}
GATEWAY = {"a": {4: "172.30.0.2", 6: "fd00:30::2"},
           "b": {4: "172.30.0.3", 6: "fd00:30::3"}}
OUTER = {4: "192.0.2.{}", 6: "2001:db8::{}"}
# Networks that no configuration has.
SITE = {4: "10.5.0.0/16", 6: "fd00:5::/32"}
HOST = f"""
[interface]
mode = {{mode}}
address = {OWN[4]}/24, {OWN[6]}/64
"""
PEER = """
[peer {name}]
endpoint = {endpoint}
gateway = {four}, {six}
allowed-ips = {allowed}
"""
FAR = """
[interface]
mode = tc
address = {four}, {six}
[peer host]
endpoint = {endpoint}
allowed-ips = 0.0.0.0/0, ::/0
"""


def peer_text(name, outer=4, allowed="routed"):
    """The section of a peer."""
    number = 2 + "ab".index(name)
    return PEER.format(name=name, endpoint=OUTER[outer].format(number),
                       four=GATEWAY[name][4], six=GATEWAY[name][6],
                       allowed=allowed)


def source(family, n):
    """The n-th address of the network that no configuration has."""
    return f"10.5.{n // 250}.{n % 250 + 1}" if family == 4 else f"fd00:5::{n + 1:x}"


def _send(family, sources, to, port):
    """Sends a UDP packet from each address, whosever it is."""
    for address in sources:
        with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6,
                           socket.SOCK_DGRAM) as sock:
            if family == 4:
                sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
            sock.bind((address, port))
            sock.sendto(b"x", (to, 9))


class Gateways:
    """The host .host with its Tunload .tl, and the far ends .far[name]."""

    def __init__(self, lab, mode="tc", outer=4, allowed="routed"):
        self.lab, self.outer = lab, outer
        self.wires = lab.netns("wires")
        self.wires.ip("link", "add", "br0", "up", "type", "bridge")
        self.host = self._on_bridge("host", 1)
        self.tl = lab.tunload(self.host)
        self.host.forward()
        self.far, self.far_tl = {}, {}
        for number, name in enumerate("ab", 2):
            self.far[name] = self._on_bridge(name, number)
            self.make_far_end(name)
        self.text = self.conf(mode, allowed)
        self.tl.attach(self.text, "--no-trigger")

    def make_far_end(self, name):
        """Makes the other end of that peer's tunnel."""
        self.far_tl[name] = self.lab.tunload(self.far[name],
                                             bpffs=self.lab.new_bpffs())
        self.far_tl[name].attach(FAR.format(
            endpoint=OUTER[self.outer].format(1), four=GATEWAY[name][4],
            six=GATEWAY[name][6]), "--no-trigger")

    def conf(self, mode, allowed):
        """The configuration of the host."""
        return HOST.format(mode=mode) + "".join(
            peer_text(name, self.outer, allowed) for name in "ab")

    def _on_bridge(self, name, number):
        ns = self.lab.netns(name)
        self.lab.veth(ns, "eth0", self.wires, f"p{number}")
        self.wires.ip("link", "set", f"p{number}", "master", "br0")
        ns.addr("eth0", f"{OUTER[4].format(number)}/24",
                f"{OUTER[6].format(number)}/64")
        return ns

    def route(self, family, *names, weights=None):
        """Routes the networks of SITE via the gateways of these peers; those of
        none: removes the route."""
        command = ["route", "replace" if names else "flush", SITE[family]]
        if len(names) == 1:
            command += ["via", GATEWAY[names[0]][family], "dev", "eth0"]
        for name, weight in zip(names, weights or [1] * len(names)):
            if len(names) > 1:
                command += ["nexthop", "via", GATEWAY[name][family], "dev",
                            "eth0", "weight", weight]
        self.host.ip(f"-{family}", *command)

    def count(self, name, verdict):
        """Packets of that peer with that verdict."""
        (peer,) = [p for p in self.tl.status()["peers"] if p["name"] == name]
        return peer["verdicts"].get(verdict, {}).get("packets", 0)

    def send(self, name, family, n=1, port=7000, first=0, sources=None):
        """Sends a UDP packet from each of the first n addresses of SITE, or of
        the sources, through the tunnel of that peer; returns (decapsulated, not
        allowed)."""
        before = [self.count(name, v) for v in ("rx_decap", "rx_not_allowed")]
        sources = sources or [source(family, i + first) for i in range(n)]
        self.far[name].call(_send, family, sources, OWN[family], port)
        return wait_until(lambda: self._arrived(name, before, n),
                          f"{n} packets of {name}")

    def _arrived(self, name, before, n):
        now = [self.count(name, v) for v in ("rx_decap", "rx_not_allowed")]
        gained = tuple(b - a for a, b in zip(before, now))
        return gained if sum(gained) >= n else None
