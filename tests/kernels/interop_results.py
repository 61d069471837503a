# SPDX-License-Identifier: GPL-2.0-only
"""Runs interop_lab.py in a virtual machine, and reads its results."""
import collections
import functools
import json

from scapy.layers.inet6 import IPv6, in6_chksum
from scapy.utils import checksum

import vm
from interop_cases import CASES, identify, to_send
from interop_differences import NARROW, NARROW_TCP
from interop_tunnels import SIDES, TUNNELS, tunnel_name
from lab import REPO
from traffic import Packet

SCRIPT = f"""
mount -t bpf none /sys/fs/bpf
python3 {REPO}/tests/kernels/interop_lab.py /run/share
"""
TIMEOUT = 600
DSTOPTS = 60
# Scenarios that record for each tunnel and side whether something arrived: these
# are cases of the comparison, too.
FLOWS = {"narrow-datagrams": NARROW, "pmtu-a": NARROW_TCP,
         "pmtu-b": NARROW_TCP}
FLOW_CASES = {(side, tunnel_name(kind, v), case): (kind, v, case, b"")
              for side in SIDES for _, kind, v in TUNNELS
              for case in (NARROW, NARROW_TCP)}
ALL_CASES = {**CASES, **FLOW_CASES}


class Ran:
    """The lab's results on a kernel."""

    def __init__(self, image, share):
        self.share = str(share)
        with open(share / "cases.json", "w", encoding="ascii") as f:
            json.dump(to_send(), f)
        status, output = vm.Machine(image, SCRIPT, self.share).wait(TIMEOUT)
        assert status == 0, output
        with open(share / "results.json", encoding="ascii") as f:
            self.results = json.load(f)

    def errors(self, phase, scenario):
        """{tunnel: error} of a scenario; asserts that it ran over all tunnels."""
        found = {r["tunnel"]: r["error"] for r in self.results["scenarios"]
                 if (r["phase"], r["scenario"]) == (phase, scenario)}
        assert len(found) == len(TUNNELS)
        return {tunnel: error for tunnel, error in found.items() if error}

    def values(self, phase, scenario):
        """{tunnel: value} of a scenario, without those that failed."""
        return {r["tunnel"]: r["value"] for r in self.results["scenarios"]
                if (r["phase"], r["scenario"]) == (phase, scenario)
                and not r["error"]}

    @functools.lru_cache
    def outcomes(self, phase):
        """{case: [(kind, bytes)...]} of all packets that arrived, with kind
        "packet", "error", "to the host" or "flow"."""
        out = collections.defaultdict(list)
        for side in SIDES:
            for raw in map(bytes.fromhex,
                           self.results["packets"][phase][side]):
                key, what = identify(raw)
                if key in CASES:
                    assert what == "packet" or sound(raw), raw.hex()
                    out[key].append((what, without_id(raw) if what == "error"
                                     else raw))
        for text in self.results["packets"][phase]["host"]:
            side, *numbers = text.split()
            out[side, *map(int, numbers)].append(("to the host", b""))
        for scenario, case in FLOWS.items():
            for tunnel, sides in self.values(phase, scenario).items():
                for side, arrived in sides.items():
                    out[side, tunnel, case] = [("flow", b"")] * arrived
        return out

    def wire(self, phase):
        """[(sending side, outer Packet, inner Packet)] of the comparison's
        packets between a and b."""
        out = []
        for raw in map(bytes.fromhex, self.results["packets"][phase]["wire"]):
            outer = Packet(raw)
            inner = inner_packet(outer)
            if inner:
                side = "a" if outer.src.startswith(("192.0.2.",
                                                    "2001:db8:a:")) else "b"
                out.append((side, outer, inner))
        return out


def sound(raw):
    """True if the checksums of an ICMP message are right."""
    icmp = Packet(raw).payload
    if raw[0] >> 4 == 6:
        return in6_chksum(58, IPv6(raw), icmp) in (0, 0xFFFF)
    return checksum(raw[:len(raw) - len(icmp)]) == checksum(
        icmp + bytes(len(icmp) % 2)) == 0


def without_id(raw):
    """A packet without its IPv4 ID and checksum: a host chooses the ID."""
    if raw[0] >> 4 == 6:
        return raw
    return raw[:4] + bytes(2) + raw[6:10] + bytes(2) + raw[12:]


def inner_packet(outer):
    """The inner Packet, also one behind a Destination Options header; None for
    a fragment."""
    if outer.fragment:
        return None
    if outer.proto in (4, 41):
        return Packet(outer.payload)
    if outer.proto == DSTOPTS and outer.payload[0] in (4, 41):
        return Packet(outer.payload[8:])
    return None
