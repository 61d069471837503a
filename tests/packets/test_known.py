# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp: which packets take the way that a CPU knows, and what becomes
of them (bpf/packet/known.h), one packet at a time. test_forward.py has the
answers of the FIB."""
import struct
from contextlib import contextmanager

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from packets import bpf, forward_host
from packets.forward_host import (
    ABROAD, abroad, FAMILIES, framed, IN, INSIDE, inside, ip, LAN,
    less, NEXT, OUT, OUTERS, plain, SENDER, warm)
from packets.runner import XDP_PASS
from packets.world import gateway_mac

UNTIL = 2 ** 61  # before FOR_EVER
SLOTS = [struct.pack("I", slot) for slot in range(4096)]
# struct cached_way: key, until, generation and more
WAY = struct.Struct("=80sQ40s")


fixture_host, fixture_the_host = forward_host.fixture_host, \
    forward_host.fixture_the_host


def the_way(host):
    """The only way that is known, as bytes."""
    ways = host.runner.maps["ways"]
    found, = {way for slot in SLOTS for way in ways.lookup(slot) if any(way)}
    return found


def everywhere(host, way):
    """Puts the way into every slot, as if all flows had the same."""
    for slot in SLOTS:
        host.runner.maps["ways"].update(slot, way)


@contextmanager
def no_other_way(host, inner):
    """The way that is known is in every slot, and the FIB knows none."""
    everywhere(host, the_way(host))
    rule = (*(("-6",) if inner == 6 else ()), "rule")
    host.ns.ip(*rule, "add", "pref", 1, "blackhole")
    try:
        yield
    finally:
        host.ns.ip(*rule, "del", "pref", 1, "blackhole")


def changed(packet, at, bits):
    """The IP packet with other bits at that byte, and a right checksum."""
    raw = bytearray(bytes(packet))
    raw[at] ^= bits
    if packet.version == 4:
        raw[10:12] = bytes(2)
        words = sum(struct.unpack("!10H", raw[:20]))
        words = (words & 0xffff) + (words >> 16)
        words = (words & 0xffff) + (words >> 16)
        raw[10:12] = struct.pack("!H", words ^ 0xffff)
    return bytes(raw)


def of_other_flows(packet):
    """Packets that differ from it in something that a way depends on."""
    addresses, ports = {4: (12, 20), 6: (8, 40)}[packet.version]
    for at in range(addresses, ports + 4):
        yield changed(packet, at, 1)
    yield changed(packet, {4: 9, 6: 6}[packet.version], 17 ^ 6)  # TCP
    if packet.version == 4:
        yield changed(packet, 1, 0x10)
    else:
        for at, bits in (0, 1), (1, 0x10), (1, 1), (2, 1), (3, 1):
            yield changed(packet, at, bits)


# Out of a tunnel

def tunnel(raw, outer, inner, to=IN):
    """The frame with these bytes in a tunnel packet."""
    shape = framed(ip(INSIDE[inner], LAN[inner]), to=to, outer=outer)
    shape[1].remove_payload()
    return bytes(shape / Raw(raw))


@FAMILIES
@OUTERS
def test_flow_out_of_a_tunnel(host, inner, outer):
    warm(host, inner, outer)
    good = inside(inner, outer=outer)
    with no_other_way(host, inner):
        for raw in of_other_flows(good):
            verdict = host.run(tunnel(raw, outer, inner)).verdict
            assert verdict != "rx_forward", raw.hex()
        assert host.run(framed(good, outer=outer)).verdict == "rx_forward"


@FAMILIES
@OUTERS
def test_outer_addresses(host, inner, outer):
    """The way of another peer, or to another address of ours."""
    warm(host, inner, outer)
    good = framed(inside(inner, outer=outer), outer=outer)[1]
    with no_other_way(host, inner):
        for at in range(*{4: (12, 20), 6: (8, 40)}[outer]):
            frame = bytes(Ether(src=SENDER, dst=IN, type=0x800 if outer == 4
                                else 0x86dd)) + changed(good, at, 1)
            assert host.run(frame).verdict == "rx_no_peer", at


@FAMILIES
def test_plain_packet_with_such_addresses(host, inner):
    """It came by no tunnel, so the guard drops it."""
    warm(host, inner)
    with no_other_way(host, inner):
        assert host.run(plain(inside(inner))).verdict == "rx_borrowed"


@FAMILIES
def test_tunnel_packet_by_another_interface(host, inner):
    warm(host, inner)
    with no_other_way(host, inner):
        done = host.run(framed(inside(inner)), "out0")
        assert (done.action, done.verdict) == (XDP_PASS, None)


@FAMILIES
def test_end_of_a_way(host, inner):
    """It ends with its time, and with a change by the loader."""
    frame = framed(inside(inner))
    warm(host, inner)
    key, until, rest = WAY.unpack(the_way(host))
    with no_other_way(host, inner):
        everywhere(host, WAY.pack(key, 0, rest))
        assert host.run(frame).verdict == "rx_decap"
        everywhere(host, WAY.pack(key, until, rest))
        assert host.run(frame).verdict == "rx_forward"
        host.runner.forget()
        assert host.run(frame).verdict == "rx_decap"


@FAMILIES
def test_way_ends_with_what_is_known_of_addresses(host, inner):
    caches = bpf.maps_of(host.runner.progs["xdp_ingress"])

    def each(cache):
        for slot in range(caches[cache].max_entries):
            yield struct.pack("I", slot)

    def check(cache, frame, before, after):
        for slot in each(cache):
            caches[cache].update(slot, bytes(64))
        assert host.run(frame).verdict == before
        for slot in each(cache):
            for entry in filter(any, caches[cache].lookup(slot)):
                caches[cache].update(
                    slot, entry[:48] + struct.pack("Q", UNTIL) + entry[56:])
        host.routed()
        assert host.run(frame).verdict == after
        assert WAY.unpack(the_way(host))[1] == UNTIL
    check("flows", framed(inside(inner)), "rx_decap", "rx_forward")
    check("sources", plain(abroad(inner)), "tx_forward", "tx_forward")


@FAMILIES
def test_neighbour_that_is_not_known_yet(host, inner):
    """The kernel asks for it; XDP forwards as soon as it has answered."""
    address = LAN[inner][:-1] + "7"
    frame = framed(inside(inner, dst=address))
    for _ in range(3):
        assert host.run(frame).verdict == "rx_decap"
    host.ns.ip("neigh", "add", address, "lladdr", NEXT, "dev", "out0", "nud",
               "permanent")
    try:
        assert host.run(frame).verdict == "rx_forward"
    finally:
        host.ns.ip("neigh", "del", address, "dev", "out0")


@OUTERS
def test_wrong_inner_headers(host, outer):
    """Each with the flow of a packet that is forwarded."""
    for inner in 4, 6:
        warm(host, inner, outer)
        good = inside(inner, outer=outer)
        wrong = [changed(good, 0, 0x11 if inner == 4 else 0x30),
                 changed(good, 3 if inner == 4 else 5, 1)]  # 1 byte more
        if inner == 4:
            wrong += [changed(good, 0, 1),  # a header of 16 bytes
                      changed(good, 3, len(good) ^ 10),
                      changed(good, 6, 0x20), changed(good, 8, 64 ^ 1)]
        else:
            wrong += [changed(good, 7, 64 ^ 1)]
        for raw in wrong:
            verdict = host.run(tunnel(raw, outer, inner)).verdict
            assert verdict != "rx_forward", raw.hex()
        assert host.run(framed(good, outer=outer)).verdict == "rx_forward"


def test_neighbour_discovery(host):
    """It is not forwarded, as an echo request of the same flow is."""
    head = ip(INSIDE[6], LAN[6])
    for _ in range(2):
        done = host.run(framed(head / ICMPv6EchoRequest()))
    assert done.verdict == "rx_forward"
    head.hlim = 255
    done = host.run(framed(head / ICMPv6ND_NS(tgt=LAN[6])))
    assert done.verdict not in ("rx_forward", "rx_decap")


@FAMILIES
@OUTERS
def test_wrong_outer_headers(host, inner, outer):
    """Each with the addresses of a packet that is forwarded."""
    warm(host, inner, outer)
    good = framed(inside(inner, outer=outer), outer=outer)
    link = bytes(good)[:14]
    for at, bits in {4: ((0, 1), (0, 0x10), (6, 0x20), (7, 1)),
                     6: ((0, 0x10), (0, 0x30), (5, 1))}[outer]:
        frame = link + changed(good[1], at, bits)
        assert host.run(frame).verdict != "rx_forward", (at, bits)
    if outer == 4:
        frame = bytearray(bytes(good))
        frame[22] ^= 1  # the TTL, of which the checksum is not right then
        assert host.run(frame).verdict == "rx_bad_checksum"
    assert host.run(good).verdict == "rx_forward"


def test_outer_length_below_its_header(host):
    """Of a frame that is short enough to have padding."""
    frame = framed(IP(src=INSIDE[4], dst=LAN[4], proto=99))
    for _ in range(2):
        done = host.run(frame)
    assert done.verdict == "rx_forward"
    for length in 0, 10, 19:
        wrong = bytes(frame)[:14] + changed(frame[1], 3, 40 ^ length)
        assert host.run(wrong).verdict == "rx_bad_outer", length


def test_padding(host):
    """It is no part of the packet."""
    packet = IP(src=INSIDE[4], dst=LAN[4], proto=99)
    frame = bytes(framed(packet))
    padded = frame.ljust(60, b"\0")
    for _ in range(2):
        done = host.run(padded)
    assert (done.verdict, done.size) == ("rx_forward", len(packet))
    assert done.out == bytes(Ether(src=OUT, dst=NEXT) / less(packet)) + bytes(6)
    assert host.run(frame + bytes(100)).verdict == "rx_decap"


# Into a tunnel

@FAMILIES
@OUTERS
def test_flow_into_a_tunnel(host, inner, outer):
    good = abroad(inner, outer)
    assert host.run(plain(good)).verdict == "tx_forward"
    with no_other_way(host, inner):
        for raw in of_other_flows(good):
            frame = bytes(plain(good))[:14] + raw
            assert host.run(frame).verdict != "tx_forward", raw.hex()
        done = host.run(plain(good), "out0")
        assert (done.action, done.verdict) == (XDP_PASS, None)
        assert host.run(plain(good)).verdict == "tx_forward"


def test_end_of_a_plain_packet(host):
    """Padding of the shortest frames is none of it; a packet without its end
    goes up."""
    packet = IP(src=ABROAD[4], dst=INSIDE[4], proto=99)
    frame = bytes(plain(packet))
    for one in frame, frame.ljust(60, b"\0"):
        done = host.run(one)
        assert (done.verdict, done.size) == ("tx_forward", len(packet))
    for more in 0, 27, 100:
        assert host.run(frame + bytes(more)).verdict == (
            "rx_plain" if more > 26 else "tx_forward"), more
    for missing in 1, 8, 100:
        packet.len = 20 + missing
        assert host.run(plain(packet)).verdict != "tx_forward", missing


@FAMILIES
def test_syn_of_a_flow(host, inner):
    """It goes up, where its MSS is clamped."""
    packet = ip(ABROAD[inner], INSIDE[inner]) / TCP(sport=1000, flags="A")
    assert host.run(plain(packet)).verdict == "tx_forward"
    for flags in "S", "SA":
        packet[TCP].flags = flags
        assert host.run(plain(packet)).verdict == "rx_plain", flags


@FAMILIES
@OUTERS
def test_as_tc_encapsulates(host, inner, outer):
    """The same packet as by tc_egress, with its TOS and its flow label."""
    for port, field in (1000, 0), (1001, 0x29):
        packet = abroad(inner, outer, **{{4: "tos", 6: "tc"}[inner]: field})
        packet[UDP].sport = port
        done = host.run(plain(packet))
        assert done.verdict == "tx_forward"
        leaving = Ether(dst=gateway_mac(outer // 2 - 1)) / less(packet)
        _, want, counted = host.ns.call(host.runner.quick, "tc_egress",
                                        bytes(leaving))
        assert list(counted) == ["tx_encap"]
        assert done.out.hex() == want.hex()


@FAMILIES
def test_counted_for_the_peer(host, inner):
    """With the bytes of the inner packet."""
    def counted():
        found = host.runner.traffic(1)
        return [tuple(sum(slot.counter[i] for verdict, slot in found
                          if verdict == name) for i in range(2))
                for name in ("rx_forward", "tx_forward")]
    warm(host, inner)
    received, sent = inside(inner), abroad(inner)
    before = counted()
    assert host.run(framed(received)).verdict == "rx_forward"
    assert host.run(plain(sent)).verdict == "tx_forward"
    assert counted() == [
        (packets + 1, size + len(packet)) for (packets, size), packet in
        zip(before, (received, sent))]
