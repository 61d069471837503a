# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors to inner sources: their rate limit per window and CPU (RFC 1812
4.3.2.8, RFC 4443 2.4 f), the least MTU that they announce, and that they pass
ingress. Their content is tested in packets/egress.py. The same limit for
events. Packets that the programs send through the kernel to themselves and
recognise by their secret."""
import struct
import time

import pytest
from scapy.layers.inet import IP, fragment

from netns import Netns, jiffies, wait_until
from packets import bpf, case, egress, gateways, wire
from packets.runner import (TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC,
                            Runner)
from packets.world import TlInterface, TlNextHop, gateway

EVENTS, ICMP = 0, 1  # TL_LIMIT_*
WINDOW, MOST = 100_000_000, 100  # TL_LIMIT_WINDOW_NS, TL_LIMIT_A_WINDOW


@pytest.fixture(name="runner", scope="module")
def _runner():
    runner = Runner()
    yield runner
    runner.close()


def action(runner, kind, age, sent):
    """The action for a packet that is too big, if the window began `age` ns
    ago and `sent` errors have been sent in it; repeated if the machine is too
    slow."""
    runner.enter(case.MAIN)
    packet = wire.eth(wire.exactly(6, case.US[6], case.net(4, 6), 1481),
                      to=case.PEER[4].mac)
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
    """The same for events: the number of events for a dropped packet, while a
    monitor listens until `until`."""
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
    """All dropped packets are counted."""
    assert events(runner, WINDOW // 2, MOST - 2) == 2
    assert events(runner, WINDOW // 2, MOST - 1) == 1
    assert events(runner, WINDOW // 2, MOST) == 0
    assert events(runner, WINDOW + 1, MOST) == 2


def test_no_events_for_a_monitor_that_is_gone(runner):
    """A monitor that was killed gets events only until its request expires."""
    assert events(runner, 0, 0, until=10 ** 12) == 2
    assert events(runner, 0, 0, until=-1) == 0


def answer(runner, packet, peer):
    """The frame that goes back for a packet to one of egress.VARIANTS."""
    runner.enter(egress.VARIANTS)
    runner.maps["limits"].update(struct.pack("I", ICMP), bytes(16))
    result, out, _ = runner.quick("tc_egress", wire.eth(packet, to=peer.mac))
    assert result == TC_ACT_REDIRECT
    return out


@pytest.mark.parametrize("outer", [4, 6])
def test_least_mtu_of_ipv6(runner, outer):
    """RFC 8200 5: the MTU of an IPv6 path, also of a tunnel, is at least
    1280."""
    peer, dst = egress.VARIANT_PEERS[outer, 64, 576]
    assert peer.mtu < 1280
    packet = wire.exactly(6, case.US[6], dst[6], 1281)
    out = answer(runner, packet, peer)
    wire.check_too_big(out, packet, 1280, peer.mac)


# enum own_kind of bpf/packet/marks.h.
SENT, FRAGMENT, ANSWER = 1, 2, 3
SECRET = 0x0123456789abcdef


@pytest.fixture(name="knowing", scope="module")
def _knowing():
    """A Runner with a secret, as the loader sets it."""
    runner = Runner(own_secret=SECRET)
    yield runner
    runner.close()


def marked(kind, secret=SECRET, data=0, peer=0, mark=0):
    """The context of an skb with one of our marks (bpf/packet/marks.h)."""
    return bpf.SkBuff(mark=mark, cb=(bpf.u32 * 5)(
        secret & 0xffffffff, secret >> 32, kind, data, peer))


STRANGERS = [marked(ANSWER, 0), marked(ANSWER, SECRET ^ 1),
             marked(ANSWER, SECRET ^ 1 << 32), marked(SENT),
             bpf.SkBuff(mark=0x74756e6c)]


@pytest.mark.parametrize("inner", [4, 6])
def test_guard_knows_our_answers(runner, knowing, inner):
    """The source of our answers is in a tunnelled prefix; the secret tells
    them from borrowed sources."""
    peer, dst = egress.VARIANT_PEERS[4, 64, 1280]
    packet = wire.exactly(inner, case.US[inner], dst[inner], 1500,
                          **{4: {"flags": "DF"}, 6: {}}[inner])
    out = answer(knowing, packet, peer)
    assert knowing.quick("tc_ingress", out, marked(ANSWER)) == (
        TC_ACT_UNSPEC, out, {})
    for ctx in STRANGERS:
        result, _, counted = knowing.quick("tc_ingress", out, ctx)
        assert result == TC_ACT_SHOT and list(counted) == ["rx_borrowed"]
    out = answer(runner, packet, peer)
    for ctx in marked(ANSWER), marked(ANSWER, 0):
        result, _, counted = runner.quick("tc_ingress", out, ctx)
        assert result == TC_ACT_SHOT and list(counted) == ["rx_borrowed"]


def outer_frame(peer):
    """An outer packet on its second pass through egress, with the kernel's
    MACs."""
    packet = wire.udp(4, case.US[4], case.net(4, 4))
    return wire.eth(packet, to=peer.mac), wire.eth(wire.to_peer(peer, packet))


def learnt(runner, peer):
    """The next hop that any CPU has learned."""
    rows = map(TlNextHop.from_buffer_copy, runner.maps["next_hops"].lookup(
        peer.id.to_bytes(4, "little")))
    return [(row.peer, bytes(row.macs), row.until) for row in rows
            if row.until]


def leaves_at_once(knowing, inner, frame, peer):
    """Learns the next hop; True if the inner packet then leaves with it."""
    knowing.quick("tc_egress", frame, marked(SENT, peer=peer.id))
    result, out, counted = knowing.quick("tc_egress", inner)
    assert list(counted) == ["tx_encap"]
    return result == TC_ACT_UNSPEC and out[:14] == frame[:14]


@pytest.mark.parametrize("outer", [4, 6])
def test_next_hop_is_learnt(knowing, outer):
    """The next hop is learned on the second pass, which is not counted, and
    then used for a second at most."""
    peer = case.PEER[outer]
    knowing.enter(case.EMPTY)
    knowing.enter(case.MAIN)
    inner, frame = outer_frame(peer)
    knowing.maps["next_hops"].update(peer.id.to_bytes(4, "little"), bytes(24))
    assert knowing.quick("tc_egress", inner)[0] == TC_ACT_REDIRECT
    before = jiffies()
    assert knowing.quick("tc_egress", frame, marked(SENT, peer=peer.id)) == (
        TC_ACT_UNSPEC, frame, {})
    (ident, macs, until), = learnt(knowing, peer)
    assert (ident, macs) == (peer.id, frame[:12])
    assert before + 100 <= until <= jiffies() + 100
    # On a slow machine it is too old at once.
    wait_until(lambda: leaves_at_once(knowing, inner, frame, peer),
               "the next hop is used")
    wait_until(lambda: knowing.quick("tc_egress", inner)[0]
               == TC_ACT_REDIRECT, "the next hop is too old")


def test_nothing_is_learnt_of_others(runner, knowing):
    """Without the secret an outer packet is a plain frame, which is not
    counted for the peer; from a packet that was tunnelled already nothing is
    learned."""
    peer = case.PEER[4]
    frame = outer_frame(peer)[1]
    for one, ctxs in (knowing, [marked(SENT, SECRET ^ 1, peer=peer.id),
                                marked(SENT, 0, peer=peer.id),
                                marked(ANSWER, peer=peer.id)]), \
            (runner, [marked(SENT, 0, peer=peer.id)]):
        one.enter(case.EMPTY)
        one.enter(case.MAIN)
        one.maps["next_hops"].update(peer.id.to_bytes(4, "little"), bytes(24))
        for ctx in ctxs:
            result, out, counted = one.quick("tc_egress", frame, ctx)
            assert (result, out, list(counted)) == (
                TC_ACT_UNSPEC, frame, ["tx_plain"])
    assert knowing.quick("tc_egress", frame, marked(SENT, peer=0)) == (
        TC_ACT_UNSPEC, frame, {})
    assert not learnt(knowing, peer) and not learnt(runner, peer)


def test_outer_packets_into_a_tunnel(knowing):
    """The route to an endpoint leads to a gateway: a loop (RFC 2003 3.2)."""
    peer = case.PEER[4]
    knowing.enter(case.MAIN)
    frame = outer_frame(peer)[1]
    result, _, counted = knowing.quick(
        "tc_egress", case.NESTED[4].mac + frame[6:],
        marked(SENT, peer=peer.id))
    assert result == TC_ACT_SHOT and list(counted) == ["tx_loop"]


MARK = 0x51


def context(runner, frame, ctx):
    """(mark, control block) of an skb after tc_egress."""
    after = bpf.SkBuff()
    runner.quick("tc_egress", frame, ctx, after)
    low, high, *said = after.cb
    return after.mark, said if low | high << 32 == SECRET else [low, high]


def test_mark_of_an_outer_packet(knowing):
    """The outer packet is routed without the inner packet's mark and leaves
    with it again, and without the secret."""
    peer = case.PEER[4]
    knowing.enter(case.EMPTY)
    knowing.enter(case.MAIN)
    knowing.maps["next_hops"].update(peer.id.to_bytes(4, "little"), bytes(24))
    inner, frame = outer_frame(peer)
    assert context(knowing, inner, bpf.SkBuff(mark=MARK)) == (
        0, [SENT, MARK, peer.id])
    assert context(knowing, frame, marked(SENT, data=MARK, peer=peer.id)) == (
        MARK, [0, 0])


@pytest.mark.parametrize("mode, said", [
    (2, [ANSWER, 0, 0]), (1, [0, 0])], ids=["tc", "native"])
def test_marks_of_answers(knowing, mode, said):
    """An answer has the secret only if tc_ingress is attached, which clears
    it, so that no secret gets into the host. It has no mark."""
    peer, dst = egress.VARIANT_PEERS[4, 64, 1280]
    knowing.enter(egress.VARIANTS)
    iface = TlInterface.from_buffer_copy(
        knowing.maps["interface"].lookup(bytes(4))[0])
    iface.mode = mode
    knowing.maps["interface"].update(bytes(4), bytes(iface))
    knowing.maps["limits"].update(struct.pack("I", ICMP), bytes(16))
    too_big = wire.eth(wire.exactly(6, case.US[6], dst[6], 1500), to=peer.mac)
    request = wire.eth(gateways.arp(1, case.US[4], gateway(4, peer.id)),
                       0x0806, to=b"\xff" * 6)
    for frame in too_big, request:
        assert context(knowing, frame, bpf.SkBuff(mark=MARK)) == (0, said)
    knowing.enter(case.EMPTY)  # restores the interface record


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("size", [100, 576, 1124, 1400, 3000])
def test_fragments_of_a_packet(knowing, outer, size):
    """Each copy is cut to its piece (RFC 791 3.1), equal to scapy's fragment,
    and tunnelled."""
    peer, dst = egress.VARIANT_PEERS[outer, 64, 576]
    knowing.enter(egress.VARIANTS)
    packet = IP(wire.exactly(4, case.US[4], dst[4], size, id=77, ttl=9,
                             tos=5))
    piece = (peer.mtu - 20) & ~7
    want = fragment(packet, piece)
    at = 0
    for one in want:
        one = bytes(one)
        result, out, counted = knowing.quick(
            "tc_egress", wire.eth(bytes(packet), to=peer.mac),
            marked(FRAGMENT, data=at << 16 | piece, peer=peer.id))
        assert counted == {"tx_encap": (1, len(one))}
        assert result == TC_ACT_REDIRECT
        if outer == 6:
            out = wire.without_label(out)[0]
        assert out == wire.eth(wire.to_peer(peer, one), to=peer.mac)
        at += piece
    assert at >= size - 20 and len(one) <= peer.mtu


@pytest.fixture(name="netns")
def _netns():
    """A namespace whose loopback interface receives the copies of a fragmented
    packet."""
    netns = Netns("cut")
    yield netns
    netns.close()


def test_what_is_not_cut(knowing, runner, netns):
    """Fragments need the secret and a complete checksum: one that is left to
    the network card (the field has the sum of the pseudo-header) would be
    computed over the first fragment. The source gets an ICMP error instead."""
    peer, dst = egress.VARIANT_PEERS[4, 64, 576]
    packet = wire.exactly(4, case.US[4], dst[4], 1000)
    head = packet[12:20] + struct.pack("!HH", packet[9], len(packet) - 20)
    pending = bytearray(packet)
    pending[26:28] = (0xffff - wire.checksum(head)).to_bytes(2, "big")
    for one, sent, verdict in ((knowing, packet, "tx_fragmented"),
                               (knowing, pending, "tx_too_big"),
                               (runner, packet, "tx_too_big")):
        one.enter(egress.VARIANTS)
        counted = netns.call(one.quick, "tc_egress",
                             wire.eth(bytes(sent), to=peer.mac))[2]
        assert counted == {verdict: (1, len(sent))}


def test_fragments_of_a_fragment(knowing):
    """The fragments continue its offset and more-fragments bit (RFC 791
    3.2)."""
    peer, dst = egress.VARIANT_PEERS[4, 64, 576]
    knowing.enter(egress.VARIANTS)
    for flags, last in (("MF", 0x2000), (0, 0)):
        packet = wire.ip(4, case.US[4], dst[4], 17, bytes(range(200)) * 5,
                         id=7, flags=flags, frag=100)
        for at, more in ((0, 0x2000), (552, last)):
            out = knowing.quick(
                "tc_egress", wire.eth(packet, to=peer.mac),
                marked(FRAGMENT, data=at << 16 | 552, peer=peer.id))[1][34:]
            field = int.from_bytes(out[6:8], "big")
            assert field == 100 + at // 8 | more
            assert wire.checksum(out[:20]) == 0
            assert out[20:] == packet[20 + at:20 + at + 552]


def test_fragments_beyond_the_end(knowing):
    peer, dst = egress.VARIANT_PEERS[4, 64, 576]
    knowing.enter(egress.VARIANTS)
    packet = wire.exactly(4, case.US[4], dst[4], 1000)
    result, _, counted = knowing.quick(
        "tc_egress", wire.eth(packet, to=peer.mac),
        marked(FRAGMENT, data=980 << 16 | 552, peer=peer.id))
    assert result == TC_ACT_SHOT and list(counted) == ["tx_error"]
