# SPDX-License-Identifier: GPL-2.0-only
"""Only this host's routing sends packets into a tunnel. Others on the interface
cannot, and cannot make tunload learn a next hop: guests on a bridge or macvlan,
packet sockets, containers that set every mark they can, neighbours on the wire
that claim to be gateways."""
import contextlib
import json
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr,
                                IPv6)
from scapy.layers.l2 import ARP, Ether

from closed import (EVIL, GATEWAY, GATEWAY4, GATEWAY6, INNER_SITE,
                    INNER_US, SITE, US, Wire)
from lab import run, wait_until
from netns import scratch
from traffic import ping, udp_socket

MODES = pytest.mark.parametrize("mode", ["tc", "native"])


@pytest.fixture
def wire(lab):
    return Wire(lab)


def fire(sender, *frames):
    """Sends frames; ignores the error if the kernel reports one as dropped."""
    for frame in frames:
        with contextlib.suppress(OSError):
            sender.send(frame)


def inner(src=INNER_US, dst=INNER_SITE):
    return IP(src=src, dst=dst) / ICMP() / b"guest"


def test_packet_socket(wire):
    """Frames of a packet socket are refused, as the host's routing has not sent
    them."""
    frame = Ether(src=wire.host.mac("eth0"), dst=GATEWAY) / inner()
    sender = wire.lab.sender(wire.host, "eth0")
    wire.refused("tx_not_routed", 3, lambda: fire(sender, frame, frame, frame))


def macvlan(wire):
    guest = wire.lab.netns("guest")
    wire.host.ip("link", "add", "mv0", "link", "eth0", "netns", guest.name,
                 "type", "macvlan", "mode", "bridge")
    guest.ip("link", "set", "mv0", "up")
    guest.addr("mv0", "10.1.9.2/24")
    return guest


def test_macvlan_packet_socket(wire):
    """The guest's frames have the host's own MAC as source."""
    guest = macvlan(wire)
    sender = wire.lab.sender(guest, "mv0")
    frame = Ether(src=wire.host.mac("eth0"), dst=GATEWAY) / inner()
    wire.refused("tx_not_routed", 2, lambda: fire(sender, frame, frame))


def test_macvlan_stack(wire):
    """The guest routes to a gateway's MAC, which it has set as a neighbour."""
    guest = macvlan(wire)
    guest.ip("neigh", "add", "10.1.9.1", "lladdr", GATEWAY, "dev", "mv0",
             "nud", "permanent")
    guest.ip("route", "add", "10.2.0.0/24", "via", "10.1.9.1")
    with udp_socket(guest, "10.1.9.2") as sock:
        def send():
            for _ in range(2):
                with contextlib.suppress(OSError):
                    sock.sendto(b"guest", (INNER_SITE, 9))
        wire.refused("tx_not_routed", 2, send)


def test_bridged_guest(wire):
    """The interface is a port of a bridge, which forwards a guest's frames out
    of it."""
    guest = wire.lab.netns("guest")
    wire.lab.watch = False  # the guest's own wire has frames to a gateway
    wire.lab.veth(guest, "eth0", wire.host, "g0")
    wire.host.ip("link", "add", "br0", "type", "bridge")
    for port in "eth0", "g0":
        wire.host.ip("link", "set", port, "master", "br0")
    wire.host.ip("link", "set", "br0", "up")
    wait_until(lambda: all(
        p["state"] == "forwarding" for p in bridge_ports(wire.host)),
        "the bridge forwards")
    sender = wire.lab.sender(guest, "eth0")
    frames = [Ether(src=guest.mac("eth0"), dst=GATEWAY) / inner(),
              Ether(src=wire.host.mac("eth0"), dst=GATEWAY) / inner()]
    wire.refused("tx_not_routed", 1, lambda: fire(sender, frames[0]))
    ask = Ether(src=guest.mac("eth0"), dst="ff:ff:ff:ff:ff:ff") / ARP(
        op=1, hwsrc=guest.mac("eth0"), psrc="10.1.9.2", pdst=GATEWAY4)
    # The guest may ask for the gateway's MAC; frames to it are still refused.
    sender.send(ask)
    wire.refused("tx_not_routed", 1, lambda: fire(sender, frames[0]))


def bridge_ports(ns):
    return json.loads(ns.run("bridge", "-json", "link").stdout)


def test_forged_outer_packets_teach_nothing(wire):
    """A guest sends frames with our outer addresses to a MAC of its own choice,
    while pings make tunload learn next hops: it never uses that MAC."""
    guest = macvlan(wire)
    sender = wire.lab.sender(guest, "mv0")
    forged = Ether(src=wire.host.mac("eth0"), dst=EVIL) / IP(
        src=US, dst=SITE, proto=4) / inner()
    capture = wire.lab.capture(wire.site, "eth0",
                               lambda f: f.data[:6] == bytes.fromhex(
                                   EVIL.replace(":", "")) and
                               b"guest" not in f.data)
    for _ in range(30):
        sender.send(*[forged] * 10)
        assert ping(wire.host, INNER_SITE)
    assert EVIL not in wire.next_hops()
    assert wire.next_hops() <= {wire.site.mac("eth0")}
    assert not capture.packets()


MARKS = r"""
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
__attribute__((section("tc"), used)) int marks(struct __sk_buff *skb)
{
	skb->tc_index = 0x746c;
	skb->mark = 0x74756e6c;
	skb->priority = 7;
	for (int i = 0; i < 5; i++)
		skb->cb[i] = VALUE;
	return TC_ACT_UNSPEC;
}
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"""


@pytest.mark.parametrize("value", ["0", "1", "0xffffffff"])
def test_marks_of_a_container(wire, value):
    """A container's tc program sets all fields of its packets that it may, with
    our values too; its packets are tunnelled like others."""
    container = wire.lab.netns("container")
    wire.lab.veth(container, "eth0", wire.host, "c0")
    container.addr("eth0", "10.1.9.2/24")
    wire.host.addr("c0", "10.1.9.1/24")
    container.ip("route", "add", "default", "via", "10.1.9.1")
    wire.host.forward()
    with scratch("marks") as top:
        with open(f"{top}/marks.c", "w", encoding="ascii") as f:
            f.write(MARKS.replace("VALUE", value))
        arch = subprocess.run(["uname", "-m"], capture_output=True, text=True,
                              check=True).stdout.strip()
        run("clang", "-O2", "-target", "bpf",
            f"-I/usr/include/{arch}-linux-gnu", "-c", f"{top}/marks.c", "-o",
            f"{top}/marks.o")
        container.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
        container.run("tc", "filter", "add", "dev", "eth0", "egress", "bpf",
                      "da", "obj", f"{top}/marks.o", "sec", "tc")
    plain = wire.lab.capture(wire.site, "eth0", lambda f: not f.outgoing and
                             f.data[12:14] == b"\x08\0" and f.data[23] != 4)
    before = wire.tunnelled()
    for _ in range(3):
        assert ping(container, INNER_SITE)
    assert wire.tunnelled() == before + 3
    assert not [f for f in plain.packets()
                if IP(f[14:]).dst == INNER_SITE]


@MODES
def test_gateways_claimed_from_the_wire(lab, mode):
    """ARP and neighbour discovery from the wire cannot take over a gateway's
    address."""
    lab.watch = False  # the claims are sent on purpose
    wire = Wire(lab, mode)
    us = wire.host.mac("eth0")
    sender = lab.sender(wire.site, "eth0")
    link = wire.host.link_local("eth0")
    eth = Ether(src=EVIL, dst=us)
    claims = [
        eth / ARP(op=2, hwsrc=EVIL, psrc=GATEWAY4, hwdst=us, pdst=US),
        Ether(src=EVIL, dst="ff:ff:ff:ff:ff:ff") / ARP(
            op=1, hwsrc=EVIL, psrc=GATEWAY4, pdst=US),
        Ether(src=EVIL, dst="ff:ff:ff:ff:ff:ff") / ARP(
            op=1, hwsrc=EVIL, psrc=GATEWAY4, pdst=GATEWAY4),
        eth / IPv6(src="fe80::66", dst=link, hlim=255) / ICMPv6ND_NA(
            tgt=GATEWAY6, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=EVIL),
        eth / IPv6(src=GATEWAY6, dst=link, hlim=255) / ICMPv6ND_NA(
            tgt=GATEWAY6, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=EVIL),
        eth / IPv6(src=GATEWAY6, dst=link, hlim=255) / ICMPv6ND_NS(
            tgt=link) / ICMPv6NDOptSrcLLAddr(lladdr=EVIL)]
    # Without permanent entries the kernel learns them, and could be deceived.
    wire.host.ip("neigh", "flush", "dev", "eth0", "nud", "all", check=False)
    assert wire.works()
    # tunload at the other end would drop the claims as they leave.
    wire.far.detach()
    wire.refused("rx_gateway", len(claims), lambda: sender.send(*claims))
    wire.join()
    for line in wire.host.ip("neigh").stdout.splitlines():
        if line.startswith(("240.", "fe80::74:6e:")) and "lladdr" in line:
            assert GATEWAY in line, line
    assert wire.works()


def test_source_gone(wire):
    """An outer source that was removed from the interface is no longer used
    after a second at most, and is used again once it is back."""
    wire.host.sysctl("net.ipv4.conf.all.promote_secondaries", 1)
    wire.host.addr("eth0", "192.0.2.77/24")
    wire.host.ip("addr", "del", f"{US}/24", "dev", "eth0")

    def dropped():
        ping(wire.host, INNER_SITE, wait=1)
        return wire.tl.verdict("tx_no_source")
    wait_until(dropped, "a packet counted as tx_no_source")
    wait_until(lambda: not wire.next_hops(), "no CPU knows a next hop")
    capture = wire.lab.capture(wire.site, "eth0", lambda f: not f.outgoing and
                               f.data[12:14] == b"\x08\0" and
                               f.data[23] == 4)
    for _ in range(3):
        ping(wire.host, INNER_SITE, wait=1)
    assert not capture.packets()
    wire.host.addr("eth0", f"{US}/24")
    wait_until(lambda: ping(wire.host, INNER_SITE, wait=1),
               "ping through the tunnel")


def test_learnt_next_hop_expires(wire):
    """A learnt next hop is used for a second at most, so that the site's new
    MAC is noticed."""
    wire.site.ip("link", "set", "eth0", "address", "02:74:6c:00:00:99")
    wire.host.ip("neigh", "flush", "dev", "eth0", check=False)
    wait_until(lambda: ping(wire.host, INNER_SITE, wait=1),
               "the new MAC is used")
    wait_until(lambda: ping(wire.host, INNER_SITE, wait=1) and
               wire.next_hops() == {"02:74:6c:00:00:99"},
               "no CPU uses the old MAC")


@pytest.mark.parametrize("version", [4, 6])
def test_redirects_to_a_gateway(wire, version):
    """The host forwards a packet into a tunnel of the interface on which it
    came. The kernel sends a redirect to the gateway, which must not reach the
    packet's sender."""
    wire.host.forward()
    sender = wire.lab.sender(wire.site, "eth0")
    src, dst = {4: ("192.0.2.9", "10.2.0.77"),
                6: ("2001:db8::9", "fd00:2::77")}[version]
    told = wire.lab.capture(wire.site, "eth0", lambda f: not f.outgoing and (
        f.data[12:14] == b"\x08\0" and f.data[23] == 1 and f.data[34] == 5 or
        f.data[12:14] == b"\x86\xdd" and f.data[20] == 58 and
        f.data[54] == 137))
    wire.site.addr("eth0", f"{src}/{ {4: 24, 6: 64}[version]}")
    packet = (IP(src=src, dst=dst) if version == 4 else
              IPv6(src=src, dst=dst)) / UDP(sport=7, dport=9) / b"guest"
    frame = Ether(src=wire.site.mac("eth0"),
                  dst=wire.host.mac("eth0")) / packet

    def refused():
        sender.send(frame)
        return wire.tl.verdict("tx_redirect", "site")
    wait_until(refused, "a redirect counted as tx_redirect", interval=0.2)
    assert wire.tunnelled()
    assert not told.packets()
