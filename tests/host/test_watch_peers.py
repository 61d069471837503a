# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch`: which peers are up, what it says when that changes, how it
begins and ends."""
import fcntl
import os
import signal

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from lab import TUNLOAD, wait_until
from lifecycle import A, B, CONF_B, EXTRA_PEER
from traffic import is_tunnel, packet_of, ping
from watched import Watched, conf, lines


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Watched pair of hosts."""
    return Watched(lab)


def test_down_and_up(pair):
    watch = pair.up()
    pair.kill_b()
    watch.wait_output("eth0: b: silent")
    pair.revive_b()
    watch.wait_output("(was silent)")
    watch.signal(signal.SIGTERM)
    assert watch.wait() == 0
    assert lines(watch) == [
        "tunload: eth0: watching 1 peer",
        "tunload: eth0: b: up in N ms (was idle)",
        "tunload: eth0: b: silent: 3 keepalives to 10.10.0.1 unanswered "
        "(was up)",
        "tunload: eth0: b: up in N ms (was silent)"]


def test_other_traffic_is_life(pair):
    """b has no answer to pings, but sends something."""
    pair.b.nft("table ip f { chain in { type filter hook input priority 0; "
               "icmp type echo-request drop; }; }")
    watch = pair.watch()
    watch.wait_output("eth0: b: silent")
    sender = pair.lab.sender(pair.b, "eth0")
    packet = (Ether(src=pair.b.mac("eth0"), dst=pair.a.mac("eth0")) /
              IP(src="192.0.2.2", dst="192.0.2.1") / IP(src=B, dst=A) / ICMP())

    def is_up():
        sender.send(packet)
        return "eth0: b: up (was silent)" in watch.output()

    wait_until(is_up, "up", interval=0.2)


def test_an_answer_without_a_tunnel_is_none(pair):
    """b's answers come past the tunnel."""
    pair.tl_b.reload(CONF_B.replace("[peer", "routes = no\n[peer"))
    pair.b.ip("route", "add", A, "via", "192.0.2.1", "src", B)
    pair.tl.ok("peer", "set", "eth0", "b", "guard", "no")
    replies = pair.lab.capture(
        pair.a, "eth0", lambda f: packet_of(f.data) is not None and
        packet_of(f.data).src == B)
    watch = pair.watch()
    watch.wait_output("eth0: b: silent")
    assert replies.wait(3)
    assert ": up" not in watch.output()


def test_a_peer_without_keepalive_is_not_asked(pair):
    pair.tl.ok("peer", "set", "eth0", "b", "keepalive", "0")
    watch = pair.watch()
    watch.wait_output("watching 1 peer")
    pair.tl_b.ok("trigger", "eth0")
    watch.wait_output("eth0: b: up (was idle)")
    assert pair.tl.peer("b")["tx"]["packets"] == 0


def test_a_peer_that_waits(pair):
    watch = pair.up()
    pair.a.ip("addr", "del", "192.0.2.1/24", "dev", "eth0")
    watch.wait_output("eth0: b: waiting: ")
    pair.a.addr("eth0", "192.0.2.1/24")
    watch.wait_output("eth0: b: idle (was waiting)")
    wait_until(lambda: lines(watch)[-1] ==
               "tunload: eth0: b: up in N ms (was idle)", "up again")
    reason = pair.tl.peer("b")["waiting"]
    assert reason is None
    assert ping(pair.a, B, A)


def test_it_goes_on_after_a_restart(pair):
    """A peer that was heard a moment ago is up from the beginning."""
    pair.up().close()
    pair.kill_b()
    watch = pair.watch()
    watch.wait_output("(was idle)")
    assert "eth0: b: up (was idle)" in watch.output()


def test_peers_come_and_go(pair):
    watch = pair.up()
    pair.tl.ok("peer", "add", "eth0", "c", "endpoint", "192.0.2.3",
               "allowed-ips", "10.30.0.0/24", "keepalive", "1")
    watch.wait_output("eth0: c: silent: 3 keepalives to 10.30.0.1 unanswered")
    pair.tl.ok("peer", "del", "eth0", "c")
    pair.kill_b()
    watch.wait_output("eth0: b: silent")
    assert watch.output().count("eth0: c: ") == 1


def test_both_families_are_kept_open(pair):
    pair.tl.reload(conf("keepalive = 1\nallowed-ips = fd00:10::/64"))
    wire = pair.lab.capture(pair.a, "eth0",
                            lambda f: is_tunnel(packet_of(f.data)))
    pair.up()
    wait_until(lambda: {packet_of(f.data).proto for f in wire.frames()
                        if packet_of(f.data).src == "192.0.2.1"} == {4, 41},
               "keepalives of both families")


def test_it_waits_for_the_interface_to_be_attached(pair):
    watch = pair.up()
    pair.tl.detach()
    watch.wait_output("eth0: detached, or gone")
    watch.wait_output("eth0: waiting for it: eth0 is not attached")
    pair.tl.attach(conf(peers=EXTRA_PEER), "--no-trigger")
    watch.wait_output("eth0: watching 2 peers")
    wait_until(lambda: watch.output().count("eth0: b: up in") == 2, "b is up")


def test_it_waits_for_an_interface_that_is_gone(pair):
    watch = pair.up()
    pair.a.ip("link", "del", "eth0")
    watch.wait_output("eth0: detached, or gone")
    pair.lab.veth(pair.a, "eth0", pair.b, "eth0")
    for ns, address in (pair.a, "192.0.2.1/24"), (pair.b, "192.0.2.2/24"):
        ns.addr("eth0", address)
    pair.revive_b()
    pair.tl.attach(conf(), "--no-trigger")
    wait_until(lambda: watch.output().count("eth0: b: up in") == 2, "b is up")


def test_it_begins_before_attach(pair):
    pair.tl.detach()
    watch = pair.watch()
    watch.wait_output("eth0: waiting for it: eth0 is not attached")
    pair.tl.attach(conf(), "--no-trigger")
    watch.wait_output("eth0: b: up in")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once(pair, number):
    """Also while another command holds the lock, and it wants it itself."""
    watch = pair.up()
    lock = os.open(pair.tl.pins, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    pair.a.ip("route", "del", "10.10.0.0/24")
    watch.signal(number)
    assert watch.wait() == 0
    os.close(lock)


def test_a_lock_does_not_stop_the_keepalives(pair):
    watch = pair.up()
    lock = os.open(pair.tl.pins, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    pair.a.ip("route", "change", "10.10.0.0/24", "via", "192.0.2.2", "dev",
              "eth0", "proto", "94")
    watch.wait_output(f"eth0: b: silent: {B} is not routed into the tunnel")
    os.close(lock)
    watch.wait_output("eth0: mended: put 1 routes or addresses right")
    watch.wait_output("(was silent)")


def test_killed_and_started_again_it_costs_no_packet(pair):
    flows = pair.flows()
    with flows[0], flows[1]:
        for _ in range(3):
            watch = pair.up()
            watch.popen.kill()
            watch.wait()
        watch = pair.up()
    for flow in flows:
        assert flow.sent > 0 and flow.got == flow.sent


def test_wrong_arguments(pair):
    for args, told in (
            ((), "no interface"), (("eth0", "eth1"), "eth1"),
            (("eth0", "--exec"), "--exec")):
        done = pair.a.run(TUNLOAD, "watch", *args, check=False)
        assert done.returncode == 2 and told in done.stderr, done
