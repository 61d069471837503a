# SPDX-License-Identifier: GPL-2.0-only
"""test_host.py runs these tests in a virtual machine, as not every host has the
drivers: peers with a gateway and allowed-ips = routed whose other ends are the
kernel's own tunnels, and such peers in a VRF."""
import time

import pytest

from gateways import GATEWAY, OUTER, OWN, SITE, Gateways, peer_text, source
from lab import wait_until
from traffic import ping, tcp_transfer

# A network of the host, and its address there, which only routes know.
NEAR = {4: "10.1.0.0/24", 6: "fd00:1::/64"}
NEAR_ADDRESS = {4: "10.1.0.1", 6: "fd00:1::1"}
DEVICES = {4: {4: ["tun4", "type", "ipip"], 6: ["tun6", "type", "sit"]},
           6: {None: ["tun", "type", "ip6tnl", "mode", "any", "encaplimit",
                      "none"]}}
SIZE = 200_000
# What was allowed is remembered for a second, and a clock with ticks.
FORGOTTEN = 2

N = 50  # sources

each_once = pytest.mark.parametrize("mode, outer", [("native", 4), ("tc", 6)])


class KernelEnds(Gateways):
    """Gateways whose far ends are devices of the kernel."""

    def make_far_end(self, name):
        far, number = self.far[name], 2 + "ab".index(name)
        self.device = {}
        for family, words in DEVICES[self.outer].items():
            for one in [family] if family else [4, 6]:
                self.device[one] = words[0]
            far.ip("link", "add", *words, "local",
                   OUTER[self.outer].format(number), "remote",
                   OUTER[self.outer].format(1))
            far.ip("link", "set", words[0], "up")
        for family in 4, 6:
            far.ip("addr", "add", GATEWAY[name][family], "peer", OWN[family],
                   "dev", self.device[family])
            far.addr("lo", f"{source(family, 0)}/{32 if family == 4 else 128}")

    def connect(self, family):
        """Makes routes between the networks of the host and of a."""
        self.host.addr("lo", NEAR_ADDRESS[family] +
                       ("/32" if family == 4 else "/128"))
        self.route(family, "a")
        self.far["a"].ip("route", "add", NEAR[family], "via", OWN[family],
                         "dev", self.device[family])


@pytest.mark.parametrize("mode", ["native", "tc"])
@pytest.mark.parametrize("outer", [4, 6])
def test_networks_that_only_routes_know(lab, mode, outer):
    g = KernelEnds(lab, mode, outer)
    for family in 4, 6:
        for name in "ab":
            assert ping(g.host, GATEWAY[name][family])
            assert ping(g.far[name], OWN[family], GATEWAY[name][family])
        assert g.send("a", family) == (0, 1)
        g.connect(family)
        host = g.host, NEAR_ADDRESS[family]
        site = g.far["a"], source(family, 0)
        for near, far in (host, site), (site, host):
            assert ping(near[0], far[1], near[1])
            tcp_transfer(*near, *far, SIZE)
        assert g.send("b", family) == (0, 1)
    assert g.count("a", "rx_not_allowed") == 2


@each_once
def test_multipath_and_withdrawal(lab, mode, outer):
    g = KernelEnds(lab, mode, outer)
    for family in 4, 6:
        g.route(family, "a", "b")
        for name in "ab":
            assert g.send(name, family, N) == (N, 0)
        g.route(family, "b")
        time.sleep(FORGOTTEN)
        assert g.send("a", family, N) == (0, N)
        assert g.send("b", family, N) == (N, 0)
        g.route(family)
        time.sleep(FORGOTTEN)
        assert g.send("b", family, N) == (0, N)


class InVrf(KernelEnds):
    """KernelEnds of which a is in the VRF red, with the host's address."""

    def conf(self, mode, allowed):
        self.host.batch("link add red type vrf table 101", "link set red up")
        self.host.addr("red", f"{OWN[4]}/32", f"{OWN[6]}/128")
        for family in "-4", "-6":
            # Or else what red has no route for would follow the main table.
            self.host.ip(family, "route", "add", "unreachable", "default",
                         "metric", 9999, "table", 101)
        return (f"[interface]\nmode = {mode}\n" +
                peer_text("a", self.outer) + "vrf = red\n" +
                peer_text("b", self.outer))

    def route_in(self, table, family, name):
        """Routes the networks of SITE in a table via the gateway of a peer."""
        self.host.ip("route", "replace", SITE[family], "via",
                     GATEWAY[name][family], "dev", "eth0", "onlink", "table",
                     table)


@each_once
def test_the_table_of_the_vrf_decides(lab, mode, outer):
    g = InVrf(lab, mode, outer)
    for family in 4, 6:
        assert ping(g.host, GATEWAY["a"][family], "red")
        assert not ping(g.host, GATEWAY["a"][family], wait=0.3)
        g.route_in("main", family, "a")
        assert g.send("a", family) == (0, 1)
        g.route_in("main", family, "b")
        g.route_in(101, family, "a")
        for name in "ab":
            assert g.send(name, family) == (1, 0)
        assert ping(g.far["a"], OWN[family], source(family, 0))
        g.route_in(101, family, "b")
        wait_until(lambda f=family: g.send("a", f) == (0, 1), "a is refused")
        assert g.send("b", family, first=1) == (1, 0)
        # In the VRF the kernel answers no questions then, and people are told.
        setting = f"net.ipv{family}.conf.red.forwarding"
        said = f"IPv{family} forwarding is off in VRF red"
        assert g.tl.status()["hints"] == []
        g.host.sysctl(setting, 0)
        assert [said in hint for hint in g.tl.status()["hints"]] == [True]
        checked = " ".join(g.tl.run("check", "eth0").stdout.split())
        assert said in checked
        g.host.sysctl(setting, 1)
