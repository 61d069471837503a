# SPDX-License-Identifier: GPL-2.0-only
"""What the programs remember of look-ups: changes by tunload take effect with
the next packet, edits of the pinned maps by hand within a second; those of
prefixes are refused."""
import os
import socket

import pytest

from addresses import OUTER
from lab import run, wait_until
from lifecycle import A, B, Pair, conf_a



@pytest.fixture(name="tunnel", params=["native", "tc"])
def fixture_tunnel(lab, request):
    """A Tunnel in each mode."""
    with Tunnel(lab, request.param) as tunnel:
        yield tunnel


class Tunnel(Pair):
    """A Pair with a socket at each end; the first host remembers both
    directions."""

    def __init__(self, lab, mode):
        super().__init__(lab)
        self.tl.attach(conf_a(mode), "--no-trigger")
        self.ends = []
        for ns, addr in ((self.a, A), (self.b, B)):
            sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((addr, 7000))
            self.ends.append(sock)
        wait_until(lambda: self.counts(self.inwards, "rx_decap") and
                   self.counts(self.outwards, "tx_encap"), "a way")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.ends:
            sock.close()

    def inwards(self):
        """A datagram from the peer to this host."""
        self.ends[1].sendto(b"x", (A, 7000))

    def outwards(self):
        """A datagram from this host to the peer."""
        self.ends[0].sendto(b"x", (B, 7000))

    def counts(self, send, verdict):
        """True if a datagram comes to that verdict before send() returns, which
        may be too early on a busy machine."""
        before = self.tl.verdict(verdict)
        send()
        return self.tl.verdict(verdict) > before

    def expect(self, send, verdict):
        """The next datagram comes to that verdict."""
        before = self.tl.verdict(verdict)
        send()
        wait_until(lambda: self.tl.verdict(verdict) > before, verdict)

    def edit(self, what, name, key, *value):
        """`bpftool map WHAT` on a pinned map; bytes."""
        run("bpftool", "map", what, "pinned",
            os.path.join(self.tl.pins, name), "key", *map(str, key), *value)


def test_commands(tunnel):
    for allowed, inwards, outwards in (
            ("10.99.0.0/16", "rx_not_allowed", "tx_plain"),
            ("10.10.0.0/24", "rx_decap", "tx_encap")):
        tunnel.tl.ok("peer", "set", "eth0", "b", "allowed-ips", allowed)
        tunnel.expect(tunnel.inwards, inwards)
        if allowed == "10.10.0.0/24":
            tunnel.expect(tunnel.outwards, outwards)
    tunnel.tl.ok("peer", "set", "eth0", "b", "endpoint", OUTER[4][0][:-1] + "9")
    tunnel.expect(tunnel.inwards, "rx_no_peer")


def test_removed_peer(tunnel):
    tunnel.tl.ok("peer", "del", "eth0", "b")
    tunnel.expect(tunnel.inwards, "rx_no_peer")


def test_frozen_prefixes(tunnel):
    """The kernel refuses edits of prefixes, which would not be in step with
    `lengths`; the packets after them are as before."""
    key, value = [24, 0, 0, 0, 10, 10, 0, 0], [0] * 8
    lengths = tunnel.tl.map("lengths")
    for what, name, *row in (
            ("delete", "prefixes4", key),
            ("update", "prefixes4", key, value),
            ("update", "prefixes4", [32, *key[1:]], value),
            ("update", "prefixes6", [32, *[0] * 19], value),
            ("update", "lengths", [0] * 4, [0] * 4 * (130 + 129))):
        args = ["key", *row[0], *(["value", *row[1]] if row[1:] else [])]
        done = run("bpftool", "map", what, "pinned",
                   os.path.join(tunnel.tl.pins, name), *map(str, args),
                   check=False)
        assert done.returncode and "not permitted" in done.stderr, done
    assert tunnel.tl.map("lengths") == lengths
    tunnel.expect(tunnel.inwards, "rx_decap")


def test_edited_endpoint(tunnel):
    """The row of the peer's endpoint is deleted."""
    row = tunnel.tl.map("endpoints")[0]["key"]
    key = [row["family"], 0, 0, 0, *row["endpoint"], *row["local"]]
    tunnel.edit("delete", "endpoints",
                [int(str(byte), 0) for byte in key])
    wait_until(lambda: tunnel.counts(tunnel.inwards, "rx_no_peer"),
               "the edit is seen")


def test_edited_peer(tunnel):
    """The row of the peer itself is deleted."""
    ident = tunnel.tl.map("peers")[0]["key"]
    tunnel.edit("delete", "peers", ident.to_bytes(4, "little"))
    wait_until(lambda: tunnel.counts(tunnel.inwards, "rx_stale_peer"),
               "the edit is seen")
    wait_until(lambda: tunnel.counts(tunnel.outwards, "tx_stale_peer"),
               "the edit is seen at egress")
