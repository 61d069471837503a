# SPDX-License-Identifier: GPL-2.0-only
"""One site by several pairs of outer addresses, so that networks and cards hash
its flows apart: a peer for each pair with the same prefixes (routes = no), and a
multipath route of the kernel, which gives each inner flow to one of them."""
import collections
import socket

import pytest

from addresses import INNER, PREFIXES
from traffic import Packet, packet_of, tcp_transfer

PATHS = 4
OUTERS = {4: ("192.0.2.1{}", "192.0.2.2{}"),
          6: ("2001:db8::1{}", "2001:db8::2{}")}
FLOWS = 64


def conf(side, outer):
    """A peer for each pair of addresses."""
    return "[interface]\nmode = tc\nroutes = no\n" + "".join(
        f"[peer path{n}]\nlocal = {OUTERS[outer][side].format(n)}\n"
        f"endpoint = {OUTERS[outer][1 - side].format(n)}\n"
        f"allowed-ips = {PREFIXES[1 - side]}\n" for n in range(PATHS))


@pytest.fixture(name="ends", params=[4, 6], ids=["outer4", "outer6"])
def fixture_ends(request, lab):
    """[two namespaces with tunload and multipath routes]"""
    ends = [lab.netns("a"), lab.netns("b")]
    lab.veth(ends[0], "eth0", ends[1], "eth0")
    for side, ns in enumerate(ends):
        length = 24 if request.param == 4 else 64
        ns.addr("eth0", *(OUTERS[request.param][side].format(n) + f"/{length}"
                          for n in range(PATHS)))
        ns.addr("lo", f"{INNER[4][side]}/32", f"{INNER[6][side]}/128")
        for version in 4, 6:
            ns.sysctl(f"net.ipv{version}.fib_multipath_hash_policy", 1)
    for side, ns in enumerate(ends):
        tl = lab.tunload(ns, bpffs=lab.new_bpffs())
        tl.attach(conf(side, request.param), "--no-trigger")
        hops = [word for peer in tl.status()["peers"]
                for word in ("nexthop", "via", "inet6",
                             peer["gateway6"], "dev", "eth0")]
        for version in 4, 6:
            ns.ip(f"-{version}", "route", "add", INNER[version][1 - side],
                  "src", INNER[version][side],
                  *(w for w in hops if version == 4 or w != "inet6"))
    return ends


def paths_of(frames):
    """{inner flow: {pairs of outer addresses}}"""
    found = collections.defaultdict(set)
    for frame in frames:
        outer = packet_of(frame.data)
        inner = Packet(outer.payload)
        found[inner.flow].add((outer.src, outer.dst))
    return found


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_flows_take_several_ways(ends, lab, inner):
    """Each flow one, and all ways are used; what is sent arrives."""
    a, b = ends
    kind = socket.AF_INET if inner == 4 else socket.AF_INET6
    wire = lab.capture(a, "eth0", lambda f: f.outgoing and b"flow" in f.data)
    rx = lab.keep(b.socket(kind, socket.SOCK_DGRAM))
    rx.bind((INNER[inner][1], 9))
    for port in range(5000, 5000 + FLOWS):
        with a.socket(kind, socket.SOCK_DGRAM) as tx:
            tx.bind((INNER[inner][0], port))
            for _ in range(3):
                tx.sendto(b"flow", (INNER[inner][1], 9))
                rx.recv(100)
    found = paths_of(wire.wait(3 * FLOWS))
    assert len(found) == FLOWS
    assert all(len(pairs) == 1 for pairs in found.values()), found
    assert len(set().union(*found.values())) == PATHS
    tcp_transfer(a, INNER[inner][0], b, INNER[inner][1], 1 << 20)
