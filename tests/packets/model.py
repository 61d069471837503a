# SPDX-License-Identifier: GPL-2.0-only
"""The packet tables of the design once more, in Python and for any bytes.

ingress() and egress() say which verdicts a frame may have: mostly one; more
where two faults meet and no rule says which is named. Written from the RFCs,
slow and simple; the random packets are compared with it.
"""

import ipaddress
from dataclasses import dataclass

from . import wire
from .world import GUARD, NO_GUARD, NO_PEER, OWN, endpoint_of, match

MAX_OPTIONS, MAX_TAGS = 4, 2
MAX_MESSAGE = 1500  # of ICMP
HBH, DSTOPT, FRAGMENT, ROUTING = 0, 60, 44, 43
ND = [bytes([kind]) for kind in range(133, 138)]
TUNNEL = (4, 41)
CE, ECT0, ECT1, NOT_ECT = 3, 2, 1, 0


def net16(data, at):
    return int.from_bytes(data[at:at + 2], "big")


@dataclass
class Header:
    """An IP header with the option headers behind it."""
    family: int
    src: bytes
    dst: bytes
    proto: int  # behind the options; None: cannot be read
    size: int  # with the options
    length: int  # of the packet, as the header says
    fragment: bool = False
    options: int = 0
    sane: bool = True  # the header's own lengths
    whole: bool = True  # IHL makes sense and the frame has all of it


def parse(data, walk=True):
    """Header of the IP packet at the beginning of data, or None where there
    is none: too short for addresses, or another version."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20:
        size = (data[0] & 15) * 4
        head = Header(4, data[12:16], data[16:20], data[9], size,
                      net16(data, 2), bool(net16(data, 6) & 0x3fff))
        head.whole = 20 <= size <= len(data)
        head.sane = head.whole and size <= head.length
        return head
    if version == 6 and len(data) >= 40:
        head = Header(6, data[8:24], data[24:40], data[6], 40,
                      40 + net16(data, 4))
        if walk:
            skip_options(head, data)
        return head
    return None


def skip_options(head, data):
    """RFC 8200 4: hop-by-hop and destination options, then a fragment
    header."""
    while head.proto in (HBH, DSTOPT) and head.options <= MAX_OPTIONS:
        head.options += 1
        if head.options > MAX_OPTIONS:
            return
        if len(data) < head.size + 2:
            head.proto, head.sane = None, False
            return
        head.proto = data[head.size]
        head.size += 8 * (data[head.size + 1] + 1)
        head.sane = head.size <= min(head.length, len(data))
    if head.proto == FRAGMENT and len(data) >= head.size + 8:
        head.proto, head.fragment = data[head.size], True


def guarded(world, head, verdict):
    """What is no packet of a peer's: borrowed, or left alone."""
    _, flags = match(world, head.src)
    if flags & GUARD and not world.flags & NO_GUARD:
        return {"rx_borrowed"}
    return {verdict}


def martian(addr):
    """RFC 4213 3.6; RFC 1122 3.2.1.3."""
    ip = ipaddress.ip_address(addr)
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
        return True
    if ip.version == 4:
        return addr[0] == 0 or addr == b"\xff" * 4
    return addr[:12] in (bytes(12), bytes(10) + b"\xff\xff")


def neighbours_only(ip, inner):
    """RFC 4291 2.5.6; RFC 4861 11.2, or what may hide it."""
    if ip.family == 4:
        return False
    if ipaddress.ip_address(ip.dst).is_link_local:
        return True
    if inner[7] != 255:
        return False
    return ip.proto in (HBH, ROUTING, DSTOPT) or (
        ip.proto == 58 and inner[:ip.length][40:41] in ND)


def decap_ecn(inner, outer):
    """RFC 6040 4.2; None: dropped."""
    if outer == CE:
        return None if inner == NOT_ECT else CE
    return ECT1 if (inner, outer) == (ECT0, ECT1) else inner


def remark(packet, ecn):
    """The packet with that ECN; the IPv4 checksum is moved, not made right
    (RFC 1624 3)."""
    old = wire.tos(packet)
    if old & 3 == ecn:
        return packet
    if wire.version(packet) == 6:
        return wire.with_tos(packet, old & ~3 | ecn)
    after = bytearray(packet)
    after[1] = old & ~3 | ecn
    total = ((~net16(packet, 10) & 0xffff) + (~net16(packet, 0) & 0xffff)
             + net16(after, 0))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    after[10:12] = (~total & 0xffff).to_bytes(2, "big")
    return bytes(after)


def check_inner(world, peer, head, data):
    """(verdicts, decapsulated packet with what follows it)."""
    inner = data[head.size:head.length]
    nibble = data[head.size:head.size + 1]  # it may be behind the end
    if nibble and nibble[0] >> 4 != {4: 4, 41: 6}[head.proto]:
        short = len(inner) < (20 if head.proto == 4 else 40)
        return {"rx_bad_version", *(["rx_bad_inner"] if short else [])}, None
    ip = parse(inner, walk=False)
    if ip is None or not ip.sane or ip.length > len(inner):
        return {"rx_bad_inner"}, None
    if martian(ip.src):
        return {"rx_martian"}, None
    ident, flags = match(world, ip.src)
    if ident == NO_PEER and flags & OWN:
        return {"rx_own_source"}, None
    if ident != peer:
        return {"rx_not_allowed"}, None
    if neighbours_only(ip, inner):
        return {"rx_neighbour"}, None
    ecn = decap_ecn(wire.tos(inner) & 3, wire.tos(data) & 3)
    if ecn is None:
        return {"rx_ecn"}, None
    return {"rx_decap"}, remark(data[head.size:], ecn)


def tunnelled(world, head, data):
    """Protocol 4/41: (verdicts, packet or None)."""
    peer = endpoint_of(world, head.src, head.dst)
    if peer is None:
        return guarded(world, head, "rx_no_peer"), None
    if peer not in world.peers:
        return {"rx_stale_peer",
                *(["rx_fragment"] if head.fragment else [])}, None
    if head.fragment:
        return {"rx_fragment"}, None
    if not head.sane or head.length > len(data):
        return {"rx_bad_outer"}, None
    if head.family == 4 and wire.checksum(data[:head.size]) != 0:
        return {"rx_bad_checksum"}, None
    return check_inner(world, peer, head, data)


ICMP4 = {11: "rx_icmp_time_exceeded", 12: "rx_icmp_other",
         4: "rx_icmp_other"}
ICMP6 = {1: "rx_icmp_unreachable", 2: "rx_icmp_too_big",
         3: "rx_icmp_time_exceeded", 4: "rx_icmp_other"}


def icmp_kind(family, kind, code):
    """The verdict for an ICMP error, or None."""
    if family == 6:
        return ICMP6.get(kind)
    if kind == 3:
        return "rx_icmp_too_big" if code == 4 else "rx_icmp_unreachable"
    return ICMP4.get(kind)


def icmp_error(world, head, data):
    """The verdicts of an ICMP error about an outer packet, or none."""
    if head.fragment or head.proto != {4: 1, 6: 58}[head.family] \
            or len(data) < head.size + 8:
        return set()
    verdict = icmp_kind(head.family, *data[head.size:head.size + 2])
    quote = parse(data[head.size + 8:], walk=False)
    if verdict is None or quote is None or quote.family != head.family \
            or not quote.whole or quote.proto not in TUNNEL:
        return set()
    peer = endpoint_of(world, quote.dst, quote.src)
    if peer is None:
        return set()
    if head.dst != quote.src or not head.sane \
            or head.length > len(data) or not intact(head, data, quote):
        return set()
    return {verdict}


def icmp_checksum(head, data):
    """Of an ICMP message that is as long as the IP header says (RFC 792; RFC
    4443 2.3, 8200 8.1); 0 if the one that it has is right."""
    message = data[head.size:head.length]
    pseudo = b""
    if head.family == 6:
        pseudo = (head.src + head.dst + len(message).to_bytes(4, "big")
                  + b"\0\0\0\x3a")
    return wire.checksum(pseudo + message + b"\0" * (len(message) % 2))


def intact(head, data, quote):
    """An ICMP error and its IP header (RFC 791 3.1) are what was sent."""
    return (8 + quote.size <= head.length - head.size <= MAX_MESSAGE
            and icmp_checksum(head, data) == 0
            and (head.family == 6 or wire.checksum(data[:head.size]) == 0))


def ip_at(frame, tags):
    """Where the IP packet begins behind up to that many tags, or None."""
    at = 12
    while net16(frame, at) in (0x8100, 0x88a8) and tags:
        at, tags = at + 4, tags - 1
    version = {0x0800: 4, 0x86dd: 6}.get(net16(frame, at))
    data = frame[at + 2:]
    if version is None or not data or data[0] >> 4 != version:
        return None
    return at + 2


def ingress(world, frame, tags=MAX_TAGS):
    """(verdicts, frame afterwards or None)."""
    at = ip_at(frame, tags)
    head = parse(frame[at:]) if at else None
    if head is None:
        return {"rx_plain"}, None
    data = frame[at:]
    if not head.whole:  # malformed, or no IP packet at all
        return {"rx_plain", *received(world, head, data)[0],
                *(["rx_bad_outer"] if head.proto in TUNNEL else [])}, None
    verdicts, packet = received(world, head, data)
    if packet is not None:
        ethertype = wire.ETH_IP[wire.version(packet)].to_bytes(2, "big")
        packet = frame[:at - 2] + ethertype + packet
    return verdicts, packet


def received(world, head, data):
    """(verdicts, packet afterwards or None) of an IP packet."""
    if head.options > MAX_OPTIONS:
        return guarded(world, head, "rx_too_many_options"), None
    if head.proto in TUNNEL:
        return tunnelled(world, head, data)
    verdicts = set()
    for verdict in icmp_error(world, head, data) or {"rx_plain"}:
        verdicts |= guarded(world, head, verdict)
    return verdicts, None


def egress(world, frame):
    """(verdicts, frame afterwards, with flow label and ID of no meaning)."""
    head = parse(frame[14:], walk=False) if ip_at(frame, 0) else None
    ident = match(world, head.dst)[0] if head else None
    if ident in (None, NO_PEER):
        return {"tx_plain"}, None
    if not head.whole:  # malformed, or no IP packet at all
        return {"tx_plain", "tx_bad_inner", "tx_stale_peer"}, None
    if ident not in world.peers:
        return {"tx_stale_peer"}, None
    peer, packet = world.peers[ident], frame[14:]
    outer = ipaddress.ip_address(peer.endpoint).packed
    if not head.sane or head.length > len(packet):
        return {"tx_bad_inner", *({"tx_tunnelled", "tx_loop"}
                if outer in (head.src, head.dst) else ())}, None
    if head.dst == outer and head.proto in TUNNEL:
        return {"tx_tunnelled"}, None
    if head.src == outer:
        return {"tx_loop"}, None
    verdicts, packet = encapsulated(peer, head, packet)
    return verdicts, packet and frame[:12] + packet[12:]


def clamp(packet, mtu):
    """The packet with the MSS option of a SYN at most what mtu leaves (RFC
    9293 3.7.1), the TCP checksum moved (RFC 1624 3)."""
    head = parse(packet, walk=False)
    if head.proto != 6 or head.fragment:
        return packet
    at = head.size
    end = at + (packet[at + 12] >> 4) * 4 if len(packet) >= at + 20 else 0
    if end < at + 20 or end > head.length or not packet[at + 13] & 2:
        return packet
    option = mss_option(packet, at + 20, end)
    most = mtu - (20 if head.family == 4 else 40) - 20
    if option is None or net16(packet, option + 2) <= most:
        return packet
    after = bytearray(packet)
    after[option + 2:option + 4] = most.to_bytes(2, "big")
    total = ~net16(packet, at + 16) & 0xffff
    for i in range(at, end, 2):  # the words that differ, wherever they are
        total += (~net16(packet, i) & 0xffff) + net16(after, i)
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    after[at + 16:at + 18] = (~total & 0xffff).to_bytes(2, "big")
    return bytes(after)


def mss_option(packet, at, end):
    """Where it is, or None."""
    while at + 4 <= end and packet[at] != 0:
        if packet[at] == 1:
            at += 1
            continue
        if packet[at + 1] < 2:
            return None
        if packet[at] == 2 and packet[at + 1] == 4:
            return at
        at += packet[at + 1]
    return None


def encapsulated(peer, head, packet):
    """RFC 2003 5.1, 2473 7, 4213 3.2.2."""
    inner, df = packet[:head.length], True
    if head.length > peer.mtu:
        small = head.family == 6 and head.length <= 1280
        may_fragment = (head.family == 4 and not packet[6] & 0x40
                        and peer.family == 4)
        if not small and not may_fragment:
            return {"tx_too_big"}, None
        df = False
    outer = wire.to_peer(peer, clamp(inner, peer.mtu), df)
    return {"tx_encap"}, wire.eth(outer) + packet[head.length:]
