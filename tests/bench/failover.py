# SPDX-License-Identifier: GPL-2.0-only
"""How long the network of a site that dies is unreachable, when another site
stands in for it and `tunload watch` runs; and what the way back loses. The time
is that from the death, at any moment of a keepalive, to the first datagram that
arrives at the other site; one is sent each millisecond."""
import random
import socket
import statistics
import threading
import time

from sites import SHARED, WATCHED, Sites

from .harness import Table, say
from .pair import quiet_lab

RUNS = {1: 15, 3: 5}  # by the keepalive, in seconds
PORT = 7000


class Datagrams:
    """One each millisecond, numbered, to whichever site."""

    def __init__(self, sites):
        self.stopping, self.sent = threading.Event(), 0
        self.rx = {name: self._receiver(tl.ns)
                   for name, tl in sites.sites.items()}
        self.tx = sites.a.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    @staticmethod
    def _receiver(ns):
        sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((SHARED, PORT))
        return sock

    def _send(self):
        while not self.stopping.wait(0.001):
            self.tx.sendto(b"%d" % self.sent, (SHARED, PORT))
            self.sent += 1

    def drain(self, name):
        """Forgets what has come to a site."""
        self.rx[name].setblocking(False)
        try:
            while True:
                self.rx[name].recv(64)
        except BlockingIOError:
            self.rx[name].settimeout(60)

    def first(self, name):
        """Waits for the next one at a site."""
        self.rx[name].recv(64)

    def close(self):
        """Ends."""
        self.stopping.set()
        self.thread.join()


def fail_over(sites, datagrams, keepalive):
    """Seconds that the network was unreachable."""
    datagrams.drain("second")
    time.sleep(random.random() * keepalive)  # at any moment
    begin = time.monotonic()
    sites.kill("first")
    datagrams.first("second")
    return time.monotonic() - begin


def samples(keepalive, runs):
    """Failover times of many deaths."""
    with quiet_lab() as lab:
        sites = Sites(lab, WATCHED.replace("keepalive = 1",
                                           f"keepalive = {keepalive}"))
        sites.watch()
        datagrams, times = Datagrams(sites), []
        for _ in range(runs):
            times.append(fail_over(sites, datagrams, keepalive))
            datagrams.drain("first")
            sites.revive("first")
            datagrams.first("first")
        datagrams.close()
    return times


def run(args):
    """The table."""
    table = Table("failover", "keepalives until the other site has traffic",
                  ["keepalive, s", "least", "median", "most"], digits=2)
    for keepalive, number in RUNS.items():
        times = [t / keepalive for t in samples(keepalive,
                                                args.runs or number)]
        say(f"failover, keepalive = {keepalive}")
        table.row(str(keepalive), min(times), statistics.median(times),
                  max(times))
    table.draw("bars", "least", "median", "most")
    yield table
