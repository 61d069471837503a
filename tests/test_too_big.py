# SPDX-License-Identifier: GPL-2.0-only
"""Packets that are too big, one by one: the ICMP errors that a tunnel believes
and those it does not, and the ones that it sends itself."""
import os
import socket
import time

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from capture import RingSender
from lab import wait_until
from pmtu import (HEADER, HOST, JUMBO, LAN, ROUTER, SITE, fixture_path, hop,
                  is_too_big, kernel_mtu, udp_packet)
from traffic import packet_of, udp_socket

INNERS = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
MTU = 1400
LEAST = {4: 576, 6: 1280}  # what every path carries
QUOTE = {4: 536, 6: 1232}  # bytes of the packet in an answer
STRANGER = {4: "192.0.2.66", 6: "2001:db8:1::66"}
BIG = 5000


def outer_field(path, name4, name6):
    """The name of a header field in the outer family."""
    return name4 if path.outer == 4 else name6


def quoting(fields=None, **addresses):
    """ICMP about a packet with other outer fields or addresses. fields:
    {scapy's name for IPv4: (its name for IPv6, value)}."""
    def make(path):
        changed = {outer_field(path, name, name6): value
                   for name, (name6, value) in (fields or {}).items()}
        changed |= {k: v[path.outer] for k, v in addresses.items()}
        return path.icmp(path.quoted(**changed), MTU)
    return make


def about(length, mtu=MTU):
    """ICMP about an outer packet of that many bytes."""
    def make(path):
        inner = udp_packet(LAN[4], SITE[4], length - HEADER[path.outer])
        return path.icmp(path.quoted(inner), mtu)
    return make


def inside(src, dst):
    """ICMP about an inner packet between these."""
    return lambda path: path.icmp(path.quoted(udp_packet(src, dst, BIG)), MTU)


def cut(length):
    """ICMP that quotes that many bytes of the inner packet."""
    def make(path):
        quoted = bytes(path.quoted())[:HEADER[path.outer] + length]
        return path.icmp(quoted, MTU)
    return make


def unreachable(path):
    """Another error about a packet of ours, with an MTU all the same."""
    packet = path.icmp(path.quoted(), MTU)
    if path.outer == 4:
        packet[ICMP].code = 1
    else:
        packet[ICMPv6PacketTooBig].type = 1
    return packet


def damaged(path):
    """The last byte is not the one that the checksum is of."""
    packet = path.icmp(path.quoted(), MTU)
    data = bytes(packet)
    return type(packet)(data[:-1] + bytes([data[-1] ^ 1]))


# name: (packet, what it is counted as)
FORGED = {
    "about a packet to a stranger": (quoting(dst=STRANGER), "rx_plain"),
    "about a packet from a stranger": (quoting(src=STRANGER), "rx_plain"),
    "to another destination": (
        lambda path: path.icmp(path.quoted(), MTU, dst=STRANGER[path.outer]),
        "rx_plain"),
    "about UDP": (quoting({"proto": ("nh", 17)}), "rx_plain"),
    "wrong checksum": (damaged, "rx_plain"),
    "another error": (unreachable, "rx_icmp_unreachable"),
    "fits anyway": (about(MTU), "rx_icmp_too_big"),
    "longer than we send": (about(9002), "rx_icmp_too_big"),
    "outer length": (lambda path: quoting(
        {"len": ("plen", BIG + HEADER[4] + 1 if path.outer == 4
                 else BIG + 1)})(path), "rx_icmp_too_big"),
    "inner version": (lambda path: path.icmp(path.quoted(
        udp_packet(LAN[6], SITE[6], BIG),
        **{outer_field(path, "proto", "nh"): 4}), MTU), "rx_icmp_too_big"),
    "inner destination": (inside(LAN[4], "10.11.0.1"), "rx_icmp_too_big"),
    "inner destination, IPv6": (inside(LAN[6], "fd00:11::1"),
                                "rx_icmp_too_big"),
    "inner destination is ours": (inside(SITE[4], LAN[4]),
                                  "rx_icmp_too_big"),
    "quotes too little": (cut(7), "rx_icmp_too_big"),
    "MTU 0": (about(BIG, 0), "rx_icmp_too_big"),
}


def count_one(path, packet, verdict):
    """Sends a packet to the host and waits until it is counted."""
    before = path.tunload.verdict(verdict)
    path.send_to_host(packet)
    wait_until(lambda: path.tunload.verdict(verdict) > before,
               f"{verdict} counted")


@pytest.mark.parametrize("name", FORGED)
def test_forged(path, name):
    """Counted, and not believed."""
    make, verdict = FORGED[name]
    path.untouched()
    count_one(path, make(path), verdict)
    assert path.learned() is None


@pytest.mark.parametrize("make", [
    about(BIG), about(MTU + 1), about(9001), cut(200),
    inside(HOST[6], SITE[6]), about(BIG, LEAST[6])])
def test_believed(path, make):
    """So that the refusals above mean something."""
    path.attach()
    packet = make(path)
    count_one(path, packet, "rx_icmp_too_big")
    mtu = packet[ICMP].nexthopmtu if path.outer == 4 else \
        packet[ICMPv6PacketTooBig].mtu
    assert path.learned() == path.inner_mtu(mtu)
    learned = path.tunload.peer("site")["learned_mtu"]
    assert 0 < learned["expires_seconds"] <= 600


@pytest.mark.parametrize("make,learnt", [(about(BIG), True),
                                         (damaged, False)])
def test_in_pages(path, make, learnt):
    """Where the driver leaves little of a frame in the linear part of the
    skb, tc has to fetch all that the checksum is of."""
    path.attach()
    ring = path.lab.keep(RingSender(path.r1, "host"))
    before = path.tunload.verdict("rx_plain")
    ring.send(Ether(src=path.mac["r1"], dst=path.mac["eth0"]) / make(path))
    wait_until(lambda: path.count("rx_icmp_too_big") if learnt else
               path.tunload.verdict("rx_plain") > before, "counted")
    assert path.learned() == (path.inner_mtu(MTU) if learnt else None)


def test_eight_bytes_inside(path):
    """All that some routers quote over IPv4 (RFC 792); over IPv6 they quote
    what fits (RFC 4443 2.4 c), and less is not believed."""
    path.attach()
    packet = cut(8)(path)
    count_one(path, packet, "rx_icmp_too_big")
    assert path.learned() == (path.inner_mtu(packet[ICMP].nexthopmtu)
                              if path.outer == 4 else None)


def test_floor(path):
    """No path carries less than its family's minimum. IPv4: that much is
    learnt; IPv6: such a message is discarded (RFC 8201 4)."""
    path.attach()
    count_one(path, about(BIG, LEAST[path.outer] - 1)(path),
              "rx_icmp_too_big")
    expected = {4: LEAST[4] - HEADER[4], 6: None}
    assert path.learned() == expected[path.outer]


def test_never_upwards(path):
    """An error that comes late, about a packet sent before: RFC 8201 4, "must
    not increase its estimate in response"."""
    path.attach()
    path.learn(MTU)
    count_one(path, about(BIG, 1454)(path), "rx_icmp_too_big")
    assert path.learned() == path.inner_mtu(MTU)


def answer(sent, mtu, hops=0):
    """What scapy makes of the answer to a packet, as it is when it has been
    forwarded hops times: RFC 1191 4, RFC 1812 4.3.2, RFC 4443 3.2."""
    if IPv6 in sent:
        about_it = Raw(bytes(sent)[:QUOTE[6]])
        return bytes(IPv6(src=sent.dst, dst=sent.src, hlim=64 - hops) /
                     ICMPv6PacketTooBig(mtu=mtu) / about_it)
    return bytes(IP(src=sent.dst, dst=sent.src, tos=sent.tos & 0xFC, id=0,
                    flags="DF", ttl=64 - hops) /
                 ICMP(type=3, code=4, nexthopmtu=mtu) /
                 Raw(bytes(sent)[:QUOTE[4]]))


def too_big_to(addresses):
    """A filter for captures: ICMP "too big" to one of these."""
    return lambda frame: is_too_big(packet_of(frame.data)) and packet_of(
        frame.data).dst in addresses.values()


@INNERS
def test_answer_to_the_lan(path, inner):
    """Whole frame; the source of the error is where the packet was going."""
    path.attach()
    path.learn(MTU)
    packet = udp_packet(LAN[inner], SITE[inner], BIG, **{
        "tos" if inner == 4 else "tc": 0xB9})
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    path.send_from_lan(packet)
    got = answers.wait(1)[0].data
    ether = Ether(src=path.mac["lan"], dst=path.mac["lan-host"],
                  type=0x0800 if inner == 4 else 0x86DD)
    assert got == bytes(ether) + answer(hop(packet), path.inner_mtu(MTU),
                                        hops=1)
    assert path.count("tx_too_big") == 1


@INNERS
def test_answer_to_the_host(path, inner):
    """The same for a packet of the host's own; its kernel understands."""
    path.attach()
    path.learn(MTU)
    tap = path.lab.tap(path.host, "eth0", too_big_to(HOST))
    packet = udp_packet(HOST[inner], SITE[inner], BIG)
    if inner == 4:
        packet.id = 77  # the kernel would choose one for 0
    raw = path.host.socket(socket.AF_INET if inner == 4 else socket.AF_INET6,
                           socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw, udp_socket(path.host, HOST[inner], 7) as sock:
        raw.sendto(bytes(packet), (SITE[inner], 0))
        got = tap.received().wait(1)[0].data
        assert got[14:] == answer(packet, path.inner_mtu(MTU))
        assert got[:6] == Ether(dst=path.mac["eth0"]).build()[:6]
        sock.connect((SITE[inner], 9))
        wait_until(lambda: kernel_mtu(sock) == path.inner_mtu(MTU),
                   "the kernel knows")
    tap.close()


@INNERS
def test_answer_has_no_mark(path, inner):
    """Policy routing and filters see what any router's error looks like."""
    path.attach()
    path.learn(MTU)
    path.nft(path.host, """table inet marks {
	counter marked { }
	chain c {
		type filter hook prerouting priority raw;
		meta mark != 0 counter name marked
	}
}""")
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    path.send_from_lan(udp_packet(LAN[inner], SITE[inner], BIG))
    answers.wait(1)
    assert "packets 0 " in path.host.run("nft", "list", "ruleset").stdout


@INNERS
def test_unfinished_checksum(path, inner):
    """The LAN's kernel leaves the UDP checksum to the hardware, as those of
    containers and virtual machines do; whoever fills it in later, inside the
    quotation, must not make the error's own checksum wrong."""
    path.attach()
    path.learn(MTU)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    with udp_socket(path.lan, LAN[inner], df=True) as sock:
        sock.sendto(bytes(BIG), (SITE[inner], 9))
    packet = Ether(answers.wait(1)[0].data).payload
    again = packet.copy()
    if inner == 4:
        del again[ICMP].chksum
    else:
        del again[ICMPv6PacketTooBig].cksum
    assert bytes(packet) == bytes(again)


def errors(inner):
    """An ICMP error, and a fragment that is not the first."""
    if inner == 6:
        return [IPv6(src=LAN[6], dst=SITE[6]) / ICMPv6PacketTooBig(
            mtu=1280) / Raw(bytes(BIG))]
    return [IP(src=LAN[4], dst=SITE[4], flags="DF") / ICMP(type=3, code=1) /
            Raw(bytes(BIG)),
            udp_packet(LAN[4], SITE[4], BIG, frag=3)]


@INNERS
def test_no_answer(path, inner):
    """About errors, and about later fragments: RFC 1812 4.3.2.7, RFC 4443 2.4
    e. The last packet is to be answered, so that nothing is waited for."""
    path.attach()
    path.learn(MTU)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    last = udp_packet(LAN[inner], SITE[inner], BIG)
    quiet = errors(inner)
    path.send_from_lan(*quiet, last)
    wait_until(lambda: path.count("tx_too_big") == len(quiet) + 1,
               "all counted")
    got = [f.data[14:] for f in answers.wait(1)]
    assert got == [answer(hop(last), path.inner_mtu(MTU), hops=1)]


@INNERS
def test_rate_limit(path, inner):
    """100 in a tenth of a second and CPU, RFC 1812 4.3.2.8, RFC 4443 2.4 f;
    how many tenths there are is the machine's affair. Then it goes on."""
    path.attach()
    path.learn(MTU)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    packet = udp_packet(LAN[inner], SITE[inner], BIG)
    start = time.monotonic()
    path.send_from_lan(packet, times=1000)
    wait_until(lambda: path.count("tx_too_big") == 1000, "counted")
    windows = (time.monotonic() - start) * 10 + 2
    got = len(answers.frames())
    assert 0 < got <= 100 * windows * os.cpu_count()

    # In the next tenth of a second, on every CPU.
    time.sleep(0.11)
    path.send_from_lan(packet)
    answers.wait(got + 1)


def test_without_df(path):
    """RFC 2003 3.1: over IPv4 the outer packet may be fragmented, by the
    routers. Over IPv6 nobody can: the sender is told."""
    path.attach()
    path.learn(MTU)
    packet = udp_packet(LAN[4], SITE[4], BIG, df=False, id=77)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    arrived = path.lab.capture(path.site, "tun0")
    wire = path.to_site()
    path.send_from_lan(packet)
    if path.outer == 6:
        assert answers.wait(1)[0].data[14:] == answer(
            hop(packet), path.inner_mtu(MTU), hops=1)
        return
    assert arrived.wait(1)[0].data == bytes(hop(packet))
    outer = packet_of(wire.wait(1)[0].data)
    assert not outer.df and outer.id != b"\0\0"
    assert not answers.frames()


def test_without_df_and_larger_than_the_device(path):
    """Nobody fragments behind tc egress: what the interface does not take is
    answered, not lost. Only without routes of ours does it come so far."""
    if path.outer == 6:
        pytest.skip("expected: there it is answered in any case")
    path.attach(f"path-mtu = {JUMBO}\nroutes = no")
    path.host.ip("route", "add", "10.10.0.0/24", "via", ROUTER[4])
    path.learn(MTU)
    fitting, longer = (udp_packet(LAN[4], SITE[4], size, df=False, id=77)
                       for size in (JUMBO - 20, JUMBO - 19))
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    arrived = path.lab.capture(path.site, "tun0")
    wire = path.to_site()
    path.send_from_lan(longer, fitting)
    assert arrived.wait(1)[0].data == bytes(hop(fitting))
    outer = packet_of(wire.wait(1)[0].data)
    assert not outer.df and outer.id != b"\0\0"
    assert [frame.data[14:] for frame in answers.wait(1)] == [
        answer(hop(longer), path.inner_mtu(MTU), hops=1)]
    assert path.count("tx_too_big") == 1
    path.host.ip("route", "del", "10.10.0.0/24")


def test_smallest_ipv6_over_a_smaller_path(path):
    """Nobody may tell an IPv6 host to send less than 1280: over IPv4 such
    packets are fragmented outside, RFC 4213 3.2.2."""
    if path.outer == 6:
        pytest.skip("expected: an IPv6 path carries fragments of its "
                    "source's own only")
    path.attach()
    path.widths(r2=1280)
    path.learn(1280)
    packet = udp_packet(LAN[6], SITE[6], 1280)
    arrived = path.lab.capture(path.site, "tun0")
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    path.send_from_lan(packet, udp_packet(LAN[6], SITE[6], 1281))
    assert arrived.wait(1)[0].data == bytes(hop(packet))
    assert Ether(answers.wait(1)[0].data)[ICMPv6PacketTooBig].mtu == 1280
    assert len(arrived.packets(outgoing=False)) == 1
