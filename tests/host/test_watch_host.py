# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch` follows the host at once, long before it would look at
everything again."""
import json

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (ICMPv6ND_RA, ICMPv6NDOptPrefixInfo,
                                ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import Ether

from lab import wait_until
from lifecycle import A, B, hook_env
from netns import PATIENCE
from traffic import is_tunnel, packet_of, ping
from watched import MOMENT, Watched, conf


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Watched pair of hosts."""
    return Watched(lab)


def soon(condition, what):
    """wait_until(), only for a moment."""
    wait_until(condition, what, timeout=MOMENT * PATIENCE)


@pytest.mark.parametrize("change", [
    ["route", "del", "10.10.0.0/24"],
    ["route", "change", "10.10.0.0/24", "via", "192.0.2.2", "dev", "eth0",
     "proto", "94"],
    ["addr", "flush", "to", A, "dev", "eth0"],
    ["neigh", "flush", "dev", "eth0", "nud", "permanent"],
])
def test_what_others_remove_is_put_back(pair, change):
    watch = pair.up()
    before = pair.traces()
    for n in range(1, 4):
        pair.a.ip(*change)
        if n == 1 and pair.traces() == before:
            pytest.skip("changes nothing here")
        soon(lambda n=n: watch.output().count("eth0: mended: put") == n,
             "mended")
        assert pair.traces() == before
    assert ping(pair.a, B, A)


def test_a_program_that_was_taken_off(pair):
    """The kernel tells of tc filters; other hooks are looked at every 25 s."""
    pair.tl.detach()
    pair.tl.attach(conf(), "--no-trigger", env=hook_env("clsact"))
    watch = pair.up()
    pair.a.run("tc", "filter", "del", "dev", "eth0", "egress", "pref", "94")
    soon(lambda: "eth0: mended: put the program back on tc egress" in
         watch.output(), "mended")


def test_another_address(pair):
    watch = pair.up()
    pair.tl_b.ok("peer", "set", "eth0", "a", "endpoint", "192.0.2.77")
    pair.a.ip("addr", "del", "192.0.2.1/24", "dev", "eth0")
    pair.a.addr("eth0", "192.0.2.77/24")
    soon(lambda: pair.tl.peer("b")["local"] == "192.0.2.77", "new local")
    assert "192.0.2.77" in watch.output()
    wait_until(lambda: ping(pair.a, B, A, wait=1), "ping")


def test_the_link_goes_down_and_up(pair):
    watch = pair.up()
    pair.a.ip("link", "set", "eth0", "down")
    watch.wait_output("eth0: b: silent")
    pair.a.ip("link", "set", "eth0", "up")
    soon(lambda: "mended: put" in watch.output(), "mended")
    watch.wait_output("(was silent)")


def test_the_mtu_of_the_interface(pair):
    pair.up()
    for mtu in 1400, 1500:
        pair.a.ip("link", "set", "eth0", "mtu", mtu)
        soon(lambda m=mtu: f"mtu {m - 20} " in
             pair.a.ip("route", "get", B).stdout + " ", f"mtu {mtu}")


def too_big(frame, mtu):
    """A router's answer to an outer packet."""
    ip = IP(frame[14:])
    return (Ether(src=frame[:6], dst=frame[6:12]) /
            IP(src="192.0.2.2", dst=ip.src) /
            ICMP(type=3, code=4, nexthopmtu=mtu) / bytes(ip)[:100])


def test_a_learnt_mtu_gets_into_the_routes(pair):
    pair.up()
    out = pair.lab.capture(pair.a, "eth0", lambda f: is_tunnel(
        packet_of(f.data)) and packet_of(f.data).src == "192.0.2.1")
    ping(pair.a, B, A, size=1300)
    frame = max((f.data for f in out.wait(2)), key=len)
    assert len(frame) > 1300
    pair.lab.sender(pair.b, "eth0").send(too_big(frame, 1200))
    soon(lambda: "mtu 1180" in pair.a.ip("route").stdout, "the learnt MTU")


def test_other_changes_are_left_alone(pair):
    """Bursts are one piece of work, and nothing is ours there."""
    watch = pair.up()
    routes = [f"route add 198.18.{i}.0/24 via 192.0.2.2" for i in range(200)]
    pair.a.batch(*routes)
    pair.a.batch(*(r.replace("add", "del") for r in routes))
    pair.a.ip("route", "del", "10.10.0.0/24")
    soon(lambda: "mended: put 1 routes" in watch.output(), "mended")
    assert watch.output().count("mended") == 1
    assert json.loads(pair.a.ip("-json", "route", "show",
                                "198.18.0.0/15").stdout) == []


def test_a_network_inside_a_tunnelled_prefix(pair):
    """A host that gets a network later keeps it outside of the tunnel."""
    pair.tl.reload(conf("probe = 10.10.0.1\nkeepalive = 1").replace(
        "10.10.0.0/24", "10.0.0.0/8"))
    watch = pair.up()
    pair.a.addr("eth0", "10.99.0.1/24")
    pair.b.addr("eth0", "10.99.0.2/24")
    soon(lambda: "mended: updated the networks that stay outside" in
         watch.output(), "mended")
    assert ping(pair.a, "10.99.0.2") and ping(pair.a, B, A)


def advertise(pair, router, lifetime):
    """A router on the wire advertises itself and a prefix (RFC 4861 4.2)."""
    mac = "02:00:00:00:00:" + router[-2:]
    pair.lab.sender(pair.b, "eth0").send(
        Ether(src=mac, dst="33:33:00:00:00:01") /
        IPv6(src=router, dst="ff02::1", hlim=255) /
        ICMPv6ND_RA(routerlifetime=lifetime) /
        ICMPv6NDOptSrcLLAddr(lladdr=mac) /
        ICMPv6NDOptPrefixInfo(prefix="2001:db8:77::", prefixlen=64))


def test_routers_and_their_prefixes(lab):
    """An address and a router of advertisements are enough for a peer that
    waited, and so is another router later."""
    pair = Watched(lab, conf(peers="""[peer far]
endpoint = 2001:db8:f::1
allowed-ips = 10.20.0.0/24
"""))
    pair.a.ip("addr", "flush", "dev", "eth0", "scope", "global")
    pair.a.addr("eth0", "192.0.2.1/24")
    pair.a.sysctl("net.ipv6.conf.eth0.accept_ra", 2)
    watch = pair.watch()
    watch.wait_output("eth0: far: waiting: ")
    sent = lab.capture(pair.a, "eth0", lambda f: f.outgoing and
                       is_tunnel(packet_of(f.data)) and
                       packet_of(f.data).dst == "2001:db8:f::1")

    def first_to(router):
        advertise(pair, router, 1800)
        wait_until(lambda: f"via {router} " in pair.a.ip(
            "-6", "route", "show", "default").stdout, "the router")
        pair.a.ip("neigh", "replace", router, "lladdr", "02:00:00:00:01:01",
                  "dev", "eth0")
        soon(lambda: pair.tl.peer("far")["waiting"] is None, "working")
        sent.clear()
        pair.tl.ok("trigger", "eth0", "far")
        frame = sent.wait(1)[0].data
        assert packet_of(frame).src.startswith("2001:db8:77:")

    first_to("fe80::11")
    advertise(pair, "fe80::11", 0)
    first_to("fe80::22")
