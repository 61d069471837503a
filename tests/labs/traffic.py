# SPDX-License-Identifier: GPL-2.0-only
"""Sends traffic through a lab, and makes the expected packets with scapy."""
import contextlib
import random
import socket
import struct
import threading

from netns import TIMEOUT

IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2
IPV6_MTU_DISCOVER, IPV6_TCLASS = 23, 67
PORT = 5201


def family(address):
    """AF_INET or AF_INET6 of an address in text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def payload(size, seed=0):
    """size bytes, the same ones for the same arguments."""
    return random.Random(f"{size} {seed}").randbytes(size)


def ping(ns, address, source=None, wait=TIMEOUT, size=56, count=1):
    """True if all echo requests were answered. Waits `wait` seconds for the
    answers: keep it short if none are expected, and if wait_until() repeats
    the call."""
    args = ["-I", source] if source else []
    done = ns.run("ping", "-n", "-c", count, "-i", "0.01", "-W", wait,
                  "-s", size, *args, address, check=False)
    return done.returncode == 0


def listen(ns, address, port=PORT):
    """A listening TCP socket."""
    sock = ns.socket(family(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen()
    return sock


def tcp_transfer(src, src_address, dst, dst_address, size, port=PORT):
    """Sends size bytes from src to dst over one TCP connection; fails unless
    they arrive unchanged. A stall of TIMEOUT is a failure."""
    data = payload(size)
    got = bytearray()

    def receive(server):
        with contextlib.suppress(TimeoutError):
            conn, _ = server.accept()
            conn.settimeout(TIMEOUT)
            with conn:
                while chunk := conn.recv(1 << 20):
                    got.extend(chunk)
                conn.sendall(b"done")

    with listen(dst, dst_address, port) as server, \
            src.socket(family(src_address), socket.SOCK_STREAM) as client:
        thread = threading.Thread(target=receive, args=[server])
        thread.start()
        client.bind((src_address, 0))
        try:
            client.connect((dst_address, port))
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(4) == b"done"
        except TimeoutError:
            client.close()
            thread.join()
            raise AssertionError(
                f"TCP hangs after {len(got)} of {size} bytes") from None
        thread.join()
    assert got == data


def udp_socket(ns, address, port=0, df=False, tos=0):
    """A bound UDP socket. df: with Don't Fragment; otherwise the kernel
    fragments inner packets that do not fit."""
    sock = ns.socket(family(address), socket.SOCK_DGRAM)
    discover = IP_PMTUDISC_DO if df else IP_PMTUDISC_DONT
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, discover)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TCLASS, tos)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    sock.bind((address, port))
    return sock


def udp_transfer(src, src_address, dst, dst_address, sizes, port=PORT,
                 df=False, tos=0):
    """Sends a datagram of each size (UDP payload) from src to dst; fails
    unless they arrive in order and unchanged."""
    with udp_socket(dst, dst_address, port) as server, \
            udp_socket(src, src_address, port, df, tos) as client:
        for size in sizes:
            client.sendto(payload(size), (dst_address, port))
            got, sender = server.recvfrom(65536)
            assert got == payload(size), f"datagram of {size} bytes differs"
            assert sender[:2] == (src_address, port)


class Packet:
    """An IP packet in bytes, dissected just enough to tell flows apart."""

    def __init__(self, data):
        self.data = data
        self.version = data[0] >> 4
        if self.version == 4:
            self.tos, self.length = data[1], struct.unpack("!H", data[2:4])[0]
            self.id, self.proto, header = data[4:6], data[9], data[0] % 16 * 4
            self.src, self.dst = (socket.inet_ntop(socket.AF_INET, a)
                                  for a in (data[12:16], data[16:20]))
            self.df = bool(data[6] & 0x40)
            fragment = struct.unpack("!H", data[6:8])[0] & 0x3FFF
        else:
            word, length, self.proto = struct.unpack("!IHB", data[:7])
            self.tos, self.label = word >> 20 & 0xFF, word & 0xFFFFF
            self.length, header, self.df = length + 40, 40, True
            self.src, self.dst = (socket.inet_ntop(socket.AF_INET6, a)
                                  for a in (data[8:24], data[24:40]))
            fragment = self.proto == 44
        self.payload = data[header:]
        self.fragment = bool(fragment)
        ports = data[header:header + 4] if self.proto in (6, 17) else b""
        # The ports are not in every fragment.
        self.flow = (self.src, self.dst, self.proto,
                     b"fragment" if fragment else ports)


def packet_of(frame):
    """The Packet in an Ethernet frame, VLAN-tagged or not, or None for ARP
    and the like."""
    while frame[12:14] in (b"\x81\x00", b"\x88\xa8"):
        frame = frame[4:]
    if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
        return Packet(frame[14:])
    return None


def is_tunnel(packet):
    """True for an outer packet."""
    return packet is not None and packet.proto in (4, 41)


def outer_frame(frame, inner, local, endpoint, mac, endpoint_mac, ttl=64,
                tos=None):
    """The expected outer packet for `inner`, by scapy (RFC 2003 3.1, 2473 3,
    6040 4.1); tos=None copies the inner one. Only what a sender may choose is
    taken from the captured frame: the flow label, which must not be 0 (RFC
    6437 3), and the ID if the kernel has segmented a super-packet (RFC 6864
    4.1: with DF it means nothing)."""
    # Imported here, as it takes seconds in a virtual machine.
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    got, packet = packet_of(frame), Packet(inner)
    proto = {4: 4, 6: 41}[packet.version]
    tos = packet.tos if tos is None else tos
    ether = Ether(src=mac, dst=endpoint_mac)
    if ":" in local:
        assert got.label, "flow label 0"
        outer = IPv6(src=local, dst=endpoint, nh=proto, hlim=ttl,
                     tc=tos, fl=got.label, plen=len(inner))
    else:
        segment = packet.proto == 6
        outer = IP(src=local, dst=endpoint, proto=proto, ttl=ttl,
                   tos=tos, flags="DF",
                   id=struct.unpack("!H", got.id)[0] if segment else 0)
    return bytes(ether / outer / Raw(inner))
