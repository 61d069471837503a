# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp, one packet at a time, in a namespace with routes and
neighbours that the programs ask for. tests/wire/test_forward_xdp.py compares
with the kernel's own forwarding."""
import struct

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from netns import run
from packets import bpf, forward_host
from packets.forward_host import (
    ABROAD, abroad, encapsulated, FAMILIES, FAR, FOR_EVER, framed, HOP, IN,
    INSIDE, inside, ip, LAN, less, mac, MTU, NEAR, NEXT, OURS, OUT, OUTERS,
    plain, SENDER, SENDS, stays, udp, US, warm, XDP_REDIRECT, XDP_TX)
from packets.runner import XDP_DROP, XDP_PASS, Runner
from packets.world import gateway_mac

fixture_host, fixture_the_host = forward_host.fixture_host, \
    forward_host.fixture_the_host


# Out of a tunnel

@FAMILIES
@OUTERS
def test_forwarded(host, inner, outer):
    warm(host, inner, outer)


@FAMILIES
def test_back_to_the_wire(host, inner):
    """By the interface that the tunnel packet came by."""
    warm(host, inner)
    packet = inside(inner, dst=NEAR[inner])
    done = host.run(framed(packet))
    assert (done.action, done.verdict) == (XDP_REDIRECT, "rx_forward")
    assert done.out == bytes(Ether(src=IN, dst=SENDER) / less(packet))


@FAMILIES
def test_goes_up(host, inner):
    """Decapsulated, with its hops and its frame's addresses as they were."""
    warm(host, inner)
    for packet in (inside(inner, ttl=1), inside(inner, dst=US[inner]),
                   inside(inner, dst=LAN[inner][:-1] + "8"),
                   inside(inner, dst={4: "239.1.1.1", 6: "ff0e::1"}[inner]),
                   inside(inner, dst={4: "198.18.0.1", 6: "2001:2::1"}[inner]),
                   inside(inner, size=1480)):
        stays(host, framed(packet), Ether(src=SENDER, dst=IN) / packet)
    options = inside(6, dst=LAN[6]).copy()
    options = ip(INSIDE[6], LAN[6]) / IPv6ExtHdrHopByHop() / udp()
    if inner == 6:
        stays(host, framed(options), Ether(src=SENDER, dst=IN) / options)


@FAMILIES
def test_mtu(host, inner):
    """Up to the MTU of the way, to the byte."""
    host.ns.ip("link", "set", "out0", "mtu", 1300)
    try:
        warm(host, inner)
        head = {4: 28, 6: 48}[inner]
        largest = inside(inner, size=1300 - head)
        assert host.run(framed(largest)).verdict == "rx_forward"
        packet = inside(inner, size=1301 - head)
        stays(host, framed(packet), Ether(src=SENDER, dst=IN) / packet)
        # What lies behind the packet would be sent, too.
        trailing = bytes(framed(largest)) + b"x"
        assert host.run(trailing).verdict == "rx_decap"
    finally:
        host.ns.ip("link", "set", "out0", "mtu", 1500)


@FAMILIES
def test_frames_to_others(host, inner):
    warm(host, inner)
    packet = inside(inner)
    for at in range(6):
        other = bytearray(mac(IN))
        other[at] ^= 0x20
        other = bytes(other).hex(":")
        stays(host, framed(packet, to=other),
              Ether(src=SENDER, dst=other) / packet)


@FAMILIES
@OUTERS
def test_same_flow_of_others(host, inner, outer):
    """A way is that of a peer: the inner packet from another address, or to
    another one of ours, is none that it may send."""
    warm(host, inner, outer)
    good = framed(inside(inner, outer=outer), outer=outer)
    for at in range(26 if outer == 4 else 22, 34 if outer == 4 else 54):
        frame = bytearray(bytes(good))
        frame[at] ^= 1
        if outer == 4:
            head = IP(bytes(frame[14:]))
            del head.chksum
            frame[14:34] = bytes(head)[:20]
        assert host.run(frame).verdict in ("rx_no_peer", "rx_not_allowed"), at
    assert host.run(good).verdict == "rx_forward"


@FAMILIES
def test_for_this_host(host, inner):
    """Remembered as well: decapsulated, with all that is checked."""
    packet = inside(inner, dst=US[inner])
    for _ in range(3):
        stays(host, framed(packet), Ether(src=SENDER, dst=IN) / packet)
    field = {4: "tos", 6: "tc"}[inner]
    marked = inside(inner, dst=US[inner], **{field: 2})
    for _ in range(2):
        done = host.run(framed(marked, tos=3))
        assert (done.action, done.verdict) == (XDP_PASS, "rx_decap")
    marked.setfieldval(field, 3)
    assert done.out == bytes(Ether(src=SENDER, dst=IN) / marked)


@FAMILIES
def test_devices_decide(host, inner):
    warm(host, inner)
    packet = inside(inner)
    up = Ether(src=SENDER, dst=IN) / packet
    host.devices(sending=("in0",))
    stays(host, framed(packet), up)
    host.devices(address="02:00:00:00:00:66")
    stays(host, framed(packet), up)
    host.devices()
    # Another device in the slot.
    index = host.index["out0"]
    host.runner.maps["devices"].update(
        struct.pack("I", index % 1024),
        struct.pack("I6sH", index + 1024, mac(OUT), SENDS))
    stays(host, framed(packet), up)
    host.devices()
    assert host.run(framed(packet)).verdict == "rx_forward"


@FAMILIES
def test_to_another_peer(host, inner):
    warm(host, inner)
    packet = inside(inner, dst={4: "10.20.0.1", 6: "fd00:20::1"}[inner])
    stays(host, framed(packet), Ether(src=SENDER, dst=IN) / packet)


def test_rules_by_port_and_tos(host):
    """The whole flow is in the question: rules may ask for all of it."""
    host.ns.ip("route", "add", "blackhole", "default", "table", "77")
    host.ns.ip("-6", "route", "add", "blackhole", "default", "table", "77")
    for inner, option in ((4, ()), (6, ("-6",))):
        warm(host, inner)
        for rule in (("sport", 1000), ("dport", 2000), ("ipproto", "udp"),
                     ("tos", "0x10"), ("from", INSIDE[inner]),
                     ("iif", "in0")):
            fields = {}
            if rule[0] == "tos":
                fields = {4: dict(tos=0x10), 6: dict(tc=0x10)}[inner]
            packet = inside(inner, **fields)
            args = (*option, "rule", "{}", *rule, "table", 77)
            host.ns.ip(*("add" if a == "{}" else a for a in args))
            host.routed()
            try:
                done = host.run(framed(packet, tos=0))
                assert done.verdict == "rx_decap", rule
            finally:
                host.ns.ip(*("del" if a == "{}" else a for a in args))
            assert host.run(framed(packet)).verdict == "rx_forward", rule


def test_congestion(host):
    """RFC 6040 4.2: with the other changes."""
    warm(host, 4)
    packet = inside(4, tos=2)
    done = host.run(framed(packet, tos=3))
    packet.tos = 3
    assert done.verdict == "rx_forward"
    assert done.out == bytes(Ether(src=OUT, dst=NEXT) / less(packet))
    assert host.run(framed(inside(4), tos=3)).action == XDP_DROP


def test_forwarding_off(host):
    for inner in 4, 6:
        warm(host, inner)
        packet = inside(inner)
        host.ns.sysctl(f"net.ipv{inner}.conf.in0.forwarding", 0)
        host.routed()
        try:
            stays(host, framed(packet), Ether(src=SENDER, dst=IN) / packet)
        finally:
            host.ns.sysctl(f"net.ipv{inner}.conf.in0.forwarding", 1)


@FAMILIES
def test_ways_are_remembered(host, inner):
    """Of each flow, for a second at most, which here is for ever."""
    rule = *(() if inner == 4 else ("-6",)), "rule"
    frame = framed(inside(inner))
    warm(host, inner)
    host.ns.ip(*rule, "add", "from", INSIDE[inner], "blackhole")
    try:
        assert host.run(frame).verdict == "rx_forward"
        other = ip(INSIDE[inner], LAN[inner]) / UDP(sport=1001, dport=2000)
        assert host.run(framed(other)).verdict == "rx_decap"
        host.routed()
        assert host.run(frame).verdict == "rx_decap"
    finally:
        host.ns.ip(*rule, "del", "from", INSIDE[inner], "blackhole")
    host.routed()
    assert host.run(frame).verdict == "rx_forward"


# Into a tunnel

@FAMILIES
@OUTERS
def test_encapsulated(host, inner, outer):
    for size in 0, 50, MTU[outer] - {4: 28, 6: 48}[inner]:
        packet = abroad(inner, outer, size)
        done = host.run(plain(packet))
        assert (done.action, done.verdict) == (XDP_TX, "tx_forward")
        assert done.size == len(packet)
        label = 0
        if outer == 6:
            label = int.from_bytes(done.out[14:18], "big") & 0xfffff
            assert label
        assert done.out.hex() == bytes(
            encapsulated(packet, outer, label)).hex()


@FAMILIES
def test_left_alone(host, inner):
    """Untouched, and counted as a plain packet."""
    def alone(packet, **frame):
        stays(host, plain(packet, **frame), plain(packet, **frame), "rx_plain")
    assert host.run(plain(abroad(inner))).verdict == "tx_forward"
    alone(abroad(inner, ttl=1))
    alone(abroad(inner, dst=US[inner]))
    alone(abroad(inner, dst=LAN[inner]))
    alone(abroad(inner, dst=NEAR[inner]))
    alone(abroad(inner, dst={4: "239.1.1.1", 6: "ff0e::1"}[inner]))
    alone(abroad(inner, src=OURS[inner]))
    alone(abroad(inner, src=OURS[inner]))  # remembered
    alone(abroad(inner, outer=inner, src=FAR[inner]))
    alone(abroad(inner, src={4: "169.254.1.1", 6: "fe80::1"}[inner]))
    alone(abroad(inner), to="02:00:00:00:00:99")
    alone(abroad(inner, size=MTU[4] + 1 - {4: 28, 6: 48}[inner]))
    syn = ip(ABROAD[inner], INSIDE[inner]) / TCP(flags="S", sport=1000)
    alone(syn)
    syn[TCP].flags = "A"
    assert host.run(plain(syn)).verdict == "tx_forward"
    if inner == 4:
        alone(abroad(4, flags="MF"))
    for packet in (abroad(inner), abroad(inner, outer=6)):
        assert host.run(plain(packet)).verdict == "tx_forward"


@FAMILIES
def test_mtu_of_the_route(host, inner):
    """Less than the peer's: the kernel answers. The FIB tells it only if it is
    locked (ip_mtu_from_fib_result(), ip6_mtu_from_fib6())."""
    net, dst, gateway = {
        4: ("10.10.5.0/24", "10.10.5.1", "240.0.0.1"),
        6: ("fd00:10:5::/48", "fd00:10:5::1", "fe80::74:6e:0:1")}[inner]
    host.ns.ip("route", "add", net, "via", gateway, "dev", "in0", "onlink",
               "mtu", "lock", 1300)
    head = {4: 28, 6: 48}[inner]
    fits, long = (abroad(inner, dst=dst, size=size - head)
                  for size in (1300, 1301))
    assert host.run(plain(fits)).verdict == "tx_forward"
    stays(host, plain(long), plain(long), "rx_plain")
    host.ns.ip("route", "del", net, "via", gateway, "dev", "in0")


@FAMILIES
def test_learnt_mtu(host, inner):
    """What the path has taught since is less than the route says."""
    maps = host.runner.maps
    maps["learned"].update(struct.pack("I", 1),
                           struct.pack("QII", FOR_EVER, 1000, 0))
    maps["learned_until"].update(struct.pack("I", 1),
                                 struct.pack("Q", FOR_EVER))
    head = {4: 28, 6: 48}[inner]
    try:
        fits, long = (abroad(inner, size=size - head) for size in (1000, 1001))
        assert host.run(plain(fits)).verdict == "tx_forward"
        if inner == 4:
            stays(host, plain(long), plain(long), "rx_plain")
    finally:
        maps["learned"].clear()
        maps["learned_until"].update(struct.pack("I", 1), bytes(8))


@FAMILIES
def test_next_hop_must_be_known(host, inner):
    hops = host.runner.maps["next_hops"]
    packet = abroad(inner)
    for until, ident in ((0, 1), (FOR_EVER, 1 + 1024)):
        hops.update(struct.pack("I", 1), struct.pack(
            "QI12s", until, ident, mac(HOP) + mac(IN)))
        host.runner.forget()
        stays(host, plain(packet), plain(packet), "rx_plain")
    hops.update(struct.pack("I", 1), struct.pack(
        "QI12s", FOR_EVER, 1, mac(HOP) + mac(IN)))
    assert host.run(plain(packet)).verdict == "tx_forward"
    host.devices(sending=("out0",))
    stays(host, plain(packet), plain(packet), "rx_plain")


def test_destinations_are_remembered(host):
    """One without a tunnel is not asked for again within a second: routes that
    others change count then. A change by the loader counts at once."""
    for inner, net in ((4, "10.99.0.1/32"), (6, "fd00:99::1/128")):
        packet = abroad(inner, dst=net.split("/", maxsplit=1)[0])
        stays(host, plain(packet), plain(packet), "rx_plain")
        gateway = {4: "240.0.0.1", 6: "fe80::74:6e:0:1"}[inner]
        host.ns.ip("route", "add", net, "via", gateway, "dev", "in0", "onlink")
        stays(host, plain(packet), plain(packet), "rx_plain")
        other = abroad(inner, size=51)
        assert host.run(plain(other)).verdict == "tx_forward"
        host.runner.forget()
        assert host.run(plain(packet)).verdict == "tx_forward"
        host.ns.ip("route", "del", net, "via", gateway, "dev", "in0")


def test_gateway_on_another_interface(host):
    """A neighbour with such a MAC elsewhere is no peer of this interface."""
    host.ns.ip("neigh", "replace", LAN[4], "lladdr", gateway_mac(1).hex(":"),
               "dev", "out0", "nud", "permanent")
    try:
        packet = abroad(4, dst=LAN[4])
        stays(host, plain(packet), plain(packet), "rx_plain")
        packet = inside(4)
        for _ in range(3):
            stays(host, framed(packet), Ether(src=SENDER, dst=IN) / packet)
    finally:
        host.ns.ip("neigh", "replace", LAN[4], "lladdr", NEXT, "dev", "out0",
                   "nud", "permanent")


def test_checksum_of_the_packet(host):
    """A router drops a packet whose header checksum is wrong (RFC 1812 5.2.2):
    the kernel does so, XDP forwards none."""
    warm(host, 4)
    for at in range(2):
        packet = bytearray(bytes(inside(4)))
        packet[10 + at] ^= 1
        frame = bytes(Ether(src=SENDER, dst=IN) / IP(
            src=FAR[4], dst=US[4], proto=4) / Raw(bytes(packet)))
        assert host.run(frame).verdict == "rx_decap"
        wrong = bytearray(bytes(plain(abroad(4))))
        wrong[24 + at] ^= 1
        stays(host, bytes(wrong), bytes(wrong), "rx_plain")
    assert host.run(plain(abroad(4))).verdict == "tx_forward"


def test_off_is_as_before():
    """Without the constant the FIB is only asked about ways back."""
    runner = Runner()
    try:
        for name, fd in runner.progs.items():
            info = (bpf.ctypes.c_char * 220)()
            bpf.bpf(bpf.OBJ_GET_INFO_BY_FD, bpf.InfoAttr(
                fd, len(info), bpf.ctypes.addressof(info)))
            code = run("bpftool", "prog", "dump", "xlated", "id",
                       struct.unpack_from("I", info, 4)[0]).stdout
            assert code.count("bpf_xdp_fib_lookup") == (
                name == "xdp_ingress"), name
    finally:
        runner.close()
