# SPDX-License-Identifier: GPL-2.0-only
"""test_host.py runs these tests in a virtual machine, as not every host has the
drivers: `tunload check` beside tunnels of the kernel, and in a VRF."""
import pytest

from checked import CONF, Case, Checked, check_case

SIX = CONF.replace("192.0.2.2", "2001:db8::2")
SAME = ("the {} device old has the same other end: it gets nothing while "
        "tunload is attached, and what is routed to it leaves past the peer's "
        "rules{}")
OPTIONS = (", with a Destination Options header, which many networks and "
           "routers drop (`encaplimit none` keeps it out)")


def tunnel(kind, local, remote, *more):
    """The function that makes a tunnel of the kernel."""
    return lambda host: host.a.ip("link", "add", "old", "type", kind, "local",
                                  local, "remote", remote, *more)


def same_end(name, kind, conf, *more, options=""):
    """A tunnel to the peer's endpoint."""
    ends = (("192.0.2.1", "192.0.2.2") if conf == CONF else
            ("2001:db8::1", "2001:db8::2"))
    return Case(name, tunnel(kind, *ends, *more),
                ("warning", "rivals", "kernel tunnel", "b",
                 SAME.format(kind, options)), "ip link del old", conf=conf)


CASES = [
    same_end("ipip", "ipip", CONF), same_end("sit", "sit", CONF),
    same_end("ip6tnl", "ip6tnl", SIX, "mode", "ipip6", options=OPTIONS),
    same_end("no limit", "ip6tnl", SIX, "mode", "any", "encaplimit", "none"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_kernel_tunnel(lab, case):
    check_case(lab, case)


def test_a_kernel_tunnel_to_another_end(lab):
    host = Checked(lab)
    tunnel("ipip", "192.0.2.1", "192.0.2.3")(host)
    assert host.findings() == []


@pytest.mark.parametrize("allowed", ["10.10.0.0/24", "0.0.0.0/0"])
def test_a_vrf(lab, allowed):
    """The routes are asked for in its table; a default route waits there."""
    host = Checked(lab, CONF.replace("10.10.0.0/24", allowed))
    host.a.ip("link", "add", "red", "type", "vrf", "table", "77")
    host.a.ip("link", "set", "red", "up")
    host.a.ip("link", "set", "eth0", "master", "red")
    host.attach()
    waits = allowed == "0.0.0.0/0"
    assert [f["what"] for f in host.findings() if f["area"] == "routes"] == [
        "waiting"] * waits
