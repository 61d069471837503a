# SPDX-License-Identifier: GPL-2.0-only
"""Peers whose inner sources the routes decide about (allowed-ips = routed), and
gateway addresses of one's own (gateway)."""
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from gateways import GATEWAY, OUTER, OWN, SITE, Gateways, source
from lab import wait_until
from packets import bpf
from traffic import ping

both_modes = pytest.mark.parametrize("mode", ["native", "tc"])
both_families = pytest.mark.parametrize("family", [4, 6])


@both_modes
@pytest.mark.parametrize("outer", [4, 6])
def test_the_gateway_answers(lab, mode, outer):
    g = Gateways(lab, mode, outer)
    for name in "ab":
        for family in 4, 6:
            assert ping(g.host, GATEWAY[name][family])
            assert ping(g.far[name], OWN[family], source=GATEWAY[name][family])


@both_modes
@both_families
def test_a_source_with_and_without_a_way_back(lab, mode, family):
    g = Gateways(lab, mode)
    assert g.send("a", family) == (0, 1)
    g.route(family, "a")
    assert g.send("a", family) == (1, 0)
    assert g.send("b", family) == (0, 1)
    g.route(family, "b")
    assert g.send("b", family) == (1, 0)
    # What was allowed a moment ago is remembered for a second at most.
    wait_until(lambda: g.send("a", family) == (0, 1),
               "the former peer is refused")
    g.route(family)
    wait_until(lambda: g.send("b", family) == (0, 1), "no peer may")


@both_modes
@both_families
@pytest.mark.parametrize("policy", [0, 1])
def test_each_next_hop_of_a_multipath_route(lab, mode, family, policy):
    g = Gateways(lab, mode)
    g.host.sysctl(f"net.ipv{family}.fib_multipath_hash_policy", policy)
    g.route(family, "a", "b")
    for name in "ab":
        assert g.send(name, family, 200) == (200, 0)
    g.route(family, "a", "b", weights=(1, 12))
    for name in "ab":
        done, refused = g.send(name, family, 200, first=200)
        assert done + refused == 200 and done >= 198


@both_families
def test_a_frame_above_the_mtu(lab, family):
    """A device may take longer ones than it sends, veth does not."""
    g = Gateways(lab, "tc")
    g.route(family, "a")
    inner = IP if family == 4 else IPv6
    frame = Ether(dst=g.host.mac("eth0")) / IP(
        src=OUTER[4].format(2), dst=OUTER[4].format(1)) / inner(
            src=source(family, 0), dst=OWN[family]) / UDP() / bytes(1600)
    g.host.call(bpf.test_run, bpf.obj_get(f"{g.tl.pins}/prog_tc_ingress"),
                bytes(frame))
    assert g.count("a", "rx_decap") == 1


@both_families
def test_a_next_hop_whose_mac_is_unknown(lab, family):
    """It is on the wire, and the other one is a gateway."""
    g = Gateways(lab)
    g.host.ip(f"-{family}", "route", "add", SITE[family], *(
        word for ip in (OUTER[family].format(99), GATEWAY["a"][family])
        for word in ("nexthop", "via", ip, "dev", "eth0")))
    assert g.send("a", family, 100) == (100, 0)


@both_families
def test_rules_see_the_answer(lab, family):
    """Its source, protocol and ports."""
    g = Gateways(lab)

    def rules(verb, *words):
        g.host.ip(f"-{family}", "rule", verb, *words, "lookup", 77)

    g.host.ip(f"-{family}", "route", "add", SITE[family], "via",
              GATEWAY["a"][family], "dev", "eth0", "table", 77)
    port = ["ipproto", "udp", "sport", 9, "dport", 7000]
    for n, rule in enumerate((["from", OWN[family]], port)):
        rules("add", *rule)
        assert g.send("a", family, first=10 * n) == (1, 0)
        rules("del", *rule)
        assert g.send("a", family, first=10 * n + 1) == (0, 1)
    rules("add", *port)
    assert g.send("a", family, port=7001, first=20) == (0, 1)
    assert g.send("a", family, port=7000, first=21) == (1, 0)


def test_sources_of_link_scope(lab):
    """Routes do not tell whose they are."""
    g = Gateways(lab)
    for net in "169.254.0.0/16", "169.253.0.0/16":
        g.host.ip("route", "add", net, "via", GATEWAY["a"][4], "dev", "eth0")
    assert g.send("a", 4, sources=["169.253.9.1"]) == (1, 0)
    assert g.send("a", 4, sources=["169.254.9.1"]) == (0, 1)


def test_a_gateways_mac_on_another_interface(lab):
    g = Gateways(lab)
    lab.veth(g.host, "eth1", lab.netns("beside"), "eth0")
    for family in 4, 6:
        hop = "198.51.100.9" if family == 4 else "2001:db8:9::9"
        if family == 6:
            g.host.addr("eth1", "2001:db8:9::1/64")
        g.host.ip("neigh", "add", hop, "lladdr", "02:74:6e:00:00:01", "dev",
                  "eth1", "nud", "permanent")
        g.host.ip(f"-{family}", "route", "add", SITE[family], "via", hop, "dev",
                  "eth1", "onlink")
        assert g.send("a", family) == (0, 1)
