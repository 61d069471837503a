# SPDX-License-Identifier: GPL-2.0-only
"""Packets that are too big, one by one, and the ICMP errors that tunload sends
about them. test_learn_mtu.py has the ICMP errors that it receives."""
import os
import socket
import time

import pytest
from scapy.layers.inet import (ICMP, IP, IPOption_NOP, defragment,
                               fragment)
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import wait_until
from pmtu import (HOST, JUMBO, LAN, ROUTER, SITE, fixture_path, hop,
                  is_too_big, kernel_mtu, udp_packet)
from traffic import packet_of, udp_socket

INNERS = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
MTU = 1400
QUOTE = {4: 536, 6: 1232}  # bytes of the packet that an answer quotes
BIG = 5000


def answer(sent, mtu, hops=0):
    """The answer to a packet, built by scapy, after it was forwarded `hops`
    times: RFC 1191 4, RFC 1812 4.3.2, RFC 4443 3.2."""
    if IPv6 in sent:
        about_it = Raw(bytes(sent)[:QUOTE[6]])
        return bytes(IPv6(src=sent.dst, dst=sent.src, hlim=64 - hops) /
                     ICMPv6PacketTooBig(mtu=mtu) / about_it)
    return bytes(IP(src=sent.dst, dst=sent.src, tos=sent.tos & 0xFC, id=0,
                    flags="DF", ttl=64 - hops) /
                 ICMP(type=3, code=4, nexthopmtu=mtu) /
                 Raw(bytes(sent)[:QUOTE[4]]))


def too_big_to(addresses):
    """A filter for captures: ICMP "too big" to one of the addresses."""
    return lambda frame: is_too_big(packet_of(frame.data)) and packet_of(
        frame.data).dst in addresses.values()


@INNERS
def test_answer_to_the_lan(path, inner):
    """The whole frame is right; the error comes from the packet's
    destination."""
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
    """A packet of the host itself is answered, and its kernel takes the MTU."""
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
                   "the kernel takes the MTU")
    tap.close()


@INNERS
def test_answer_has_no_mark(path, inner):
    """The error has no mark, so that policy routing and filters treat it like
    one of any router."""
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
    containers and virtual machines do. If it is filled in later, in the quoted
    packet, the checksum of the error must still be right."""
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
    """Large packets that must not be answered: an ICMP error and, for IPv4, a
    fragment that is not the first."""
    if inner == 6:
        return [IPv6(src=LAN[6], dst=SITE[6]) / ICMPv6PacketTooBig(
            mtu=1280) / Raw(bytes(BIG))]
    return [IP(src=LAN[4], dst=SITE[4], flags="DF") / ICMP(type=3, code=1) /
            Raw(bytes(BIG)),
            udp_packet(LAN[4], SITE[4], BIG, frag=3)]


@INNERS
def test_no_answer(path, inner):
    """ICMP errors and later fragments are not answered: RFC 1812 4.3.2.7, RFC
    4443 2.4 e. The last packet is answered, which ends the waiting."""
    path.attach()
    path.learn(MTU)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    last = udp_packet(LAN[inner], SITE[inner], BIG)
    quiet = errors(inner)
    path.send_from_lan(*quiet, last)
    wait_until(lambda: path.count("tx_too_big") == len(quiet) + 1,
               "all packets counted as tx_too_big")
    got = [f.data[14:] for f in answers.wait(1)]
    assert got == [answer(hop(last), path.inner_mtu(MTU), hops=1)]


@INNERS
def test_rate_limit(path, inner):
    """Each CPU sends 100 answers in a tenth of a second at most (RFC 1812
    4.3.2.8, RFC 4443 2.4 f), and then goes on. The bound depends on the time
    that the test takes."""
    path.attach()
    path.learn(MTU)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    packet = udp_packet(LAN[inner], SITE[inner], BIG)
    start = time.monotonic()
    path.send_from_lan(packet, times=1000)
    wait_until(lambda: path.count("tx_too_big") == 1000,
               "1000 packets counted as tx_too_big")
    windows = (time.monotonic() - start) * 10 + 2
    got = len(answers.frames())
    assert 0 < got <= 100 * windows * os.cpu_count()

    # The next tenth of a second begins on every CPU.
    time.sleep(0.11)
    path.send_from_lan(packet)
    answers.wait(got + 1)


def test_without_df(path):
    """A packet without DF is fragmented inside, over both outer families, and
    no outer packet is a fragment: RFC 791 3.2, RFC 2003 5.1."""
    path.attach()
    path.learn(MTU)
    packet = udp_packet(LAN[4], SITE[4], BIG, df=False, id=77)
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    arrived = path.lab.capture(path.site, "tun0",
                               lambda frame: frame.data[0] >> 4 == 4 and
                               frame.data[9] == 17)
    wire = path.to_site()
    path.send_from_lan(packet)
    pieces = -(-(BIG - 20) // ((path.inner_mtu(MTU) - 20) & ~7))
    got = [IP(f.data) for f in arrived.wait(pieces)]
    whole, = defragment(got)
    del whole.chksum
    assert bytes(whole) == bytes(hop(packet))
    assert all(len(p) <= path.inner_mtu(MTU) for p in got)
    assert [len(p) for p in got] == [len(p) for p in fragment(
        hop(packet), path.inner_mtu(MTU) - 20)]
    assert all(packet_of(f.data).df for f in wire.wait(pieces))
    assert not answers.frames()
    assert path.count("tx_fragmented") == 1


def test_with_options_and_without_df(path):
    """A packet with IP options is not fragmented inside, as fragments take over
    only some of them (RFC 791 3.1). Over IPv4 routers may fragment the outer
    packet, if the interface takes it (RFC 2003 3.1); else the sender is
    told."""
    path.attach(f"path-mtu = {JUMBO}\nroutes = no")
    gateway = path.tunload.status()["peers"][0]["gateway4"]
    path.host.ip("route", "add", "10.10.0.0/24", "via", gateway, "dev",
                 "eth0", "onlink")
    path.learn(MTU)
    options = [IPOption_NOP()] * 4
    fitting, longer = (udp_packet(LAN[4], SITE[4], size - 4, df=False, id=77,
                                  options=options)
                       for size in (JUMBO - 20, JUMBO - 19))
    answers = path.lab.capture(path.lan, "eth0", too_big_to(LAN))
    arrived = path.lab.capture(path.site, "tun0",
                               lambda frame: frame.data[0] >> 4 == 4)
    wire = path.to_site()
    path.send_from_lan(longer, fitting)
    told = [longer] if path.outer == 4 else [longer, fitting]
    assert [frame.data[14:] for frame in answers.wait(len(told))] == [
        answer(hop(p), path.inner_mtu(MTU), hops=1) for p in told]
    assert path.count("tx_too_big") == len(told)
    if path.outer == 4:
        assert arrived.wait(1)[0].data == bytes(hop(fitting))
        outer = packet_of(wire.wait(1)[0].data)
        assert not outer.df and outer.id != b"\0\0"
    path.host.ip("route", "del", "10.10.0.0/24")


def test_smallest_ipv6_over_a_smaller_path(path):
    """An IPv6 host need not send less than 1280 bytes: over IPv4 routers may
    fragment the outer packets of that size (RFC 4213 3.2.2)."""
    if path.outer == 6:
        pytest.skip("expected: IPv6 routers do not fragment")
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
