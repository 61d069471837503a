# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors to inner sources: how many go back (RFC 1812 4.3.2.8, RFC 4443
2.4 f): so many in a window on each CPU, no more, and then again; and what the
least MTU is that they announce; that they get in. What they look like is in packets/egress.py.
Events are limited in the same way."""
import struct
import time

import pytest

from packets import bpf, case, egress, wire
from packets.runner import (TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC,
                            Runner)
from packets.world import TlInterface

MARK_ANSWER = 0x74756e6c
EVENTS, ICMP = 0, 1  # TL_LIMIT_*
WINDOW, MOST = 100_000_000, 100  # TL_LIMIT_WINDOW_NS, TL_LIMIT_A_WINDOW


@pytest.fixture(name="runner", scope="module")
def _runner():
    runner = Runner()
    yield runner
    runner.close()


def action(runner, kind, age, sent):
    """What becomes of a packet that is too big when a window began `age` ns
    ago in which `sent` have been sent; again while the machine dawdles."""
    runner.enter(case.MAIN)
    packet = wire.eth(wire.exactly(6, case.US[6], case.net(4, 6), 1481))
    while True:
        now = time.monotonic_ns()
        runner.maps["limits"].update(struct.pack("I", kind),
                                     struct.pack("QQ", now - age, sent))
        result, _, counted = runner.quick("tc_egress", packet)
        assert counted == {"tx_too_big": (1, 1481)}
        if time.monotonic_ns() - now < WINDOW // 4:
            return result


def test_answers_are_limited(runner):
    assert action(runner, ICMP, WINDOW // 2, MOST - 1) == TC_ACT_REDIRECT
    assert action(runner, ICMP, WINDOW // 2, MOST) == TC_ACT_SHOT
    assert action(runner, ICMP, WINDOW // 2, MOST + 1) == TC_ACT_SHOT


def test_next_window(runner):
    assert action(runner, ICMP, WINDOW + 1, MOST) == TC_ACT_REDIRECT


def test_events_have_a_limit_of_their_own(runner):
    assert action(runner, ICMP, WINDOW * 2, 0) == TC_ACT_REDIRECT
    assert action(runner, 1 - ICMP, WINDOW // 2, MOST) == TC_ACT_REDIRECT


def events(runner, age, sent, until=2 ** 63):
    """The same for events: how many there are of a packet that is dropped,
    while a monitor listens until then."""
    runner.enter(case.MAIN, listen=True)
    iface = TlInterface.from_buffer_copy(
        runner.maps["interface"].lookup(bytes(4))[0])
    packet = wire.eth(wire.from_peer(case.PEER[4], wire.udp(
        4, case.STRANGER[4], case.US[4])))
    while True:
        now = time.monotonic_ns()
        iface.monitor_until_ns = min(until + now, 2 ** 63)
        runner.maps["interface"].update(bytes(4), bytes(iface))
        runner.maps["limits"].update(struct.pack("I", EVENTS),
                                     struct.pack("QQ", now - age, sent))
        for prog in "xdp_ingress", "tc_ingress":
            counted = runner.quick(prog, packet)[2]
            assert list(counted) == ["rx_not_allowed"]
        found = len(runner.events())
        if time.monotonic_ns() - now < WINDOW // 4:
            return found


def test_events_are_limited(runner):
    """Counted they all are."""
    assert events(runner, WINDOW // 2, MOST - 2) == 2
    assert events(runner, WINDOW // 2, MOST - 1) == 1
    assert events(runner, WINDOW // 2, MOST) == 0
    assert events(runner, WINDOW + 1, MOST) == 2


def test_no_events_for_a_monitor_that_is_gone(runner):
    """It has not said goodbye, but listened only for a while."""
    assert events(runner, 0, 0, until=10 ** 12) == 2
    assert events(runner, 0, 0, until=-1) == 0


def answer(runner, packet):
    """The frame that goes back for a packet to one of egress.VARIANTS."""
    runner.enter(egress.VARIANTS)
    runner.maps["limits"].update(struct.pack("I", ICMP), bytes(16))
    result, out, _ = runner.quick("tc_egress", wire.eth(packet))
    assert result == TC_ACT_REDIRECT
    return out


@pytest.mark.parametrize("outer", [4, 6])
def test_least_mtu_of_ipv6(runner, outer):
    """RFC 8200 5: no path of IPv6 has less than 1280, nor has a tunnel."""
    peer, dst = egress.VARIANT_PEERS[outer, 64, 576]
    assert peer.mtu < 1280
    packet = wire.exactly(6, case.US[6], dst[6], 1281)
    out = answer(runner, packet)
    wire.check_too_big(out, packet, 1280)


@pytest.mark.parametrize("inner", [4, 6])
def test_guard_knows_our_answers(runner, inner):
    """Their source is a tunnelled prefix; a mark tells them from borrowers."""
    dst = egress.VARIANT_PEERS[4, 64, 1280][1]
    out = answer(runner, wire.exactly(inner, case.US[inner], dst[inner], 1500,
                                      **{4: {"flags": "DF"}, 6: {}}[inner]))
    marked = bpf.SkBuff(mark=MARK_ANSWER)
    assert runner.quick("tc_ingress", out, marked) == (TC_ACT_UNSPEC, out, {})
    result, _, counted = runner.quick("tc_ingress", out)
    assert result == TC_ACT_SHOT and list(counted) == ["rx_borrowed"]
