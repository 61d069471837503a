# SPDX-License-Identifier: GPL-2.0-only
"""Two hosts with a tunnel between them, and a routing daemon on each that speaks
to the other one without multicast. The addresses inside of the tunnel are
ordinary ones of eth0."""
import shutil

from bird import Bird
from frr import Frr
from netns import scratch

OUTER = {"a": "192.0.2.1", "b": "192.0.2.2"}
INNER = {"a": "172.30.0.1", "b": "172.30.0.2"}
HOST = {"a": "10.1.0.1", "b": "10.9.0.1"}
OTHER = {"a": "b", "b": "a"}
CONF = """
[peer other]
endpoint = {endpoint}
gateway = {gateway}
allowed-ips = routed
"""


def swapped(text):
    """What is a's, as b's."""
    for own, other in (INNER["a"], INNER["b"]), ("10.1.0.0", "10.9.0.0"):
        text = text.replace(own, "@").replace(other, own).replace("@", other)
    return text


class Neighbours:
    """The hosts a and b, each with a network on lo."""

    def __init__(self, lab):
        self.lab, self.tl, self.daemon = lab, {}, {}
        self.ns = {name: lab.netns(name) for name in "ab"}
        lab.veth(self.ns["a"], "eth0", self.ns["b"], "eth0")
        for name, other in OTHER.items():
            ns = self.ns[name]
            ns.addr("eth0", f"{OUTER[name]}/24", f"{INNER[name]}/24")
            ns.addr("lo", f"{HOST[name]}/32")
            ns.forward()
            self.tl[name] = lab.tunload(ns, bpffs=lab.new_bpffs())
            self.tl[name].attach(CONF.format(endpoint=OUTER[other],
                                             gateway=INNER[other]),
                                 "--no-trigger")

    def start(self, name, text, *daemons):
        """Starts BIRD there, or FRR's daemons."""
        directory = self.lab.enter_context(scratch(name))
        shutil.chown(directory, "frr", "frr")
        daemon = Frr(self.lab, self.ns[name], directory, daemons) \
            if daemons else Bird(self.lab, self.ns[name], directory)
        daemon.write(text if name == "a" else swapped(text))
        daemon.start()
        self.daemon[name] = daemon

    def next_hop(self, name):
        """Where the host sends packets to the other one's network."""
        route = self.ns[name].ip("route", "get", HOST[OTHER[name]],
                                 check=False).stdout.split()
        return route[route.index("via") + 1] if "via" in route else None
