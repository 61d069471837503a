# SPDX-License-Identifier: GPL-2.0-only
"""Allowed prefixes that cover more than the peer's networks: default routes,
and prefixes around the host's own subnet. The host stays reachable."""
import pytest

from traffic import ping

ADDRESSES = {4: {"host": "192.0.2.1/24", "router": "192.0.2.254/24",
                 "neighbour": "192.0.2.254", "far": "198.51.100.9",
                 "endpoint": "198.51.100.1", "all": "0.0.0.0/0",
                 "around": "192.0.0.0/16", "beyond": "192.0.99.1"},
             6: {"host": "2001:db8:1::1/64", "router": "2001:db8:1::fe/64",
                 "neighbour": "2001:db8:1::fe", "far": "2001:db8:2::9",
                 "endpoint": "2001:db8:2::1", "all": "::/0",
                 "around": "2001:db8:1::/48", "beyond": "2001:db8:1:99::1"}}

# Another network, our address in it, the router's address in it.
OTHER = {"-4": ("203.0.113.0/26", "203.0.113.1/26", "203.0.113.2/26"),
         "-6": ("2001:db8:9::/66", "2001:db8:9::1/66", "2001:db8:9::2/66")}


@pytest.fixture(name="hosts", params=[4, 6], ids=["ipv4", "ipv6"])
def fixture_hosts(request, lab):
    """(addresses, host, Tunload, router): the router is the host's default
    gateway, and has the endpoint and the far address itself."""
    names = ADDRESSES[request.param]
    host, router = lab.netns("host"), lab.netns("router")
    lab.veth(host, "eth0", router, "eth0")
    host.addr("eth0", names["host"])
    router.addr("eth0", names["router"])
    router.addr("lo", names["endpoint"], names["far"], names["beyond"])
    host.ip("route", "add", "default", "via", names["neighbour"])
    host.family = "-4" if request.param == 4 else "-6"
    return names, host, lab.tunload(host), router


def conf(names, prefixes, more=""):
    """A configuration with one peer, behind the router."""
    return (f"[peer far]\nendpoint = {names['endpoint']}\n"
            f"allowed-ips = {prefixes}\n{more}")


def table(host):
    """All routes of the host's family, as text."""
    return host.ip(host.family, "route", "show", "table", "all").stdout


def plain_reaches(tl, host, address, source=None):
    """True if a ping to the address is answered and was not tunnelled."""
    sent = tl.verdict("tx_encap")
    return ping(host, address, source) and tl.verdict("tx_encap") == sent


@pytest.mark.parametrize("mode", ["native", "tc"])
def test_default_route(hosts, mode):
    names, host, tl, router = hosts
    before = table(host)
    tl.attach(conf(names, names["all"]), "--mode", mode, "--no-trigger")
    after = table(host)
    assert set(before.splitlines()) <= set(after.splitlines())
    # As before, the host reaches the neighbour, and with its outer address
    # as source every other host; no plain packet that arrives is dropped.
    assert plain_reaches(tl, host, names["neighbour"])
    outer = names["host"].split("/")[0]
    for name in "endpoint", "far":
        assert plain_reaches(tl, host, names[name], outer)
    assert ping(router, outer, source=names["far"])
    assert tl.verdict("rx_borrowed") == 0
    # Everything else is tunnelled. The other end has no tunnel to answer.
    assert not ping(host, names["far"], wait=0.2)
    assert tl.verdict("tx_encap") == 1
    tl.detach()
    assert table(host) == before


def test_reload_says_that_exceptions_changed(hosts):
    names, host, tl, _ = hosts
    text = conf(names, names["around"])
    tl.attach(text, "--no-trigger")
    assert "nothing changed" in tl.reload(text).stdout
    host.ip("route", "add", names["beyond"], "via", names["neighbour"])
    assert tl.reload(text).stdout == (
        "eth0: reloaded: updated the networks that stay outside of the "
        "tunnels\n")
    assert plain_reaches(tl, host, names["beyond"])


def test_endpoint_with_a_route_of_its_own(hosts):
    names, host, tl, _ = hosts
    host.ip("route", "add", names["endpoint"], "via", names["neighbour"])
    before = table(host)
    tl.attach(conf(names, names["all"]), "--no-trigger")
    assert plain_reaches(tl, host, names["endpoint"])
    tl.detach()
    assert table(host) == before


def test_guard_for_a_default_route_only_when_asked_for(hosts):
    names, host, tl, _ = hosts
    tl.attach(conf(names, names["all"], "guard = yes\n"), "--no-trigger")
    assert plain_reaches(tl, host, names["neighbour"])  # an exception
    assert tl.verdict("rx_borrowed") == 0
    # guard = yes drops plain packets from every other source.
    router = hosts[3]
    assert not ping(router, names["host"].split("/")[0], wait=0.2,
                    source=names["far"])
    assert tl.verdict("rx_borrowed") == 1


def test_prefix_around_the_own_subnet(hosts):
    names, host, tl, router = hosts
    before = table(host)
    tl.attach(conf(names, names["around"]), "--no-trigger")
    assert plain_reaches(tl, host, names["neighbour"])
    assert ping(router, names["host"].split("/")[0])
    assert not ping(host, names["beyond"], wait=0.2)
    assert tl.verdict("tx_encap") == 1
    assert not ping(router, names["host"].split("/")[0], wait=0.2,
                    source=names["beyond"])
    assert tl.verdict("rx_borrowed") == 1
    tl.detach()
    assert table(host) == before


@pytest.mark.parametrize("mode", ["native", "tc"])
def test_networks_behind_other_devices(hosts, mode):
    """The more specific route of another device wins over a tunnelled prefix.
    Packets of a device on top of the interface (macvlan) pass the programs,
    which must let them through. The peer may not use sources of that network:
    prefixes4 and prefixes6 have it without a peer."""
    names, host, tl, router = hosts
    prefix, ours, theirs = OTHER[host.family]
    host.ip("link", "add", "link", "eth0", "name", "upper", "type", "macvlan",
            "mode", "bridge")
    host.ip("link", "set", "upper", "up")
    host.addr("upper", ours)
    router.addr("eth0", theirs)
    tl.attach(conf(names, names["all"]), "--mode", mode, "--no-trigger")
    assert plain_reaches(tl, host, theirs.split("/")[0])
    entries = [entry["key"] for entry in tl.map("prefixes" + host.family[1])
               if entry["value"]["peer"] == 0]
    assert int(prefix.split("/")[1]) in [key["prefixlen"] for key in entries]
