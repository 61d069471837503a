# SPDX-License-Identifier: GPL-2.0-only
"""tunload against the tunnel drivers of real kernels, in both directions and
both modes, and the kernel against itself for comparison: the lab runs inside a
virtual machine (interop_lab.py), here is what is asked of its results."""
import collections
import functools
import json
import os
import re

import pytest

import vm
from interop_cases import CASES, identify, to_send
from interop_differences import DIFFERENCES, HEADER, NARROW
from interop_lab import PHASES
from interop_network import NARROW as NARROW_MTU
from interop_tunnels import (FIXED_DSCP, FIXED_TTL, SIDES, TUNNELS,
                             encap_limit, fixed, fixed_dscp, outer_fragments,
                             tunnel_name)
from lab import REPO, run
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
SCRIPT = f"""
mount -t bpf none /sys/fs/bpf
export TUNLOAD_TEST_PATIENCE=6
python3 {REPO}/tests/kernels/interop_lab.py /run/share
"""
TIMEOUT = 1200
DSTOPTS = 60
NARROW_CASES = {(side, tunnel_name(kind, v)): (kind, v, NARROW, b"")
                for side in SIDES for _, kind, v in TUNNELS}
ALL_CASES = {**CASES, **NARROW_CASES}
# RFC 6040 4.2, figure 4: the inner ECN field that is delivered, by (outer,
# inner) as they arrive; None: dropped. 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
RFC6040 = {(o, i): i for o in range(4) for i in range(4)}
RFC6040 |= {(3, 0): None, (3, 1): 3, (3, 2): 3, (1, 2): 1}


class Ran:
    """What became of the lab on a kernel."""

    def __init__(self, image, share):
        self.share = str(share)
        with open(share / "cases.json", "w", encoding="ascii") as f:
            json.dump(to_send(), f)
        self.machine = vm.Machine(image, SCRIPT, self.share)
        status, output = self.machine.wait(TIMEOUT)
        assert status == 0, output
        with open(share / "results.json", encoding="ascii") as f:
            self.results = json.load(f)

    def errors(self, phase, scenario):
        """Errors by tunnel; all tunnels are there."""
        found = {r["tunnel"]: r["error"] for r in self.results["scenarios"]
                 if (r["phase"], r["scenario"]) == (phase, scenario)}
        assert len(found) == len(TUNNELS)
        return {tunnel: error for tunnel, error in found.items() if error}

    @functools.lru_cache
    def outcomes(self, phase):
        """{case: [(what, bytes)...]} of all that came out at a LAN."""
        out = collections.defaultdict(list)
        for side in SIDES:
            for raw in map(bytes.fromhex,
                           self.results["packets"][phase][side]):
                key, what = identify(raw)
                if key in CASES:
                    out[key].append((what, without_id(raw) if what == "error"
                                     else raw))
        for r in self.results["scenarios"]:
            if (r["phase"], r["scenario"]) == (phase, "narrow-datagrams"):
                for side, arrived in (r["value"] or {}).items():
                    out[side, r["tunnel"]] = [("datagram", b"")] * arrived
        return out

    def wire(self, phase):
        """[(side it came from, outer Packet, inner Packet)] between a and
        b: what the comparison's packets became."""
        out = []
        for raw in map(bytes.fromhex, self.results["packets"][phase]["wire"]):
            outer = Packet(raw)
            inner = inner_packet(outer)
            if inner:
                side = "a" if outer.src.startswith(("192.0.2.",
                                                    "2001:db8:a:")) else "b"
                out.append((side, outer, inner))
        return out


def without_id(raw):
    """A packet of a host's own, without what it makes up: an IPv4 ID."""
    if raw[0] >> 4 == 6:
        return raw
    return raw[:4] + bytes(2) + raw[6:10] + bytes(2) + raw[12:]


def inner_packet(outer):
    """The Packet inside, perhaps behind a Destination Options header; None
    in a fragment."""
    if outer.fragment:
        return None
    if outer.proto in (4, 41):
        return Packet(outer.payload)
    if outer.proto == DSTOPTS and outer.payload[0] in (4, 41):
        return Packet(outer.payload[8:])
    return None


RAN = {}


@pytest.fixture(name="ran")
def fixture_ran(kernel, image, tmp_path_factory):
    """The lab's results on a kernel, where it runs once."""
    if kernel not in RAN:
        RAN[kernel] = None
        RAN[kernel] = Ran(image, tmp_path_factory.mktemp("interop"))
    assert RAN[kernel], "the lab did not run to its end"
    return RAN[kernel]


def on_kernels(rows):
    """Parameters kernel and, behind it, what `rows` has: (name in the table,
    values...)."""
    rows = list(rows)
    return [pytest.param(kernel, *values, marks=[
        pytest.mark.feature("Kernel at the other end", row),
        pytest.mark.xdist_group(f"interop {kernel}")])
            for kernel in vm.KERNELS for row, *values in rows]


def by_phase(what):
    """Rows for on_kernels(), one for each phase."""
    return [(f"{what}, {end(phase)}", phase) for phase in PHASES]


def end(phase):
    """What is on b."""
    return "kernel on both ends" if phase == "kernel" else phase


@pytest.mark.parametrize("kernel, phase, scenario", on_kernels(
    (f"{text}, {end(phase)}", phase, scenario)
    for scenario, text in SCENARIOS.items() for phase in PHASES))
def test_scenario(ran, phase, scenario):
    """Everything arrives, over every tunnel."""
    errors = ran.errors(phase, scenario)
    assert not errors, "\n".join(f"{k}: {e}" for k, e in errors.items())


@pytest.mark.parametrize("kernel, mode, tunnel", on_kernels(
    (f"{kind.name}, inner IPv{v}: no difference that is not documented, "
     f"{mode}", mode, tunnel_name(kind, v))
    for _, kind, v in TUNNELS for mode in MODES))
def test_no_difference(ran, mode, tunnel):
    """What is delivered with tunload on b is what the kernel would deliver,
    byte for byte, except for what DIFFERENCES lists; and that is different
    wherever the list says so."""
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
    """What is wrong with a case's outcomes, or None."""
    kind, version, name, _ = case
    listed = [d for d in DIFFERENCES if d.side == side and
              re.fullmatch(d.cases, name) and d.applies(kind, version, name)]
    if len(listed) > 1:
        return f"listed twice: {[d.name for d in listed]}"
    if kernel == tunload:
        return f"{listed[0].name}: no difference any more" if listed else None
    if not listed:
        return f"not listed: {show(kernel)} became {show(tunload)}"
    if not listed[0].check(case, kernel, tunload):
        return (f"{listed[0].name} does not explain that {show(kernel)} "
                f"became {show(tunload)}")
    return None


def show(outcome):
    """An outcome for people."""
    return " and ".join(f"{what} {raw[:64].hex()}({len(raw)})"
                        for what, raw in outcome) or "nothing"


def test_every_difference_is_met():
    """Each line of the list is about some case."""
    for d in DIFFERENCES:
        assert any(key[0] == d.side and re.fullmatch(d.cases, case[2]) and
                   d.applies(*case[:3])
                   for key, case in ALL_CASES.items()), d.name


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "ECN by RFC 6040, each mark on each")))
def test_ecn(ran, phase):
    """RFC 6040 at either end: a router put each codepoint on the outer
    packets of each inner one."""
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
    assert seen > 16 * 2 * (len(TUNNELS) // 2)


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "outer TTL, DSCP and next header")))
def test_outer_headers(ran, phase):
    """TTL and DSCP of the outer packets: inherited or fixed, as configured;
    tunload's next header is always the inner packet itself."""
    kinds = {(n, v): kind for n, kind, v in TUNNELS}
    seen = collections.Counter()
    for side, outer, inner in ran.wire(phase):
        number = int(re.split("[.:]", outer.src)[-1],
                     10 if outer.version == 4 else 16)
        kind = kinds[number, inner.version]
        if inner.proto == DSTOPTS:  # may ask for a limit, RFC 2473 4.1.1
            continue
        tunload = phase != "kernel" and side == "b"
        expected = header(kind, inner, tunload, hops=2 if side == "b" else 0)
        assert (ttl(outer), outer.tos >> 2, outer.proto) == expected, \
            (kind.name, side, outer.data.hex())
        seen[kind.name, side] += 1
    assert len(seen) == 2 * len({kind for _, kind, _ in TUNNELS})


def header(kind, inner, tunload, hops):
    """(TTL, DSCP, next header) of an outer packet after so many hops."""
    proto = {4: 4, 6: 41}[inner.version]
    inherited = 64 if tunload else ttl(inner)
    return ((FIXED_TTL if fixed(kind) else inherited) - hops,
            FIXED_DSCP if fixed_dscp(kind) else inner.tos >> 2,
            DSTOPTS if encap_limit(kind) and not tunload else proto)


def ttl(packet):
    """TTL or hop limit."""
    return packet.data[8 if packet.version == 4 else 7]


@pytest.mark.parametrize("kernel, phase", on_kernels(by_phase(
    "tshark finds nothing wrong on the wire")))
def test_tshark(ran, phase):
    """The wire as Wireshark's dissectors see it: nothing malformed, every
    checksum good, the headers in the expected order."""
    rows = tshark(os.path.join(ran.share, f"{phase}.pcap"))
    orders = set()
    for protocols, malformed, groups, *checksums in rows:
        assert not malformed and set(groups.split(",")) <= TCP_ANALYSIS, \
            (protocols, groups)
        assert set(",".join(checksums).split(",")) <= GOOD, protocols
        match = re.fullmatch(ORDER, protocols)
        assert match, protocols
        orders.add(match[1])
    assert orders >= {f"{outer}:{inner}:tcp" for outer in ("ip", "ipv6")
                      for inner in ("ip", "ipv6")}
    assert orders >= {f"ipv6:ipv6.dstopts:{inner}:tcp"
                      for inner in ("ip", "ipv6")}


# Outer header, with the encapsulation limit or without, inner header, and what
# is in it. Or the routers' own affairs.
ORDER = ("eth:ethertype:(?:arp|ipv6:icmpv6|((?:ip|ipv6(?::ipv6.dstopts)?):"
         "(?:ip|ipv6(?::ipv6.fraghdr)?):(?:tcp|udp|icmp|icmpv6|data)).*)")
# Status of a checksum: none, good, or not to be verified (a quoted packet).
GOOD = {"", "1", "2"}
# Expert information: none, or of the group "Sequence" (a SYN, a FIN).
TCP_ANALYSIS = {"", str(0x02000000)}
# Linux writes 0xffff where a TCP checksum comes to 0, as UDP has to; in ones'
# complement arithmetic it is the same.
SAME_AS_ZERO = "tcp.checksum == 0xffff and tcp.checksum_calculated == 0"
FIELDS = ["frame.protocols", "_ws.malformed", "_ws.expert.group",
          "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
          "icmp.checksum.status", "icmpv6.checksum.status"]


def tshark(path):
    """The fields of every packet of a capture file."""
    options = [word for proto in ("ip", "tcp", "udp")
               for word in ("-o", f"{proto}.check_checksum:TRUE")]
    # Whatever the ports are, what is behind them means nothing.
    options += [word for proto in ("tcp", "udp")
                for word in ("-d", f"{proto}.port==1-65535,data")]
    out = run("tshark", "-r", path, *options, "-Y", f"not ({SAME_AS_ZERO})",
              "-T", "fields", *(word for f in FIELDS for word in ("-e", f)),
              timeout=300).stdout
    return [line.split("\t") for line in out.splitlines()]


@pytest.mark.parametrize("kernel, mode", on_kernels(
    (f"counters, {mode}", mode) for mode in MODES))
def test_counted(ran, mode):
    """tunload's own account: what it did not deliver has a reason that is
    expected of this lab."""
    status = ran.results["status"][mode]
    for peer in status["peers"]:
        kind = next(k for _, k, _ in TUNNELS if k.name == peer["name"])
        counted = set(peer["verdicts"])
        assert {"tx_encap", "rx_decap", "rx_not_allowed",
                "rx_ecn"} <= counted | ({"rx_ecn"} if fixed_dscp(kind)
                                        else set()), peer
        assert ("rx_fragment" in counted) == outer_fragments(kind), peer
        assert peer["learned_mtu"]["mtu"] == NARROW_MTU - HEADER[kind.outer]
        assert not counted & {"rx_bad_outer", "rx_bad_checksum", "rx_error",
                              "rx_bad_version", "rx_bad_inner", "tx_error",
                              "tx_bad_inner", "rx_too_many_options"}, peer
