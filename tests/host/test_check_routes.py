# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` on hosts where inner packets do not get into the tunnels, or
not out of them: what it says, and that the printed command mends it."""
import pytest

from checked import CONF, Case, Checked, check_case

PAST = "packets to 10.10.0.1 go past the tunnel, by the route "


def other(host):
    """Another interface of the host."""
    host.a.ip("link", "add", "eth1", "type", "veth", "peer", "eth2")
    host.a.ip("link", "set", "eth1", "up")
    host.a.ip("link", "set", "eth2", "up")
    host.a.addr("eth1", "198.51.100.1/24")


def routed(*words):
    """Adds a route to another interface."""
    def make(host):
        other(host)
        host.a.ip("route", "add", *words)
    return make


def ruled(host):
    """A rule leads to a table with a route of its own."""
    routed("10.0.0.0/8", "via", "198.51.100.2", "table", "100")(host)
    host.a.ip("rule", "add", "to", "10.10.0.0/24", "lookup", "100")


CASES = [
    Case("missing", lambda host: host.a.ip("route", "del", "10.10.0.0/24"),
         ("failure", "routes", "our routes", None,
          "1 of our routes, rules, gateways and addresses are missing or "
          "changed"),
         "tunload trigger eth0 --due", attached=True, some=True),
    Case("foreign", routed("10.10.0.0/24", "via", "198.51.100.2"),
         ("failure", "routes", "foreign route", "b",
          "route \"10.10.0.0/24\" already exists on eth1 (proto boot): remove "
          "it"), "ip route del 10.10.0.0/24 dev eth1"),
    Case("longer", routed("10.10.0.128/25", "via", "198.51.100.2"),
         ("warning", "routes", "longer prefix", "b",
          "the route 10.10.0.128/25 dev eth1 is to a part of allowed-ips "
          "10.10.0.0/24: 10.10.0.128/25 stays outside of the tunnel"),
         "ip route del 10.10.0.128/25 dev eth1"),
    Case("longer, attached",
         routed("10.10.0.0/25", "via", "198.51.100.2"),
         ("warning", "routes", "longer prefix", "b",
          "the route 10.10.0.0/25 dev eth1 is to a part of allowed-ips "
          "10.10.0.0/24: 10.10.0.0/25 stays outside of the tunnel"),
         "ip route del 10.10.0.0/25 dev eth1", attached=True),
    Case("rule", ruled,
         ("failure", "routes", "inner route", "b",
          PAST + "10.0.0.0/8 dev eth1 table 100"),
         "ip route del 10.0.0.0/8 dev eth1 table 100", attached=True),
    Case("refusing rule", lambda host: host.a.ip(
        "rule", "add", "to", "10.10.0.0/24", "unreachable"),
         ("failure", "routes", "inner route", "b",
          "the host has no route for packets to 10.10.0.1, or a rule refuses "
          "them"), None, attached=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_printed_command_mends_it(lab, case):
    check_case(lab, case)


def test_a_network_of_this_host_stays_outside(lab):
    """This is no finding about routes; the rest of the prefix is tunnelled."""
    host = Checked(lab, CONF.replace("10.10.0.0/24", "10.0.0.0/8"))
    other(host)
    host.a.addr("eth1", "10.0.0.9/24")
    host.attach()
    assert [f for f in host.findings() if f["area"] == "routes"] == []


def test_a_route_that_holds_a_peer_up(lab):
    """The peer waits; once the route is gone, the timer's command resumes it."""
    host = Checked(lab)
    other(host)
    host.a.ip("route", "add", "10.10.0.0/24", "via", "198.51.100.2")
    host.attach()
    found = host.findings()
    assert len(found) == 1, found
    finding, = found
    assert finding["command"] == "ip route del 10.10.0.0/24 dev eth1"
    host.sh(finding["command"])
    finding, = host.findings()
    assert (finding["what"], finding["peer"]) == ("waiting", "b")
    assert finding["command"] == "tunload trigger eth0 --due"
    host.sh(finding["command"])
    assert {f["area"] for f in host.findings()} <= {"traffic"}
