# SPDX-License-Identifier: GPL-2.0-only
"""Peers with the same prefix: the one with the lowest priority that is not
silent has the route."""
import json
import re
import select
import socket

import pytest

from lab import wait_until
from lifecycle import Pair, with_hosts
from sites import SHARED, SITES, WATCHED, Sites, carrier
from traffic import is_tunnel, packet_of, ping

SO_RCVBUFFORCE = 33
TWO = """
[interface]
mode = tc
source = 172.22.2.2
[peer first]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
priority = 20
[peer second]
endpoint = {second}
allowed-ips = 10.10.0.0/24
priority = 10
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def test_the_lowest_priority_has_the_route(pair):
    with_hosts(pair, "", "attach", "eth0", "-c",
               pair.tl.write(TWO.format(second="192.0.2.9")))
    assert carrier(pair) == 2
    pair.tl.ok("peer", "set", "eth0", "first", "priority", "5")
    assert carrier(pair) == 1
    pair.tl.ok("peer", "set", "eth0", "first", "priority", "20")
    assert carrier(pair) == 2
    pair.tl.ok("peer", "del", "eth0", "second")
    assert carrier(pair) == 1


def test_a_peer_that_waits_has_no_route(pair):
    with_hosts(pair, "", "attach", "eth0", "-c",
               pair.tl.write(TWO.format(second="second.example")))
    assert carrier(pair) == 1


@pytest.fixture(name="sites")
def fixture_sites(lab):
    """Sites with nothing watched yet."""
    return Sites(lab)


def standby(sites):
    """{peer: (its state, the peer that carries the prefix instead)}."""
    return {p["peer"]: (p["state"], *(s["peer"] for s in p["standby"]))
            for p in sites.tl.status()["peers"]}


def faults(sites):
    """[(what is wrong, the peer)] that `tunload check` finds."""
    found = json.loads(sites.tl.run("check", "eth0", "--json").stdout)
    return [(f["what"], f["peer"]) for f in found
            if f["level"] != "ok"]


def test_the_silent_one_is_relieved(sites):
    watch = sites.watch()
    assert carrier(sites) == 1
    assert standby(sites) == {"first": ("up",), "second": ("up", "first")}
    assert re.search("(?m)^second +standby ", sites.tl.ok("status", "eth0"))
    assert faults(sites) == []
    sites.kill("first")
    sites.wait_carrier(2)
    ping(sites.a, SHARED)
    assert faults(sites) == [("no answer", "first")]
    assert standby(sites) == {"first": ("silent", "second"),
                              "second": ("up",)}
    watch.wait_output(
        "mended: peer second carries 10.10.0.0/24 instead of first")
    sites.revive("first")
    sites.wait_carrier(1)
    ping(sites.a, SHARED)
    watch.wait_output(
        "mended: peer first carries 10.10.0.0/24 instead of second")
    assert standby(sites) == {"first": ("up",), "second": ("up", "first")}


def test_back_only_after_three_answers(sites):
    """The first site answers two keepalives and is silent again."""
    watch = sites.watch()
    sites.kill("first")
    sites.wait_carrier(2)
    first = sites.sites["first"].ns
    replies = sites.lab.capture(
        sites.a, "eth0", lambda f: is_tunnel(packet_of(f.data)) and
        packet_of(f.data).src == SITES["first"])
    routes = sites.lab.keep(sites.a.start("ip", "-4", "monitor", "route"))
    first.nft("table ip f { chain out { type filter hook output priority 0; "
              f"ip saddr {SHARED} limit rate over 1/hour burst 2 "
              "packets drop; }; }")
    sites.revive("first")
    watch.wait_output("ms (was silent)")
    sites.tl.ok("trigger", "eth0", "--due")
    wait_until(lambda: watch.output().count("(was up)") == 2, "silent again")
    assert len(replies.frames()) == 2
    assert "10.10.0.0/24" not in routes.output()
    assert carrier(sites) == 2


def test_both_silent(sites):
    """The better one has the route."""
    watch = sites.watch()
    sites.kill("first")
    sites.wait_carrier(2)
    sites.kill("second")
    watch.wait_output("eth0: second: silent")
    sites.wait_carrier(1)


def test_other_commands_leave_it(sites):
    """A watch that is gone has left what it knew; a new path begins anew."""
    watch = sites.watch()
    sites.kill("first")
    sites.wait_carrier(2)
    watch.close()
    # A route that is ours, but not as it should be.
    sites.a.ip("route", "replace", "10.10.0.0/24", "via", "240.0.0.1", "dev",
               "eth0", "proto", 94)
    assert ("inner route", "second") in faults(sites)
    sites.tl.ok("trigger", "eth0", "--due")
    assert ("inner route", "second") not in faults(sites)
    for command in (["trigger", "eth0", "--due"],
                    ["peer", "set", "eth0", "second", "keepalive", "2"],
                    ["attach", "eth0"], ["status", "eth0"]):
        sites.tl.ok(*command)
        assert carrier(sites) == 2, command
    sites.tl.reload(WATCHED.replace("keepalive = 1", "keepalive = 2"))
    assert carrier(sites) == 2
    sites.tl.ok("peer", "set", "eth0", "first", "endpoint", "192.0.2.9")
    assert carrier(sites) == 1


def test_a_watch_that_begins_again(sites):
    """It goes on where the last one was killed."""
    watch = sites.watch()
    sites.kill("first")
    sites.wait_carrier(2)
    watch.close()
    routes = sites.lab.keep(sites.a.start("ip", "-4", "monitor", "route"))
    watch = sites.lab.keep(sites.tl.start("watch", "eth0"))
    watch.wait_output("eth0: second: up")
    asked = sites.lab.capture(
        sites.a, "eth0", lambda f: is_tunnel(packet_of(f.data)) and
        packet_of(f.data).dst == SITES["first"])
    asked.wait(4)
    assert "10.10.0.0/24" not in routes.output()
    sites.revive("first")
    sites.wait_carrier(1)


def test_without_a_watch_the_timer_goes_back(sites):
    """What comes from the silent peer is enough then."""
    sites.watch().close()
    watch = sites.watch()
    sites.kill("first")
    sites.wait_carrier(2)
    watch.close()
    sites.tl.ok("trigger", "eth0", "--due")
    assert carrier(sites) == 2
    sites.revive("first")
    answered = sites.tl.ok("trigger", "eth0", "first", "--wait", "30")
    assert f"answered by {SHARED}" in answered
    assert carrier(sites) == 2
    assert "first carries 10.10.0.0/24" in sites.tl.ok("trigger", "eth0",
                                                       "--due")
    assert carrier(sites) == 1


def test_back_loses_no_packet(sites):
    """Both paths carry when the route moves."""
    watch = sites.watch()
    sites.kill("first")
    sites.wait_carrier(2)
    rx = []
    for tl in sites.sites.values():
        rx.append(tl.ns.socket(socket.AF_INET, socket.SOCK_DGRAM))
        rx[-1].setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        rx[-1].bind((SHARED, 7000))
    tx, sent = sites.a.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
    sites.revive("first")
    while carrier(sites) == 2 or not readable(rx[0]):
        tx.sendto(b"%d" % sent, (SHARED, 7000))
        sent += 1
    wait_until(lambda: "first carries" in watch.output(), "said")
    got = sorted(sum((received(sock) for sock in rx), []))
    assert got == list(range(sent))


def readable(sock):
    """Whether something has come."""
    return select.select([sock], [], [], 0.01)[0]


def received(sock):
    """The numbers that have come."""
    numbers = []
    while select.select([sock], [], [], 1)[0]:
        numbers.append(int(sock.recv(64)))
    return numbers


def test_routes_of_different_scopes(lab):
    """64 peers share a scope; the kernel replaces across scopes."""
    many = "".join(f"""
[peer p{i}]
endpoint = 198.51.100.{i}
allowed-ips = 10.20.{i}.0/24
""" for i in range(3, 90))
    blocks = WATCHED.split("[peer second]")
    sites = Sites(lab, blocks[0] + many + "[peer second]" + blocks[1])
    sites.watch()
    sites.kill("first")
    sites.wait_carrier(89)
    ping(sites.a, SHARED)
    sites.revive("first")
    sites.wait_carrier(1)
