# SPDX-License-Identifier: GPL-2.0-only
"""Peers with the same prefix: the one with the lowest priority has the route."""
import re

import pytest

from lifecycle import Pair, with_hosts

TWO = """
[interface]
mode = tc
source = 172.22.2.2
[peer first]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
priority = 20
[peer second]
endpoint = {second}
allowed-ips = 10.10.0.0/24
priority = 10
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def carrier(pair):
    """The id of the peer whose gateway the prefix's only route leads to."""
    routes = pair.a.ip("route", "show", "10.10.0.0/24").stdout
    (line,) = routes.splitlines()
    return int(re.search(r"via 240\.0\.0\.(\d+) ", line)[1])


def test_the_lowest_priority_has_the_route(pair):
    with_hosts(pair, "", "attach", "eth0", "-c",
               pair.tl.write(TWO.format(second="192.0.2.9")))
    assert carrier(pair) == 2
    pair.tl.ok("peer", "set", "eth0", "first", "priority", "5")
    assert carrier(pair) == 1
    pair.tl.ok("peer", "set", "eth0", "first", "priority", "20")
    assert carrier(pair) == 2
    pair.tl.ok("peer", "del", "eth0", "second")
    assert carrier(pair) == 1


def test_a_peer_that_waits_has_no_route(pair):
    with_hosts(pair, "", "attach", "eth0", "-c",
               pair.tl.write(TWO.format(second="second.example")))
    assert carrier(pair) == 1
