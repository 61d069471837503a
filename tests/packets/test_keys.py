# SPDX-License-Identifier: GPL-2.0-only
"""The keys of a peer, as far as one case cannot show them: the mark of an skb,
how many packets a rate lets through, and what XDP leaves to tc_ingress."""
import pytest

from packets import bpf, case, wire
from packets.keys import PEERS, VRF_MAC, WORLD, inner_packet
from packets.runner import (TC_ACT_REDIRECT, TC_ACT_UNSPEC, XDP_DROP, XDP_PASS,
                            Runner)
from packets.world import World

XDP, TC = 1, 2  # TL_INGRESS_*
RATE, BURST = 50, 16  # RATE_BURST_PACKETS


@pytest.fixture(name="runner", scope="module")
def _runner():
    runner = Runner()
    yield runner
    runner.close()


def frame(what, combo, **fields):
    return wire.eth(wire.from_peer(PEERS[what, combo[1]],
                                   inner_packet(what, combo), **fields))


def hooks(runner, used):
    """Tells the programs which ingress hooks are in use."""
    runner.enter(WORLD)
    value = bytearray(runner.maps["generations"].lookup(bytes(4))[0])
    value[8:12] = used.to_bytes(4, "little")
    runner.maps["generations"].update(bytes(4), bytes(value))


@pytest.fixture(name="beside", params=[XDP | TC])
def _beside(runner, request):
    hooks(runner, request.param)
    yield runner
    hooks(runner, 0)


@pytest.mark.parametrize("combo", wire.COMBOS, ids=str)
def test_mark(runner, combo):
    """A decapsulated packet has the mark of its peer, others none."""
    runner.enter(WORLD)
    for what, mark, action in (("all", 7, TC_ACT_REDIRECT),
                               ("min-ttl", 0, TC_ACT_UNSPEC)):
        after = bpf.SkBuff()
        result, _, counted = runner.quick(
            "tc_ingress", frame(what, combo, ttl=255), after=after)
        assert (result, after.mark, list(counted)) == (
            action, mark, ["rx_decap"])


@pytest.mark.parametrize("combo", wire.COMBOS, ids=str)
def test_xdp_leaves_it_to_tc(beside, combo):
    """XDP neither counts nor changes a packet of a peer with mark or vrf;
    tc_ingress does."""
    data = frame("vrf", combo)
    assert beside.quick("xdp_ingress", data) == (XDP_PASS, data, {})
    action, out, counted = beside.quick("tc_ingress", data)
    assert action == TC_ACT_REDIRECT and list(counted) == ["rx_decap"]
    assert out == VRF_MAC + wire.eth(inner_packet("vrf", combo))[6:]


@pytest.mark.parametrize("combo", wire.COMBOS, ids=str)
def test_tc_touches_nothing_else(beside, combo):
    """Beside XDP, tc_ingress neither counts nor changes packets of other
    peers, fragments, bad ones, plain ones, or what XDP has decapsulated."""
    bad = bytearray(frame("vrf", combo))
    bad[14 + (20 if combo[1] == 4 else 40)] ^= 0xff  # inner version
    plain = inner_packet("vrf", combo)
    frames = [frame("min-ttl", combo), bytes(bad), wire.eth(plain),
              wire.eth(plain, tags=[(0x8100, 5)]),
              wire.eth(wire.tcp(combo[0], case.STRANGER[combo[0]],
                                case.US[combo[0]])),
              frame("all", combo, ttl=254)]
    if combo[1] == 4:
        frames.append(frame("vrf", combo, flags="MF"))
    for data in frames:
        assert beside.quick("tc_ingress", data) == (TC_ACT_UNSPEC, data, {})


@pytest.mark.parametrize("combo", wire.COMBOS, ids=str)
def test_xdp_counts_the_bad_ones(beside, combo):
    """What XDP refuses itself is not left to tc."""
    action, _, counted = beside.quick("xdp_ingress",
                                      frame("all", combo, ttl=254))
    assert (action, list(counted)) == (XDP_DROP, ["rx_low_ttl"])


@pytest.mark.parametrize("prog", ["xdp_ingress", "tc_ingress"])
def test_rate(runner, prog):
    """A burst gets through, then the rate: a peer that is ahead by its burst
    waits; after a time that is long enough all get through again."""
    world = World()
    peer = world.peer("198.51.100.1", case.LOCAL[4], ["10.1.0.0/16"],
                      rate=RATE)
    data = wire.eth(wire.from_peer(peer, wire.udp(4, "10.1.0.9", case.US[4])))
    runner.enter(world)
    verdicts = [list(runner.quick(prog, data)[2]) for _ in range(200)]
    passed = verdicts.count(["rx_decap"])
    assert passed + verdicts.count(["rx_rate"]) == 200
    assert verdicts[:BURST] == [["rx_decap"]] * BURST and passed < 150
    runner.maps["rates"].clear()
    assert list(runner.quick(prog, data)[2]) == ["rx_decap"]


def test_rate_counts_segments(runner):
    """Of a super-packet each segment counts."""
    world = World()
    peer = world.peer("198.51.100.1", case.LOCAL[4], ["10.1.0.0/16"],
                      rate=RATE)
    data = wire.eth(wire.from_peer(peer, wire.udp(4, "10.1.0.9", case.US[4],
                                                  1000)))
    runner.enter(world)
    large = runner.run("tc_ingress", data, gso_size=10)
    assert list(large.counted) == ["rx_rate"]
    assert list(runner.run("tc_ingress", data).counted) == ["rx_decap"]
