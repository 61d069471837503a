# SPDX-License-Identifier: GPL-2.0-only
"""Frames that strangers and malicious peers can send to a host with a tunnel:
each is counted with one verdict; the tests also check what the stack gets and
what leaves the host. The host is a router, so that it could be made to
reflect."""
import contextlib
import json
import os
import random
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop)
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from attack import (FAR, FAR6, FORGED_MAC, INNER, INNER6, LAN, LAN6, OWN,
                    OWN6, PEER, PEER6, STRANGER, STRANGER6, THIRD, THIRD6,
                    US, US6, Host, advertisement, by4, by6,
                    is_unknown_protocol, limit, options, udp)
from lab import Lab, wait_until
from packets.world import FATES
from traffic import Packet, is_tunnel

# Verdicts that are not counted for a peer.
PEERLESS = "rx_no_peer", "rx_too_many_options"

QINQ = Dot1AD(vlan=7) / Dot1Q(vlan=5)

# name: (packet behind the Ethernet addresses, packet that the stack gets)
DECAPSULATED = {
    "4in4": (by4(udp(LAN)), udp(LAN)),
    "6in4": (by4(udp(LAN6)), udp(LAN6)),
    "4in6": (by6(udp(FAR)), udp(FAR)),
    "6in6": (by6(udp(FAR6)), udp(FAR6)),
    "encapsulation limit": (by6(limit(nh=4) / udp(FAR)), udp(FAR)),
    "hop-by-hop": (by6(IPv6ExtHdrHopByHop() / limit(nh=41) / udp(FAR6)),
                   udp(FAR6)),
    "outer IPv4 options": (by4(udp(LAN), options=b"\x01\x01\x01\x00"),
                           udp(LAN)),
    "outer TTL 1": (by4(udp(LAN), ttl=1), udp(LAN)),
    "inner TTL 1": (by4(udp(LAN, ttl=1)), udp(LAN, ttl=1)),
    "inner hop limit 1": (by6(udp(FAR6, hlim=1)), udp(FAR6, hlim=1)),
    "VLAN": (Dot1Q(vlan=5) / by4(udp(LAN)), Dot1Q(vlan=5) / udp(LAN)),
    "VLAN, 4in6": (Dot1Q(vlan=5) / by6(udp(FAR)), Dot1Q(vlan=5) / udp(FAR)),
    "QinQ": (QINQ / by4(udp(LAN)), QINQ / udp(LAN)),
    "QinQ, 6in4": (QINQ / by4(udp(LAN6)), QINQ / udp(LAN6)),
    "QinQ, 4in6": (QINQ / by6(udp(FAR)), QINQ / udp(FAR)),
    "QinQ, CE": (QINQ / by6(udp(FAR6, tc=2), tc=3), QINQ / udp(FAR6, tc=3)),
    # RFC 6040 4.2, RFC 2983 (the outer DSCP is not copied inwards).
    "CE": (by4(udp(LAN, tos=2), tos=3), udp(LAN, tos=3)),
    "CE, 6in6": (by6(udp(FAR6, tc=1), tc=3), udp(FAR6, tc=3)),
    "CE, 4in6": (by6(udp(FAR, tos=1), tc=3), udp(FAR, tos=3)),
    "ECT(1) on ECT(0)": (by4(udp(LAN, tos=2), tos=1), udp(LAN, tos=1)),
    "ECT(0) on ECT(1)": (by4(udp(LAN, tos=1), tos=2), udp(LAN, tos=1)),
    "Not-ECT on CE": (by4(udp(LAN, tos=3)), udp(LAN, tos=3)),
    "other DSCP": (by4(udp(LAN, tos=0x20), tos=0xb8), udp(LAN, tos=0x20)),
    # One outer header is removed, never two.
    "nested": (by4(by4(udp(LAN), LAN, INNER)), by4(udp(LAN), LAN, INNER)),
    "nested, IPv6": (by6(by6(udp(FAR6), FAR6, INNER6)),
                     by6(udp(FAR6), FAR6, INNER6)),
}

# name: (packet behind the Ethernet addresses, verdict); the stack gets nothing
# for the inner address.
REFUSED = {
    # Open decapsulators: CVE-2020-10136 (4in4), CVE-2025-23018 (4in6, 6in6),
    # CVE-2025-23019 (6in4); for others see OTHER_TUNNELS.
    "stranger 4in4": (by4(udp(LAN), src=STRANGER), "rx_no_peer"),
    "stranger 6in4": (by4(udp(LAN6), src=STRANGER), "rx_no_peer"),
    "stranger 4in6": (by6(udp(FAR), src=STRANGER6), "rx_no_peer"),
    "stranger 6in6": (by6(udp(FAR6), src=STRANGER6), "rx_no_peer"),
    "to our other address": (by4(udp(LAN), dst="192.0.2.3"), "rx_no_peer"),
    "from ourselves": (by4(udp(LAN), src=US), "rx_no_peer"),
    "from ourselves, IPv6": (by6(udp(FAR6), src=US6), "rx_no_peer"),
    # Packets that would make us send to a victim: a third party or a peer.
    "reflection": (by4(udp(STRANGER, THIRD)), "rx_not_allowed"),
    "reflection, IPv6": (by6(udp(STRANGER6, THIRD6)), "rx_not_allowed"),
    "reflection by a stranger": (by4(udp(LAN, THIRD), src=STRANGER),
                                 "rx_no_peer"),
    "reflection to the victim": (by4(udp(THIRD, THIRD)), "rx_not_allowed"),
    "reflection to the other peer": (by4(udp(STRANGER, FAR)),
                                     "rx_not_allowed"),
    # Tunnel packets in tunnel packets, for an endless loop between two ends.
    "ping-pong": (by4(by4(udp(LAN))), "rx_not_allowed"),
    "ping-pong, IPv6": (by6(by6(udp(FAR6))), "rx_not_allowed"),
    "ping-pong, answer": (by4(by4(udp(LAN), US, PEER)), "rx_not_allowed"),
    # RFC 4861 11.2.
    "neighbour advertisement": (by6(advertisement()), "rx_neighbour"),
    "neighbour solicitation": (by6(
        IPv6(src=FAR6, dst=INNER6, hlim=255) / ICMPv6ND_NS(tgt=INNER6) /
        ICMPv6NDOptSrcLLAddr(lladdr=FORGED_MAC)), "rx_neighbour"),
    "not allowed": (by4(udp("10.11.0.1")), "rx_not_allowed"),
    "not allowed, IPv6": (by6(udp("fd00:11::1")), "rx_not_allowed"),
    "the other peer's": (by4(udp(FAR)), "rx_not_allowed"),
    "the other peer's, IPv6": (by6(udp(LAN6)), "rx_not_allowed"),
    # RFC 4213 3.6.
    "loopback": (by4(udp("127.0.0.1")), "rx_martian"),
    "multicast": (by4(udp("224.0.0.1")), "rx_martian"),
    "unspecified": (by4(udp("0.0.0.0")), "rx_martian"),
    "loopback, IPv6": (by6(udp("::1")), "rx_martian"),
    "multicast, IPv6": (by6(udp("ff02::1")), "rx_martian"),
    "unspecified, IPv6": (by6(udp("::")), "rx_martian"),
    "v4-mapped": (by6(udp("::ffff:10.10.0.1")), "rx_martian"),
    "our own": (by4(udp(US)), "rx_not_allowed"),
    "our own inner": (by4(udp(INNER)), "rx_not_allowed"),
    "our own inner, IPv6": (by6(udp(INNER6)), "rx_not_allowed"),
    "our own, allowed": (by4(udp(OWN)), "rx_own_source"),
    "our own, allowed, IPv6": (by6(udp(OWN6)), "rx_own_source"),
    "borrowed": (udp(LAN), "rx_borrowed"),
    "borrowed, IPv6": (udp(FAR6), "rx_borrowed"),
    "borrowed, VLAN": (Dot1Q(vlan=5) / udp(LAN), "rx_borrowed"),
    "borrowed, QinQ": (QINQ / udp(LAN), "rx_borrowed"),
    # Malformed.
    "checksum": (by4(udp(LAN), chksum=0x1234), "rx_bad_checksum"),
    "outer too long": (by4(udp(LAN), len=400), "rx_bad_outer"),
    "outer too long, IPv6": (by6(udp(FAR), plen=400), "rx_bad_outer"),
    "inner too long": (by4(udp(LAN, len=400)), "rx_bad_inner"),
    "inner too long, IPv6": (by6(udp(FAR6, plen=400)), "rx_bad_inner"),
    "inner longer than the outer says": (by4(udp(LAN), len=40) /
                                         Raw(b"x" * 60), "rx_bad_inner"),
    "6 in protocol 4": (by4(udp(LAN6), proto=4), "rx_bad_version"),
    "4 in next header 41": (by6(udp(FAR), nh=41), "rx_bad_version"),
    "CE on Not-ECT": (by4(udp(LAN), tos=3), "rx_ecn"),
    "CE on Not-ECT, IPv6": (by6(udp(FAR6), tc=3), "rx_ecn"),
    "many options": (by6(options(40) / udp(FAR)), "rx_too_many_options"),
    "first fragment": (by4(udp(LAN), flags="MF"), "rx_fragment"),
    "last fragment": (by4(udp(LAN), frag=3), "rx_fragment"),
}
# CVE-2024-7595 (GRE), CVE-2024-7596 (GUE) and others: none is decapsulated.
OTHER_TUNNELS = {
    "GRE": IP(src=PEER, dst=US) / GRE() / udp(LAN),
    "GRE, IPv6 inside": IP(src=PEER, dst=US) / GRE() / udp(LAN6),
    "GRE over IPv6": IPv6(src=PEER6, dst=US6) / GRE() / udp(FAR),
    "GRE of a stranger": IP(src=STRANGER, dst=US) / GRE() / udp(LAN),
    "GUE": IP(src=PEER, dst=US) / UDP(sport=6080, dport=6080) / Raw(
        b"\0\4\0\0" + bytes(udp(LAN))),
    "GUE without a header": IP(src=PEER, dst=US) / UDP(
        sport=6080, dport=6080) / udp(LAN),
    "GUE over IPv6": IPv6(src=PEER6, dst=US6) / UDP(
        sport=6080, dport=6080) / Raw(b"\0\x29\0\0" + bytes(udp(FAR6))),
}
@pytest.fixture(scope="module", params=["native", "tc"])
def host(request):
    """A Host that all cases of a mode share."""
    with Lab() as lab:
        yield Host(lab, request.param)


@pytest.mark.parametrize("name", DECAPSULATED)
def test_decapsulated(host, name):
    """The host decapsulates valid packets, so the refusals below are real."""
    packet, inner = DECAPSULATED[name]
    counted, got = host.send(packet)
    assert [c["rx_decap"] for c in counted] == [1, 1]
    assert got == [bytes(host.ether / inner)]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(host, name):
    """The packet is counted once with the right verdict, not delivered and not
    reflected. Only the stack may answer, and only one that passes to it."""
    packet, verdict = REFUSED[name]
    counted, got = host.send(packet)
    assert counted == [{verdict: 1}, {} if verdict in PEERLESS else
                       {verdict: 1}]
    assert got == [] and host.heard == []
    if FATES[verdict] == "DROP":
        assert host.left() == []
    for answer in host.left():
        assert is_unknown_protocol(answer) and answer.dst == packet.src


@pytest.mark.parametrize("name", OTHER_TUNNELS)
def test_other_tunnels(host, name):
    """They are plain packets for tunload, and nothing decapsulates them."""
    packet = OTHER_TUNNELS[name]
    assert host.send(packet) == ([{}, {}], [])
    assert host.heard == []
    for answer in host.left():
        assert is_unknown_protocol(answer) and answer.dst == packet.src


@pytest.mark.parametrize("src", ["10.30.0.1", "fd00:30::1"])
def test_without_a_guard(host, src):
    """Plain packets from the prefix of a peer with `guard = no` pass."""
    assert host.send(udp(src)) == ([{}, {}], [bytes(host.ether / udp(src))])


@pytest.mark.parametrize("where", ["inside", "behind"])
def test_padding(host, where):
    """Padding behind the inner packet is ignored, inside the outer packet or
    behind it, where Ethernet pads short frames (RFC 4213 3.6)."""
    inner = bytes(udp(LAN))
    if where == "inside":
        packet = by4(Raw(inner + b"padding"), proto=4)
    else:
        packet = IP(bytes(by4(udp(LAN))) + b"padding")
    counted, got = host.send(packet)
    assert counted == [{"rx_decap": 1}] * 2
    assert len(got) == 1 and got[0][14:].startswith(inner)
    assert host.heard == [b"inner packet"]


def test_the_endpoint_itself_is_not_tunnelled(host):
    """Plain traffic with a peer's endpoint works as without tunload."""
    assert host.other.run("ping", "-c1", "-W2", US).returncode == 0
    assert host.other.run("ping", "-c1", "-W2", US6).returncode == 0


def test_neighbours_are_those_of_the_wire(host):
    """Neighbour discovery out of a tunnel changes no neighbour, although its
    hop limit is 255 (RFC 4861 11.2)."""
    host.other.run("ping", "-c1", "-W2", US6)
    for hidden in advertisement(), IPv6(
            src=FAR6, dst=INNER6, hlim=255) / IPv6ExtHdrDestOpt() / \
            advertisement().payload:
        host.send(by6(hidden))
        assert FORGED_MAC not in host.ns.ip("-6", "neigh", "show").stdout
    # The same advertisement from the wire is accepted, as without tunload.
    packet = advertisement()
    packet.src = PEER6
    host.send(packet)
    assert FORGED_MAC in host.ns.ip("-6", "neigh", "show").stdout
    host.ns.ip("neigh", "del", PEER6, "dev", "eth0")


@pytest.mark.parametrize("src,dst", [(LAN, THIRD), (FAR6, THIRD6)])
def test_forwarded(host, src, dst):
    """A packet from an allowed source is forwarded with one hop less, and not
    with its last hop. A reflection would be seen here."""
    hops = "hlim" if ":" in src else "ttl"
    by = by6 if ":" in src else by4
    for n, on in (2, True), (1, False):
        host.send(by(udp(src, dst, **{hops: n})))
        wait_until(host.left, "the packet is forwarded, or answered")
        packet = host.left()[0]
        assert (packet.dst == dst) == on and is_tunnel(packet) != on
        if on:
            assert packet.data == bytes(udp(src, dst, **{hops: 1}))


@pytest.mark.parametrize("src,dst,by,at", [
    (LAN, "10.10.0.9", by4, 8), (FAR6, "fd00:20::9", by6, 7)])
def test_loop_ends(host, src, dst, by, at):
    """A packet that a peer sends to itself through us, again and again, loses
    a hop each time and ends."""
    packet = udp(src, dst, **{"hlim" if by is by6 else "ttl": 5})
    hops = []
    while packet is not None:
        host.send(by(packet))
        wait_until(host.left, "the packet is sent back, or answered")
        inner, = (p.payload for p in host.left()
                  if p.proto not in (1, 58))
        hops.append(inner[at])
        packet = type(packet)(inner) if Packet(inner).dst == dst else None
    assert hops[:-1] == [4, 3, 2, 1]


def random_sources(number):
    """Yields (frame without its Ethernet addresses, verdict), `number` for each
    template, with random source addresses."""
    rng = random.Random(1)
    templates = [(by4(udp(LAN), src=STRANGER), 12, 4, "rx_no_peer"),
                 (by6(udp(FAR6), src=STRANGER6), 8, 16, "rx_no_peer"),
                 (by4(udp(STRANGER)), 32, 4, "rx_not_allowed"),
                 (by6(udp(STRANGER6)), 48, 16, "rx_not_allowed"),
                 (udp(STRANGER), 12, 4, "rx_plain"),
                 (udp(STRANGER6), 8, 16, "rx_plain")]
    frames = [(bytearray(bytes(packet)), type(packet), *rest)
              for packet, *rest in templates]
    for _ in range(number):
        for data, layer, at, size, verdict in frames:
            data[at + 1:at + size] = rng.randbytes(size - 1)
            yield Ether(type=0x800 if layer is IP else 0x86dd).build()[
                12:14] + bytes(data), verdict


def test_random_sources(host):
    """Each packet is counted once, and no map grows with the sources."""
    entries, (before, _) = host.entries(), host.counters()
    want = {}
    for n, (data, verdict) in enumerate(random_sources(500)):
        want[verdict] = want.get(verdict, 0) + 1
        host.sender.send(host.ether.build()[:12] + data)
        if n % 50 == 0:  # the queue of a veth is short
            host.mark()
    host.mark()
    after, _ = host.counters()
    got = {name: n - before.get(name, 0) for name, n in after.items()
           if n > before.get(name, 0) and name.startswith("rx_")}
    assert got.pop("rx_plain") >= want.pop("rx_plain")
    assert got == want
    now = host.entries()
    # A row for each peer and CPU at most.
    assert now.pop("peer_stats") <= now["peers"] * os.cpu_count()
    entries.pop("peer_stats")
    assert now == entries


def event_of(name):
    """The fields that a monitor must print about a packet of REFUSED."""
    packet, verdict = REFUSED[name]
    pairs = []
    while packet is not None and not isinstance(packet, Raw):
        if isinstance(packet, (IP, IPv6)):
            pairs.append({"source": packet.src, "destination": packet.dst})
        packet = packet.payload or None
    if verdict in ("rx_fragment", "rx_too_many_options"):
        del pairs[1:]
    outer, inner = (pairs + [None])[:2]
    peer = {PEER: "four", PEER6: "six"}.get(outer["source"])
    if verdict == "rx_borrowed":
        outer, inner = None, outer
        peer = {LAN: "four", FAR6: "six"}[inner["source"]]
    return {"verdict": verdict, "outer": outer, "inner": inner,
            "peer": None if verdict in PEERLESS else peer}


def test_monitor_tells_of_each(host):
    """monitor prints time, verdict, peer and addresses of refused packets."""
    start = time.time()
    monitor = host.tunload.start("monitor", "eth0", "--json")

    def heard(name):
        host.sender.send(host.ether / REFUSED[name][0])
        host.mark()
        # The last line may be incomplete.
        lines = [line for line in monitor.output().split("\n")[:-1]
                 if line != "listening on eth0, ^C ends"]
        return [e for e in map(json.loads, lines)
                if event_of(name).items() <= e.items()]

    with contextlib.closing(monitor):
        for name in REFUSED:
            wait_until(lambda n=name: heard(n), f"event of {name}")
            for event in heard(name):
                assert start - 1 < event["time"] < time.time() + 1
