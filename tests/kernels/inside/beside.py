# SPDX-License-Identifier: GPL-2.0-only
"""test_host.py runs these tests in a virtual machine, as not every host has the
drivers: forward = xdp beside VLAN devices, bonds and VRFs. Every packet arrives
once, with its tag; XDP forwards those whose whole way the FIB knows."""
import pytest
from scapy.layers.l2 import Dot1Q, Ether

from netns import kernel_version, wait_until
from packets.runner import one_cpu
from router import CONF, LAN, FromLan, plain, udp

# Before, kernels do not tell which interfaces send redirected frames, and XDP
# forwards to none.
FORWARDS = kernel_version() >= (6, 3)
HERE = {4: "172.23.0.1", 6: "fd00:23::1"}
FAR = {4: "172.23.0.2", 6: "fd00:23::2"}
TAG = 7
TTLS = range(10, 20)  # tell packets apart
N = len(TTLS)


class Beside(FromLan):
    """The FromLan, and another interface of the router and of a neighbour."""

    def __init__(self, lab):
        super().__init__(lab)
        self.from_lan = self.sender
        self.from_site = lab.sender(self.site, "eth0")

    def name(self, names):
        """Names the other interfaces that XDP forwards from."""
        self.tunload.reload(CONF.format(forward=f"xdp {names}", **self.conf))

    @staticmethod
    def add(ns, name, *what):
        """Adds an interface."""
        ns.ip("link", "add", "name", name, *what)
        ns.ip("link", "set", name, "up")

    def veth(self, name):
        """A pair to the LAN; both ends take redirected frames."""
        self.lab.veth(self.router, name, self.lan, name, offload=False)
        for ns in self.router, self.lan:
            ns.run("ethtool", "-K", name, "gro", "on")

    def vlan(self, link, ns):
        """A VLAN on a link that is there, to another namespace's eth0."""
        for end, below in (self.router, link), (ns, "eth0"):
            self.add(end, "vlan", "link", below, "type", "vlan", "id", TAG)

    def bond(self, name, mode):
        """Two pairs to the LAN, bonded at both ends."""
        for link in "p0", "p1":
            self.veth(link)
        for ns in self.router, self.lan:
            self.add(ns, name, "type", "bond", "mode", mode, "miimon", 50)
            for link in "p0", "p1":
                ns.ip("link", "set", link, "down")
                ns.ip("link", "set", link, "master", name)
            if mode == "active-backup":
                ns.ip("link", "set", name, "type", "bond", "primary", "p0")
        for ns in self.router, self.lan:
            wait_until(lambda n=ns: self.is_up(n.links(name)[0], mode),
                       "the bond is up")

    @staticmethod
    def is_up(bond, mode):
        """Both ends must use the same pair."""
        return bond["operstate"] == "UP" and (
            mode != "active-backup" or
            bond["linkinfo"]["info_data"].get("active_slave") == "p0")

    def vrf(self, *members):
        """A VRF of the router's interfaces."""
        self.add(self.router, "blue", "type", "vrf", "table", 10)
        for name in members:
            self.router.ip("link", "set", name, "master", "blue")
        # Or else what it has no route for would follow the main table.
        for family in "-4", "-6":
            self.router.ip(family, "route", "add", "unreachable", "default",
                           "metric", 9999, "table", 10)

    def address(self, name, mac):
        """The router's end, and the neighbour that it knows there; the timer
        tells tunload."""
        self.router.addr(name, f"{HERE[4]}/24", f"{HERE[6]}/64")
        for address in FAR.values():
            self.router.ip("neigh", "replace", address, "dev", name, "lladdr",
                           mac, "nud", "permanent")
        self.tunload.ok("trigger", "eth0", "--due")

    def counts(self, *verdicts):
        """{verdict: packets}"""
        return {v: self.counted(v)[0] for v in verdicts}

    def counted_since(self, before):
        """What came after counts()."""
        return {v: n - before[v] for v, n in self.counts(*before).items()
                if n != before[v]}

    def captures(self, ns, *names):
        """Captures of datagrams out of the tunnel that arrive."""
        return [self.lab.capture(
            ns, name, lambda f: not f.outgoing and
            b"\x13\x88\0\x09" in f.data[34:62]) for name in names]

    def macs(self, near, ns, far):
        """The addresses of a link."""
        return self.router.mac(near), ns.mac(far)

    def from_tunnel(self, family, to, wires, macs, tag=False):
        """Packets out of the tunnel arrive at these captures, once each; what was
        counted."""
        packets = [udp(family, 33, dst=to[family], ttl=ttl) for ttl in TTLS]
        before = self.counts("rx_decap", "rx_forward")
        with one_cpu():
            self.from_site.send(*map(self.frame, packets))
        wait_until(lambda: sum(len(w.frames()) for w in wires) >= N,
                   "the packets arrive")
        counted = self.counted_since(before)
        link = Ether(src=macs[0], dst=macs[1])
        if tag:
            link /= Dot1Q(vlan=TAG)
        assert sorted(f.data.hex() for w in wires for f in w.frames()) == sorted(
            bytes(link / Ether(self.expected(p)).payload).hex()
            for p in packets)
        return counted

    def frames_into(self, family, src, macs, tag=False):
        """Packets into the tunnel: [(frame to the router, packet)]"""
        link = Ether(src=macs[1], dst=macs[0])
        if tag:
            link /= Dot1Q(vlan=TAG)
        return [(bytes(link / p), p) for p in (
            plain(family, 33, src=src[family], ttl=ttl) for ttl in TTLS)]

    def into_tunnel(self, sender, frames, refused=()):
        """These arrive at the site, once each, and none of those that are sent
        among them by `refused`, (sender, frames); what was counted."""
        before = self.counts("tx_encap", "tx_forward")
        self.out.clear()
        with one_cpu():
            sender.send(*[frame for frame, _ in frames[:3]])
            for other, bad in refused:
                other.send(*[frame for frame, _ in bad])
            sender.send(*[frame for frame, _ in frames[3:]])
        self.out.wait(N)
        counted = self.counted_since(before)
        seen = [f.data for f in self.out.frames()]
        assert sorted(f.hex() for f in seen) == sorted(
            bytes(self.leaves(seen[0], p)).hex() for _, p in frames)
        return counted


def by_xdp(counted, up, forward):
    """Checks that XDP forwarded all but the first ones, which the kernel did."""
    if not FORWARDS:
        assert counted == {up: N}
        return
    assert sum(counted.values()) == N and counted.keys() <= {up, forward}
    assert counted[forward] > 0


@pytest.fixture(name="net")
def fixture_net(lab):
    """The Beside, with the tunnel up."""
    return Beside(lab)


def plain_beside(net):
    """The plain interface beside it is forwarded to, and from, by XDP."""
    macs = net.macs("eth1", net.lan, "eth0")
    for family in FAR:
        by_xdp(net.from_tunnel(family, LAN, net.captures(net.lan, "eth0"),
                               macs), "rx_decap", "rx_forward")
        by_xdp(net.into_tunnel(net.from_lan, net.frames_into(
            family, LAN, macs)), "tx_encap", "tx_forward")


@pytest.mark.parametrize("link", ["eth1", "eth0"])
def test_vlan(net, link):
    """On the inner interface, and on the attached one: the kernel puts tags on and
    takes them off."""
    ns, sender = {"eth1": (net.lan, net.from_lan),
                  "eth0": (net.site, net.from_site)}[link]
    net.vlan(link, ns)
    net.address("vlan", ns.mac("vlan"))
    assert "vlan" not in net.tunload.status()["forward_to"]
    macs = net.macs("vlan", ns, "vlan")
    for family in FAR:
        wires = net.captures(ns, "eth0")
        assert net.from_tunnel(family, FAR, wires, macs, tag=True) == {
            "rx_decap": N}
        assert net.into_tunnel(sender, net.frames_into(
            family, FAR, macs, tag=True)) == {"tx_encap": N}
    plain_beside(net)


@pytest.mark.parametrize("mode", ["active-backup", "balance-rr"])
def test_bond(net, mode):
    """A bond sends redirected frames if its links do. From one XDP does not
    forward, also if it is named: packets arrive by its ports."""
    net.bond("bond", mode)
    net.name("eth1, bond")
    net.address("bond", net.lan.mac("bond"))
    assert ("bond" in net.tunload.status()["forward_to"]) == FORWARDS
    macs = net.macs("bond", net.lan, "bond")
    sender = net.lab.sender(net.lan, "bond")
    for family in FAR:
        by_xdp(net.from_tunnel(family, FAR, net.captures(
            net.lan, "p0", "p1"), macs), "rx_decap", "rx_forward")
        assert net.into_tunnel(sender, net.frames_into(family, FAR, macs)) == {
            "tx_encap": N}
    plain_beside(net)


def test_all_in_a_vrf(net):
    """Tunnel and inner interface are in the VRF, and eth1 is not: nothing passes
    between."""
    net.veth("inner")
    net.vrf("eth0", "inner")
    net.name("eth1, inner")
    net.address("inner", net.lan.mac("inner"))
    macs = net.macs("inner", net.lan, "inner")
    outside = net.macs("eth1", net.lan, "eth0")
    sender = net.lab.sender(net.lan, "inner")
    for family in FAR:
        by_xdp(net.from_tunnel(family, FAR, net.captures(net.lan, "inner"),
                               macs), "rx_decap", "rx_forward")
        by_xdp(net.into_tunnel(sender, net.frames_into(family, FAR, macs), [
            (net.from_lan, net.frames_into(family, LAN, outside))]),
               "tx_encap", "tx_forward")


@pytest.mark.parametrize("kind", ["veth", "bond"])
def test_vrf_beside_the_tunnel(net, kind):
    """Only the inner interface is in the VRF. What comes out of the tunnel for its
    network goes to the network outside that has the same addresses, and its
    hosts do not get into the tunnel."""
    if kind == "veth":
        net.veth("inner")
    else:
        net.bond("inner", "active-backup")
    net.vrf("inner")
    net.name("eth1, inner")
    net.address("inner", net.lan.mac("inner"))
    net.address("eth1", net.lan.mac("eth0"))
    inside = net.captures(net.lan, "inner")
    inner = net.macs("inner", net.lan, "inner")
    macs = net.macs("eth1", net.lan, "eth0")
    sender = net.lab.sender(net.lan, "inner")
    for family in FAR:
        by_xdp(net.from_tunnel(family, FAR, net.captures(net.lan, "eth0"),
                               macs), "rx_decap", "rx_forward")
        by_xdp(net.into_tunnel(net.from_lan, net.frames_into(
            family, FAR, macs), [(sender, net.frames_into(
                family, FAR, inner))]), "tx_encap", "tx_forward")
    assert not inside[0].frames()
