# SPDX-License-Identifier: GPL-2.0-only
"""attach installs gateways with their routes, rules, neighbours and addresses;
detach leaves the host as it was."""
import json
import os

import pytest

from traffic import ping

PROTO = "94"
INNER = {"10.10.0.0/24": "240.0.0.1", "fd00:10::/64": "fe80::74:6e:0:1"}
ENDPOINTS = {4: ("198.51.100.9", "192.0.2.1", 1480),
             6: ("2001:db8:1::9", "2001:db8::1", 1460)}


@pytest.fixture(name="host")
def fixture_host(lab):
    """(namespace with a default route of both families, its Tunload)."""
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    a.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
    a.addr("lo", "172.22.2.2/32", "fd00:22::2/128")
    a.ip("route", "add", "default", "via", "192.0.2.254")
    a.ip("route", "add", "default", "via", "fe80::1", "dev", "eth0")
    return a, lab.tunload(a)


def conf(*peers, interface=""):
    """A configuration with the peers p1, p2, ..., given as (endpoint,
    allowed-ips)."""
    return f"[interface]\n{interface}\n" + "".join(
        f"[peer p{i}]\nendpoint = {endpoint}\nallowed-ips = {allowed}\n"
        for i, (endpoint, allowed) in enumerate(peers, 1))


def state(ns):
    """All state of the host that tunload could change, as lines."""
    commands = (["-4", "route", "show", "table", "all"],
                ["-6", "route", "show", "table", "all"],
                ["-4", "rule"], ["-6", "rule"],
                ["neigh", "show", "nud", "permanent"], ["-o", "addr"])
    lines = {line.strip() for argv in commands
             for line in ns.ip(*argv).stdout.splitlines()}
    qdiscs = ns.run("tc", "qdisc", "show").stdout.splitlines()
    return sorted(lines) + qdiscs


def sysctls(ns):
    """{path: text} of the namespace's /proc/sys/net, without the counter of
    connections; None for a file that cannot be read."""
    def read():
        found = {}
        for top, _, names in os.walk("/proc/sys/net"):
            for name in names:
                path = os.path.join(top, name)
                try:
                    with open(path, encoding="ascii") as f:
                        found[path] = f.read()
                except OSError:  # written only, or without a value yet
                    found[path] = None
        found.pop("/proc/sys/net/netfilter/nf_conntrack_count", None)
        return found
    return ns.call(read)


def routes(ns, table="main"):
    """{destination: route} of tunload's routes in a table."""
    out = {}
    for family in "-4", "-6":
        done = ns.ip(family, "-json", "-details", "route", "show", "table",
                     table, "proto", PROTO, check=False)
        # A table without routes does not exist.
        if not done.returncode:
            out.update({r["dst"]: r for r in json.loads(done.stdout or "[]")})
    return out


def table(ns):
    """The number of tunload's table for eth0."""
    return str(9400000 + ns.links("eth0")[0]["ifindex"])


def rules(ns, family):
    """tunload's rules, in order, as text without the priority."""
    lines = ns.ip(family, "rule").stdout.splitlines()
    return [" ".join(line.split()[1:]) for line in lines
            if f"proto {PROTO}" in line and line.startswith("32765:")]


def gateway(route):
    """The route's next hop, of either family."""
    return route.get("gateway") or route["via"]["host"]


def neighbours(ns):
    """{address: MAC} of the permanent neighbours."""
    lines = ns.ip("neigh", "show", "nud", "permanent").stdout.splitlines()
    return {line.split()[0]: line.split()[4] for line in lines}


@pytest.mark.parametrize("forwarding", [0, 1])
@pytest.mark.parametrize("mode", ["native", "tc"])
def test_sysctls_stay_as_they_are(host, mode, forwarding):
    """tunload writes no sysctl: they belong to the administrator and to other
    daemons."""
    ns, tl = host
    for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding",
                "net.ipv4.conf.eth0.arp_ignore"):
        ns.sysctl(key, forwarding)
    before = sysctls(ns)
    assert len([text for text in before.values() if text]) > 300
    assert before["/proc/sys/net/ipv4/conf/eth0/arp_ignore"] == \
        f"{forwarding}\n"
    tl.attach(conf((ENDPOINTS[4][0], "10.10.0.0/24, 0.0.0.0/0"),
                   (ENDPOINTS[6][0], "fd00:10::/64, ::/0"),
                   interface="address = 172.22.9.9/32, fd00:22::9/128"),
              "--mode", mode)
    assert sysctls(ns) == before
    tl.ok("trigger", "eth0", "--due")
    tl.reload(conf((ENDPOINTS[4][0], "10.20.0.0/24")))
    assert sysctls(ns) == before
    tl.detach()
    assert sysctls(ns) == before


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("source", [True, False], ids=["source", "none"])
def test_routes_and_neighbours(host, outer, source):
    ns, tl = host
    before = state(ns)
    endpoint, _, mtu = ENDPOINTS[outer]
    tl.attach(conf((endpoint, ", ".join(INNER)),
                   interface="source = 172.22.2.2, fd00:22::2" * source),
              "--no-trigger")
    four, six = (routes(ns)[p] for p in INNER)
    assert set(routes(ns)) == set(INNER)
    assert gateway(four) == INNER["10.10.0.0/24" if source else
                                  "fd00:10::/64"]
    assert gateway(six) == INNER["fd00:10::/64"] and six["metric"] == 1024
    assert four.get("prefsrc") == ("172.22.2.2" if source else None)
    assert six.get("prefsrc") == ("fd00:22::2" if source else None)
    assert {r["metrics"][0]["mtu"] for r in (four, six)} == {mtu}
    assert neighbours(ns) == {gateway(r): "02:74:6e:00:00:01"
                              for r in (four, six)}
    addr = ns.ip("-o", "addr", "show", "dev", "eth0").stdout
    assert ("172.22.2.2 peer 240.0.0.0/8" in addr) == source
    assert not rules(ns, "-4") and not rules(ns, "-6")
    tl.detach()
    assert state(ns) == before


def test_no_routes(host):
    """With `routes = no` a peer has both gateways, for the routes of others."""
    ns, tl = host
    before = state(ns)
    tl.attach(conf((ENDPOINTS[4][0], "0.0.0.0/0"),
                   (ENDPOINTS[6][0], "0.0.0.0/0"),
                   interface="routes = no\nsource = 172.22.2.2"),
              "--no-trigger")
    assert not routes(ns) and not rules(ns, "-4")
    assert set(neighbours(ns)) == {"240.0.0.1", "240.0.0.2",
                                   "fe80::74:6e:0:1", "fe80::74:6e:0:2"}
    assert "172.22.2.2 peer 240.0.0.0/8" in ns.ip("-o", "addr").stdout
    tl.detach()
    assert state(ns) == before


def test_default_route_by_rules(host):
    ns, tl = host
    before = state(ns)
    text = conf((ENDPOINTS[4][0], "0.0.0.0/0, ::/0"),
                (ENDPOINTS[6][0], "10.10.0.0/24"))
    tl.attach(text, "--no-trigger")
    number = table(ns)
    for family, local in ("-4", "192.0.2.1"), ("-6", "2001:db8::1"):
        assert rules(ns, family) == [
            f"from {local} lookup main proto 94",
            "from all lookup main suppress_prefixlength 0 proto 94",
            f"from all lookup {number} proto 94"]
    ours = routes(ns, number)
    assert set(routes(ns)) == {"10.10.0.0/24"}
    assert gateway(ours["default"]) == "fe80::74:6e:0:1"
    thrown = {d for d, r in ours.items() if r.get("type") == "throw"}
    assert thrown >= {"169.254.0.0/16", "224.0.0.0/4", "255.255.255.255",
                      "fe80::/10", "ff00::/8", "fd00:ec2::254"}
    on = state(ns)
    tl.attach(text, "--no-trigger")
    assert state(ns) == on
    tl.detach()
    assert state(ns) == before


def test_endpoint_inside_another_peers_prefix(host):
    ns, tl = host
    before = state(ns)
    tl.attach(conf((ENDPOINTS[4][0], "10.10.0.0/24"),
                   (ENDPOINTS[6][0], "198.51.0.0/16")), "--no-trigger")
    assert set(routes(ns)) == {"10.10.0.0/24"}
    assert "198.51.0.0/16" in routes(ns, table(ns))
    assert rules(ns, "-4") and not rules(ns, "-6")
    way = ns.ip("route", "get", ENDPOINTS[4][0], "from", "192.0.2.1").stdout
    assert "via 192.0.2.254" in way
    tl.reload(conf((ENDPOINTS[4][0], "10.10.0.0/24")))
    assert not rules(ns, "-4") and not routes(ns, table(ns))
    tl.detach()
    assert state(ns) == before


def test_two_interfaces_share_the_rules(lab, host):
    """The outer packets of one interface must not take the default route into
    the other's tunnel."""
    ns, tl = host
    lab.veth(ns, "eth1", lab.netns("c"), "eth0")
    ns.addr("eth1", "203.0.113.1/24")
    before = state(ns)
    other = lab.tunload(ns, "eth1")
    tl.attach(conf(("192.0.2.9", "0.0.0.0/0")), "--no-trigger")
    one = state(ns)
    other.attach(conf(("203.0.113.9", "0.0.0.0/0")), "--no-trigger")
    first, second, main = rules(ns, "-4")[:3]
    assert {first, second} == {"from 192.0.2.1 lookup main proto 94",
                               "from 203.0.113.1 lookup main proto 94"}
    assert "suppress_prefixlength 0" in main and len(rules(ns, "-4")) == 5
    other.detach()
    assert state(ns) == one
    tl.detach()
    assert state(ns) == before


@pytest.mark.parametrize("link", ["eth0", "eth1"])
def test_foreign_route_makes_one_peer_wait(lab, host, link):
    ns, tl = host
    lab.veth(ns, "eth1", lab.netns("c"), "eth0")
    ns.addr("eth1", "198.18.0.1/24")
    ns.ip("route", "add", "10.2.0.0/24", "dev", link, "proto", "static")
    before = state(ns)
    tl.attach(conf(("192.0.2.9", "10.2.0.0/24, 10.3.0.0/24"),
                   ("192.0.2.8", "10.4.0.0/24")), "--no-trigger")
    assert set(routes(ns)) == {"10.3.0.0/24", "10.4.0.0/24"}
    assert tl.peer("p1")["waiting"] == (
        f'route "10.2.0.0/24" already exists on {link} (proto static): '
        "remove it")
    assert not tl.peer("p2")["waiting"]
    assert tl.status()["changes_pending"] == 0
    ns.ip("route", "del", "10.2.0.0/24")
    tl.ok("trigger", "eth0", "--due")
    assert "10.2.0.0/24" in routes(ns) and not tl.peer("p1")["waiting"]
    tl.detach()
    ns.ip("route", "add", "10.2.0.0/24", "dev", link, "proto", "static")
    assert state(ns) == before


def test_without_ipv6(host):
    ns, tl = host
    ns.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
    before = state(ns)
    tl.attach(conf(("192.0.2.9", "10.10.0.0/24"),
                   ("192.0.2.8", "10.11.0.0/24, fd00:11::/64")),
              "--no-trigger")
    assert gateway(routes(ns)["10.10.0.0/24"]) == "240.0.0.1"
    assert gateway(routes(ns)["10.11.0.0/24"]) == "240.0.0.2"
    assert set(neighbours(ns)) == {"240.0.0.1", "240.0.0.2"}
    assert tl.peer("p2")["waiting"] == (
        'IPv6 is disabled on eth0, but "fd00:11::/64" is in allowed-ips: '
        "write 0 to /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    tl.detach()
    assert state(ns) == before


def test_address_is_put_on_the_host_and_taken_away(host):
    ns, tl = host
    before = state(ns)
    tl.attach(conf(("192.0.2.9", ", ".join(INNER)),
                   interface="address = 172.22.3.3/32, fd00:33::3/64"),
              "--no-trigger")
    addr = ns.ip("-o", "addr", "show", "dev", "eth0").stdout
    assert "172.22.3.3 peer 240.0.0.0/8" in addr
    assert "fd00:33::3/64" in addr
    assert routes(ns)["fd00:10::/64"]["prefsrc"] == "fd00:33::3"
    tl.reload(conf(("192.0.2.9", ", ".join(INNER)),
                   interface="address = 172.22.3.4/32"))
    addr = ns.ip("-o", "addr", "show", "dev", "eth0").stdout
    assert "172.22.3.3" not in addr and "fd00:33::3" not in addr
    assert routes(ns)["10.10.0.0/24"]["prefsrc"] == "172.22.3.4"
    tl.detach()
    assert state(ns) == before


def test_state_that_others_removed_comes_back(host):
    ns, tl = host
    tl.attach(conf((ENDPOINTS[4][0], "0.0.0.0/0, 10.10.0.0/24"),
                   interface="source = 172.22.2.2"), "--no-trigger")
    on = state(ns)
    number = table(ns)
    for argv in (["route", "flush", "table", number],
                 ["route", "replace", "10.10.0.0/24", "via", "240.0.0.2",
                  "dev", "eth0", "proto", PROTO],
                 ["rule", "del", "lookup", number],
                 ["rule", "del", "from", "192.0.2.1"],
                 ["neigh", "flush", "dev", "eth0", "nud", "permanent"],
                 ["addr", "del", "172.22.2.2", "peer", "240.0.0.0/8", "dev",
                  "eth0"]):
        ns.ip(*argv)
        assert tl.status()["changes_pending"] > 0, argv
        tl.ok("trigger", "eth0", "--due")
        assert state(ns) == on, argv
        assert tl.status()["changes_pending"] == 0, argv


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("source", [True, False], ids=["source", "none"])
def test_traffic(lab, outer, source):
    """Pings of both inner families pass, with and without `source`."""
    names = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
    nets = "172.22.2.0/24, fd00:22::/64", "10.10.0.0/24, fd00:10::/64"
    inner = ("172.22.2.2", "fd00:22::2"), ("10.10.0.1", "fd00:10::1")
    hosts = [lab.netns("a"), lab.netns("b")]
    lab.veth(hosts[0], "eth0", hosts[1], "eth0")
    for i, ns in enumerate(hosts):
        ns.addr("eth0", f"{names[4][i]}/24", f"{names[6][i]}/64")
        ns.addr("lo", f"{inner[i][0]}/32", f"{inner[i][1]}/128")
        lab.tunload(ns, bpffs=lab.new_bpffs()).attach(
            conf((names[outer][1 - i], nets[1 - i]), interface=source *
                 f"source = {', '.join(inner[i])}"), "--no-trigger")
    for i in range(2):
        assert ping(hosts[0], inner[1][i],
                    source=None if source else inner[0][i])
