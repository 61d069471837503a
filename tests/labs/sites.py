# SPDX-License-Identifier: GPL-2.0-only
"""A host with two sites behind a router, which stand in for each other. Both
have the inner address SHARED, so either answers for the network."""
import re

from lab import wait_until
from lifecycle import A

SHARED = "10.10.0.1"
HOST, SITES = "192.0.2.1", {"first": "198.51.100.2", "second": "203.0.113.2"}
WATCHED = f"""
[interface]
mode = tc
source = {A}
""" + "".join(f"""
[peer {name}]
endpoint = {endpoint}
allowed-ips = 10.10.0.0/24
keepalive = 1
priority = {priority}
""" for priority, (name, endpoint) in enumerate(SITES.items(), 1))
SITE = f"""
[interface]
mode = tc
source = {SHARED}
[peer host]
endpoint = {HOST}
allowed-ips = {A}/32
"""


def carrier(host):
    """The id of the peer whose gateway the prefix's only route leads to."""
    routes = host.a.ip("route", "show", "10.10.0.0/24").stdout
    (line,) = routes.splitlines()
    return int(re.search(r"via 240\.0\.0\.(\d+) ", line)[1])


class Sites:
    """A host that is attached to both sites."""

    def __init__(self, lab, text=WATCHED):
        self.lab, self.router = lab, lab.netns("router")
        self.a = self._behind_router("a", "eth0", HOST)
        self.a.addr("lo", f"{A}/32")
        self.tl, self.sites = lab.tunload(self.a), {}
        for i, (name, address) in enumerate(SITES.items(), 1):
            ns = self._behind_router(name, f"eth{i}", address)
            ns.addr("lo", f"{SHARED}/32")
            self.sites[name] = lab.tunload(ns, bpffs=lab.new_bpffs())
            self.revive(name)
        self.router.forward()
        self.tl.attach(text, "--no-trigger")

    def _behind_router(self, label, ifname, address):
        ns = self.lab.netns(label)
        self.lab.veth(ns, "eth0", self.router, ifname)
        gateway = address.rsplit(".", 1)[0] + ".254"
        ns.addr("eth0", f"{address}/24")
        self.router.addr(ifname, f"{gateway}/24")
        ns.ip("route", "add", "default", "via", gateway)
        return ns

    def watch(self):
        """Watches, until both peers are up."""
        process = self.lab.keep(self.tl.start("watch", "eth0"))
        for name in SITES:
            process.wait_output(f"eth0: {name}: up")
        return process

    def kill(self, name):
        """That site answers no more."""
        self.sites[name].detach()

    def revive(self, name):
        """It does again."""
        self.sites[name].attach(SITE, "--no-trigger")

    def wait_carrier(self, number):
        """Waits until that peer has the route."""
        wait_until(lambda: carrier(self) == number, f"peer {number} carries")
