# SPDX-License-Identifier: GPL-2.0-only
"""Peers whose inner sources the routes decide about (allowed-ips = routed), and
gateway addresses of one's own (gateway)."""
import pytest

from gateways import GATEWAY, OWN, Gateways, source
from lab import wait_until
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
