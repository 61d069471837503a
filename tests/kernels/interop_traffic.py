# SPDX-License-Identifier: GPL-2.0-only
"""The flows of interop_lab.py. Each takes a Path, and fails if packets do not
arrive as they must."""
import contextlib
import socket
import struct

from interop_network import LINK_MTU
from interop_tunnels import OTHER, SIDES, outer_fragments as may_fragment
from netns import wait_until
from traffic import (PORT, family, listen, packet_of, payload, tcp_transfer,
                     udp_socket, udp_transfer)

ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0),
        socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}
DISCOVERY = range(133, 138)  # of neighbours and routers, by ICMPv6 type
CE = 3
SYN, CWR = 0x02, 0x80
MIB = 1 << 20
IPV6_MTU = 24


def arrived(frame):
    """A filter for captures: all packets but multicast and neighbour discovery
    of the link."""
    packet = packet_of(frame.data)
    return packet is not None and not (
        packet.version == 6 and (
            packet.dst.startswith("ff") or
            packet.proto == 58 and packet.payload[0] in DISCOVERY))


def echo(ns, source, address, size):
    """Sends an echo request; asserts that the reply has the same data."""
    kind = family(address)
    proto, request, reply = ECHO[kind]
    data = payload(size)
    with ns.socket(kind, socket.SOCK_DGRAM, proto) as sock:
        sock.bind((source, 0))
        sock.sendto(struct.pack("!BBHHH", request, 0, 0, 0, 1) + data,
                    (address, 0))
        got = sock.recv(65536)
        assert got[0] == reply and got[8:] == data, "echo differs"


def pings(path):
    """Sends echo requests of several sizes between hosts and between LANs."""
    learn(path)
    for side in SIDES:
        for lan in False, True:
            ns, source, _, address = path.ends(side, lan)
            for size in 0, 1000, 3000:
                echo(ns, source, address, size)


def learn(path):
    """Makes the LAN hosts learn the tunnel's MTU: IPv6 hosts lose a packet for
    it, and fragment only afterwards (RFC 8201)."""
    for side in SIDES if path.version == 6 else ():
        ns, source, _, address = path.ends(side, True)
        with udp_socket(ns, source) as sock:
            sock.connect((address, 9))
            sock.send(payload(LINK_MTU - 48))
            wait_until(lambda s=sock: s.getsockopt(
                socket.IPPROTO_IPV6, IPV6_MTU) < LINK_MTU,
                "the LAN host learns the path MTU")


def tcp(path, size=MIB):
    """Sends TCP in both directions, between hosts and between LANs. Returns
    {side: average frame sizes between LANs}, see Network.frame_sizes()."""
    sizes = {}
    for side in SIDES:
        tcp_transfer(*path.ends(side, False), size)
        with path.interop.frame_sizes(side) as sizes[side]:
            tcp_transfer(*path.ends(side, True), size)
    return sizes


def small_tcp(path):
    """Sends a little TCP between LANs, for a path on which it is slow."""
    for side in SIDES:
        tcp_transfer(*path.ends(side, True), MIB // 5)


def udp_fragments(path):
    """Sends datagrams that are fragmented before they enter the tunnel."""
    learn(path)
    for side in SIDES:
        for lan in False, True:
            udp_transfer(*path.ends(side, lan), [1481, 4000, 9000])


def marked_tcp(path):
    """Sends TCP through a queue that marks outer packets; asserts that the
    receiver gets the mark and the sender reacts to it (RFC 3168 6.1)."""
    for side in SIDES:
        ends = path.ends(side, True)
        with path.interop.watch_lan(OTHER[side]) as there:
            tcp_transfer(*ends, MIB // 8)
            data = [p for p in map(packet_of, there.packets(False))
                    if p.proto == 6 and p.src == ends[1]]
        assert any(p.tos & 3 == CE for p in data), "no packet has CE"
        # A SYN has CWR as a request for ECN (RFC 3168 6.1.1).
        assert any(p.payload[13] & (SYN | CWR) == CWR for p in data), \
            "no segment has CWR"


def everything(path):
    """Sends a little of all, few enough packets for a capture; returns what
    tcp() returns."""
    pings(path)
    udp_fragments(path)
    return tcp(path, MIB // 10)


def pmtu(path, side):
    """Sends TCP over a link that is narrower than both ends know; returns {side:
    True}. If the outer DF is not set, the router fragments outer packets, which
    tunload refuses: {side: False}, for the list of differences. (ipip copies
    the inner DF, which TCP sets.)"""
    if side == "a" and path.interop.phase != "kernel" and \
            may_fragment(path.kind) and path.version == 6:
        return {side: little_tcp(path, side)}
    for lan in True, False:
        tcp_transfer(*path.ends(side, lan), MIB // 4)
    return {side: True}


def little_tcp(path, side):
    """True if some segments from LAN to LAN arrive. It does not wait long, as
    it is used where they are not expected to arrive."""
    ns, source, there, address = path.ends(side, True)
    data, got = payload(20000), b""
    with listen(there, address) as server, \
            ns.socket(family(address), socket.SOCK_STREAM) as client:
        client.bind((source, 0))
        client.connect((address, PORT))
        # close() sends a reset, instead of repeating segments for minutes.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("=ii", 1, 0))
        conn, _ = server.accept()
        conn.settimeout(2)
        client.sendall(data)
        with conn, contextlib.suppress(TimeoutError):
            while len(got) < len(data):
                got += conn.recv(1 << 16)
    return got == data


def narrow_datagrams(path):
    """{side: True if datagrams without DF arrive that fit the tunnel's MTU, but
    not the narrow link}, for the list of differences."""
    return {side: datagrams(path, side) for side in SIDES}


def datagrams(path, side):
    """Sends datagrams from LAN to LAN; true as soon as one arrives. (The first
    ones may be lost, until the path's MTU is learnt.)"""
    ns, source, there, address = path.ends(side, True)
    sent = []
    with udp_socket(there, address, 7777) as server, \
            udp_socket(ns, source) as client:
        server.settimeout(0.5)
        for seed in range(6):
            sent.append(payload(1410, seed))
            client.sendto(sent[-1], (address, 7777))
            with contextlib.suppress(TimeoutError):
                assert server.recv(65536) in sent, "the datagram differs"
                return True
    return False


def write_pcap(path, frames):
    """Writes a capture file of Ethernet frames."""
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        for n, frame in enumerate(frames):
            f.write(struct.pack("=IIII", n // 1000, n % 1000,
                                len(frame), len(frame)) + frame)
