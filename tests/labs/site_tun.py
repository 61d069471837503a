#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""An IP-in-IP endpoint that shares nothing with tunload: a TUN device for the
inner packets, raw sockets for the outer ones.

    site_tun.py --local 198.51.100.1 --remote 203.0.113.5 --mtu 1480

Prints "ready" when packets can flow; the caller gives the device (--tun) its
addresses and routes. Unlike the kernel's tunnels it ignores MTUs: an inner
packet whose outer one does not fit is dropped, and reported.
"""
import argparse
import errno
import fcntl
import ipaddress
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO = 23, 2
IPV6_DSTOPTS, IPV6_TCLASS = 59, 67
PROTOCOL = {4: 4, 6: 41}  # inner version -> protocol number
# RFC 2473 4.1.1, as Linux sends it: Tunnel Encapsulation Limit 4, PadN of
# zero bytes. The kernel fills in the first byte, the next header.
ENCAP_LIMIT = bytes.fromhex("0000040104010100")


def open_tun(name):
    """A TUN device with bare packets."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF,
                struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def open_outer(local, remote, protocol, encap_limit):
    """A raw socket for one protocol number between two outer addresses."""
    v6 = local.version == 6
    family = socket.AF_INET6 if v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_RAW, protocol)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20)
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                        IPV6_PMTUDISC_DO)
        if encap_limit:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, ENCAP_LIMIT)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sock.bind((str(local), 0))
    sock.connect((str(remote), 0))
    sock.setblocking(False)
    return sock


def traffic_class(inner):
    """TOS or traffic class of an inner packet."""
    if inner[0] >> 4 == 4:
        return inner[1]
    return struct.unpack("!H", inner[:2])[0] >> 4 & 0xFF


def inner_length(inner):
    """The length in the inner header, or 0 if it is not an IP packet."""
    if len(inner) >= 20 and inner[0] >> 4 == 4:
        return struct.unpack("!H", inner[2:4])[0]
    if len(inner) >= 40 and inner[0] >> 4 == 6:
        return struct.unpack("!H", inner[4:6])[0] + 40
    return 0


def link_local(inner):
    """True for packets that the kernel sends on any device by itself."""
    if inner[0] >> 4 != 6:
        return False
    src, dst = inner[8:24], inner[24:40]
    return src[:2] == b"\xfe\x80" or dst[:1] == b"\xff"


def send(sock, v6, inner):
    """Puts inner into an outer packet with its traffic class."""
    level, kind = (socket.IPPROTO_IPV6, IPV6_TCLASS) if v6 else \
        (socket.IPPROTO_IP, socket.IP_TOS)
    control = [(level, kind, struct.pack("=i", traffic_class(inner)))]
    try:
        sock.sendmsg([inner], control)
    except OSError as e:
        # ICMP errors about earlier packets are raised here too.
        print(f"not sent, {len(inner)} bytes: {e}", flush=True)


def deliver(tun, inner, version):
    """Writes a packet from a tunnel to the TUN device."""
    if not inner or inner[0] >> 4 != version:
        return print(f"not IPv{version}: {inner[:20].hex()}", flush=True)
    length = inner_length(inner)
    if not 0 < length <= len(inner):
        return print(f"bad length: {inner[:40].hex()}", flush=True)
    return os.write(tun, inner[:length])


def drain(read, handle):
    """Reads and handles packets until there are none."""
    while True:
        try:
            packet = read()
        except BlockingIOError:
            return
        except OSError as e:
            if e.errno in (errno.EBADF, errno.EBADFD):
                raise
            print(f"error received: {e}", flush=True)
            continue
        handle(packet)


def pump(tun, outer, v6):
    """Moves packets for ever. outer: inner version -> socket."""
    def received(version):
        def handle(packet):
            # Raw IPv4 sockets deliver the outer header, IPv6 ones do not.
            skip = 0 if v6 else (packet[0] & 15) * 4
            deliver(tun, packet[skip:], version)
        return handle

    def sent(inner):
        if not link_local(inner):
            send(outer[inner[0] >> 4], v6, inner)

    handlers = {tun: (lambda: os.read(tun, 65536), sent)}
    for version, sock in outer.items():
        handlers[sock.fileno()] = (lambda s=sock: s.recv(65536),
                                   received(version))
    while True:
        for fd in select.select(list(handlers), [], [])[0]:
            drain(*handlers[fd])


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--local", type=ipaddress.ip_address, required=True)
    parser.add_argument("--remote", type=ipaddress.ip_address, required=True)
    parser.add_argument("--tun", default="tun0", help="device name")
    parser.add_argument("--mtu", type=int, required=True,
                        help="of the device, so of the inner packets")
    parser.add_argument("--encap-limit", action="store_true",
                        help="send RFC 2473's option, as Linux does")
    args = parser.parse_args()
    v6 = args.local.version == 6
    tun = open_tun(args.tun)
    os.system(f"ip link set {args.tun} up mtu {args.mtu}")
    outer = {version: open_outer(args.local, args.remote, protocol,
                                 args.encap_limit)
             for version, protocol in PROTOCOL.items()}
    print("ready", flush=True)
    pump(tun, outer, v6)


if __name__ == "__main__":
    sys.exit(main())
