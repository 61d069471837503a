# SPDX-License-Identifier: GPL-2.0-only
"""Super-packets of a forwarded TCP flow are encapsulated once and cut into
segments by the kernel behind us. Too large a segment size is decreased, and no
byte is lost."""
import socket
import struct

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import checksum

from capture import SOL_PACKET
from lab import wait_until
from pmtu import HEADER, LAN, SITE, fixture_path
from traffic import Packet, packet_of, payload

INNERS = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
MTU = 1400
SIZE = 30000
TCP_HEADER = 20
PACKET_VNET_HDR = 15
NEEDS_CSUM, GSO_TCPV4, GSO_TCPV6 = 1, 1, 4  # of struct virtio_net_hdr


def super_packet(path, inner, gso_size):
    """A virtio_net_hdr and a frame from the LAN with SIZE bytes of data, as
    virtual machines send them."""
    head = HEADER[inner]
    ether = bytes(Ether(src=path.mac["lan-host"], dst=path.mac["lan"],
                        type=0x800 if inner == 4 else 0x86DD))
    tcp = TCP(sport=1024, dport=9, flags="A", seq=7, chksum=0)
    length = TCP_HEADER + SIZE
    if inner == 4:
        ip = IP(src=LAN[4], dst=SITE[4], flags="DF", id=1, proto=6,
                len=head + length)
        pseudo = checksum(socket.inet_aton(LAN[4]) + socket.inet_aton(
            SITE[4]) + struct.pack("!HH", 6, length))
    else:
        ip = IPv6(src=LAN[6], dst=SITE[6], nh=6, plen=length)
        pseudo = checksum(
            socket.inet_pton(socket.AF_INET6, LAN[6]) +
            socket.inet_pton(socket.AF_INET6, SITE[6]) +
            struct.pack("!II", length, 6))
    tcp.chksum = ~pseudo & 0xFFFF  # the hardware adds the rest
    virtio = struct.pack("=BBHHHH", NEEDS_CSUM,
                         GSO_TCPV4 if inner == 4 else GSO_TCPV6,
                         14 + head + TCP_HEADER, gso_size, 14 + head, 16)
    return virtio + ether + bytes(ip / tcp) + payload(SIZE)


def send(path, frame):
    """Sends a frame with its virtio_net_hdr from the LAN to the host."""
    with path.lan.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        sock.bind(("eth0", 0))
        sock.send(frame)


def check_segment(segment):
    """Asserts that the segment's lengths and checksums are right."""
    parsed = (IP if segment[0] >> 4 == 4 else IPv6)(segment)
    again = parsed.copy()
    for layer, fields in (IP, ("len", "chksum")), (IPv6, ("plen",)), \
            (TCP, ("chksum",)):
        if layer in again:
            for field in fields:
                delattr(again[layer], field)
    assert bytes(again) == segment


@INNERS
@pytest.mark.parametrize("gso_size", [1000, 2000, 8000])
def test_segments(path, inner, gso_size):
    """Segments of 1000 bytes stay; 2000 and 8000 are decreased to what fits."""
    # Without this the capture would see super-packets and no checksums.
    path.host.run("ethtool", "-K", "eth0", "tx", "off")
    path.attach()
    path.learn(MTU)
    before = path.count("tx_encap")
    headers = HEADER[inner] + TCP_HEADER
    size = min(gso_size, path.inner_mtu(MTU) - headers)
    wire = path.to_site()
    send(path, super_packet(path, inner, gso_size))
    number = -(-SIZE // size)
    outers = [packet_of(frame.data) for frame in wire.wait(number)]
    for outer in outers:
        assert len(outer.data) == outer.length and outer.df
        if path.outer == 4:
            assert checksum(outer.data[:20]) == 0
        assert Packet(outer.payload).dst == SITE[inner]
        check_segment(outer.payload)
    data = [outer.payload[headers:] for outer in outers]
    assert b"".join(data) == payload(SIZE)
    assert [len(piece) for piece in data[:-1]] == [size] * (number - 1)
    wait_until(lambda: path.count("tx_encap") == before + 1,
               "one packet counted as tx_encap")
    assert path.count("tx_too_big") == 0
