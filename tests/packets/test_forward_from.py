# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp IF: packets towards the tunnels that come by another interface
(xdp_forward), one packet at a time."""
import struct

from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Ether

from packets import forward_host
from packets.forward_host import (
    abroad, encapsulated, FAMILIES, FAR, FOR_EVER, from_lan, HOP, IN, INSIDE,
    ip, LAN, mac, MTU, NEAR, OURS, OUT, OUTERS, plain, SENDER, udp, US,
    XDP_REDIRECT)
from packets.runner import XDP_PASS

fixture_host, fixture_the_host = forward_host.fixture_host, \
    forward_host.fixture_the_host


def enters(host, packet, outer=4):
    """The packet, by out0, leaves encapsulated by in0."""
    done = host.run(plain(packet, to=OUT), "out0")
    assert (done.action, done.verdict) == (XDP_REDIRECT, "tx_forward")
    assert done.size == len(packet)
    label = 0
    if outer == 6:
        label = int.from_bytes(done.out[14:18], "big") & 0xfffff
        assert label
    assert done.out.hex() == bytes(encapsulated(packet, outer, label)).hex()


def ignored(host, frame):
    """The frame goes up as it is, and nothing is counted."""
    frame = bytes(frame)
    done = host.run(frame, "out0")
    assert (done.action, done.verdict) == (XDP_PASS, None)
    assert done.out.hex() == frame.hex()


@FAMILIES
@OUTERS
def test_from_another_interface(host, inner, outer):
    for size in 0, 50, MTU[outer] - {4: 28, 6: 48}[inner]:
        enters(host, from_lan(inner, outer, size=size), outer)


@FAMILIES
def test_another_interface_is_left_alone(host, inner):
    """Whatever is not for a tunnel, or more than plain."""
    enters(host, from_lan(inner))

    def alone(packet, to=OUT):
        ignored(host, plain(packet, to=to))
    alone(from_lan(inner, ttl=1))
    alone(from_lan(inner, dst=US[inner]))
    alone(from_lan(inner, dst=NEAR[inner]))
    alone(from_lan(inner, dst={4: "239.1.1.1", 6: "ff0e::1"}[inner]))
    alone(abroad(inner, src=OURS[inner]))
    alone(abroad(inner, src=OURS[inner]))  # remembered
    alone(abroad(inner, src=INSIDE[inner], dst={4: "10.20.0.1",
                                                6: "fd00:20::1"}[inner]))
    alone(abroad(inner, src={4: "169.254.1.1", 6: "fe80::1"}[inner]))
    alone(from_lan(inner), to=IN)
    alone(from_lan(inner, size=MTU[4] + 1 - {4: 28, 6: 48}[inner]))
    alone(ip(LAN[inner], INSIDE[inner]) / TCP(flags="S", sport=1000))
    tunnel = ip(FAR[inner], US[inner]) / from_lan(4)
    tunnel[0].__setattr__({4: "proto", 6: "nh"}[inner], 4)
    alone(tunnel)
    frame = bytes(plain(from_lan(inner), to=OUT))
    for length in 14, 13 + {4: 20, 6: 40}[inner]:
        ignored(host, frame[:length])
    ignored(host, frame[:12] + b"\x81\0\0\5" + frame[12:])
    ignored(host, Ether(src=SENDER, dst="ff:ff:ff:ff:ff:ff") / ARP(
        psrc=LAN[4], pdst="172.22.2.1"))
    if inner == 4:
        alone(from_lan(4, flags="MF"))
        wrong = bytearray(bytes(plain(from_lan(4), to=OUT)))
        wrong[24] ^= 1
        ignored(host, wrong)
    else:
        alone(ip(LAN[6], INSIDE[6]) / IPv6ExtHdrHopByHop() / udp())
    enters(host, from_lan(inner))


@FAMILIES
def test_both_interfaces_do_what_their_devices_allow(host, inner):
    """The attached one must send, the other one need not."""
    host.devices(sending=("in0",))
    enters(host, from_lan(inner))
    host.devices(sending=("out0",))
    ignored(host, plain(from_lan(inner), to=OUT))


@FAMILIES
def test_forwarding_is_off_there(host, inner):
    """The setting of the interface that the packet comes by counts."""
    enters(host, from_lan(inner))
    name = f"net.ipv{inner}.conf.out0.forwarding"
    host.ns.sysctl(name, 0)
    host.routed()
    try:
        ignored(host, plain(from_lan(inner), to=OUT))
        assert host.run(plain(abroad(inner))).verdict == "tx_forward"
    finally:
        host.ns.sysctl(name, 1)
    host.runner.forget()
    enters(host, from_lan(inner))


@FAMILIES
def test_rules_know_the_interface(host, inner):
    """`ip rule ... iif`: a destination without a tunnel for one interface may
    have one for the other; each remembers its own."""
    option = () if inner == 4 else ("-6",)
    enters(host, from_lan(inner))
    host.ns.ip(*option, "rule", "add", "iif", "out0", "blackhole")
    host.routed()
    try:
        ignored(host, plain(from_lan(inner), to=OUT))
        assert host.run(plain(from_lan(inner))).verdict == "tx_forward"
        ignored(host, plain(from_lan(inner), to=OUT))
    finally:
        host.ns.ip(*option, "rule", "del", "iif", "out0", "blackhole")
    host.runner.forget()
    enters(host, from_lan(inner))


@FAMILIES
def test_next_hop_must_be_known_there(host, inner):
    hops = host.runner.maps["next_hops"]
    hops.update(struct.pack("I", 1), struct.pack(
        "QI12s", 0, 1, mac(HOP) + mac(IN)))
    ignored(host, plain(from_lan(inner), to=OUT))
    hops.update(struct.pack("I", 1), struct.pack(
        "QI12s", FOR_EVER, 1, mac(HOP) + mac(IN)))
    enters(host, from_lan(inner))
