# SPDX-License-Identifier: GPL-2.0-only
"""The commands that show and change the running state: peer, showconf, status,
monitor, and names as endpoints."""
import json
import os
import re
import shlex

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

from lab import run, wait_until
from traffic import ping

PEER = ["endpoint", "192.0.2.2", "allowed-ips", "10.10.0.0/24,fd00:10::/64"]


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """(namespace, Tunload) of each of two hosts on a wire, attached without
    peers; the first has 172.22.2.2 inside, the second 10.10.0.1."""
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    a.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
    b.addr("eth0", "192.0.2.2/24", "2001:db8::2/64")
    a.addr("lo", "172.22.2.2/32", "fd00:22::2/128")
    b.addr("lo", "10.10.0.1/32", "fd00:10::1/128")
    hosts = []
    for ns, source in (a, "172.22.2.2, fd00:22::2"), \
            (b, "10.10.0.1, fd00:10::1"):
        tl = lab.tunload(ns, bpffs=lab.new_bpffs())
        tl.attach(f"[interface]\nsource = {source}\n", "--mode", "tc")
        hosts.append((ns, tl))
    return hosts


def add_both(pair):
    """Makes the two hosts each other's peers by command."""
    (_, tl_a), (_, tl_b) = pair
    tl_a.ok("peer", "add", "eth0", "b", *PEER)
    tl_b.ok("peer", "add", "eth0", "a", "endpoint", "192.0.2.1",
            "allowed-ips", "172.22.2.0/24,fd00:22::/64")


def routes(ns):
    """Our routes of a namespace, as text."""
    return sorted(ns.ip(v, "route", "show", "proto", "94").stdout
                  for v in ("-4", "-6"))


def test_peer_add_opens_the_tunnel_and_del_closes_it(pair):
    (a, tl_a), _ = pair
    before = routes(a)
    assert not ping(a, "10.10.0.1", wait=0.3)
    add_both(pair)
    received = tl_a.peer("b")["rx"]["packets"]  # answers to first packets
    assert ping(a, "10.10.0.1") and ping(a, "fd00:10::1")
    assert tl_a.peer("b")["rx"]["packets"] >= received + 2
    assert tl_a.peer("b")["allowed_ips"] == ["10.10.0.0/24", "fd00:10::/64"]
    tl_a.ok("peer", "del", "eth0", "b")
    assert tl_a.status()["peers"] == []
    assert routes(a) == before
    for name in "peers", "endpoints", "prefixes4", "prefixes6", "peer_stats":
        assert tl_a.map(name) == [], name
    assert not ping(a, "10.10.0.1", wait=0.3)


def test_peer_set_changes_one_thing_and_keeps_counters(pair):
    (a, tl_a), _ = pair
    add_both(pair)
    assert ping(a, "10.10.0.1")
    sent = tl_a.peer("b")["tx"]["packets"]
    tl_a.ok("peer", "set", "eth0", "b", "ttl", "9", "mtu", "1400")
    peer = tl_a.peer("b")
    assert peer["mtu"] == 1400
    assert peer["tx"]["packets"] == sent > 0
    assert peer["allowed_ips"] == ["10.10.0.0/24", "fd00:10::/64"]
    assert "mtu 1400" in a.ip("route", "get", "10.10.0.1").stdout
    assert tl_a.map("peers")[0]["value"]["ttl"] == 9
    tl_a.ok("peer", "set", "eth0", "b", "allowed-ips", "10.10.0.0/25")
    assert tl_a.peer("b")["allowed_ips"] == ["10.10.0.0/25"]
    assert "fd00:10::/64" not in "".join(routes(a))
    assert ping(a, "10.10.0.1")


def test_a_refused_change_changes_nothing(pair):
    (a, tl_a), _ = pair
    add_both(pair)
    before = tl_a.map("peers"), routes(a), tl_a.ok("showconf", "eth0")
    for words in (["allowed-ips", "192.0.2.0/24"],  # contains the endpoint
                  ["allowed-ips", "10.10.0.1/24"],  # host bits
                  ["endpoint", "127.0.0.1"],
                  ["mtu", "70000"]):
        done = tl_a.run("peer", "set", "eth0", "b", *words)
        assert done.returncode in (1, 2), words
        assert len(done.stderr.splitlines()) == 1, done.stderr
        after = tl_a.map("peers"), routes(a), tl_a.ok("showconf", "eth0")
        assert after == before, words
    assert ping(a, "10.10.0.1")


def test_a_change_without_a_route_to_the_endpoint(pair):
    """It hinders no other peer, and the status tells of it."""
    (a, tl_a), _ = pair
    a.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.2")
    tl_a.ok("peer", "add", "eth0", "far", "endpoint", "198.51.100.1",
            "allowed-ips", "10.30.0.0/24")
    a.ip("route", "del", "198.51.100.0/24")
    add_both(pair)
    assert ping(a, "10.10.0.1")
    assert tl_a.peer("far")["hints"] and "198.51.100.1" in tl_a.ok(
        "status", "eth0")


def test_json_goes_with_list_only(pair):
    (_, tl_a), _ = pair
    for words in ["add", "eth0"], ["eth0"], []:
        done = tl_a.run("peer", "--json", *words)
        assert done.returncode == 2 and done.stdout == ""
        assert "--json goes with list only" in done.stderr
    assert json.loads(tl_a.ok("peer", "--json", "list", "eth0")) == []


def test_the_interface_map_edited_by_hand(pair):
    (_, tl_a), _ = pair
    pin = os.path.join(tl_a.pins, "interface")
    raw = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                         pin).stdout)[0]["value"]
    raw[40:44] = ["0xff"] * 4  # mode_asked
    raw[92:220] = ["0x41"] * 128  # mode_reason
    run("bpftool", "map", "update", "pinned", pin, "key", "0", "0", "0", "0",
        "value", *raw)
    done = tl_a.run("showconf", "eth0")
    assert done.returncode == 0 and "mode = auto\n" in done.stdout
    assert "mode_asked 4294967295 is not a mode" in done.stderr
    assert tl_a.status()["mode_reason"] == "A" * 127


def test_peer_list(pair):
    (_, tl_a), _ = pair
    add_both(pair)
    listed = json.loads(tl_a.ok("peer", "list", "eth0", "--json"))
    assert [p["name"] for p in listed] == ["b"]
    assert listed[0]["endpoint"] == "192.0.2.2"
    assert tl_a.ok("peer", "list", "eth0") == """\
PEER  ENDPOINT   LOCAL      ALLOWED IPS       MTU  PROBE
b     192.0.2.2  192.0.2.1  10.10.0.0/24 +1  1480  10.10.0.1
"""
    tl_a.ok("peer", "add", "eth0", "c", "endpoint", "2001:db8:99:1234:2:3:4:5",
            "allowed-ips", "fd00:1234:5678:9abc::/64")
    assert tl_a.ok("peer", "list", "eth0") == """\
PEER  ENDPOINT                  LOCAL        ALLOWED IPS                MTU
b     192.0.2.2                 192.0.2.1    10.10.0.0/24 +1           1480
c     2001:db8:99:1234:2:3:4:5  2001:db8::1  fd00:1234:5678:9abc::/64  1460
(no room for PROBE: see --json, or a wider terminal)
"""


def test_peer_list_of_none_and_of_waiting_ones(pair):
    (_, tl_a), _ = pair
    assert tl_a.ok("peer", "list", "eth0") == (
        "no peers: add them with `tunload peer add eth0 NAME endpoint A "
        "allowed-ips P`\n")
    add_both(pair)
    tl_a.reload(tl_a.ok("showconf", "eth0") + "[peer c]\nendpoint = "
                "198.51.100.9\nlocal = 192.0.2.77\n"
                "allowed-ips = 10.30.0.0/24\n")
    assert tl_a.ok("peer", "list", "eth0") == """\
PEER  ENDPOINT      LOCAL       ALLOWED IPS       MTU  PROBE
b     192.0.2.2     192.0.2.1   10.10.0.0/24 +1  1480  10.10.0.1
c     198.51.100.9  192.0.2.77  10.30.0.0/24     1480  10.30.0.1

c waits: local "192.0.2.77" is not an address of eth0: EC2 drops packets from
         addresses that are not assigned to the interface; use 192.0.2.1
"""


def test_showconf_is_a_configuration_of_the_same_state(pair):
    (a, tl_a), _ = pair
    add_both(pair)
    tl_a.ok("peer", "set", "eth0", "b", "keepalive", "0", "ttl", "7", "mtu",
            "1300", "probe", "10.10.0.9", "dscp", "46", "guard", "no")
    shown = tl_a.ok("showconf", "eth0")
    maps = {m: tl_a.map(m) for m in ("peers", "endpoints", "prefixes4",
                                     "prefixes6")}
    done = tl_a.reload(shown)
    assert tl_a.ok("showconf", "eth0") == shown, done.stdout
    assert {m: tl_a.map(m) for m in maps} == maps
    tl_a.detach()
    tl_a.attach(shown, "--no-trigger")
    assert tl_a.ok("showconf", "eth0") == shown
    assert ping(a, "10.10.0.1")


def test_status_in_text_and_json(pair):
    (a, tl_a), _ = pair
    tl_a.ok("peer", "add", "eth0", "b", *PEER)
    assert tl_a.peer("b")["last_rx_seconds"] is None
    tl_a.ok("peer", "del", "eth0", "b")
    add_both(pair)
    assert ping(a, "10.10.0.1")
    status = tl_a.status()
    assert status["interface"] == "eth0" and status["mode"] == "tc"
    assert status["local4"] == "192.0.2.1"
    assert status["local6"] == "2001:db8::1"
    peer = status["peers"][0]
    assert peer["tx"]["bytes"] > peer["rx"]["bytes"] >= 84
    assert peer["verdicts"]["rx_decap"] == peer["rx"]
    assert 0 <= peer["last_rx_seconds"] < 60
    assert status["verdicts"]["tx_encap"]["packets"] >= peer["tx"]["packets"]
    listed = json.loads(tl_a.ok("status", "--json"))
    assert [s["interface"] for s in listed] == ["eth0"]
    text = tl_a.ok("status", "eth0")
    for piece in "eth0", "tc", "192.0.2.1", "192.0.2.2", "10.10.0.0/24", "b":
        assert piece in text


def test_a_new_peer_with_the_id_of_a_former_one(pair):
    """Its counters begin at 0."""
    (a, tl_a), _ = pair
    add_both(pair)
    assert ping(a, "10.10.0.1")
    assert tl_a.peer("b")["rx"]["packets"]
    tl_a.reload("[interface]\n")
    tl_a.ok("peer", "add", "eth0", "c", "endpoint", "192.0.2.9",
            "allowed-ips", "10.40.0.0/24")
    assert [row["key"] for row in tl_a.map("peers")] == [1]
    assert tl_a.peer("c")["last_rx_seconds"] is None
    assert tl_a.peer("c")["rx"]["packets"] == 0


def strange(b, a, **fields):
    """A tunnelled echo request that the first host refuses."""
    return (Ether(src=b.mac("eth0"), dst=a.mac("eth0")) /
            IP(src=fields.get("outer", "192.0.2.2"), dst="192.0.2.1") /
            IP(src=fields.get("inner", "10.66.0.1"), dst="172.22.2.2") /
            ICMP())


def test_monitor_shows_what_is_refused(lab, pair):
    (a, tl_a), (b, _) = pair
    add_both(pair)
    text = tl_a.start("monitor", "eth0")
    lab.keep(text)
    objects = tl_a.start("monitor", "eth0", "--json")
    lab.keep(objects)
    out = lab.sender(b, "eth0")

    def heard():
        out.send(strange(b, a))
        return "rx_not_allowed" in text.output() and \
            "rx_not_allowed" in objects.output()

    wait_until(heard, "both monitors print the event", interval=0.1)
    event = json.loads(next(x for x in objects.output().splitlines()
                            if "rx_not_allowed" in x))
    assert event["fate"] == "dropped"
    assert event["icmp"] == {"type": 8, "code": 0}
    assert event["verdict"] == "rx_not_allowed" and event["peer"] == "b"
    assert event["outer"] == {"source": "192.0.2.2",
                              "destination": "192.0.2.1"}
    assert event["inner"] == {"source": "10.66.0.1",
                              "destination": "172.22.2.2"}


MONITOR = """\
listening on eth0, ^C ends
TIME             FATE     VERDICT                PEER          LENGTH  PACKET
00:00:00.000000  dropped  rx_not_allowed         b                 28  \
outer 192.0.2.2 > 192.0.2.1 inner 10.66.0.1 > 172.22.2.2 ICMP 8/0 (echo request)
00:00:00.000000  passed   rx_no_peer             -                 48  \
outer 192.0.2.9 > 192.0.2.1 inner 10.66.0.1 > 172.22.2.2 ICMP 8/0 (echo request)
00:00:00.000000  passed   rx_icmp_unreachable    b                 76  \
outer 192.0.2.254 > 192.0.2.1 ICMP 3/1 (host unreachable)
00:00:00.000000  dropped  rx_borrowed            b                 28  \
inner 10.10.0.9 > 192.0.2.1 ICMP 8/77
00:00:00.000000  dropped  rx_borrowed            b                 48  \
inner fd00:10::9 > 2001:db8::1 ICMP 128/0 (echo request)
"""


def test_monitor_text(lab, pair):
    """The head, and a line for each kind of packet."""
    (a, tl_a), (b, _) = pair
    add_both(pair)
    monitor = tl_a.start("monitor", "eth0")
    lab.keep(monitor)
    monitor.wait_output("listening")
    ether = Ether(src=b.mac("eth0"), dst=a.mac("eth0"))
    ours = IP(src="192.0.2.1", dst="192.0.2.2", flags="DF", id=0, ttl=64) / \
        IP(src="172.22.2.2", dst="10.10.0.1") / ICMP()
    for packet in (strange(b, a), strange(b, a, outer="192.0.2.9"),
                   ether / IP(src="192.0.2.254", dst="192.0.2.1") /
                   ICMP(type=3, code=1) / bytes(ours),
                   ether / IP(src="10.10.0.9", dst="192.0.2.1") / ICMP(code=77),
                   ether / IPv6(src="fd00:10::9", dst="2001:db8::1") /
                   ICMPv6EchoRequest()):
        lab.sender(b, "eth0").send(packet)
    wait_until(lambda: monitor.output().count("\n") > 6, "all lines")
    assert re.sub(r"^\d\d:\d\d:\d\d\.\d{6}", "00:00:00.000000",
                  monitor.output(), flags=re.M) == MONITOR


def test_monitor_off_means_no_events(pair):
    (a, tl_a), _ = pair
    add_both(pair)
    assert tl_a.map("interface")[0]["value"]["monitor_until_ns"] == 0
    monitor = tl_a.start("monitor", "eth0")
    wait_until(lambda: tl_a.map("interface")[0]["value"]["monitor_until_ns"],
               "monitor listens")
    monitor.close()
    assert tl_a.map("interface")[0]["value"]["monitor_until_ns"] == 0
    assert ping(a, "10.10.0.1")


def test_monitor_ends_when_its_interface_is_detached(lab, pair):
    (_, tl_a), _ = pair
    monitor = tl_a.start("monitor", "eth0")
    lab.keep(monitor)
    wait_until(lambda: tl_a.map("interface")[0]["value"]["monitor_until_ns"],
               "monitor listens")
    tl_a.detach()
    tl_a.attach("[interface]\n")
    assert monitor.wait() == 1
    assert "eth0 was detached" in monitor.output()


def test_reading_meets_no_half_of_a_change(lab, pair):
    """status prints no warning or error while a peer is added and deleted."""
    (a, tl_a), _ = pair
    add = shlex.join(tl_a.argv("peer", "add", "eth0", "b", *PEER))
    delete = shlex.join(tl_a.argv("peer", "del", "eth0", "b"))
    changes = lab.start(a, "sh", "-c", "for i in $(seq 40); do "
                        f"{add} && {delete} || exit 1; done")
    seen = set()
    while changes.popen.poll() is None:
        done = tl_a.run("status", "eth0", "--json")
        assert done.returncode == 0 and done.stderr == ""
        seen.add(len(json.loads(done.stdout)["peers"]))
    assert changes.wait() == 0 and seen == {0, 1}


def test_endpoint_by_name(lab, pair):
    (a, tl_a), _ = pair
    add_both(pair)
    tl_a.ok("peer", "del", "eth0", "b")
    hosts = os.path.join(tl_a.dir, "hosts")
    conf = ("[interface]\nsource = 172.22.2.2\n[peer b]\n"
            "endpoint = router.example\nallowed-ips = 10.10.0.0/24\n")

    def reload(address):
        with open(hosts, "w", encoding="utf-8") as f:
            f.write(f"{address} router.example\n")
        argv = tl_a.argv("reload", "eth0", "-c", tl_a.write(conf))
        script = f"mount --bind {hosts} /etc/hosts && exec \"$@\""
        return lab.keep(a.start("unshare", "-m", "sh", "-c", script, "sh",
                                *argv[argv.index("--") + 1:])).wait()

    assert reload("192.0.2.2") == 0
    assert tl_a.peer("b")["endpoint"] == "192.0.2.2"
    assert ping(a, "10.10.0.1")
    assert "endpoint = router.example" in tl_a.ok("showconf", "eth0")
    assert reload("192.0.2.77") == 0
    assert tl_a.peer("b")["endpoint"] == "192.0.2.77"
    assert tl_a.peer("b")["tx"]["packets"] == 1


def test_commands_on_an_interface_that_is_gone(pair):
    (a, tl_a), _ = pair
    a.ip("link", "del", "eth0")
    for words in (["status", "eth0"], ["showconf", "eth0"],
                  ["peer", "list", "eth0"], ["trigger", "eth0"]):
        done = tl_a.run(*words)
        assert done.returncode == 1 and done.stdout == "", words
        assert done.stderr == (
            "tunload: eth0: the interface that was attached is gone: "
            "`tunload detach eth0` removes what is left, `tunload attach "
            "eth0` takes a new one\n"), words
    tl_a.ok("detach", "eth0")
    assert not os.path.exists(tl_a.pins)
