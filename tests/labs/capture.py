# SPDX-License-Identifier: GPL-2.0-only
"""Captures and sends frames at the interfaces of a lab."""
import collections
import ctypes
import errno
import itertools
import mmap
import select
import socket
import struct
import time

from netns import TIMEOUT

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_STATISTICS, PACKET_AUXDATA = 6, 8
PACKET_VERSION, PACKET_TX_RING, TPACKET_V2 = 10, 13, 1
TP_STATUS_AVAILABLE, TP_STATUS_SEND_REQUEST = 0, 1
PACKET_OUTGOING = 4
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40

_names = itertools.count()

Frame = collections.namedtuple("Frame", "data outgoing ns")
Frame.__doc__ = """A captured frame: the bytes from the Ethernet header on, a
VLAN tag included; outgoing is True for what the capturing side sent; ns is
when, to bring the frames of several captures into order."""


class Capture:
    """Every frame that an interface sends or receives from now on, collected
    by the kernel in an AF_PACKET socket (of 64 MiB, so nothing is lost while
    the test does something else). keep(Frame) selects frames.

    Sent frames are seen as on the wire, after tc egress; received ones after
    native XDP and before tc ingress. Tap sees what the stack sees, after tc
    ingress and before tc egress."""

    def __init__(self, ns, ifname, keep=None):
        self.keep = keep or (lambda frame: True)
        self.seen = []
        self.sock = ns.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                            0)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.bind((ifname, ETH_P_ALL))

    def _read(self):
        data, aux, _, sender = self.sock.recvmsg(
            1 << 18, 256, socket.MSG_DONTWAIT)
        aux = {(level, kind): value for level, kind, value in aux}
        seconds, ns = struct.unpack(
            "=qq", aux[socket.SOL_SOCKET, SO_TIMESTAMPNS])
        data = self._with_vlan(data, aux[SOL_PACKET, PACKET_AUXDATA])
        return Frame(data, sender[2] == PACKET_OUTGOING,
                     seconds * 10**9 + ns)

    @staticmethod
    def _with_vlan(data, aux):
        # struct tpacket_auxdata: the kernel took the tag out of the frame.
        status, tci, tpid = struct.unpack("=I12xHH", aux[:20])
        if not status & TP_STATUS_VLAN_VALID:
            return data
        if not status & TP_STATUS_VLAN_TPID_VALID:
            tpid = 0x8100
        return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]

    def frames(self):
        """All frames so far."""
        while True:
            try:
                frame = self._read()
            except BlockingIOError:
                return list(self.seen)
            if self.keep(frame):
                self.seen.append(frame)

    def packets(self, outgoing=None):
        """The frames' bytes; outgoing=True or False: of one direction."""
        return [f.data for f in self.frames()
                if outgoing is None or f.outgoing == outgoing]

    def wait(self, number, timeout=TIMEOUT):
        """Waits until at least `number` frames are there; returns them."""
        deadline = time.monotonic() + timeout
        while len(self.frames()) < number:
            left = deadline - time.monotonic()
            assert left > 0, (f"{len(self.seen)} of {number} frames in "
                              f"{timeout} s: "
                              f"{[f.data.hex() for f in self.seen[:5]]}")
            select.select([self.sock], [], [], left)
        return list(self.seen)

    def lost(self):
        """The number of frames lost for lack of room since the last call."""
        raw = self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return struct.unpack("=II", raw)[1]

    def clear(self):
        """Forgets what was seen so far."""
        self.frames()
        self.seen.clear()

    def close(self):
        """Ends the capture."""
        self.sock.close()


def _bpf(code, jt, jf, k):
    return struct.pack("=HBBI", code, jt, jf, k)


# Classic BPF: frames to a gateway's MAC, ARP requests for 240.0.0.0/8,
# neighbour solicitations for fe80::74:6e:0:0/104.
LDW, LDH, LDB, RSH, AND, JEQ, RET = 0x20, 0x28, 0x30, 0x74, 0x54, 0x15, 0x06
GATEWAY_FILTER = [
    _bpf(LDW, 0, 0, 0), _bpf(AND, 0, 0, 0xffffff00),
    _bpf(JEQ, 16, 0, 0x02746e00),
    _bpf(LDH, 0, 0, 12), _bpf(JEQ, 0, 5, 0x0806),
    _bpf(LDH, 0, 0, 20), _bpf(JEQ, 0, 13, 1),
    _bpf(LDB, 0, 0, 38), _bpf(JEQ, 10, 11, 240), _bpf(RET, 0, 0, 0),
    _bpf(JEQ, 0, 9, 0x86dd),
    _bpf(LDB, 0, 0, 20), _bpf(JEQ, 0, 7, 58),
    _bpf(LDB, 0, 0, 54), _bpf(JEQ, 0, 5, 135),
    _bpf(LDW, 0, 0, 62), _bpf(JEQ, 0, 3, 0xfe800000),
    _bpf(LDW, 0, 0, 70), _bpf(JEQ, 0, 1, 0x0074006e),
    _bpf(RET, 0, 0, 0xffff), _bpf(RET, 0, 0, 0)]
SO_ATTACH_FILTER = 26


class GatewayWatch:
    """Sees frames that must never be on a wire: frames to a gateway's MAC, and
    requests for one. Costs nothing while there are none."""

    def __init__(self, ns, ifname):
        self.where = f"{ns.name} {ifname}"
        self.sock = ns.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                            0)
        code = b"".join(GATEWAY_FILTER)
        self.code = ctypes.create_string_buffer(code, len(code))
        self.sock.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER,
            struct.pack("HP", len(GATEWAY_FILTER),
                        ctypes.addressof(self.code)))
        self.sock.bind((ifname, ETH_P_ALL))

    def frames(self):
        """The sent frames that should not have been there; received ones were
        sent by the other end on purpose."""
        seen = []
        while True:
            try:
                data, _, _, sender = self.sock.recvmsg(2048, 0,
                                                       socket.MSG_DONTWAIT)
            except OSError:
                return seen
            if sender[2] == PACKET_OUTGOING:
                seen.append(data)

    def close(self):
        """Ends the watch; fails if there was such a frame."""
        seen = self.frames()
        self.sock.close()
        assert not seen, (f"{self.where}: {len(seen)} frames to or about a "
                          f"gateway left: {[f.hex() for f in seen[:3]]}")


class Tap:
    """A Capture of what the *stack* of a namespace exchanges with an
    interface: received packets after tc ingress (so decapsulated in either
    mode), sent ones before tc egress (so not yet encapsulated). Uses nftables'
    netdev hooks, which are on the stack's side of those of tc, and a veth of
    its own."""

    def __init__(self, ns, ifname, keep=None):
        self.ns, self.name = ns, f"tap{next(_names)}"
        self.captures = {}
        rules = []
        for hook in "ingress", "egress":
            dev = f"{self.name}{hook[0]}"
            ns.ip("link", "add", dev, "up", "mtu", 65535, "type", "veth",
                  "peer", "name", f"{dev}p")
            # Without IPv6, so that it sends no neighbour discovery of its own.
            ns.sysctl(f"net.ipv6.conf.{dev}.disable_ipv6", 1)
            ns.sysctl(f"net.ipv6.conf.{dev}p.disable_ipv6", 1)
            ns.ip("link", "set", f"{dev}p", "up")
            self.captures[hook] = Capture(ns, dev, keep)
            rules.append(f"chain {hook} {{ type filter hook {hook} device "
                         f"{ifname} priority 0; dup to {dev}; }}")
        ns.nft(f"table netdev {self.name} {{\n" + "\n".join(rules) + "\n}")

    def received(self):
        """Capture of what the stack receives."""
        return self.captures["ingress"]

    def sent(self):
        """Capture of what the stack sends."""
        return self.captures["egress"]

    def close(self):
        """Ends the captures and removes everything."""
        for capture in self.captures.values():
            capture.close()
        self.ns.run("nft", "delete", "table", "netdev", self.name,
                    check=False)
        for hook in self.captures:
            self.ns.ip("link", "del", f"{self.name}{hook[0]}", check=False)


class Sender:
    """Sends raw frames (bytes or scapy packets) out of an interface. To have
    a host under test *receive* a frame, send it from the veth's other end."""

    def __init__(self, ns, ifname):
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.bind((ifname, 0))

    def send(self, *frames):
        """Sends the frames in this order."""
        for frame in frames:
            self.sock.send(bytes(frame))

    def close(self):
        """Closes the socket."""
        self.sock.close()


class RingSender:
    """Sends raw frames out of an interface as skbs of which only the Ethernet
    header is linear: the kernel makes the rest of a frame in a transmit ring
    (Documentation/networking/packet_mmap.rst) fragments of the skb. A slot is
    reused after SLOTS frames: wait for their arrival before."""

    SLOT, SLOTS = 16384, 32
    HEADER = 32  # struct tpacket2_hdr, aligned

    def __init__(self, ns, ifname):
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self.sock.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack(
            "=IIII", self.SLOT * 4, self.SLOTS // 4, self.SLOT, self.SLOTS))
        self.sock.bind((ifname, 0))
        self.ring = mmap.mmap(self.sock.fileno(), self.SLOT * self.SLOTS)
        self.at = 0

    def send(self, frame):
        """Sends one frame; False if it was dropped at egress."""
        frame, begin = bytes(frame), self.at + self.HEADER
        self.ring[begin:begin + len(frame)] = frame
        struct.pack_into("=II", self.ring, self.at, TP_STATUS_SEND_REQUEST,
                         len(frame))
        try:
            self.sock.send(b"")
        except OSError as e:
            if e.errno != errno.ENOBUFS:
                raise
            # Otherwise the kernel sends the same slot again.
            struct.pack_into("=I", self.ring, self.at, TP_STATUS_AVAILABLE)
            return False
        self.at = (self.at + self.SLOT) % len(self.ring)
        return True

    def close(self):
        """Closes the socket."""
        self.ring.close()
        self.sock.close()
