# SPDX-License-Identifier: GPL-2.0-only
"""Paced UDP flows whose packets are numbered, and echoed by whoever gets them:
which ones were lost, for how long, and on which way each of them went."""
import collections
import contextlib
import select
import socket
import struct
import threading
import time

from capture import SO_TIMESTAMPNS
from lab import wait_until
from netns import PATIENCE, TIMEOUT
from traffic import family, packet_of

PORT = 7000
PACKET = struct.Struct("!II")  # flow, number

Got = collections.namedtuple("Got", "number who ns")
Got.__doc__ = """A packet that arrived: its number, whose socket has it, and the
kernel's time of that."""


def open_udp(ns, address, port=0):
    """A UDP socket with the kernel's timestamps."""
    sock = ns.socket(family(address), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((address, port))
    sock.setblocking(False)
    return sock


def receive(sock):
    """(data, time, sender) of each packet that is there."""
    while True:
        try:
            data, aux, _, sender = sock.recvmsg(2048, 64)
        except BlockingIOError:
            return
        seconds, ns = struct.unpack("=qq", aux[0][2])
        yield data, seconds * 10**9 + ns, sender


class Flows:
    """Flows from one address to another, which each of `targets` ({name:
    namespace}) has. As a context it sends until its end; then `arrived` and
    `echoed` have a list of Got for each flow, and `sent` the number of packets
    of each."""

    def __init__(self, source, targets, number=16, interval=0.01):
        ns, address = source
        (self.destination, hosts) = targets
        self.interval = interval * PATIENCE
        self.sockets = [open_udp(ns, address) for _ in range(number)]
        self.hosts = {name: open_udp(host, self.destination, PORT)
                      for name, host in hosts.items()}
        self.ports = [s.getsockname()[1] for s in self.sockets]
        self.sent = [0] * number
        self.arrived = [[] for _ in range(number)]
        self.echoed = [[] for _ in range(number)]
        self.stopping, self.done = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._send, self._receive)]

    def _send(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            for flow, sock in enumerate(self.sockets):
                due += self.interval / len(self.sockets)
                time.sleep(max(0, due - time.monotonic()))
                with contextlib.suppress(OSError):  # no route: it is lost
                    sock.sendto(PACKET.pack(flow, self.sent[flow]) + bytes(92),
                                (self.destination, PORT))
                self.sent[flow] += 1

    def _receive(self):
        """Takes what arrives at both ends, and echoes."""
        names = {s: name for name, s in self.hosts.items()}
        while not self.done.is_set():
            for sock in select.select([*names, *self.sockets], [], [], 0.1)[0]:
                for data, ns, sender in receive(sock):
                    flow, number = PACKET.unpack_from(data)
                    got = Got(number, names.get(sock), ns)
                    if got.who:
                        self.arrived[flow].append(got)
                        with contextlib.suppress(OSError):
                            sock.sendto(data, sender)
                    else:
                        self.echoed[flow].append(got)

    def running(self, packets=20):
        """Waits until each flow had that many more echoes."""
        before = [len(e) for e in self.echoed]
        wait_until(lambda: all(len(e) >= b + packets for e, b
                               in zip(self.echoed, before)), "the flows")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.running()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.threads[0].join(TIMEOUT)
        time.sleep(0.5 * PATIENCE)  # what is under way
        self.done.set()
        self.threads[1].join(TIMEOUT)
        for sock in [*self.sockets, *self.hosts.values()]:
            sock.close()

    def lost(self, got):
        """How many packets are missing of each flow, in arrived or echoed."""
        return [sent - len({g.number for g in flow})
                for sent, flow in zip(self.sent, got)]

    @staticmethod
    def gap(got):
        """Seconds between the packets before and after the ones that are
        missing, of the flow that had to wait longest."""
        return max((b.ns - a.ns for flow in got for a, b in zip(flow, flow[1:])
                    if b.number > a.number + 1), default=0) / 1e9

    def ways(self, captures, outgoing=True):
        """The names of `captures` ({name: Capture}) that have seen each flow's
        packets, outgoing or coming back, as [(name, ns)] in order of time."""
        flows = {port: [] for port in self.ports}
        for name, capture in captures.items():
            for frame in capture.frames():
                packet = packet_of(frame.data)
                if frame.outgoing == outgoing and packet and packet.proto == 17:
                    ports = struct.unpack("!HH", packet.payload[:4])
                    port = ports[0 if outgoing else 1]
                    if port in flows:
                        flows[port].append((frame.ns, name))
        return [[(name, ns) for ns, name in sorted(flows[port])]
                for port in self.ports]
