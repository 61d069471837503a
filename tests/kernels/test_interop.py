# SPDX-License-Identifier: GPL-2.0-only
"""tunload against the tunnel drivers of real kernels, in both directions and
modes, and the kernel against itself for comparison. The lab runs in a virtual
machine (interop_lab.py); the tests here check its results."""
import collections
import os
import re

import pytest

import vm
from interop_cases import CASES, MARKED
from interop_differences import DIFFERENCES
from interop_lab import PHASES
from interop_network import ETHERNET, LINK_MTU, NARROW as NARROW_MTU
from interop_results import ALL_CASES, DSTOPTS, FLOWS, Ran
from interop_tshark import (CHECKSUMS, GOOD, ORDER, TCP_ANALYSIS, UNVERIFIED,
                            judged, tshark)
from interop_tunnels import (FIXED_DSCP, FIXED_TTL, SIDES, TUNNELS,
                             encap_limit, fixed, fixed_dscp, outer_fragments,
                             tunnel_name)
from pmtu import HEADER
from traffic import Packet

MODES = PHASES[1:]
SCENARIOS = {
    "ping": "echo, up to 3000 bytes",
    "tcp": "TCP, local and forwarded",
    "udp-fragments": "inner fragments",
    "ecn-queue": "a queue that marks",
    "no-offloads": "GRO, GSO, TSO and checksum offload off",
    "netem": "loss and reordering",
    "narrow-datagrams": "datagrams without DF over a narrow path",
    "pmtu-a": "TCP from the kernel's side that has to find the path's MTU",
    "pmtu-b": "TCP to the kernel's side that has to find the path's MTU",
}
# RFC 6040 4.2, figure 4: {(arriving outer, arriving inner): delivered inner ECN
# field, None if dropped}. 0 is Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
RFC6040 = {(o, i): i for o in range(4) for i in range(4)}
RFC6040 |= {(3, 0): None, (3, 1): 3, (3, 2): 3, (1, 2): 1}
RAN = {}


@pytest.fixture(name="ran")
def fixture_ran(kernel, image, tmp_path_factory):
    """The lab's results on a kernel; it runs once on each."""
    if kernel not in RAN:
        RAN[kernel] = None
        RAN[kernel] = Ran(image, tmp_path_factory.mktemp("interop"))
    assert RAN[kernel], "the lab failed in an earlier test"
    return RAN[kernel]


def on_kernels(rows):
    """Parameters for each kernel and row; rows: (name in the table, values of
    the parameters behind `kernel`...)."""
    rows = list(rows)
    return [pytest.param(kernel, *values, marks=[
        pytest.mark.feature("Kernel at the other end", row),
        pytest.mark.xdist_group(f"interop {kernel}")])
            for kernel in vm.KERNELS for row, *values in rows]


def by_phase(what):
    """Rows for on_kernels(), one for each phase."""
    return [(f"{what}, {end(phase)}", phase) for phase in PHASES]


def end(phase):
    """The end on b, in words."""
    return "kernel on both ends" if phase == "kernel" else phase


@pytest.mark.parametrize("kernel, phase, scenario", on_kernels(
    (f"{text}, {end(phase)}", phase, scenario)
    for scenario, text in SCENARIOS.items() for phase in PHASES))
def test_scenario(ran, phase, scenario, record_property):
    """The scenario passes over every tunnel. Flows that do not arrive are noted
    in the table, and test_no_difference compares them."""
    errors = ran.errors(phase, scenario)
    assert not errors, "\n".join(f"{k}: {e}" for k, e in errors.items())
    if scenario in FLOWS:
        silent = sorted(f"{tunnel} from {side}" for tunnel, sides in
                        ran.values(phase, scenario).items()
                        for side, arrived in sides.items() if not arrived)
        if silent:
            record_property("left out", "nothing arrives over "
                            f"{', '.join(silent)}: see the differences")


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "super-packets (GSO and GRO) with offloads on, none with offloads off")))
def test_super_packets(ran, phase):
    """With offloads on, frames before and behind a tunnel are larger on average
    than the link's MTU; with offloads off none is."""
    on, off = (ran.values(phase, name) for name in ("tcp", "no-offloads"))
    assert len(on) == len(off) == len(TUNNELS)
    for tunnel, sizes in on.items():
        assert min(map(min, sizes.values())) > LINK_MTU, (tunnel, sizes)
    for tunnel, sizes in off.items():
        assert max(map(max, sizes.values())) <= LINK_MTU + ETHERNET, (
            tunnel, sizes)
    assert ran.results["longest"][f"{phase}-wide.pcap"] == LINK_MTU + ETHERNET


@pytest.mark.parametrize("kernel, phase", on_kernels(
    (f"{SCENARIOS['netem']}, {end(phase)}", phase) for phase in PHASES))
def test_bad_path(ran, phase):
    """netem lost and reordered packets in both directions; it counts reordered
    ones as requeues."""
    counted = ran.results["bad path"][phase]
    assert len(counted) == 2
    for qdisc in counted:
        assert qdisc["kind"] == "netem"
        assert qdisc["drops"] and qdisc["requeues"], qdisc


@pytest.mark.parametrize("kernel, mode, tunnel", on_kernels(
    (f"{kind.name}, inner IPv{v}: no difference that is not documented, "
     f"{mode}", mode, tunnel_name(kind, v))
    for _, kind, v in TUNNELS for mode in MODES))
def test_no_difference(ran, mode, tunnel):
    """tunload on b delivers what the kernel delivers, byte for byte, except for
    the cases in DIFFERENCES, all of which differ."""
    kernel, tunload = ran.outcomes("kernel"), ran.outcomes(mode)
    of_tunnel = {key: case for key, case in ALL_CASES.items()
                 if tunnel_name(*case[:2]) == tunnel}
    assert any(kernel[key] for key in of_tunnel)
    wrong = []
    for key, case in of_tunnel.items():
        why = compare(key[0], case, kernel[key], tunload[key])
        if why:
            wrong.append(f"from {key[0]}, {case[2]}: {why}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


def compare(side, case, kernel, tunload):
    """The error in a case's outcomes as text, or None."""
    kind, version, name, _ = case
    listed = [d for d in DIFFERENCES if d.side == side and
              re.fullmatch(d.cases, name) and d.applies(kind, version, name)]
    if len(listed) > 1:
        return f"listed twice: {[d.name for d in listed]}"
    if kernel == tunload:
        return f"{listed[0].name}: listed, but no difference" if listed \
            else None
    if not listed:
        return f"not listed: {show(kernel)} became {show(tunload)}"
    if not listed[0].check(case, kernel, tunload):
        return (f"{listed[0].name} does not explain that {show(kernel)} "
                f"became {show(tunload)}")
    return None


def show(outcome):
    """An outcome as text."""
    return " and ".join(f"{what} {raw[:64].hex()}({len(raw)})"
                        for what, raw in outcome) or "nothing"


def test_every_difference_is_met():
    """Each line of the list applies to a case."""
    for d in DIFFERENCES:
        assert any(key[0] == d.side and re.fullmatch(d.cases, case[2]) and
                   d.applies(*case[:3])
                   for key, case in ALL_CASES.items()), d.name


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "ECN by RFC 6040, each mark on each")))
def test_ecn(ran, phase):
    """Both ends follow RFC 6040: a router has set each outer codepoint on
    packets with each inner one."""
    outcomes = ran.outcomes(phase)
    seen = 0
    for key, (kind, version, name, _) in CASES.items():
        match = re.fullmatch(r"ecn-(\d)-marked-(\d)", name)
        if not match or fixed_dscp(kind):
            continue
        inner, outer = map(int, match.groups())
        delivered = [Packet(raw).tos for _, raw in outcomes[key]]
        expected = RFC6040[outer, inner]
        dscp = (outer + 1) << 2
        assert delivered == ([] if expected is None else [dscp | expected]), \
            (key, kind.name, version, name)
        seen += 1
    assert seen == len(MARKED) * len(SIDES) * sum(
        not fixed_dscp(kind) for _, kind, _ in TUNNELS)


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "outer TTL, DSCP and next header")))
def test_outer_headers(ran, phase):
    """The outer TTL and DSCP are inherited or fixed, as configured; tunload's
    next header is always that of the inner packet."""
    kinds = {(n, v): kind for n, kind, v in TUNNELS}
    seen = collections.Counter()
    for side, outer, inner in ran.wire(phase):
        number = int(re.split("[.:]", outer.src)[-1],
                     10 if outer.version == 4 else 16)
        kind = kinds[number, inner.version]
        if inner.proto == DSTOPTS:  # may set the outer limit, RFC 2473 4.1.1
            continue
        tunload = phase != "kernel" and side == "b"
        expected = header(kind, inner, tunload, hops=2 if side == "b" else 0)
        assert (ttl(outer), outer.tos >> 2, outer.proto) == expected, \
            (kind.name, side, outer.data.hex())
        seen[kind.name, side] += 1
    assert len(seen) == 2 * len({kind for _, kind, _ in TUNNELS})


def header(kind, inner, tunload, hops):
    """(TTL, DSCP, next header) of an outer packet after `hops` hops."""
    proto = {4: 4, 6: 41}[inner.version]
    inherited = 64 if tunload else ttl(inner)
    return ((FIXED_TTL if fixed(kind) else inherited) - hops,
            FIXED_DSCP if fixed_dscp(kind) else inner.tos >> 2,
            DSTOPTS if encap_limit(kind) and not tunload else proto)


def ttl(packet):
    """The TTL or hop limit of a packet."""
    return packet.data[8 if packet.version == 4 else 7]


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "tshark finds nothing wrong on the wire")))
def test_tshark(ran, phase):
    """tshark finds no malformed packet on the wire, verifies every checksum as
    good, and sees the headers in the expected order."""
    orders, verified = set(), set()
    for row in [row for path in ("wide", "narrow") for row in tshark(
            os.path.join(ran.share, f"{phase}-{path}.pcap"))]:
        protocols = row["frame.protocols"]
        groups, checksums = judged(row)
        assert not row["_ws.malformed"] and groups <= TCP_ANALYSIS, row
        quotes = re.search(":icmp(v6)?:ip", protocols)
        for proto, status in checksums:
            assert status == GOOD or quotes and proto in ("tcp", "udp") and \
                status == UNVERIFIED, row
            verified.add((proto, status))
        match = re.fullmatch(ORDER, protocols)
        assert match, row
        orders.add(match[1])
    assert verified >= {(proto, GOOD) for proto in CHECKSUMS}
    assert orders >= {f"{outer}:{inner}:tcp" for outer in ("ip", "ipv6")
                      for inner in ("ip", "ipv6")}
    assert orders >= {f"ipv6:ipv6.dstopts:{inner}:tcp"
                      for inner in ("ip", "ipv6")}


@pytest.mark.parametrize("kernel, mode", on_kernels(
    (f"counters, {mode}", mode) for mode in MODES))
def test_counted(ran, mode):
    """tunload has counted exactly the verdicts that this lab must cause."""
    status, expected = ran.results["status"][mode], set()
    for peer in status["peers"]:
        kind = next(k for _, k, _ in TUNNELS if k.name == peer["name"])
        verdicts = set(expected_verdicts(kind))
        assert set(peer["verdicts"]) == verdicts, peer
        assert peer["learned_mtu"]["mtu"] == NARROW_MTU - HEADER[kind.outer]
        expected |= verdicts
    assert set(status["verdicts"]) - {
        "rx_plain", "tx_plain", "tx_answered"} == expected


def expected_verdicts(kind):
    """Yields the verdicts that the packets of a tunnel must cause."""
    yield from ("tx_encap", "tx_too_big", "rx_decap", "rx_icmp_too_big",
                "rx_not_allowed", "rx_martian", "rx_neighbour")
    if not fixed_dscp(kind):
        yield "rx_ecn"
    if outer_fragments(kind):
        yield "rx_fragment"
    if kind.outer in kind.inner:
        yield "tx_loop"
