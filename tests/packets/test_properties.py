# SPDX-License-Identifier: GPL-2.0-only
"""Random packets through the BPF programs, with a fixed seed.

TUNLOAD_SEED=N chooses another seed, TUNLOAD_PROPERTY_SECONDS=N how long each
property runs (default: 0.3). A failure names the seed and the packet.
"""

import ipaddress
import os
import random
import time

import pytest

from packets import model, wire
from packets.remote import new_runner
from packets.runner import (TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC,
                            XDP_DROP, XDP_PASS)
from packets.tables import all_cases
from packets.world import FATES, VRF_MAC, World, gateway_mac

SEED = int(os.environ.get("TUNLOAD_SEED", "1"))
SECONDS = float(os.environ.get("TUNLOAD_PROPERTY_SECONDS", "0.3"))
BATCH = 200

# Two ends of one tunnel: outer addresses, and the inner prefixes behind them.
OUTER = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8::1", "2001:db8::2")}
INNER = {4: ("10.1.0.0/16", "10.2.0.0/16"),
         6: ("fd00:1::/32", "fd00:2::/32")}

ACTIONS = {
    "xdp_ingress": {"DROP": [XDP_DROP], "PASS": [XDP_PASS],
                    "TUNNEL": [XDP_PASS]},
    "tc_ingress": {"DROP": [TC_ACT_SHOT], "PASS": [TC_ACT_UNSPEC],
                   "TUNNEL": [TC_ACT_UNSPEC]},
    # an ICMP error may replace a packet that is too big
    "tc_egress": {"DROP": [TC_ACT_SHOT, TC_ACT_REDIRECT],
                  "PASS": [TC_ACT_UNSPEC, TC_ACT_REDIRECT],
                  "TUNNEL": [TC_ACT_UNSPEC, TC_ACT_REDIRECT],
                  "ANSWER": [TC_ACT_REDIRECT]},
}


@pytest.fixture(name="runner", scope="module")
def _runner():
    runner = new_runner()
    begin = time.monotonic()
    yield runner
    # Shown with pytest -s.
    print(f"\n{runner.runs} packets in {time.monotonic() - begin:.0f} s, "
          f"seed {SEED}")
    runner.close()


def end_of(outer, here):
    """The world of one end (0 or 1) of the tunnel."""
    world = World()
    world.peer(OUTER[outer][1 - here], OUTER[outer][here],
               [INNER[4][1 - here], INNER[6][1 - here]])
    return world


def batches():
    """Yields random generators until the time is over; at least one."""
    end = time.monotonic() + SECONDS
    rng = random.Random(SEED)
    while True:
        yield rng
        if time.monotonic() >= end:
            return


def address(rng, prefix):
    net = ipaddress.ip_network(prefix)
    return str(net[rng.randrange(net.num_addresses)])


def random_inner(rng, version, limit):
    """A packet of any protocol, with random values in all free fields."""
    src, dst = (address(rng, prefix) for prefix in INNER[version])
    head, fields = 40, {"tos": rng.randrange(256), "ttl": rng.randrange(256)}
    if version == 6:
        fields["fl"] = rng.randrange(1 << 20)
    else:
        words = rng.choice([0, 0, 0, 1, 5, 10])
        head = 20 + 4 * words
        fields.update(id=rng.randrange(1 << 16), flags=rng.randrange(4),
                      frag=rng.choice([0, 0, rng.randrange(1 << 13)]),
                      options=[b"\1"] * 4 * words)
    size = min(rng.choice([0, 1, 7, 8, 20, 64, 512, rng.randrange(1500)]),
               limit - head)
    proto = rng.randrange(256)
    if (version, proto) in ((6, 0), (6, 43), (6, 58), (6, 60)):
        fields["ttl"] = 254  # with 255 it may be neighbour discovery
    return wire.ip(version, src, dst, proto, rng.randbytes(size), **fields)


@pytest.mark.parametrize("prog", ["xdp_ingress", "tc_ingress"])
@pytest.mark.parametrize("inner,outer", wire.COMBOS)
def test_decap_undoes_encap(runner, inner, outer, prog):
    here, there = end_of(outer, 0), end_of(outer, 1)
    limit = here.peers[1].mtu
    for rng in batches():
        packets = [random_inner(rng, inner, limit) for _ in range(BATCH)]
        runner.enter(here)
        sent = []
        for packet in packets:
            _, out, counted = runner.quick("tc_egress", wire.eth(
                packet, to=here.peers[1].mac))
            assert counted == {"tx_encap": (1, len(packet))}, packet.hex()
            sent.append(out)
        runner.enter(there)
        for packet, frame in zip(packets, sent):
            _, out, counted = runner.quick(prog, frame)
            assert counted == {"rx_decap": (1, len(packet))}, frame.hex()
            want = wire.eth(model.clamp(packet, here.peers[1]), to=here.peers[1].mac)
            assert out.hex() == want.hex(), f"seed {SEED}"


def mutated(rng, data):
    """The frame with some bytes, bits or its end changed; mostly not in the
    Ethernet header, so that the rest is tested."""
    data = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 4, 16])):
        at = rng.randrange(0 if rng.random() < 0.02 else 14, len(data))
        data[at] = rng.choice([rng.randrange(256), 0, 255,
                               data[at] ^ 1 << rng.randrange(8)])
    if rng.random() < 0.5 and data[14] >> 4 == 4:
        fix_checksum(data, 14)
    if rng.random() < 0.5:
        fix_icmp(data, 14)
    if rng.random() < 0.2:
        del data[rng.randrange(15, len(data) + 1):]
    if rng.random() < 0.1:
        data += rng.randbytes(rng.randrange(64))
    return bytes(data)


def fix_checksum(data, at):
    size = (data[at] & 15) * 4
    if 20 <= size <= len(data) - at:
        data[at + 10:at + 12] = b"\0\0"
        total = wire.checksum(bytes(data[at:at + size]))
        data[at + 10:at + 12] = total.to_bytes(2, "big")


def fix_icmp(data, at):
    """Corrects the checksums of an ICMP error, which would otherwise mostly be
    ignored."""
    head = model.parse(bytes(data[at:]))
    if head and head.whole and head.proto == {4: 1, 6: 58}[head.family] \
            and at + head.size + 4 <= len(data):
        field = slice(at + head.size + 2, at + head.size + 4)
        data[field] = b"\0\0"
        data[field] = model.icmp_checksum(head, bytes(data[at:])).to_bytes(
            2, "big")


def trailer(prog, frame):
    """The bytes after an inner packet at egress, which the lengths may
    include."""
    if prog != "tc_egress" or not runnable(prog, frame):
        return False
    return wire.length(frame[14:]) < len(frame) - 14


def compare_outer(frame, want, out):
    """Compares an encapsulated packet with the model, without flow label and
    random ID."""
    if trailer("tc_egress", frame):
        inner = 34 if want[12:14] == b"\x08\0" else 54
        assert out[inner:inner + 20] == want[inner:inner + 20]
        assert len(out) == len(want)
        return
    if want[12:14] == b"\x86\xdd":
        out, label = wire.without_label(out)
        assert label
    elif not want[20] & 0x40:
        assert wire.checksum(out[14:34]) == 0 and out[18:20] != b"\0\0"
        out = out[:18] + want[18:20] + out[20:24] + want[24:26] + out[26:]
    assert out.hex() == want.hex()


def check_run(prog, world, frame, run):
    """Checks that there is one verdict, which the model allows, with its
    action, and the packet of the model."""
    action, out, counted = run
    assert len(counted) == 1, f"counted as {counted}"
    (verdict, (packets, _)), = counted.items()
    assert packets == 1
    if prog == "tc_egress":
        verdicts, want = model.egress(world, frame)
    else:
        verdicts, want = model.ingress(world, frame, tc=prog == "tc_ingress")
    if trailer(prog, frame):
        verdicts |= {"tx_too_big"}
    assert verdict in verdicts
    fate = FATES[verdict]
    to_vrf = fate == "TUNNEL" and out[:6] == VRF_MAC
    assert action in ACTIONS[prog][fate] or (
        to_vrf and action == TC_ACT_REDIRECT), (verdict, action)
    if prog == "tc_egress" and fate in ("PASS", "TUNNEL"):
        # The kernel finds the next hop, unless it is known.
        assert (action == TC_ACT_REDIRECT) == (
            verdict == "tx_tunnelled" or verdict == "tx_encap"
            and out[:12] == frame[:12])
    if fate == "PASS":
        assert out == frame
    elif fate == "ANSWER":
        assert out.hex() == model.answered(frame).hex()
    elif fate == "TUNNEL" and prog == "tc_egress":
        compare_outer(frame, want, out)
    elif fate == "TUNNEL":
        assert out.hex() == want.hex()


def tagged(frame):
    return frame[12:14] in (b"\x81\0", b"\x88\xa8")


def runnable(prog, frame):
    """The kernel refuses a test run of tc with an IP frame shorter than its
    IP header; tags in the frame are not how tc sees tags."""
    if prog == "xdp_ingress":
        return True
    least = {b"\x08\0": 34, b"\x86\xdd": 54}.get(frame[12:14], 15)
    return len(frame) >= least and not tagged(frame)


def checked(runner, prog, frame):
    if not runnable(prog, frame):
        return
    run = runner.quick(prog, frame)
    try:
        check_run(prog, runner.world, frame, run)
    except AssertionError as error:
        raise AssertionError(f"{error}: seed {SEED}, {prog}, frame "
                             f"{frame.hex()}, run {run}") from error


@pytest.mark.parametrize("prog", list(ACTIONS))
def test_mutated_packets(runner, prog):
    """Damaged copies of every case: one verdict each, nothing else."""
    direction = "egress" if prog == "tc_egress" else "ingress"
    seeds = [one for one in all_cases()
             if one.hook == direction and len(one.data) < 1600]
    for rng in batches():
        rng.shuffle(seeds)
        # by world, as writing one takes longer than many runs
        for one in sorted(seeds[:BATCH], key=lambda one: id(one.world)):
            runner.enter(one.world)
            checked(runner, prog, mutated(rng, one.data))


@pytest.mark.parametrize("prog", list(ACTIONS))
def test_garbage(runner, prog):
    """Random bytes after an Ethernet header."""
    runner.enter(end_of(4, 0))
    for rng in batches():
        for _ in range(BATCH):
            ethertype = rng.choice([0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8,
                                    rng.randrange(1 << 16)])
            size = rng.choice([1, 20, 40, 60, rng.randrange(1, 1500)])
            to = wire.ETH[:6]
            if prog == "tc_egress" and rng.random() < 0.7:
                to = gateway_mac(rng.choice([0, 1, 1, 1, 2]))
            checked(runner, prog, wire.eth(rng.randbytes(size), ethertype,
                                           to=to))
