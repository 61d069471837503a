# SPDX-License-Identifier: GPL-2.0-only
"""The routes that attach and reload change, and what they refuse."""
import json

import pytest

from lab import wait_until

PROTO = "94"


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
    """{destination: route} of tunload's routes."""
    return routes(ns, "proto", PROTO)


def conf(endpoint, allowed, interface="", name="p", more=""):
    return (f"[interface]\n{interface}\n[peer {name}]\n"
            f"endpoint = {endpoint}\nallowed-ips = {allowed}\n{more}\n")


BOTH = "10.10.0.0/24, fd00:10::/64"


def mtu(route):
    return route["metrics"][0]["mtu"]


def mark(ns, watch, route):
    """Adds a route, so that the watcher's output before and after it can be
    told apart. Repeats it until it is seen, as the watcher may be starting;
    deletes it first, as replacing an equal route is no event."""
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
    ns.ip("neigh", "del", "fe80::74:6e:0:1", "dev", "eth0")
    ns.ip("route", "add", "10.99.0.0/24", "via", "192.0.2.9", "proto", PROTO)
    ns.ip("route", "replace", "fd00:10::/64", "via", "fe80::1", "dev", "eth0",
          "metric", "1024", "proto", PROTO)
    tl.attach(text, "--no-trigger")
    assert ours(ns) == want
    assert "PERMANENT" in ns.ip("neigh", "show", "fe80::74:6e:0:1").stdout


def test_reload_changes_routes(host):
    ns, tl = host
    tl.attach(conf("198.51.100.9", BOTH), "--no-trigger")
    tl.reload(conf("198.51.100.9", "10.10.0.0/24, 10.11.0.0/24",
                   more="mtu = 1400"))
    assert set(ours(ns)) == {"10.10.0.0/24", "10.11.0.0/24"}
    assert {mtu(r) for r in ours(ns).values()} == {1400}
    tl.reload(conf("198.51.100.9", "10.10.0.0/24", "routes = no"))
    assert not ours(ns)


REFUSED = [
    (conf("192.0.2.9", BOTH, more="local = 203.0.113.5"), ":6: peer p: local "
     '"203.0.113.5" is not an address of eth0: EC2 drops packets from '
     "addresses that are not assigned to the interface; use 192.0.2.1"),
    (conf("2001:db8::9", BOTH, "local6 = 2001:db8::5"), ':2: local6 '
     '"2001:db8::5" is not an address of eth0: EC2 drops packets from '
     "addresses that are not assigned to the interface; use 2001:db8::1"),
    (conf("192.0.2.9", BOTH, "source = 172.22.2.3"), ':2: source "172.22.2.3" '
     "is not an address of this host: assign it to one of its interfaces, "
     "or write address instead of source, and tunload does"),
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
    # 1, which the unit retries, if the host may get the address later.
    assert done.returncode == (1 if "assign" in error else 2)
    assert not ours(ns)
    assert done.stderr == f"tunload: {tl.conf}{error}\n"


def test_mtu_larger_than_the_interface_allows(host):
    ns, tl = host
    done = tl.attach(conf("192.0.2.9", BOTH, more="mtu = 1481"))
    assert "more than the MTU 1500 of eth0: 1480 is used" in done.stderr
    assert {mtu(r) for r in ours(ns).values()} == {1480}


def test_a_name_that_does_not_resolve(host):
    ns, tl = host
    done = tl.attach(conf("nowhere.invalid", BOTH))
    assert 'endpoint "nowhere.invalid" does not resolve' in done.stderr
    # The routes exist, so that no packet leaves without the tunnel meanwhile.
    assert set(ours(ns)) == set(BOTH.split(", "))


def test_dry_run_prints_the_plan(host):
    ns, tl = host
    out = tl.attach(conf("2001:db8:1::9", BOTH), "--dry-run").stdout
    assert ("+ 10.10.0.0/24 via inet6 fe80::74:6e:0:1 dev eth0 proto 94 mtu "
            "1460" in out.splitlines())
    assert ("+ fd00:10::/64 via fe80::74:6e:0:1 dev eth0 proto 94 metric 1024 "
            "mtu 1460" in out.splitlines())
    assert not ours(ns)
