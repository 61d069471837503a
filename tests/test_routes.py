# SPDX-License-Identifier: GPL-2.0-only
"""The routes that attach, reload and detach make, and those they leave."""
import json

import pytest

from lab import wait_until

PROTO = "94"
PLACEHOLDER = "fe80::74:756e:6c6f:6164"


@pytest.fixture(name="host")
def fixture_host(lab):
    """(namespace with a default route of both families, its Tunload)."""
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    a.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
    a.addr("lo", "172.22.2.2/32")
    a.ip("route", "add", "default", "via", "192.0.2.254")
    a.ip("route", "add", "default", "via", "fe80::1", "dev", "eth0")
    return a, lab.tunload(a)


def routes(ns, *match):
    """{destination: route} of both families' main tables."""
    out = {}
    for family in "-4", "-6":
        text = ns.ip(family, "-json", "-details", "route", "show", "table",
                     "main", *match).stdout
        out.update({r["dst"]: r for r in json.loads(text or "[]")})
    return out


def ours(ns):
    """Those of tunload."""
    return routes(ns, "proto", PROTO)


def others(ns):
    """All that is not tunload's, as text, with the neighbours."""
    lines = []
    for argv in ("-4", "route"), ("-6", "route"), ("neigh", "show", "nud",
                                                   "permanent"):
        lines += ns.ip(*argv).stdout.splitlines()
    return sorted(line for line in lines if f"proto {PROTO}" not in line)


def conf(endpoint, allowed, interface="", name="p", more=""):
    return (f"[interface]\n{interface}\n[peer {name}]\n"
            f"endpoint = {endpoint}\nallowed-ips = {allowed}\n{more}\n")


BOTH = "10.10.0.0/24, fd00:10::/64"


def mtu(route):
    return route["metrics"][0]["mtu"]


@pytest.mark.parametrize("endpoint,hop4,hop6,size", [
    ("192.0.2.9", "192.0.2.9", PLACEHOLDER, 1480),
    ("198.51.100.9", "192.0.2.254", PLACEHOLDER, 1480),
    ("2001:db8::9", "2001:db8::9", "2001:db8::9", 1460),
    ("2001:db8:1::9", "fe80::1", "fe80::1", 1460),
])
def test_next_hops(host, endpoint, hop4, hop6, size):
    ns, tl = host
    before = others(ns)
    tl.attach(conf(endpoint, BOTH, "source = 172.22.2.2"), "--no-trigger")
    four, six = (ours(ns)[p] for p in BOTH.split(", "))
    assert set(ours(ns)) == set(BOTH.split(", "))
    assert four.get("gateway", four.get("via", {}).get("host")) == hop4
    assert six["gateway"] == hop6 and six["metric"] == 1024
    assert four["prefsrc"] == "172.22.2.2"
    assert mtu(four) == mtu(six) == size
    lladdr = ns.ip("neigh", "show", PLACEHOLDER).stdout
    assert ("02:74:75:6e:6c:64 PERMANENT" in lladdr) == (hop6 == PLACEHOLDER)
    tl.detach()
    assert not ours(ns) and others(ns) == before


def test_multipath_and_nexthop_objects(lab, host):
    ns, tl = host
    lab.veth(ns, "eth1", lab.netns("c"), "eth0")
    ns.addr("eth1", "198.18.0.1/24")
    ns.ip("route", "replace", "default", "nexthop", "via", "198.18.0.9",
          "nexthop", "via", "192.0.2.253")
    ns.ip("nexthop", "add", "id", "7", "via", "192.0.2.252", "dev", "eth0")
    ns.ip("route", "add", "198.51.100.0/24", "nhid", "7")
    text = (conf("203.0.113.1", "10.1.0.0/24") +
            "[peer q]\nendpoint = 198.51.100.1\nallowed-ips = 10.2.0.0/24\n")
    for compat in 1, 0:
        ns.sysctl("net.ipv4.nexthop_compat_mode", compat)
        tl.attach(text, "--no-trigger")
        assert ours(ns)["10.1.0.0/24"]["gateway"] == "192.0.2.253"
        assert ours(ns)["10.2.0.0/24"]["gateway"] == "192.0.2.252"
        tl.detach()


@pytest.mark.parametrize("endpoint,allowed,want", [
    ("198.51.100.9", "0.0.0.0/0",
     {"0.0.0.0/1", "128.0.0.0/1", "198.51.100.9"}),
    ("192.0.2.9", "0.0.0.0/0", {"0.0.0.0/1", "128.0.0.0/1"}),
    ("2001:db8:1::9", "::/0", {"::/1", "8000::/1", "2001:db8:1::9"}),
    ("2001:db8::9", "::/0", {"::/1", "8000::/1"}),
    ("198.51.100.9", "::/0", {"::/1", "8000::/1"}),
])
def test_default_route_in_halves(host, endpoint, allowed, want):
    ns, tl = host
    before = others(ns)
    text = conf(endpoint, allowed)
    tl.attach(text, "--no-trigger")
    assert set(ours(ns)) == want and others(ns)[-1:] != []
    if endpoint in want:
        hop = "192.0.2.254" if "." in endpoint else "fe80::1"
        assert ours(ns)[endpoint]["gateway"] == hop
    now = ours(ns)
    # The next hops are found again although ours now lead everywhere.
    tl.reload(text)
    tl.attach(text, "--no-trigger")
    assert ours(ns) == now
    tl.detach()
    assert not ours(ns) and others(ns) == before


def mark(ns, watch, route):
    """Adds a route until the watcher has seen it (it may be starting, and
    an equal route replaced is no event)."""
    def seen():
        ns.ip("route", "del", *route.split(), check=False)
        ns.ip("route", "add", *route.split())
        return route in watch.output()
    wait_until(seen, f"{route} seen")


def test_sync_repairs_and_touches_only_differences(lab, host):
    ns, tl = host
    text = conf("198.51.100.9", BOTH)
    tl.attach(text, "--no-trigger")
    want = ours(ns)
    watch = lab.start(ns, "ip", "monitor", "route", "neigh")
    mark(ns, watch, "blackhole 10.97.0.0/24")
    tl.reload(text)
    mark(ns, watch, "blackhole 10.98.0.0/24")
    told = watch.output().rpartition("10.97.0.0/24")[2]
    assert "10.10.0.0/24" not in told and "fd00:10::" not in told
    ns.ip("route", "del", "10.10.0.0/24")
    ns.ip("neigh", "del", PLACEHOLDER, "dev", "eth0")
    ns.ip("route", "add", "10.99.0.0/24", "via", "192.0.2.9", "proto", PROTO)
    ns.ip("route", "replace", "fd00:10::/64", "via", "fe80::1", "dev", "eth0",
          "metric", "1024", "proto", PROTO)
    tl.attach(text, "--no-trigger")
    assert ours(ns) == want
    assert "PERMANENT" in ns.ip("neigh", "show", PLACEHOLDER).stdout


def test_reload_changes_routes(host):
    ns, tl = host
    tl.attach(conf("198.51.100.9", BOTH), "--no-trigger")
    tl.reload(conf("198.51.100.9", "10.10.0.0/24, 10.11.0.0/24",
                   more="mtu = 1400"))
    assert set(ours(ns)) == {"10.10.0.0/24", "10.11.0.0/24"}
    assert {mtu(r) for r in ours(ns).values()} == {1400}
    assert not ns.ip("neigh", "show", PLACEHOLDER).stdout
    tl.reload(conf("198.51.100.9", "10.10.0.0/24", "routes = no"))
    assert not ours(ns)


@pytest.mark.parametrize("link", ["eth0", "eth1"])
def test_somebody_elses_route(lab, host, link):
    ns, tl = host
    lab.veth(ns, "eth1", lab.netns("c"), "eth0")
    ns.addr("eth1", "198.18.0.1/24")
    ns.ip("route", "add", "10.20.0.0/24", "dev", link, "proto", "static")
    before = others(ns)
    text = conf("192.0.2.9", "10.10.0.0/24, 10.20.0.0/24, fd00:10::/64")
    done = tl.attach(text, "--no-trigger", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f'tunload: {tl.conf}:5: route "10.20.0.0/24" already exists on '
        f"{link} (proto static): remove it, or attach with --no-routes\n")
    # All of ours are put back, the placeholder's neighbour too.
    assert not ours(ns) and others(ns) == before
    tl.attach(text, "--no-trigger", "--no-routes")
    assert not ours(ns)


def test_no_route_to_the_endpoint(host):
    ns, tl = host
    ns.ip("route", "del", "default")
    done = tl.attach(conf("198.51.100.9", BOTH), check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"tunload: {tl.conf}:4: peer p: no route to its endpoint "
        '"198.51.100.9" through eth0: add one, or attach with --no-routes\n')


def test_ipv6_prefix_where_ipv6_is_disabled(host):
    ns, tl = host
    ns.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
    done = tl.attach(conf("192.0.2.9", BOTH), check=False)
    assert done.returncode == 1 and not ours(ns)
    assert done.stderr == (
        f'tunload: {tl.conf}:5: IPv6 is disabled on eth0, but "fd00:10::/64" '
        "is in allowed-ips: write 0 to "
        "/proc/sys/net/ipv6/conf/eth0/disable_ipv6\n")


REFUSED = [
    (conf("192.0.2.9", BOTH, more="local = 203.0.113.5"), ":6: peer p: local "
     '"203.0.113.5" is not an address of eth0: EC2 drops packets from '
     "addresses that are not assigned to the interface; use 192.0.2.1"),
    (conf("2001:db8::9", BOTH, "local6 = 2001:db8::5"), ':2: local6 '
     '"2001:db8::5" is not an address of eth0: EC2 drops packets from '
     "addresses that are not assigned to the interface; use 2001:db8::1"),
    (conf("192.0.2.9", BOTH, "source = 172.22.2.3"), ':2: source "172.22.2.3" '
     "is not an address of this host: assign it to one of its interfaces, "
     "or remove it"),
    (conf("192.0.2.9", BOTH, more="mtu = 1481"), ':6: peer p: mtu "1481" '
     "with the outer header's 20 bytes is more than the MTU 1500 of eth0: "
     "lower it to 1480"),
    (conf("2001:db8::9", BOTH, "path-mtu = 1300"), ':2: peer p: path-mtu '
     '"1300" is too small for fd00:10::/64 in its allowed-ips, which needs '
     "1280 inside (RFC 8200 5): raise it to 1320 or more"),
    (conf("192.0.2.9", BOTH, more="mtu = 1279"), ':6: peer p: mtu "1279" '
     "is too small for fd00:10::/64 in its allowed-ips, which needs 1280 "
     "inside (RFC 8200 5): raise it to 1280 or more"),
]


@pytest.mark.parametrize("text,error", REFUSED)
def test_refused(host, text, error):
    ns, tl = host
    done = tl.attach(text, check=False)
    assert done.returncode == 2 and not ours(ns)
    assert done.stderr == f"tunload: {tl.conf}{error}\n"


def test_a_name_that_does_not_resolve(host):
    _, tl = host
    done = tl.attach(conf("nowhere.invalid", BOTH), check=False)
    assert done.returncode == 1
    assert 'peer p: endpoint "nowhere.invalid" does not resolve' in done.stderr


def test_dry_run_prints_the_plan(host):
    ns, tl = host
    out = tl.attach(conf("2001:db8:1::9", BOTH), "--dry-run").stdout
    assert ("+ 10.10.0.0/24 via inet6 fe80::1 dev eth0 proto 94 mtu 1460"
            in out.splitlines())
    assert ("+ fd00:10::/64 via fe80::1 dev eth0 proto 94 metric 1024 mtu "
            "1460" in out.splitlines())
    assert not ours(ns)
