# SPDX-License-Identifier: GPL-2.0-only
"""The rules behind the packet tables once more, in Python and for any bytes.

ingress() and egress() say which verdicts a frame may have: mostly one; more
where two faults meet and no rule says which is named. Written from the RFCs,
slow and simple; the random packets are compared with it.
"""

import ipaddress
import time
from dataclasses import dataclass

from . import wire
from .world import (GUARD, NO_GUARD, NO_PEER, OWN, VRF_MAC, endpoint_of,
                    match, may_use)

MAX_OPTIONS, MAX_TAGS = 4, 2
MAX_MESSAGE = 1500  # of ICMP
HBH, DSTOPT, FRAGMENT, ROUTING = 0, 60, 44, 43
ND = [bytes([kind]) for kind in range(133, 138)]
TUNNEL, GATEWAY_MAC = (4, 41), bytes.fromhex("02746e")
ARP_IP4 = bytes.fromhex("000108000604")
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
    """RFC 8200 4: what says nothing to who is reached by then. A fragment
    header is the last of them unless the packet is whole (RFC 6946)."""
    while head.proto in (HBH, DSTOPT, ROUTING, FRAGMENT):
        head.options += 1
        if head.options > MAX_OPTIONS:
            return
        extension = data[head.size:head.size + 8]
        if len(extension) < 8:
            head.proto, head.sane = None, False
            return
        following, size = extension[0], 8 * (extension[1] + 1)
        if head.proto == ROUTING and extension[3] != 0:
            head.options = 0  # so nothing is tunnelled
            return
        if head.proto == FRAGMENT:
            size = 8
            if net16(extension, 2) & 0xfff9:
                head.proto, head.fragment, head.options = following, True, 0
                return
        head.proto, head.size = following, head.size + size
        head.sane = head.size <= min(head.length, len(data))


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


def is_gateway6(addr):
    """fe80::74:6e:0:0/104"""
    return addr[:13] == bytes.fromhex("fe800000000000000074006e00")


LINK_SCOPE = [ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/24",
    "240.0.0.0/4", "fe80::/10")]


def link_scope(addr):
    """Destinations that no router forwards to: RFC 3927 2.7, 5771 4, 1122
    3.2.1.3; RFC 4291 2.5.6, 2.7."""
    ip = ipaddress.ip_address(addr)
    if len(addr) == 16 and ip.is_multicast:
        return addr[1] & 15 <= 2
    return any(ip in net for net in LINK_SCOPE)


def neighbours_only(world, ip, inner):
    """Also subnet broadcasts (RFC 2644 4); RFC 4861 11.2, or what may hide
    it."""
    if link_scope(ip.dst) or ip.dst in world.broadcasts:
        return True
    if ip.family == 4:
        return False
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
    if not may_use(world, ip.src, peer):
        return {"rx_not_allowed"}, None
    if neighbours_only(world, ip, inner):
        return {"rx_neighbour"}, None
    ecn = decap_ecn(wire.tos(inner) & 3, wire.tos(data) & 3)
    if ecn is None:
        return {"rx_ecn"}, None
    return {"rx_decap"}, clamp(remark(data[head.size:], ecn),
                               world.peers[peer])


def tunnelled(world, head, data, tc):
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
    if data[8 if head.family == 4 else 7] < world.peers[peer].keys["min_ttl"]:
        return {"rx_low_ttl"}, None
    verdicts, packet = check_inner(world, peer, head, data)
    if packet is not None:
        verdicts = admitted(world.peers[peer], tc)
    return verdicts, packet


def admitted(peer, tc):
    """What keys say of a packet that is right otherwise."""
    if peer.vrf is not None and not (tc and peer.vrf):
        return {"rx_no_vrf"}
    if peer.ahead:
        return {"rx_rate"}
    return {"rx_decap", *(["rx_rate"] if peer.keys["rate"] else [])}


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


def ingress(world, frame, tags=MAX_TAGS, tc=False):
    """(verdicts, frame afterwards or None), in XDP or tc."""
    if claimed_by_arp(frame):
        return {"rx_gateway"}, None
    at = ip_at(frame, tags)
    head = parse(frame[at:]) if at else None
    if head is None:
        return {"rx_plain"}, None
    data = frame[at:]
    if not head.whole:  # malformed, or no IP packet at all
        return {"rx_plain", *received(world, head, data, tc)[0],
                *(["rx_bad_outer"] if head.proto in TUNNEL else [])}, None
    verdicts, packet = received(world, head, data, tc)
    if packet is not None:
        ethertype = wire.ETH_IP[wire.version(packet)].to_bytes(2, "big")
        to = frame[:6]
        if head.proto in TUNNEL and world.peers[
                endpoint_of(world, head.src, head.dst)].vrf:
            to = VRF_MAC
        packet = to + frame[6:at - 2] + ethertype + packet
    return verdicts, packet


def claimed_by_arp(frame):
    """An ARP packet, behind up to two tags, whose sender says that it has a
    gateway's address."""
    at, tags = 12, MAX_TAGS
    while net16(frame, at) in (0x8100, 0x88a8) and tags:
        at, tags = at + 4, tags - 1
    data = frame[at + 2:]
    return frame[at:at + 2] == b"\x08\6" and len(data) >= 28 \
        and data[:6] == ARP_IP4 and data[14] == 240


def claimed(head, data):
    """An IPv6 packet from a gateway, or an advertisement or redirect about
    one (RFC 4861 4.4, 4.5)."""
    message = data[head.size:]
    return head.family == 6 and (is_gateway6(head.src) or (
        head.proto == 58 and not head.fragment and len(message) >= 24
        and message[0] in (136, 137) and is_gateway6(message[8:24])))


def received(world, head, data, tc):
    """(verdicts, packet afterwards or None) of an IP packet."""
    if head.options > MAX_OPTIONS:
        return guarded(world, head, "rx_too_many_options"), None
    if head.proto in TUNNEL:
        return tunnelled(world, head, data, tc)
    if claimed(head, data):
        return {"rx_gateway", *(["rx_plain"] if head.proto is None else [])
                }, None
    verdicts = set()
    for verdict in icmp_error(world, head, data) or {"rx_plain"}:
        verdicts |= guarded(world, head, verdict)
    return verdicts, None


def asked_for(frame):
    """The peer's id whose gateway an ARP request (RFC 826) or neighbour
    solicitation (RFC 4861 4.3) is for, or None."""
    data = frame[14:]
    if frame[12:14] == b"\x08\6" and data[:8] == ARP_IP4 + b"\0\1" \
            and len(data) >= 28 and data[24] == 240:
        return int.from_bytes(data[25:28], "big")
    if frame[12:14] == b"\x86\xdd" and len(data) >= 64 and data[6] == 58 \
            and data[40] == 135 and is_gateway6(data[48:64]):
        return int.from_bytes(data[61:64], "big")
    return None


def sound(frame):
    """A solicitation that a host may believe (RFC 4861 7.1.1), as the kernel
    makes them; what others may be answered or not."""
    data = frame[14:]
    return frame[12:14] == b"\x08\6" or (
        data[0] >> 4 == 6 and data[7] == 255 and data[41] == 0
        and len(data) >= 40 + net16(data, 4) >= 64
        and icmp_checksum(parse(data), data) == 0)


def redirects_to(frame):
    """The peer's id to whose gateway an ICMP redirect points (RFC 792, RFC
    4861 4.5), or None."""
    data = frame[14:]
    if frame[12:14] == b"\x08\0" and len(data) >= 10 and data[9] == 1:
        message = data[(data[0] & 15) * 4:]
        if len(message) >= 8 and message[0] == 5 and message[4] == 240:
            return int.from_bytes(message[5:8], "big") or None
    if frame[12:14] == b"\x86\xdd" and len(data) >= 64 and data[6] == 58 \
            and data[40] == 137 and is_gateway6(data[48:64]):
        return int.from_bytes(data[61:64], "big") or None
    return None


def egress(world, frame):
    """(verdicts, frame afterwards, with flow label and ID of no meaning)."""
    if redirects_to(frame):
        return {"tx_redirect"}, None
    asked, verdicts, more, out = asked_for(frame), set(), {"tx_plain"}, None
    if frame[:3] == GATEWAY_MAC:
        more, out = to_peer(world, int.from_bytes(frame[3:6], "big"), frame)
    # One that is sent to a gateway itself must not leave its link.
    if asked is not None and (frame[0] & 1 or frame[12:14] == b"\x08\6"
                              or more <= {"tx_neighbour", "tx_waiting"}):
        verdicts = {"tx_answered" if asked in world.peers
                    else "tx_stale_peer"}
        if sound(frame):
            return verdicts, None
    return verdicts | more, out


def answered(frame):
    """The frame that the gateway asked for sends back."""
    data = frame[14:]
    mac = GATEWAY_MAC + asked_for(frame).to_bytes(3, "big")
    head = frame[6:12] + mac + frame[12:14]
    if frame[12:14] == b"\x08\6":  # RFC 826
        return (head + ARP_IP4 + b"\0\2" + mac + data[24:28] + data[8:18]
                + data[28:])
    target, asker, flags = data[48:64], data[8:24], 0x60
    if not any(asker):  # RFC 4861 7.2.4
        asker, flags = ipaddress.ip_address("ff02::1").packed, 0x20
    message = (bytes([136, 0, 0, 0, flags, 0, 0, 0]) + target + b"\2\1"
               + mac)
    packet = (bytes([0x60, 0, 0, 0, 0, 32, 58, 255]) + target + asker
              + message)
    check = icmp_checksum(parse(packet), packet).to_bytes(2, "big")
    return head + packet[:42] + check + packet[44:]


def to_peer(world, ident, frame):
    """A frame to the gateway of that peer."""
    if ident not in world.peers:
        return {"tx_stale_peer"}, None
    peer, packet = world.peers[ident], frame[14:]
    if peer.waits:
        return {"tx_waiting"}, None
    version = {0x0800: 4, 0x86dd: 6}.get(net16(frame, 12))
    if version is None:
        return {"tx_neighbour"}, None
    head = parse(packet, walk=False)
    if head is None or head.family != version or not head.sane \
            or head.length > len(packet):
        return {"tx_bad_inner"}, None
    if link_scope(head.dst) or (version == 6 and ipaddress.ip_address(
            head.src).is_link_local):
        return {"tx_neighbour"}, None
    outer = ipaddress.ip_address(peer.endpoint).packed
    if head.dst == outer and head.proto in TUNNEL:
        return {"tx_tunnelled"}, None
    if head.src == outer:
        return {"tx_loop"}, None
    verdicts, packet = encapsulated(peer, head, packet)
    if packet is None:
        return verdicts, None
    until, macs = world.next_hops.get(ident, (0, b""))
    known = until > time.monotonic_ns()
    return verdicts, (macs if known else frame[:12]) + packet[12:]


def clamp(packet, peer):
    """The packet with the MSS option of a SYN at most what the peer's MTU
    leaves (RFC 9293 3.7.1), or its key mss says; the TCP checksum moved (RFC
    1624 3)."""
    head = parse(packet, walk=False)
    if head.proto != 6 or head.fragment:
        return packet
    at = head.size
    end = at + (packet[at + 12] >> 4) * 4 if len(packet) >= at + 20 else 0
    if end < at + 20 or end > head.length or not packet[at + 13] & 2:
        return packet
    option = mss_option(packet, at + 20, end)
    most = peer.keys["mss"] or (
        peer.mtu - (20 if head.family == 4 else 40) - 20)
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
    """RFC 2003 5.1, 2473 7, 4213 3.2.2. What may be fragmented is, but for
    which a test run lacks the secret; an IPv4 packet with options is left to
    the routers behind us."""
    inner, df = packet[:head.length], True
    if head.length > peer.mtu:
        small = head.family == 6 and head.length <= 1280
        may_fragment = (head.family == 4 and not packet[6] & 0x40
                        and head.size > 20 and peer.family == 4)
        if not small and not may_fragment:
            return {"tx_too_big"}, None
        df = False
    outer = wire.to_peer(peer, clamp(inner, peer), df)
    return {"tx_encap"}, wire.eth(outer) + packet[head.length:]
