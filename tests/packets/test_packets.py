# SPDX-License-Identifier: GPL-2.0-only
"""Every case of tests/packets through the BPF programs; see its README."""

import dataclasses
import ipaddress
import time
from collections import Counter

import pytest

from packets import case, egress, model, wire
from packets.case import HOOKS, PEERLESS
from packets.compare import (READABLE, compare, compare_counters,
                             headers_len)
from packets.remote import new_runner
from packets.runner import ROOT, TC_ACT_REDIRECT
from packets.tables import all_cases
from packets.world import NAMES

CASES = all_cases()

GATEWAY_MAC = bytes.fromhex("02746e")
HOP = bytes.fromhex("0200000000bb0200000000aa")

RUNS = [pytest.param(one, prog, id=f"{prog}: {one.name}")
        for one in CASES for prog in HOOKS[one.hook]]


@pytest.fixture(name="runner", scope="module")
def _runner():
    runner = new_runner()
    yield runner
    runner.close()


def good_packet(data):
    """A frame that should pass, with the outer addresses and the inner source
    of a tunnel packet; None if there are no such addresses."""
    at = model.ip_at(data, model.MAX_TAGS)
    outer = model.parse(data[at:]) if at else None
    if not outer or outer.proto not in (4, 41):
        return None
    rest = data[at + outer.size:]
    inner = 4 if outer.proto == 4 else 6
    source = rest[12:16] if inner == 4 else rest[8:24]
    if len(source) != {4: 4, 6: 16}[inner]:
        return None
    src, dst, source = (str(ipaddress.ip_address(one))
                        for one in (outer.src, outer.dst, source))
    return wire.eth(wire.ip(outer.family, src, dst, outer.proto,
                            wire.udp(inner, source, case.US[inner])))


def check(runner, one, prog, linear=None):
    """Runs a case and compares its whole result, and again when the programs
    remember its addresses."""
    runner.enter(one.world)
    runner.forget()
    compare_run(one, prog, runner.run(prog, one.data, one.gso, linear))
    if prog == "tc_egress":
        check_known(runner, one)
        return
    if good := good_packet(one.data):
        runner.quick(prog, good)
    compare_run(one, prog, runner.run(prog, one.data, one.gso, linear))


def check_known(runner, one):
    """Runs a case of tc_egress again when the next hop of its peer is known,
    unless that is what it is about: then a packet leaves at once, with the
    MACs of the next hop."""
    ident = int.from_bytes(one.data[3:6], "big")
    if one.data[:3] != GATEWAY_MAC or one.world.next_hops:
        compare_run(one, "tc_egress",
                    runner.run("tc_egress", one.data, one.gso))
        return
    if one.verdict == "tx_encap" and one.redirect:
        one = dataclasses.replace(one, redirect=False,
                                  out=one.out and HOP + one.out[12:])
    runner.next_hop(ident, HOP)
    compare_run(one, "tc_egress", runner.run("tc_egress", one.data, one.gso))
    runner.next_hop(ident)


def compare_run(one, prog, result):
    compare_counters(one, result)
    assert result.action in one.action(prog)
    compare(one, result.data)
    if one.answer and result.action == TC_ACT_REDIRECT:
        wire.check_too_big(result.data, one.data[14:], one.answer,
                             one.data[:6])
    if one.check:
        one.check(result.data)


@pytest.mark.parametrize("one,prog", RUNS)
def test_case(runner, one, prog):
    check(runner, one, prog)


@pytest.mark.parametrize("linear", [0, 14, 33, 54])
def test_short_linear_part(runner, linear):
    """A driver may put any part of a frame, however small, in front of the
    fragments. Linux 6.18 can pull more."""
    cases = [one for one in CASES if "xdp_ingress" in HOOKS[one.hook]
             and linear < len(one.data)
             and (headers_len(one) <= READABLE
                  or one.verdict == "rx_borrowed")
             # The ICMP checksum covers the whole packet.
             and not (one.verdict.startswith("rx_icmp_")
                      and len(one.data) > READABLE)]
    assert len(cases) >= 300
    if runner.linux() < (6, 18):
        pytest.skip("expected: Linux before 6.18 cannot pull more")
    for one in cases:
        try:
            check(runner, one, "xdp_ingress", linear)
        except AssertionError as e:
            raise AssertionError(one.name) from e


# Verdicts that need an interface: routes, addresses, the loader's constants.
ELSEWHERE = {
    "tx_no_source": "tests/wire/test_closed.py::test_source_gone",
    "tx_not_routed": "tests/wire/test_closed.py::test_packet_socket",
    "rx_forward": "tests/wire/test_forward_xdp.py::test_goes_up",
    "tx_forward": "tests/wire/test_forward_into.py::test_into_a_tunnel",
    "tx_fragmented": "tests/wire/test_fragments.py::test_forwarded",
}


def test_every_verdict_has_a_case():
    assert {one.verdict for one in CASES} | set(ELSEWHERE) == set(NAMES)
    assert not {one.verdict for one in CASES} & set(ELSEWHERE)


@pytest.mark.parametrize("verdict", ELSEWHERE)
def test_other_verdicts_have_a_test(verdict):
    path, _, name = ELSEWHERE[verdict].partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {name}(" in text and f'"{verdict}"' in text


def test_cases_are_well_formed():
    """Names are unique; each case has a reason and, if it needs one, a
    peer."""
    names = Counter(one.name for one in CASES)
    assert [name for name, n in names.items() if n > 1] == []
    for one in CASES:
        assert one.rfc, one.name
        assert (one.peer is None) == (one.verdict in PEERLESS), one.name
    assert len(CASES) >= 300


def label_of(runner, packet):
    out = runner.quick("tc_egress", wire.eth(packet, to=case.PEER[6].mac))[1]
    return wire.without_label(out)[1]


@pytest.mark.parametrize("inner", [4, 6])
def test_flow_label_follows_the_flow(runner, inner):
    """RFC 6438 3: one label per flow, and different ones for other flows. Of
    64 flows only two may share one by chance (of 2^20 labels)."""
    runner.enter(case.MAIN)
    src, dst = case.US[inner], case.net(6, inner)
    flows = [wire.udp(inner, src, dst, ports=(port, 53))
             for port in range(2000, 2064)]
    labels = [label_of(runner, packet) for packet in flows]
    assert labels == [label_of(runner, packet) for packet in flows]
    assert len(set(labels)) >= 62
    longer = wire.udp(inner, src, dst, 500, ports=(2000, 53), tos=8)
    assert label_of(runner, longer) == labels[0]
    near = dst[:-1] + "8"
    assert label_of(runner, wire.udp(inner, src, near,
                                     ports=(2000, 53))) != labels[0]


def test_flow_label_of_fragments(runner):
    """All fragments of a datagram take one path (RFC 6438 3)."""
    runner.enter(case.MAIN)
    src, dst = case.US[4], case.net(6, 4)
    first = wire.udp(4, src, dst, 40, id=7, flags="MF")
    last = wire.ip(4, src, dst, 17, bytes(range(48)), id=7, frag=6)
    assert label_of(runner, first) == label_of(runner, last)


def test_fragmentable_ids_differ(runner):
    """RFC 6864 4.3: unique for a source, destination and protocol."""
    runner.enter(egress.VARIANTS)
    peer, dst = egress.VARIANT_PEERS[4, 64, 576]
    packet = wire.exactly(6, case.US[6], dst[6], peer.mtu + 100)
    frame = wire.eth(packet, to=peer.mac)
    ids = {runner.quick("tc_egress", frame)[1][18:20] for _ in range(32)}
    assert len(ids) >= 30


@pytest.mark.parametrize("name", [
    one.name for one in CASES if one.answer == 1280])
def test_too_big_is_answered(runner, name):
    """The ICMP error is sent once the rate limit allows it."""
    one, = (one for one in CASES if one.name == name)
    runner.enter(one.world)
    for _ in range(20):
        action = runner.quick("tc_egress", one.data)[0]
        if action == TC_ACT_REDIRECT:
            return
        time.sleep(0.02)
    assert False, "no answer"


def one_of_each(wanted):
    """The first case of each wanted verdict (some have tags)."""
    found = {}
    for one in CASES:
        for prog in HOOKS[one.hook]:
            if wanted(one):
                found.setdefault((one.verdict, prog), one)
    return [pytest.param(one, prog, id=f"{prog}: {verdict}")
            for (verdict, prog), one in found.items()]


@pytest.mark.parametrize("one,prog", one_of_each(
    lambda one: one.fate == "DROP"))
def test_drops_are_events(runner, one, prog):
    """Drops are events only while a monitor listens."""
    runner.enter(one.world)
    runner.run(prog, one.data, one.gso)
    assert runner.events() == []
    runner.enter(one.world, listen=True)
    result = runner.run(prog, one.data, one.gso)
    event, = runner.events()
    packet = one.data[model.ip_at(one.data, model.MAX_TAGS) or 14:]
    assert NAMES[event.verdict] == one.verdict
    assert event.length == result.counted[one.verdict][1]
    assert event.head_len == min(len(packet), 128)
    assert bytes(event.head)[:event.head_len] == packet[:128]
    if one.peer:
        assert event.peer == one.peer


@pytest.mark.parametrize("one,prog", one_of_each(lambda one: one.verdict in (
    "rx_decap", "rx_plain", "tx_encap", "tx_plain", "tx_tunnelled")))
def test_the_usual_is_no_event(runner, one, prog):
    """Normal traffic makes no events."""
    runner.enter(one.world, listen=True)
    runner.run(prog, one.data, one.gso)
    assert runner.events() == []
