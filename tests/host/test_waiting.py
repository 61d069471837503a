# SPDX-License-Identifier: GPL-2.0-only
"""Peers that cannot work while the host is as it is: each waits, status says
why, and the other peers work; and the cases in which attach fails instead."""
import json
import os
import re

import pytest

from lab import run, wait_until
from lifecycle import A, B, Pair, with_hosts
from traffic import ping

SITE = """
[interface]
mode = tc
source = 172.22.2.2
[peer site]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def peer(name, endpoint, allowed, *more):
    """The section of a peer."""
    return "\n".join([f"[peer {name}]", f"endpoint = {endpoint}",
                      f"allowed-ips = {allowed}", *more, ""])


def attach(pair, text, hosts="", *args):
    """Runs attach with the configuration, and with hosts as /etc/hosts."""
    return with_hosts(pair, hosts, "attach", "eth0", "-c", pair.tl.write(text),
                      *args)


def waiting(pair):
    """{peer: why it waits, or None}; status and peer list must agree."""
    told = {p["name"]: p["waiting"] for p in pair.tl.status()["peers"]}
    listed = json.loads(pair.tl.ok("peer", "list", "eth0", "--json"))
    assert told == {p["name"]: p["waiting"] for p in listed}
    return told


@pytest.mark.parametrize("hosts, reason", [
    ("", "does not resolve"),
    ("127.0.0.1 other.example\n", "no usable address"),
    ("224.0.0.9 other.example\n", "no usable address"),
    ("169.254.1.1 other.example\n", "no usable address"),
    ("192.0.2.1 other.example\n", "no usable address"),  # ours
    ("172.22.2.2 other.example\n", "no usable address"),
    ("192.0.2.2 other.example\n", "belongs to peer site"),
    ("10.30.0.9 other.example\n", "inside its own allowed-ips"),
])
def test_a_name_of_one_peer_stops_no_other(pair, hosts, reason):
    conf = SITE + peer("other", "other.example", "10.30.0.0/24")
    done = attach(pair, conf, hosts)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "peer other waits: " in done.stderr and reason in done.stderr
    assert ping(pair.a, B, A)
    told = waiting(pair)
    assert told["site"] is None and reason in told["other"]
    assert [e["value"]["peer"] for e in pair.tl.map("endpoints")] == [1]
    rows = pair.tl.map("waiting")
    assert [row["key"] for row in rows] == [2]
    text = pair.tl.ok("status", "eth0")
    assert re.search("^other +waiting +none ", text, re.M), text
    assert "peer other: none <- " in pair.tl.ok("status", "eth0", "-v")
    shown = pair.tl.ok("showconf", "eth0")
    assert "# waits: " in shown and "endpoint = other.example" in shown

    # Once the name resolves, the timer's command resumes the peer.
    done = with_hosts(pair, "192.0.2.9 other.example\n", "trigger", "eth0",
                      "--due")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mended: " in done.stdout and "endpoint 192.0.2.9" in done.stdout
    assert waiting(pair) == {"site": None, "other": None}
    assert pair.tl.map("waiting") == []


def test_a_name_alone_that_does_not_resolve_is_no_failure(pair):
    done = attach(pair, peer("other", "other.example", "10.30.0.0/24"))
    assert done.returncode == 0 and "waits" in done.stderr
    assert "does not resolve" in waiting(pair)["other"]


def test_reload_keeps_the_address_of_a_name(pair):
    conf = peer("site", "site.example", "10.10.0.0/24", "probe = 10.10.0.1")
    conf = "[interface]\nmode = tc\nsource = 172.22.2.2\n" + conf
    assert attach(pair, conf, "192.0.2.2 site.example\n").returncode == 0
    assert ping(pair.a, B, A)
    done = with_hosts(pair, "", "reload", "eth0", "-c", pair.tl.conf)
    assert done.returncode == 0
    assert "it keeps the endpoint" in done.stderr
    assert pair.tl.peer("site")["endpoint"] == "192.0.2.2"
    assert ping(pair.a, B, A)


@pytest.mark.parametrize("text, address", [
    ("[interface]\nsource = 172.22.2.9\n", "172.22.2.9/32"),
    ("[interface]\nlocal4 = 192.0.2.55\n", "192.0.2.55/24"),
    ("[interface]\nlocal6 = 2001:db8::55\n", "2001:db8::55/64"),
    (peer("site", "192.0.2.2", "10.10.0.0/24", "local = 192.0.2.55"),
     "192.0.2.55/24"),
    (peer("site", "2001:db8:1::2", "10.10.0.0/24", "local = 2001:db8::55"),
     "2001:db8::55/64"),
])
def test_addresses_that_are_not_there_yet(pair, text, address):
    """attach ends with 1, so that the unit tries again, and leaves nothing."""
    before = pair.traces()
    done = attach(pair, text)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert pair.traces() == before
    pair.a.addr("eth0", address)
    assert attach(pair, text, "", "--no-trigger").returncode == 0


def test_no_address_at_all_is_not_there_yet(pair):
    pair.a.ip("addr", "flush", "dev", "eth0")
    done = attach(pair, peer("site", "192.0.2.2", "10.10.0.0/24"))
    assert done.returncode == 1 and "no usable IPv4 address" in done.stderr


def test_one_local_of_two_that_is_missing(pair):
    conf = SITE + peer("other", "192.0.2.3", "10.30.0.0/24",
                       "local = 192.0.2.55")
    done = attach(pair, conf)
    assert done.returncode == 0
    assert "192.0.2.55" in waiting(pair)["other"]
    assert "local = 192.0.2.55" in pair.tl.ok("showconf", "eth0")
    assert ping(pair.a, B, A)
    pair.a.addr("eth0", "192.0.2.55/24")
    done = pair.tl.run("trigger", "eth0", "--due")
    assert "peer other waits no longer" in done.stdout
    assert waiting(pair)["other"] is None


def test_a_family_that_the_interface_has_not(pair):
    pair.a.ip("-6", "addr", "del", "2001:db8::1/64", "dev", "eth0")
    conf = SITE + peer("six", "2001:db8::2", "10.30.0.0/24")
    assert attach(pair, conf).returncode == 0
    assert "no usable IPv6 address" in waiting(pair)["six"]
    assert ping(pair.a, B, A)


def test_somebody_elses_route_stops_only_its_peer(pair):
    pair.a.ip("route", "add", "10.30.0.0/24", "via", "192.0.2.9", "proto",
              "static")
    conf = SITE + peer("other", "192.0.2.3", "10.30.0.0/24")
    done = attach(pair, conf)
    assert done.returncode == 0 and "10.30.0.0/24" in done.stderr
    assert "10.30.0.0/24" in waiting(pair)["other"]
    assert ping(pair.a, B, A)
    # --due cannot remove the route, and reports nothing.
    done = pair.tl.run("trigger", "eth0", "--due")
    assert done.returncode == 0 and "mended" not in done.stdout
    pair.a.ip("route", "del", "10.30.0.0/24")
    done = pair.tl.run("trigger", "eth0", "--due")
    assert "waits no longer" in done.stdout
    assert waiting(pair)["other"] is None
    assert "via 240.0.0.2" in pair.a.ip("route", "show", "10.30.0.0/24").stdout


def test_peer_commands_add_one_that_waits(pair):
    attach(pair, SITE)
    done = with_hosts(pair, "", "peer", "add", "eth0", "other", "endpoint",
                      "other.example", "allowed-ips", "10.30.0.0/24")
    assert done.returncode == 0
    assert "peer other waits: " in done.stderr
    done = pair.tl.run("trigger", "eth0", "other")
    assert done.returncode == 1 and "the peer waits" in done.stdout
    pair.tl.ok("peer", "set", "eth0", "other", "endpoint", "192.0.2.9")
    assert waiting(pair) == {"site": None, "other": None}


def test_the_same_prefix_at_two_peers(pair):
    """With `routes = no` two peers may have equal allowed prefixes."""
    conf = ("[interface]\nmode = tc\nroutes = no\nsource = 172.22.2.2\n" +
            peer("one", "192.0.2.2", "10.10.0.0/24, fd00:10::/64") +
            peer("two", "192.0.2.3", "10.10.0.0/24, fd00:10::/64"))
    assert attach(pair, conf, "", "--no-trigger").returncode == 0
    shown = pair.tl.ok("showconf", "eth0")
    assert shown.count("allowed-ips = 10.10.0.0/24, fd00:10::/64") == 2
    assert len(pair.tl.map("shared")) == 4
    assert [p["gateway4"] for p in pair.tl.status()["peers"]] == [
        "240.0.0.1", "240.0.0.2"]
    assert [p["gateway6"] for p in pair.tl.status()["peers"]] == [
        "fe80::74:6e:0:1", "fe80::74:6e:0:2"]
    assert "gateway      240.0.0.1, fe80::74:6e:0:1" in pair.tl.ok(
        "status", "eth0", "-v")
    pair.a.ip("route", "add", "10.10.0.0/24", "via", "240.0.0.1", "dev",
              "eth0", "onlink", "src", A)
    assert ping(pair.a, B, A)
    assert pair.tl.reload(conf.replace("routes = no", "routes = yes"),
                          check=False).returncode == 2
    pair.tl.ok("peer", "del", "eth0", "two")
    assert pair.tl.map("shared") == []
    assert ping(pair.a, B, A)


def test_address_comes_and_goes_with_the_tunnels(pair):
    pair.a.ip("addr", "del", f"{A}/32", "dev", "lo")
    before = pair.traces()
    conf = SITE.replace("source = 172.22.2.2",
                        "address = 172.22.2.2/32, fd00:22::2")
    done = attach(pair, conf)
    assert done.returncode == 0, done.stderr
    assert ping(pair.a, B, A)
    assert "address = 172.22.2.2/32, fd00:22::2/128" in pair.tl.ok(
        "showconf", "eth0")
    assert "fd00:22::2" in pair.a.ip("-6", "addr").stdout
    pair.a.ip("addr", "flush", "to", "172.22.2.2", "dev", "eth0")
    pair.tl.ok("trigger", "eth0", "--due")
    wait_until(lambda: ping(pair.a, B, A, wait=1),
               "ping from the address that was put back")
    pair.tl.detach()
    assert pair.traces() == before


def test_ids_are_not_used_again_at_once(pair):
    attach(pair, SITE + peer("other", "192.0.2.3", "10.30.0.0/24"))
    pair.tl.ok("peer", "del", "eth0", "site")
    pair.tl.ok("peer", "add", "eth0", "new", "endpoint", "192.0.2.4",
               "allowed-ips", "10.40.0.0/24")
    ids = {row["value"]["name"]: row["key"] for row in pair.tl.map("peers")}
    assert ids == {"other": 2, "new": 3}
    # Once the highest possible id is in use, the lowest free one is next.
    path = os.path.join(pair.tl.pins, "peers")
    value = json.loads(run("bpftool", "-j", "map", "lookup", "pinned", path,
                           "key", "hex", "3", "0", "0", "0").stdout)["value"]
    value = [hex(b) for b in b"last\0"] + value[5:]
    run("bpftool", "map", "update", "pinned", path, "key", "hex", "fe", "ff",
        "ff", "00", "value", "hex", *(v.removeprefix("0x") for v in value))
    pair.tl.ok("peer", "set", "eth0", "last", "endpoint", "192.0.2.6",
               "allowed-ips", "10.70.0.0/24")
    pair.tl.ok("peer", "add", "eth0", "wrapped", "endpoint", "192.0.2.5",
               "allowed-ips", "10.50.0.0/24")
    ids = {row["value"]["name"]: row["key"] for row in pair.tl.map("peers")}
    assert ids["last"] == 0xfffffe and ids["wrapped"] == 1
    assert "gateway6" in pair.tl.peer("last")


def test_warnings_about_many_peers(pair):
    """attach prints the first five warnings of a kind and counts the others."""
    conf = SITE + "".join(
        peer(f"n{i}", f"n{i}.example", f"10.30.{i}.0/24") for i in range(8))
    for i in range(8):
        pair.a.addr("lo", f"10.40.{i}.1/24")
        conf += peer(f"g{i}", f"192.0.2.{20 + i}", f"10.40.{i}.0/24",
                     "mtu = 1490")
    done = attach(pair, conf)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    for words, rest in (
            (" waits: ", "3 more peers wait: `tunload status` says why"),
            ("a network of this host", "3 more warnings about allowed-ips"),
            ("with the outer header is",
             "3 more peers with an mtu that is too large")):
        assert sum(words in line for line in lines) == 5, (words, lines)
        assert "tunload: warning: " + rest in lines
