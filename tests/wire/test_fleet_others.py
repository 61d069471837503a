# SPDX-License-Identifier: GPL-2.0-only
"""Routing protocols that like multicast, over tunnels, which have none: OSPF and
RIP with unicast neighbours work, others cannot (docs/fleet.md)."""
import pytest

from fleet import example
from lab import wait_until
from neighbours import HOST, INNER, OTHER, OUTER, Neighbours
from traffic import packet_of, ping

FRR = {"ospf-frr": ["ospfd"], "rip-frr": ["ripd"]}


def in_clear(capture):
    """(source, destination) of what left without a tunnel, but for what every
    host says on its wire."""
    seen = {(p.src, p.dst) for p in map(packet_of, capture.packets(True))
            if p and p.proto not in (2, 4, 41)}
    return {(s, d) for s, d in seen if not s.startswith("fe80:")}


@pytest.mark.parametrize("a, b", [
    ("ospf-bird", "ospf-bird"), ("ospf-frr", "ospf-frr"),
    ("ospf-bird", "ospf-frr"), ("rip-bird", "rip-bird"),
    ("rip-frr", "rip-frr"), ("rip-bird", "rip-frr")])
def test_unicast_neighbours(lab, a, b):
    two = Neighbours(lab)
    wires = [lab.capture(ns, "eth0") for ns in two.ns.values()]
    for name, conf in ("a", a), ("b", b):
        two.start(name, example(f"{conf}.conf"), *FRR.get(conf, []))
    for name, other in OTHER.items():
        wait_until(lambda: two.next_hop(name) == INNER[other],
                   f"{name} has a route", timeout=60)
    assert ping(two.ns["a"], HOST["b"], source=HOST["a"])
    assert ping(two.ns["b"], HOST["a"], source=HOST["b"])
    for wire, conf in zip(wires, (a, b)):
        # FRR's ripd asks the wire once, from each address, when it begins.
        assert {to for _, to in in_clear(wire)} == \
            ({"224.0.0.9"} if conf == "rip-frr" else set())


def test_ospf_ptmp_of_bird(lab):
    two = Neighbours(lab)
    text = example("ospf-bird.conf").replace("nbma", "ptmp")
    for name in "ab":
        two.start(name, text)
    for name, other in OTHER.items():
        wait_until(lambda: two.next_hop(name) == INNER[other],
                   f"{name} has a route", timeout=60)
    assert ping(two.ns["a"], HOST["b"], source=HOST["a"])


def test_ospf_ptmp_of_frr_is_multicast(lab):
    """Its hellos leave in clear, and the other end drops them, as they borrow
    the address of a tunnel."""
    two = Neighbours(lab)
    wire = lab.capture(two.ns["a"], "eth0")
    text = example("ospf-frr.conf").replace("non-broadcast",
                                            "point-to-multipoint")
    for name in "ab":
        two.start(name, text, "ospfd")
    wait_until(lambda: two.tl["b"].verdict("rx_borrowed") > 5, "hellos")
    assert in_clear(wire) == {(INNER["a"], "224.0.0.5")}
    assert two.tl["b"].verdict("rx_decap") == 0
    assert not two.daemon["a"].show("ip ospf neighbor")["neighbors"]


BABEL = """
router id 172.30.0.1;
protocol device { }
protocol static { ipv4; route 10.1.0.0/24 blackhole; }
protocol kernel { ipv4 { export where source = RTS_BABEL; }; }
protocol babel {
	ipv4 { export where source = RTS_STATIC; };
	interface "eth0" { type wired; };
}
"""


def test_babel_is_multicast(lab):
    """It finds those who are on the wire, past the tunnels, and sends to them in
    clear."""
    two = Neighbours(lab)
    wire = lab.capture(two.ns["a"], "eth0")
    for name in "ab":
        two.start(name, BABEL)
    wait_until(lambda: two.next_hop("a"), "a route")
    assert two.next_hop("a") == OUTER["b"]
    assert "ff02::1:6" in {p.dst for p in map(packet_of, wire.packets(True))
                           if p}
    assert two.tl["a"].verdict("tx_encap") == 0
