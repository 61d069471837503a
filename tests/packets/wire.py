# SPDX-License-Identifier: GPL-2.0-only
"""Makes packets with scapy: frames, inner and outer packets, expected
results."""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, in6_chksum
from scapy.packet import Raw

ETH = bytes.fromhex("020000000001" "020000000002")
ETH_IP = {4: 0x0800, 6: 0x86dd}
PROTO = {4: 4, 6: 41}  # of an inner packet of that version
COMBOS = [(4, 4), (6, 4), (4, 6), (6, 6)]  # (inner, outer)


def combo_name(inner, outer):
    return f"{inner}in{outer}"


def eth(payload, ethertype=None, tags=(), to=ETH[:6]):
    """A frame; the EtherType by default from the IP version nibble; tags are
    (TPID, TCI)."""
    if ethertype is None:
        ethertype = ETH_IP[payload[0] >> 4]
    head = to + ETH[6:]
    for tpid, tci in tags:
        head += tpid.to_bytes(2, "big") + tci.to_bytes(2, "big")
    return head + ethertype.to_bytes(2, "big") + payload


def ip(version, src, dst, proto, payload=b"", **fields):
    """An IP packet of bytes. Fields by their IPv4 names for both versions:
    tos, ttl; others as scapy calls them for that version."""
    if version == 4:
        return bytes(IP(src=src, dst=dst, proto=proto, **fields)
                     / Raw(payload))
    fields = {{"tos": "tc", "ttl": "hlim"}.get(k, k): v
              for k, v in fields.items()}
    return bytes(IPv6(src=src, dst=dst, nh=proto, **fields) / Raw(payload))


def udp(version, src, dst, size=32, ports=(5001, 5002), **fields):
    """A UDP datagram with size bytes of data and a right checksum."""
    data = bytes(i & 0xff for i in range(size))
    layer = UDP(sport=ports[0], dport=ports[1]) / Raw(data)
    return _packet(version, src, dst, layer, fields)


def tcp(version, src, dst, size=0, flags="A", options=(), **fields):
    """A TCP segment with a right checksum."""
    layer = TCP(sport=40000, dport=443, seq=1, ack=2, flags=flags,
                options=list(options)) / Raw(bytes(size))
    return _packet(version, src, dst, layer, fields)


def _packet(version, src, dst, layer, fields):
    if version == 4:
        return bytes(IP(src=src, dst=dst, **fields) / layer)
    fields = {{"tos": "tc", "ttl": "hlim"}.get(k, k): v
              for k, v in fields.items()}
    return bytes(IPv6(src=src, dst=dst, **fields) / layer)


def exactly(version, src, dst, length, **fields):
    """A UDP packet of exactly that many bytes, IP header included."""
    head = 28 if version == 4 else 48
    return udp(version, src, dst, length - head, **fields)


def version(packet):
    return packet[0] >> 4


def length(packet):
    """The length in the packet's header."""
    if version(packet) == 4:
        return int.from_bytes(packet[2:4], "big")
    return 40 + int.from_bytes(packet[4:6], "big")


def tos(packet):
    """TOS byte or traffic class."""
    if version(packet) == 4:
        return packet[1]
    return (packet[0] & 15) << 4 | packet[1] >> 4


def checksum(header):
    """The checksum (RFC 791 3.1) of a header whose checksum field is zero."""
    total = sum(int.from_bytes(header[i:i + 2], "big")
                for i in range(0, len(header), 2))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def with_tos(packet, value):
    """The same packet with another TOS byte and a right checksum."""
    if version(packet) == 6:
        word = int.from_bytes(packet[:4], "big")
        word = word & ~(0xff << 20) | value << 20
        return word.to_bytes(4, "big") + packet[4:]
    size = (packet[0] & 15) * 4
    head = bytearray(packet[:size])
    head[1], head[10:12] = value, b"\0\0"
    head[10:12] = checksum(head).to_bytes(2, "big")
    return bytes(head) + packet[size:]


def from_peer(peer, inner, proto=None, **fields):
    """A packet as a peer sends it: inner with the peer's outer header."""
    proto = PROTO[version(inner)] if proto is None else proto
    return ip(peer.family, peer.endpoint, peer.local, proto, inner, **fields)


def to_peer(peer, inner, df=True):
    """The expected result of egress for inner; the flow label is zero."""
    outer_tos = tos(inner)
    if peer.dscp != 0xff:
        outer_tos = peer.dscp << 2 | outer_tos & 3
    fields = {"tos": outer_tos, "ttl": peer.ttl}
    if peer.family == 4:
        fields.update(id=0, flags="DF" if df else 0)
    return ip(peer.family, peer.local, peer.endpoint,
              PROTO[version(inner)], inner, **fields)


def without_label(frame):
    """(frame with the flow label of its IPv6 header zero, flow label)."""
    word = int.from_bytes(frame[14:18], "big")
    return (frame[:14] + (word & ~0xfffff).to_bytes(4, "big") + frame[18:],
            word & 0xfffff)


def check_too_big(answer, inner, mtu, mac):
    """Checks that the frame is the ICMP error of RFC 1812 4.3.2 and RFC 4443
    3.2 about the inner packet, which was sent to that MAC."""
    family, packet = version(inner), answer[14:]
    assert answer[:14] == ETH[6:] + mac + ETH_IP[family].to_bytes(
        2, "big"), "link layer header"
    assert version(packet) == family and packet[{4: 8, 6: 7}[family]]
    parsed = (IP if family == 4 else IPv6)(packet)
    original = (IP if family == 4 else IPv6)(inner)
    assert parsed.dst == original.src and length(packet) == len(packet)
    size, most, head = {4: (20, 576, bytes([3, 4])),
                        6: (40, 1280, bytes([2, 0]))}[family]
    icmp = packet[size:]
    assert len(packet) <= most and icmp[:2] == head
    assert int.from_bytes(icmp[4:8], "big") == mtu
    assert len(icmp) >= 36 and inner.startswith(icmp[8:])
    if family == 4:
        assert parsed.proto == 1 and checksum(packet[:20]) == 0
        assert checksum(icmp + b"\0" * (len(icmp) % 2)) == 0
    else:
        assert parsed.nh == 58
        assert in6_chksum(58, parsed, icmp) in (0, 0xffff)


def opt_header(following, options=b"\1\4\0\0\0\0"):
    """A hop-by-hop or destination options header (RFC 8200 4.3, 4.6)."""
    assert (len(options) + 2) % 8 == 0
    size = (len(options) + 2) // 8 - 1
    return bytes([following, size]) + options


def opt_chain(kinds, proto, inner):
    """(first next header, bytes): option headers of these kinds, inner."""
    data, following = inner, proto
    for kind in reversed(kinds):
        data, following = opt_header(following) + data, kind
    return following, data


# RFC 2473 4.1.1, as Linux's ip6tnl sends it by default.
ENCAP_LIMIT = bytes.fromhex("040104010100")
