# SPDX-License-Identifier: GPL-2.0-only
"""Thousands of peers: every command does for all of them what it does for one.
How long that takes is tests/bench/scale's business."""
import json

import pytest

PEERS = 2000


def endpoint(i):
    """The outer address of peer i."""
    return f"198.18.{i >> 8}.{i & 255}"


def prefixes(i):
    """The two inner prefixes of peer i."""
    return [f"11.{i >> 8}.{i & 255}.{half}/25" for half in (0, 128)]


def section(i, **more):
    """Peer i in the configuration."""
    keys = {"endpoint": endpoint(i), "keepalive": 0,
            "allowed-ips": ", ".join(prefixes(i)), **more}
    return f"[peer p{i}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())


def conf(*extra, changed=None):
    """All of them; changed: keys of p9."""
    sections = [section(i, **(changed or {} if i == 9 else {}))
                for i in range(PEERS)]
    return "\n".join(["[interface]\nmode = tc\nsource = 10.0.0.1\n",
                      *sections, *extra])


def default_peer():
    """A peer with the default route."""
    return section(PEERS, **{"allowed-ips": "0.0.0.0/0"})


def our_routes(ns):
    """Destination -> gateway of our IPv4 routes, in whatever table."""
    out = ns.ip("-json", "route", "show", "table", "all", "proto", "94").stdout
    return {r["dst"]: r.get("gateway") for r in json.loads(out)}


def everything(ns):
    """What a host has that tunload could leave something in."""
    return [ns.ip(*what.split()).stdout for what in (
        "-o addr", "-4 route show table all", "-6 route show table all",
        "-4 rule", "-6 rule", "neigh show nud permanent")]


@pytest.fixture(name="host")
def fixture_host(lab):
    """(namespace, Tunload), not attached."""
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    a.addr("eth0", "192.0.2.1/24")
    a.addr("lo", "10.0.0.1/32")
    a.ip("route", "add", "default", "via", "192.0.2.2")
    return a, lab.tunload(a)


@pytest.fixture(name="attached")
def fixture_attached(host):
    """The same, attached with all peers."""
    host[1].attach(conf(), "--no-trigger")
    return host


def test_attach_makes_all_and_detach_leaves_nothing(host):
    ns, tl = host
    before = everything(ns)
    tl.attach(conf(default_peer()), "--no-trigger")
    peers = tl.status()["peers"]
    assert [p["name"] for p in peers] == [f"p{i}" for i in range(PEERS + 1)]
    assert [p["endpoint"] for p in peers[:PEERS]] == \
        [endpoint(i) for i in range(PEERS)]
    assert len(tl.map("endpoints")) == PEERS + 1
    routes = our_routes(ns)
    for i in range(PEERS):
        gateway = f"240.0.{i + 1 >> 8}.{i + 1 & 255}"
        assert [routes[p] for p in prefixes(i)] == [gateway] * 2
    assert routes["default"] == f"240.0.{PEERS + 1 >> 8}.{PEERS + 1 & 255}"
    assert tl.status()["changes_pending"] == 0
    tl.detach()
    assert everything(ns) == before


def test_reload_changes_one(attached):
    ns, tl = attached
    routes = our_routes(ns)
    said = tl.reload(conf(changed={"ttl": 9})).stdout
    assert said == "eth0: reloaded: changed p9\n"
    assert our_routes(ns) == routes
    said = tl.reload(conf(default_peer(), changed={
        "allowed-ips": "12.0.0.0/24"})).stdout
    assert said.startswith(f"eth0: reloaded: added p{PEERS}; changed p9; ")
    now = our_routes(ns)
    assert now["12.0.0.0/24"] == routes[prefixes(9)[0]]
    assert not any(p in now for p in prefixes(9))
    assert len(set(routes) - set(now)) == 2
    said = tl.reload(conf(default_peer(), changed={
        "allowed-ips": "12.0.0.0/24"})).stdout
    assert said == "eth0: reloaded, nothing changed\n"


def test_peer_set_changes_one(attached):
    ns, tl = attached
    before = {e["value"]["name"]: e["value"] for e in tl.map("peers")}
    tl.ok("peer", "set", "eth0", "p9", "endpoint", "198.19.0.1", "ttl", "9",
          "keepalive", "77", "probe", "11.0.9.7")
    after = {e["value"]["name"]: e["value"] for e in tl.map("peers")}
    assert [n for n in after if after[n] != before[n]] == ["p9"]
    p9 = after["p9"]
    assert (p9["endpoint"][:4], p9["ttl"], p9["keepalive"]) == \
        ([198, 19, 0, 1], 9, 77)
    ids = {tuple(e["key"]["endpoint"][:4]): e["value"]["peer"]
           for e in tl.map("endpoints")}
    assert ids[198, 19, 0, 1] == 10
    assert (198, 18, 0, 9) not in ids and len(ids) == PEERS
    assert "ttl = 9\n" in tl.ok("showconf", "eth0")
    assert tl.status()["changes_pending"] == 0


@pytest.mark.parametrize("words, said", [
    (["endpoint", endpoint(7)], "belongs to peer p7 already"),
    (["endpoint", "11.0.9.1"], "is inside its own allowed-ips"),
    (["probe", "11.0.8.1"], "is in none of its allowed-ips"),
    (["allowed-ips", prefixes(7)[0]], "belongs to peer p7 already"),
])
def test_peer_set_refuses_what_it_refuses_of_few(attached, words, said):
    _, tl = attached
    peers = tl.map("peers")
    done = tl.run("peer", "set", "eth0", "p9", *words)
    assert done.returncode == 2 and said in done.stderr
    assert done.stderr.count("\n") == 1
    assert tl.map("peers") == peers


def test_what_peer_set_does_not_look_at_the_timer_mends(attached):
    ns, tl = attached
    ns.ip("route", "del", prefixes(5)[0])
    tl.ok("peer", "set", "eth0", "p9", "ttl", "9")
    assert tl.status()["changes_pending"] == 1
    tl.ok("trigger", "eth0", "--due")
    assert tl.status()["changes_pending"] == 0
    assert our_routes(ns)[prefixes(5)[0]] == "240.0.0.6"


def test_endpoint_in_a_tunnelled_prefix_moves_its_route(attached):
    ns, tl = attached
    tl.ok("peer", "set", "eth0", "p9", "endpoint", "11.0.5.1")
    assert " lookup 94" in ns.ip("rule", "show").stdout
    in_main = ns.ip("route", "show", "proto", "94").stdout
    assert prefixes(5)[0] not in in_main and prefixes(5)[1] in in_main
    tl.ok("peer", "set", "eth0", "p9", "endpoint", endpoint(9))
    assert " lookup 94" not in ns.ip("rule", "show").stdout
    assert prefixes(5)[0] in ns.ip("route", "show", "proto", "94").stdout
    assert tl.status()["changes_pending"] == 0


def test_peers_come_and_go_among_many(attached):
    ns, tl = attached
    routes = our_routes(ns)
    tl.ok("peer", "add", "eth0", "new", "endpoint", "198.19.0.1",
          "allowed-ips", "0.0.0.0/0")
    assert tl.peer("new")["endpoint"] == "198.19.0.1"
    assert "default" in our_routes(ns)
    # Now every endpoint is in a tunnelled prefix.
    tl.ok("peer", "set", "eth0", "p9", "endpoint", "198.19.0.2")
    assert tl.peer("p9")["endpoint"] == "198.19.0.2"
    tl.ok("peer", "set", "eth0", "p9", "mtu", "1400")
    assert "mtu 1400" in ns.ip("route", "show", prefixes(9)[0]).stdout
    tl.ok("peer", "del", "eth0", "new")
    assert our_routes(ns) == routes
    assert tl.status()["changes_pending"] == 0
