# SPDX-License-Identifier: GPL-2.0-only
"""The inner packets of the comparison: the same packets go from LAN to LAN with
the kernel and with tunload on b. Each carries its number in the IPv4 ID or the
IPv6 flow label, by which it is recognised later, in an ICMP error too."""
import contextlib
import itertools
import socket
import struct

from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP
from scapy.layers.inet import (IPOption_EOL, IPOption_NOP, IPOption_RR,
                               IPOption_Router_Alert)
from scapy.layers.inet6 import (HBHOptUnknown, ICMPv6EchoRequest,
                                ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting, PadN, RouterAlert)
from scapy.packet import Raw

from interop_network import LINK_LOCAL, LISTEN
from interop_tunnels import KINDS, LAST, OTHER, SIDES, TUNNELS, inner, outer
from traffic import Packet, payload

ENCAP_LIMIT = 4  # option type, RFC 2473 4.1.1
ENDPOINT = "from-the-endpoint"
MARKED = [(d, e) for d in range(4) for e in range(4)]
# The outer headers of the kernel and of tunload have 20, 40 or 48 bytes; the
# sizes are at, below and above the largest packets that fit.
SIZES = [1280, 1399, 1400, 1440, 1451, 1452, 1453, 1459, 1460, 1461, 1479,
         1480, 1481, 1500]
# Sizes that fit through the narrow link, and one that does not.
NARROW_SIZES = [1280, 1352, 1400]
TTLS = [1, 2, 3, 4, 5, 64, 255]
# Addresses that no host has, that are for several hosts, or that are valid on
# one link only (RFC 6890, RFC 4291 2.4).
SPECIAL = {4: {"unspecified": "0.0.0.0", "loopback": "127.0.0.1",
               "link-local": "169.254.9.9", "all-hosts": "224.0.0.1",
               "multicast": "239.9.9.9", "reserved": "240.9.9.9",
               "broadcast": "255.255.255.255"},
           6: {"unspecified": "::", "loopback": "::1",
               "link-local": "fe80::9", "mapped": "::ffff:10.9.9.9",
               "compatible": "::10.9.9.9", "all-nodes": "ff02::1",
               "multicast": "ff05::9"}}
STAGES = ["wide", "direct", "narrow"]
TCP_FIELDS = {"sport": 7, "dport": 80, "seq": 0x12345678, "window": 4096}


def syn(options, **fields):
    """A SYN with these options."""
    return TCP(**TCP_FIELDS, flags="S", options=options, **fields)


# Transport layers for both inner versions: name -> scapy layer or (protocol
# number, bytes).
TRANSPORT = {
    "udp-empty": UDP(sport=7, dport=9),
    "udp": UDP(sport=7, dport=9) / Raw(payload(100)),
    "udp-odd": UDP(sport=7, dport=9) / Raw(payload(101)),
    "udp-bad-checksum": UDP(sport=7, dport=9, chksum=0x1234) / Raw(b"bad"),
    "udp-length-short": UDP(sport=7, dport=9, len=12) / Raw(payload(64)),
    "syn": syn([("MSS", 1460), ("SAckOK", b""), ("WScale", 7)]),
    "syn-ack": TCP(**TCP_FIELDS, flags="SA", options=[("MSS", 1460)]),
    "syn-odd": syn([("NOP", None), ("MSS", 1460), ("NOP", None)]),
    "syn-low-mss": syn([("MSS", 1200)]),
    "syn-no-mss": syn([]),
    "syn-bad-checksum": syn([("MSS", 1200)], chksum=0x1234),
    "tcp-data": TCP(**TCP_FIELDS, flags="PA", options=[
        ("Timestamp", (1, 2))]) / Raw(payload(700)),
    "tcp-ecn": TCP(**TCP_FIELDS, flags="AEC") / Raw(payload(10)),
    "tcp-reset": TCP(**TCP_FIELDS, flags="R"),
    "gre": GRE() / IP(src="10.9.9.1", dst="10.9.9.2") / UDP(),
    "esp": (50, payload(80)),
    "ah": (51, payload(80)),
    "sctp": (132, payload(80)),
    "experiment": (253, payload(33)),
    "4in": IP(src="10.9.9.1", dst="10.9.9.2") / UDP() / Raw(b"inside"),
    "6in": IPv6(src="fd09::1", dst="fd09::2") / UDP() / Raw(b"inside"),
}


def add_payload(ip, layer):
    """ip / layer, where layer may be a pair (protocol number, bytes)."""
    if not isinstance(layer, tuple):
        return ip / layer
    if ip.version == 4:
        ip.proto = layer[0]
    else:
        ip.nh = layer[0]
    return ip / Raw(layer[1])


def of_size(ip, size):
    """A UDP packet of `size` bytes with its headers."""
    header = len(bytes(ip / UDP()))
    return ip / UDP(sport=7, dport=9) / Raw(payload(size - header))


def cases4(new, local):
    """Yields (name, packet) with inner IPv4. new(**fields) makes a header;
    `local` has the source addresses of more cases, by name."""
    for name, layer in TRANSPORT.items():
        yield name, add_payload(new(), layer.copy() if hasattr(layer, "copy")
                                else layer)
    yield "udp-no-checksum", new() / UDP(chksum=0) / Raw(b"none")
    yield "echo", new() / ICMP(id=7, seq=1) / Raw(payload(56))
    yield "echo-bad-checksum", new() / ICMP(id=7, chksum=1) / Raw(b"bad")
    quoted = IP(src="10.8.8.8", dst="10.7.7.7", id=9) / UDP()
    yield "icmp-too-big", new() / ICMP(
        type=3, code=4, nexthopmtu=1300) / quoted
    for size in SIZES:
        yield f"size-{size}-df", of_size(new(flags="DF"), size)
        yield f"size-{size}", of_size(new(), size)
    for name, flags, offset in (("first", "MF", 0), ("middle", "MF", 8),
                                ("last", 0, 16), ("df", "MF+DF", 8)):
        yield f"fragment-{name}", new(flags=flags, frag=offset, proto=17) / Raw(
            payload(64))
    yield "fragment-big", new(flags="MF", proto=17) / Raw(payload(1480))
    yield "reserved-bit", new(flags="evil") / UDP() / Raw(b"evil")
    for name, options in (("nop", [IPOption_NOP(), IPOption_EOL()]),
                          ("alert", [IPOption_Router_Alert()]),
                          ("route", [IPOption_RR(
                              length=11, pointer=4, routers=["0.0.0.0"] * 2)])):
        yield f"options-{name}", new(options=options) / UDP() / Raw(b"opt")
    yield "options-big", of_size(new(options=[IPOption_NOP()] * 8), 1490)
    for size in NARROW_SIZES:
        yield f"narrow-{size}-df", of_size(new(flags="DF"), size)
    for ttl in TTLS:
        yield f"ttl-{ttl}", new(ttl=ttl) / UDP() / Raw(payload(20))
    for dscp in 10, 46, 63:
        yield f"dscp-{dscp}", new(tos=dscp << 2 | 2) / UDP() / Raw(b"dscp")
    for mark, ecn in MARKED:
        yield f"ecn-{ecn}-marked-{mark}", new(
            tos=(mark + 1) << 2 | ecn) / UDP() / Raw(b"ecn")
    for name, address in local.items():
        yield name, new(src=address) / UDP() / Raw(b"source")


def cases6(new, local):
    """Like cases4(), for inner IPv6."""
    for name, layer in TRANSPORT.items():
        yield name, add_payload(new(), layer.copy() if hasattr(layer, "copy")
                                else layer)
    yield "echo", new() / ICMPv6EchoRequest(id=7, data=payload(56))
    yield "echo-bad-checksum", new() / ICMPv6EchoRequest(id=7, cksum=1)
    quoted = IPv6(src="fd08::8", dst="fd07::7") / UDP()
    yield "icmp-too-big", new() / ICMPv6PacketTooBig(mtu=1300) / quoted
    for size in SIZES:
        yield f"size-{size}", of_size(new(), size)
    for name, more, offset in ("first", 1, 0), ("middle", 1, 8), \
            ("last", 0, 16), ("atomic", 0, 0):
        yield f"fragment-{name}", new() / IPv6ExtHdrFragment(
            m=more, offset=offset, id=77, nh=17) / Raw(payload(64))
    pad = [PadN(optdata=b"\0" * 4)]
    for name, header in (
            ("hop-by-hop", IPv6ExtHdrHopByHop(options=pad)),
            ("alert", IPv6ExtHdrHopByHop(options=[RouterAlert(value=7)])),
            ("destination", IPv6ExtHdrDestOpt(options=pad)),
            ("routing", IPv6ExtHdrRouting(type=4, segleft=0, addresses=[])),
            *((f"limit-{n}", IPv6ExtHdrDestOpt(options=[
                HBHOptUnknown(otype=ENCAP_LIMIT, optdata=bytes([n]))]))
              for n in (0, 1, 3))):
        yield f"header-{name}", new() / header / UDP() / Raw(b"header")
    yield "header-syn", new() / IPv6ExtHdrDestOpt(options=pad) / syn(
        [("MSS", 1460)])
    yield "no-next-header", new(nh=59) / Raw(b"ignored")
    for size in NARROW_SIZES:
        yield f"narrow-{size}", of_size(new(), size)
    for ttl in TTLS:
        yield f"ttl-{ttl}", new(hlim=ttl) / UDP() / Raw(payload(20))
    for dscp in 10, 46, 63:
        yield f"dscp-{dscp}", new(tc=dscp << 2 | 2) / UDP() / Raw(b"dscp")
    for mark, ecn in MARKED:
        yield f"ecn-{ecn}-marked-{mark}", new(
            tc=(mark + 1) << 2 | ecn) / UDP() / Raw(b"ecn")
    for name, address in local.items():
        yield name, new(src=address) / UDP() / Raw(b"source")


def addresses(side, n, kind, version):
    """{name: inner source outside of the tunnel's prefix}"""
    there = OTHER[side]
    local = {"source-elsewhere": "172.31.9.9" if version == 4
             else "fd0e::9",
             "source-other-tunnel": inner(side, n % len(KINDS) + 1, version,
                                          98),
             "source-theirs": inner(there, n, version, 1)}
    if kind.outer == version:
        local[ENDPOINT] = outer(there, n, version)
    return local


def special(side, n, version, new):
    """Yields (name, packet) with special inner sources, and with destinations
    that are not routed into a tunnel. Packets to b itself name their case in
    the payload. Side a only: tunload refuses packets that its host has not
    routed into a tunnel."""
    if side != "a":
        return
    for name, address in SPECIAL[version].items():
        yield f"direct-source-{name}", new(src=address) / UDP(
            sport=7, dport=9) / Raw(b"special")
    more = {"broadcast-of-lan": inner("b", 0, 4, 255)} if version == 4 else {
        "link-local": LINK_LOCAL}
    for name, address in {**SPECIAL[version], **more}.items():
        ip = new(dst=address)
        if address == LINK_LOCAL:
            ip.hlim = 3  # the kernel on b sends it back, and a does so again
        yield f"direct-destination-{name}", ip / UDP(
            sport=7, dport=LISTEN) / Raw(
                f"{side} {n} {version} {number_of(bytes(ip))}".encode())


def new_header(side, n, version, number):
    """A function that makes scapy headers, with the next number in each."""
    src, dst = (inner(s, n, version, host)
                for s, host in ((side, 98), (OTHER[side], 99)))

    def new4(**fields):
        return IP(**{"src": src, "dst": dst, "id": next(number), **fields})

    def new6(**fields):
        return IPv6(**{"src": src, "dst": dst, "fl": next(number), **fields})

    return new4 if version == 4 else new6


def cases():
    """{(side, n, version, number): (kind, version, name, packet)}"""
    out = {}
    for side, (n, kind, version) in itertools.product(SIDES, TUNNELS):
        make = cases4 if version == 4 else cases6
        new = new_header(side, n, version, itertools.count(n * 256 + 1))
        for name, packet in itertools.chain(
                make(new, addresses(side, n, kind, version)),
                special(side, n, version, new)):
            raw = bytes(packet)
            out[side, n, version, number_of(raw)] = kind, version, name, raw
    return out


def number_of(raw):
    """The number that a packet carries."""
    packet = Packet(raw)
    return packet.label if packet.version == 6 else int.from_bytes(
        packet.id, "big")


def to_send():
    """{stage: {side: [packets of a tunnel...]}}. When the last packet of a tunnel
    arrives, the others have arrived before it. Stages: "wide"; "direct" for
    packets that enter the tunnel past the stack, which would not forward them;
    "narrow" for packets sent once both ends know of a narrow link."""
    out = {stage: {side: [] for side in SIDES} for stage in STAGES}
    for stage, side, tunnel in itertools.product(out, SIDES, TUNNELS):
        n, _, version = tunnel
        if (stage, side) == ("direct", "b"):
            out[stage][side].append([])
            continue
        new = new_header(side, n, version, itertools.count(n * 256))
        last = new() / UDP() / Raw(f"{side} {n} {version}".rjust(LAST).encode())
        out[stage][side].append(
            [raw.hex() for key, (_, _, name, raw) in CASES.items()
             if key[:3] == (side, n, version) and stage_of(name) == stage]
            + [bytes(last).hex()])
    return out


def stage_of(name):
    """The stage in which a case is sent."""
    return name.split("-")[0] if name.startswith(("direct-", "narrow-")) \
        else "wide"


def quoted(packet):
    """The packet that an ICMP error is about, or None."""
    if packet.proto == 1 and packet.payload[0] in (3, 11, 12) or \
            packet.proto == 58 and packet.payload[0] in range(1, 5):
        return packet.payload[8:]
    return None


def identify(raw):
    """((sending side, tunnel, version, number), kind) of a delivered packet, kind
    "packet"; or of the packet that an ICMP error is about, kind "error"."""
    what, packet = "packet", Packet(raw)
    about = quoted(packet)
    if about and not is_case_itself(packet):
        what, packet = "error", Packet(bytes(about))
    return (*sender(packet), packet.version, number_of(packet.data)), what


def sender(packet):
    """The side and the tunnel that a packet was sent from, by whichever of its
    addresses is an inner one."""
    with contextlib.suppress(ValueError):
        side, n = where(packet.dst)
        return OTHER[side], n
    return where(packet.src)


def is_case_itself(packet):
    """True for an ICMP error that is a case, not an answer of a host."""
    return packet.src.endswith(("98", ":62")) and not \
        Packet(bytes(quoted(packet))).dst.endswith(("99", ":63"))


def where(address):
    """The side and tunnel number of an inner address of interop_tunnels;
    raises ValueError for another address."""
    if ":" in address:
        first, net, n = struct.unpack(
            "!3H10x", socket.inet_pton(socket.AF_INET6, address))
    else:
        first, net, n, _ = map(int, address.split("."))
    if first not in (10, 0xFD00) or net not in (1, 2) or not n:
        raise ValueError(f"{address} is not of a tunnel")
    return SIDES[net - 1], n


CASES = cases()
