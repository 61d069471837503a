# SPDX-License-Identifier: GPL-2.0-only
"""The trigger's packets, output and exit status."""
import json
import os

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from lab import TIMEOUT, TUNLOAD, wait_until
from traffic import Packet, is_tunnel, packet_of, ping

CONF = """
[interface]
source = 172.22.2.2
[peer site]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
{site}
[peer mute]
endpoint = 192.0.2.3
allowed-ips = 10.20.0.0/24
keepalive = 0
"""


@pytest.fixture(name="hosts")
def fixture_hosts(lab):
    """(namespace, Tunload, other namespace): the other namespace is both peers;
    `site` answers, `mute` does not."""
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    a.addr("eth0", "192.0.2.1/24")
    b.addr("eth0", "192.0.2.2/24", "192.0.2.3/24")
    a.addr("lo", "172.22.2.2/32")
    b.addr("lo", "10.10.0.1/32")
    # mute sends no ICMP errors either; they would change the hint about it.
    b.nft("table ip f { chain in { type filter hook input priority 0; "
          "ip daddr 192.0.2.3 drop; }; }")
    site = lab.tunload(b, bpffs=lab.new_bpffs())
    site.attach("[peer a]\nendpoint = 192.0.2.1\n"
                "allowed-ips = 172.22.2.0/24\n", "--no-trigger")
    return a, lab.tunload(a), b


def triggered(tl, *args):
    """Runs trigger --json; returns (exit status, {peer: its object})."""
    done = tl.run("trigger", "eth0", "--json", *args)
    told = json.loads(done.stdout)
    assert told["interface"] == "eth0"
    return done.returncode, {p["peer"]: p for p in told["peers"]}


@pytest.mark.parametrize("mode", ["native", "tc"])
def test_answered_and_silent(hosts, mode):
    _, tl, _ = hosts
    tl.attach(CONF.format(site=""), "--mode", mode, "--no-trigger")
    status, told = triggered(tl, "site", "--wait", TIMEOUT)
    assert status == 0 and list(told) == ["site"]
    assert told["site"]["sent"] is True and told["site"]["answered"] is True
    assert told["site"]["probe"] == "10.10.0.1"
    assert 0 < told["site"]["rtt_ms"] < 1000 * TIMEOUT

    def both():
        status, told = triggered(tl, "--wait", "0.3")
        assert status == 1
        return told["site"]["answered"] and told

    told = wait_until(both, "the site's answer")
    assert told["mute"]["sent"] is True and told["mute"]["answered"] is False
    assert told["mute"]["rtt_ms"] is None and told["mute"]["hint"]

    done = tl.run("trigger", "eth0", "--wait", "0.3")
    assert done.returncode == 1
    site, mute = done.stdout.splitlines()
    assert site.startswith("site: ") and "10.10.0.1" in site
    assert mute.startswith("mute: no answer")


def test_without_wait_it_only_sends(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site=""), "--no-trigger")
    status, told = triggered(tl)
    assert status == 0
    for peer in told.values():
        assert peer["sent"] is True and peer["answered"] is None
    for name in "site", "mute":
        wait_until(lambda n=name: tl.peer(n)["tx"]["packets"] == 1,
                   f"first packet to {name}")


def test_the_packet_on_the_wire(lab, hosts):
    a, tl, b = hosts  # b, which is on the same link, is the next hop
    tl.attach(CONF.format(site="probe = 10.10.0.99\nttl = 33"),
              "--no-trigger")
    wire = lab.capture(a, "eth0", lambda f: is_tunnel(packet_of(f.data)))
    triggered(tl, "site")
    frame = wire.wait(1)[0].data
    outer = IP(frame[14:])
    assert (outer.src, outer.dst, outer.ttl) == ("192.0.2.1", "192.0.2.2", 33)
    inner = Packet(bytes(outer.payload))
    assert (inner.src, inner.dst) == ("172.22.2.2", "10.10.0.99")
    assert outer.payload.payload.type == 8  # echo request
    assert Ether(frame).dst == b.mac("eth0")


def test_other_traffic_is_an_answer(lab, hosts):
    a, tl, b = hosts
    tl.attach(CONF.format(site=""), "--no-trigger")
    out = lab.sender(b, "eth0")
    waiting = tl.start("trigger", "eth0", "mute", "--wait", TIMEOUT, "--json")
    lab.keep(waiting)
    wait_until(lambda: tl.peer("mute")["tx"]["packets"], "first packet")
    out.send(Ether(src=b.mac("eth0"), dst=a.mac("eth0")) /
             IP(src="192.0.2.3", dst="192.0.2.1") /
             IP(src="10.20.0.7", dst="172.22.2.2") / ICMP())
    assert waiting.wait() == 0
    told = json.loads(waiting.output())["peers"][0]
    assert told["answered"] is True and told["rtt_ms"] is None


def test_due_is_for_the_silent_with_a_keepalive(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site="keepalive = 3600"), "--no-trigger")
    assert list(triggered(tl, "--due")[1]) == ["site"]
    wait_until(lambda: tl.peer("site")["tx"]["packets"], "first packet")
    assert triggered(tl, "--due") == (0, {})
    assert tl.peer("mute")["tx"]["packets"] == 0
    tl.ok("peer", "set", "eth0", "site", "keepalive", "1")
    wait_until(lambda: triggered(tl, "--due")[1], "site is due again",
               interval=0.2)


def test_a_reply_without_the_tunnel_is_no_answer(hosts):
    a, tl, b = hosts
    # The host reaches the probe by a route of its own, past the tunnel.
    a.ip("route", "add", "10.20.0.5", "via", "192.0.2.2")
    b.addr("lo", "10.20.0.5/32")
    tl.attach(CONF.format(site="").replace("source = 172.22.2.2", "") +
              "probe = 10.20.0.5\n", "--no-trigger")
    assert ping(a, "10.20.0.5")
    status, told = triggered(tl, "mute", "--wait", "0.5")
    assert status == 1
    assert told["mute"]["sent"] is False and told["mute"]["answered"] is False
    assert "past the tunnel" in told["mute"]["hint"]


@pytest.mark.parametrize("own,site,mute,want", [
    ([], "10.10.0.0/24", "10.20.0.0/24", ["10.10.0.1", "10.20.0.1"]),
    # The first host of a prefix is inside a longer prefix of the other peer:
    # the default is a host of the next prefix, else the second host.
    ([], "10.10.0.0/24, 10.11.0.0/24", "10.10.0.0/28",
     ["10.11.0.1", "10.10.0.1"]),
    ([], "10.10.0.0/24", "10.10.0.1/32", ["10.10.0.2", "10.10.0.1"]),
    (["10.10.0.1/32"], "10.10.0.0/24", "0.0.0.0/0", ["10.10.0.2", None]),
    ([], "10.10.0.0/24", "10.10.0.0/25, 0.0.0.0/0", [None, "10.10.0.1"]),
    (["fd00:1::1/128"], "fd00:1::/64", "fd00:2::4/128",
     ["fd00:1::2", "fd00:2::4"]),
])
def test_default_probe(hosts, own, site, mute, want):
    a, tl, _ = hosts
    a.addr("lo", *own)
    tl.attach(CONF.format(site="").replace("10.10.0.0/24", site)
              .replace("10.20.0.0/24", mute), "--no-trigger")
    peers = json.loads(tl.ok("peer", "list", "eth0", "--json"))
    assert [p["probe"] for p in peers] == want


def test_due_leaves_out_peers_without_a_probe(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site="").replace("10.10.0.0/24", "0.0.0.0/0"),
              "--no-trigger")
    assert triggered(tl, "--due") == (0, {})
    status, told = triggered(tl, "site")
    assert status == 1 and told["site"]["sent"] is False
    assert "no probe" in told["site"]["hint"]


def test_routes_that_somebody_removed(hosts):
    a, tl, _ = hosts
    tl.attach(CONF.format(site=""), "--no-trigger")
    assert tl.status()["changes_pending"] == 0
    a.ip("route", "del", "10.10.0.0/24")
    assert tl.status()["changes_pending"] == 1
    text = " ".join(tl.ok("status", "eth0").split())
    assert ("hint routes are missing or changed: 1 of ours (gateways and "
            "addresses included): run `tunload reload eth0`") in text
    status, told = triggered(tl)
    assert status == 1 and told["mute"]["sent"] is True
    assert told["site"]["sent"] is False
    assert "route to 10.10.0.1 is missing" in told["site"]["hint"]
    assert tl.peer("site")["tx"]["packets"] == 0


def test_due_brings_routes_back(hosts):
    a, tl, _ = hosts
    tl.attach(CONF.format(site=""), "--no-trigger")
    before = a.ip("route").stdout
    a.ip("link", "set", "eth0", "down")
    assert tl.status()["changes_pending"] >= 2
    done = tl.run("trigger", "eth0", "--due")
    assert done.returncode == 0 and done.stderr == ""
    assert "mended" not in done.stdout
    a.ip("link", "set", "eth0", "up")
    status, told = triggered(tl, "--due")
    assert status == 0 and told["site"]["sent"] is True
    assert a.ip("route").stdout == before
    assert tl.status()["changes_pending"] == 0


def test_no_routes_are_missing_with_no_routes(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site=""), "--no-trigger", "--no-routes")
    assert tl.status()["changes_pending"] == 0
    assert "missing" not in tl.ok("status", "eth0")


def test_attach_triggers_every_peer(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site=""))
    for name in "site", "mute":
        wait_until(lambda n=name: tl.peer(n)["tx"]["packets"],
                   f"first packet to {name}")


def test_a_dropped_answer_is_explained(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site="").replace("10.10.0.0/24", "10.10.0.8/29")
              .replace("[peer mute]", "probe = 10.10.0.9\n[peer mute]"),
              "--no-trigger")
    # The far end answers from 10.10.0.1, which is not allowed here.
    hosts[2].addr("lo", "10.10.0.9/32")
    hosts[2].nft("table ip n { chain o { type nat hook postrouting priority "
                 "100; }; chain p { type route hook output priority 0; "
                 "ip saddr 10.10.0.9 ip saddr set 10.10.0.1; }; }")
    done = tl.run("trigger", "eth0", "site", "--wait", "0.5")
    assert done.returncode == 1
    assert "not_allowed" in done.stdout or "allowed prefixes" in done.stdout


def test_bad_arguments(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site=""), "--no-trigger")
    for words, piece, status in ((["nobody"], '"nobody"', 1),
                                 (["--wait", "soon"], '"soon"', 2),
                                 (["--wait", "-1"], '"-1"', 2)):
        done = tl.run("trigger", "eth0", *words)
        assert done.returncode == status, done
        assert len(done.stderr.splitlines()) == 1 and piece in done.stderr
        assert done.stdout == ""


def test_nothing_runs_on_an_idle_host(hosts):
    _, tl, _ = hosts
    tl.attach(CONF.format(site=""))
    running = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                mine = tl.bpffs.encode() in f.read()
        except OSError:
            continue
        if exe == TUNLOAD and mine:
            running.append(pid)
    assert running == []
