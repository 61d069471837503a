# SPDX-License-Identifier: GPL-2.0-only
"""Commands on an interface with 2,000 peers. tests/bench/commands.py measures
the time."""
import json
import struct

import pytest

from packets import bpf

PEERS = 2000


def endpoint(i):
    """The outer address of peer i."""
    return f"198.18.{i >> 8}.{i & 255}"


def prefixes(i):
    """The two inner prefixes of peer i."""
    return [f"11.{i >> 8}.{i & 255}.{half}/25" for half in (0, 128)]


def section(i, **more):
    """The section of peer i."""
    keys = {"endpoint": endpoint(i), "keepalive": 0,
            "allowed-ips": ", ".join(prefixes(i)), **more}
    return f"[peer p{i}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())


def conf(*extra, changed=None):
    """A configuration of all peers and the extra sections; changed: other keys
    for p9."""
    sections = [section(i, **(changed or {} if i == 9 else {}))
                for i in range(PEERS)]
    return "\n".join(["[interface]\nmode = tc\nsource = 10.0.0.1\n",
                      *sections, *extra])


def default_peer():
    """A peer with the default route."""
    return section(PEERS, **{"allowed-ips": "0.0.0.0/0"})


def our_routes(ns):
    """{destination: gateway} of our IPv4 routes, in all tables."""
    out = ns.ip("-json", "route", "show", "table", "all", "proto", "94").stdout
    return {r["dst"]: r.get("gateway") for r in json.loads(out)}


def everything(ns):
    """All state of the host in which tunload could leave something."""
    return [sorted(ns.ip(*what.split()).stdout.splitlines()) for what in (
        "-o addr", "-4 route show table all", "-6 route show table all",
        "-4 rule", "-6 rule", "neigh show nud permanent")]


def state(ns, tl):
    """everything() and the rows of the maps."""
    return everything(ns) + [
        sorted(json.dumps(row, sort_keys=True) for row in tl.map(name))
        for name in ("peers", "endpoints", "prefixes4", "prefixes6", "shared",
                     "broadcasts", "hostnames", "waiting", "names",
                     "allowed")]


@pytest.fixture(name="host")
def fixture_host(lab):
    """(namespace, Tunload) with nothing attached."""
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


def test_peer_set_leaves_other_peers_to_the_timer(attached):
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
    # The default route makes every endpoint lie in a tunnelled prefix.
    tl.ok("peer", "set", "eth0", "p9", "endpoint", "198.19.0.2")
    assert tl.peer("p9")["endpoint"] == "198.19.0.2"
    tl.ok("peer", "set", "eth0", "p9", "mtu", "1400")
    assert "mtu 1400" in ns.ip("route", "show", prefixes(9)[0]).stdout
    tl.ok("peer", "del", "eth0", "new")
    assert our_routes(ns) == routes
    assert tl.status()["changes_pending"] == 0


NEW = ["peer", "add", "eth0", "new", "endpoint", "198.19.0.1", "keepalive",
       "0", "allowed-ips"]
P9 = ["peer", "set", "eth0", "p9"]
LAST = f"p{PEERS - 1}"

# Changes that concern one peer only, and changes for which the command has to
# check all peers and the whole host.
ALONE = {
    "a prefix more": [*P9, "allowed-ips", ",".join([*prefixes(9),
                                                    "12.0.0.0/24"])],
    "a prefix less": [*P9, "allowed-ips", prefixes(9)[1]],
    "other prefixes": [*P9, "allowed-ips", "12.0.0.0/16,fd00:9::/64,12.1.0.9"],
    "prefixes in another order": [*P9, "probe", "11.0.9.7", "allowed-ips",
                                  ",".join(reversed(prefixes(9)))],
    "mtu": [*P9, "mtu", "1400"],
    "endpoint": [*P9, "endpoint", "198.19.0.1"],
    "local": [*P9, "local", "192.0.2.1"],
    "more prefixes than a row of the index": [
        *P9, "allowed-ips", ",".join(f"12.{i}.0.0/24" for i in range(20))],
    "prefixes with many addresses": [*P9, "allowed-ips",
                                     "12.0.0.0/9,13.0.0.0/22,fd00:9::/48"],
    "prefixes with one address": [*P9, "allowed-ips",
                                  "12.0.0.1/32,fd00:9::1/128"],
    "all of it": [*P9, "mtu", "1300", "endpoint", "198.19.0.1", "probe",
                  "12.0.0.7", "ttl", "9", "allowed-ips", "12.0.0.0/24"],
    "a new peer": [*NEW, "12.0.0.0/24,fd00:9::/64,12.0.1.1/32"],
    "a peer less": ["peer", "del", "eth0", "p9"],
    "the last peer less": ["peer", "del", "eth0", LAST],
}
WITH_OTHERS = {
    "another's endpoint": [*NEW, "198.18.0.0/29"],
    "an endpoint in a prefix": [*P9, "endpoint", "11.0.5.1"],
    "part of another's prefix": [*P9, "allowed-ips", "11.0.7.64/26"],
    "prefixes of others": [*NEW, "11.0.0.0/16"],
    "a prefix of another": [*NEW, "11.0.7.0/24"],
    "an address of another's prefix": [*NEW, "11.0.7.1"],
    "the address of an endpoint": [*NEW, "198.18.0.7"],
    "a prefix in its own": [*P9, "allowed-ips", "11.0.9.0/25,11.0.9.0/26"],
    "a shorter prefix than before": [*P9, "allowed-ips", "11.0.9.0/24"],
    "own address": [*NEW, "10.0.0.0/24"],
    "own network": [*NEW, "192.0.2.0/25"],
    "a network of the host": [*NEW, "203.0.113.0/24"],
    "the default route": [*NEW, "0.0.0.0/0"],
    "its guard": [*P9, "guard", "no"],
    "the first peer": ["peer", "del", "eth0", "p0"],
}


def watched(ns, tl, words):
    """Makes the change while p5's neighbour entry is missing; true if the
    command restored it, which shows that it checked everything."""
    ns.ip("neigh", "del", "240.0.0.6", "dev", "eth0")
    tl.ok(*words)
    found = "240.0.0.6 " in ns.ip("neigh", "show", "nud", "permanent").stdout
    ns.ip("neigh", "replace", "240.0.0.6", "lladdr", "02:74:6e:00:00:06",
          "dev", "eth0", "nud", "permanent", "protocol", "94")
    return found


def same_as_reloaded(ns, tl):
    """Checks that a reload of the running configuration, which looks at
    everything, changes nothing; returns that configuration."""
    is_now = state(ns, tl)
    running = tl.ok("showconf", "eth0")
    assert tl.reload(running).stdout == "eth0: reloaded, nothing changed\n"
    assert state(ns, tl) == is_now
    return running


@pytest.mark.parametrize("words", ALONE.values(), ids=ALONE.keys())
def test_change_of_one_peer_equals_a_reload(attached, words):
    ns, tl = attached
    assert not watched(ns, tl, words)
    running = same_as_reloaded(ns, tl)
    is_now = state(ns, tl)
    tl.detach()
    tl.attach(running, "--no-trigger")
    # If a peer before the last is deleted, attach gives the later ones new ids.
    assert "del" in words and LAST not in words or state(ns, tl) == is_now


@pytest.mark.parametrize("words", WITH_OTHERS.values(),
                         ids=WITH_OTHERS.keys())
def test_change_that_concerns_others_checks_everything(attached, words):
    ns, tl = attached
    ns.ip("route", "add", "203.0.113.64/26", "via", "192.0.2.2")
    assert watched(ns, tl, words)
    same_as_reloaded(ns, tl)


def test_set_and_set_back_leaves_nothing(attached):
    ns, tl = attached
    before = state(ns, tl)
    tl.ok(*P9, "allowed-ips", "12.0.0.0/24,fd00:9::/64", "mtu", "1400")
    tl.ok(*NEW, "12.0.1.0/24")
    assert len(set(state(ns, tl)[6]) - set(before[6])) == 2
    tl.ok("peer", "del", "eth0", "new")
    tl.ok(*P9, "allowed-ips", ",".join(prefixes(9)), "mtu", "auto")
    assert state(ns, tl) == before


@pytest.mark.parametrize("words, said", [
    ([*NEW, prefixes(7)[0]], "belongs to peer p7 already"),
    ([*NEW, "12.0.0.0/24,12.0.0.0/24"], "is given twice"),
    ([*NEW, "198.19.0.0/24"], "is inside its own allowed-ips"),
    ([*P9, "endpoint", endpoint(7)], "belongs to peer p7 already"),
    ([*P9, "endpoint", "192.0.2.1"], "is its own local address"),
    ([*P9, "allowed-ips", "fd00:9::/64", "mtu", "1000"], "is too small"),
    (["peer", "add", "eth0", "p7", "endpoint", "198.19.0.1", "allowed-ips",
      "12.0.0.0/24"], "has a peer \"p7\" already"),
    (["peer", "del", "eth0", "p9x"], "no such peer \"p9x\" on eth0: did"),
])
def test_refused_changes_change_nothing(attached, words, said):
    ns, tl = attached
    before = state(ns, tl)
    done = tl.run(*words)
    assert done.returncode == (1 if "such" in said else 2)
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert state(ns, tl) == before


def test_route_of_somebody_else_makes_the_one_peer_wait(attached):
    ns, tl = attached
    ns.ip("route", "add", "12.0.0.0/24", "via", "192.0.2.2")
    done = tl.run(*NEW, "12.0.0.0/24,12.0.1.0/24")
    assert done.returncode == 0
    assert "peer new waits: route \"12.0.0.0/24\"" in done.stderr
    assert tl.peer("new")["waiting"].startswith("route \"12.0.0.0/24\"")
    same_as_reloaded(ns, tl)
    ns.ip("route", "del", "12.0.0.0/24", "via", "192.0.2.2")
    tl.ok("peer", "set", "eth0", "new", "mtu", "1400")
    assert tl.peer("new")["waiting"] is None
    same_as_reloaded(ns, tl)


def test_mtu_does_not_take_a_route_from_somebody_else(attached):
    ns, tl = attached
    ns.ip("route", "replace", prefixes(9)[0], "via", "192.0.2.2")
    done = tl.run(*P9, "mtu", "1400")
    assert done.returncode == 0 and "peer p9 waits" in done.stderr
    assert our_routes(ns)[prefixes(9)[1]] == "240.0.0.10"
    assert "via 192.0.2.2" in ns.ip("route", "show", prefixes(9)[0]).stdout


def test_peer_set_restores_a_route_of_its_peer(attached):
    ns, tl = attached
    ns.ip("route", "del", prefixes(9)[0])
    said = tl.ok(*P9, "mtu", "1400")
    assert said == "eth0: mended: put 1 routes or addresses right\n"
    same_as_reloaded(ns, tl)


def by_hand(tl, name):
    """A pinned map."""
    return bpf.Map(bpf.obj_get(f"{tl.pins}/{name}"))


def name_key(name):
    """A key of `names`."""
    return name.encode().ljust(32, b"\0")


@pytest.mark.parametrize("edit", [
    lambda tl: by_hand(tl, "names").delete(name_key("p9")),
    lambda tl: by_hand(tl, "names").update(name_key("p9"),
                                           struct.pack("=3I", 11, 2, 1)),
    lambda tl: by_hand(tl, "names").update(name_key("p9"),
                                           struct.pack("=3I", 10, 3, 1)),
    lambda tl: by_hand(tl, "names").delete(name_key("")),
    lambda tl: by_hand(tl, "allowed").delete(struct.pack("=2I", 10, 0)),
    lambda tl: by_hand(tl, "allowed").update(
        struct.pack("=2I", 10, 0), bytes([4, 25, 11, 0, 8, 0]) + bytes(138)),
], ids=["no name", "another's id", "more prefixes", "no totals",
        "no prefixes", "another's prefix"])
def test_wrong_index_is_not_believed_and_mended(attached, edit):
    _, tl = attached
    before = state(*attached)
    edit(tl)
    assert state(*attached) != before
    tl.ok(*P9, "ttl", "9")
    assert tl.peer("p9")["allowed_ips"] == prefixes(9)
    assert "ttl = 9\n" in tl.ok("showconf", "eth0")
    tl.ok(*P9, "ttl", "64")
    assert state(*attached) == before


def test_timer_mends_the_index(attached):
    _, tl = attached
    before = state(*attached)
    by_hand(tl, "names").delete(name_key("p7"))
    by_hand(tl, "allowed").delete(struct.pack("=2I", 7, 0))
    tl.ok("trigger", "eth0", "--due")
    assert state(*attached) == before


def test_rules_of_others_are_asked_too(attached):
    """With a rule of somebody else a look-up may not see a route of main."""
    ns, tl = attached
    ns.ip("rule", "add", "priority", "100", "lookup", "7")
    ns.ip("route", "add", "12.0.0.0/8", "via", "192.0.2.2", "table", "7")
    ns.ip("route", "add", "12.0.0.64/26", "via", "192.0.2.2")
    assert watched(ns, tl, [*NEW, "12.0.0.0/24"])
    same_as_reloaded(ns, tl)
    assert any(row["key"] == {"prefixlen": 26, "addr": [12, 0, 0, 64]}
               for row in tl.map("prefixes4"))


def test_ids_are_not_given_twice(attached):
    _, tl = attached
    for name, removed in ("a", None), ("b", "a"), ("c", "b"):
        tl.ok(*[name if w == "new" else w for w in NEW],
              f"12.0.{ord(name)}.0/24")
        if removed:
            tl.ok("peer", "del", "eth0", removed)
        tl.ok("peer", "set", "eth0", name, "endpoint", f"198.19.{ord(name)}.1")
    ids = {e["value"]["name"]: e["key"] for e in tl.map("peers")}
    assert len(set(ids.values())) == len(ids) == PEERS + 1
    assert ids["c"] == PEERS + 3


def test_a_change_that_fails_is_undone(attached):
    """No route can be made while the interface is down."""
    ns, tl = attached
    before = state(ns, tl)[6:]
    ns.ip("link", "set", "eth0", "down")
    done = tl.run(*NEW, "12.0.0.0/24")
    assert done.returncode == 1
    assert "cannot add route \"12.0.0.0/24\"" in done.stderr
    assert state(ns, tl)[6:] == before
