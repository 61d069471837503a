# SPDX-License-Identifier: GPL-2.0-only
"""Prefixes by hash: every length is found, the longest first; write_prefixes
keeps `lengths` in step with the prefixes, and packets that are looked up
meanwhile find what was there before and is there after."""
import ctypes
import errno
import ipaddress
import os
import random
import threading

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from packets import bpf
from packets.runner import Runner
from packets.world import (GUARD, TlPrefix, TlPrefix4, TlPrefix6, TlPrefixRow,
                           TlPrefixWrite, World, u32)

TOP = 129  # TL_LENGTH_TOP
FAMILIES = pytest.mark.parametrize("family", [4, 6])
NET = {4: "10.85.170.85", 6: "fd55:aa55:aa55:aa55:aa55:aa55:aa55:aa55"}
BITS = {4: 32, 6: 128}


class TlLengths(ctypes.Structure):
    _fields_ = [("shorter", u32 * (TOP + 1)), ("rows", u32 * TOP)]


@pytest.fixture(name="runner", scope="module")
def _runner():
    runner = Runner()
    yield runner
    runner.close()


def net(family, length, flip=None):
    """A prefix of NET of that length; flip: with this bit inverted."""
    addr = int(ipaddress.ip_address(NET[family]))
    if flip is not None:
        addr ^= 1 << BITS[family] - 1 - flip
    addr &= ~((1 << BITS[family] - length) - 1)
    kind = ipaddress.IPv4Network if family == 4 else ipaddress.IPv6Network
    return kind((addr, length))


def frame(family, source):
    """A plain packet from that address."""
    head = IP(src=source, dst="192.0.2.1") if family == 4 else \
        IPv6(src=source, dst="2001:db8::1")
    return bytes(Ether(src="02:00:00:00:00:04", dst="02:00:00:00:00:01")
                 / head / UDP(sport=1, dport=2) / b"x")


def borrowed_from(runner, family, source):
    """The peer whose guard drops a plain packet with that source, or None."""
    counted = runner.run("xdp_ingress", frame(family, source))
    if "rx_borrowed" not in counted.counted:
        return None
    return next(peer for peer, moved in counted.peers.items()
                if "rx_borrowed" in moved)


@FAMILIES
def test_every_length(runner, family):
    """Each address belongs to the longest prefix that has it, of all lengths
    at once."""
    world = World()
    for length in range(BITS[family] + 1):
        peer = world.peer(f"198.51.100.{length + 1}", "192.0.2.1")
        world.prefix(str(net(family, length)), peer.id, GUARD)
    runner.enter(world)
    for length in range(4, BITS[family] + 1):
        flip = length if length < BITS[family] else None
        source = net(family, BITS[family], flip)[0]
        assert borrowed_from(runner, family, str(source)) == length + 1


@FAMILIES
def test_few_lengths(runner, family):
    """No other prefix is found than those that are there; an exception without
    flags ends the search."""
    world = World()
    peer = world.peer("198.51.100.1", "192.0.2.1",
                      [str(net(family, 8)), str(net(family, 24))])
    world.prefix(str(net(family, 16)))
    runner.enter(world)
    for flip, owner in ((None, peer.id), (24, peer.id), (23, None),
                        (16, None), (15, peer.id), (8, peer.id), (7, None)):
        source = net(family, BITS[family], flip)[0]
        assert borrowed_from(runner, family, str(source)) == owner, flip


class Writer:
    """The maps of one family as they should be, and the program."""

    def __init__(self, runner, family):
        self.runner, self.family, self.rows = runner, family, {}
        self.map = runner.maps[f"prefixes{family}"]
        runner.world = None
        self.map.clear()
        runner.maps["lengths"].update(self.slot(), bytes(TlLengths()))

    def slot(self):
        return {4: 0, 6: 1}[self.family].to_bytes(4, "little")

    def call(self, remove, rows, family=None, at=None):
        """(rows written, error) of [(network or length, peer)]."""
        array = (TlPrefixRow * len(rows))()
        for row, (what, peer) in zip(array, rows):
            length = what if isinstance(what, int) else what.prefixlen
            row.prefixlen, row.peer, row.flags = length, peer, GUARD
            if length != what:
                packed = what.network_address.packed
                row.addr[:len(packed)] = packed
        ctx = TlPrefixWrite(rows=at or ctypes.addressof(array), n=len(rows),
                            family=family or self.family, remove=remove)
        attr = bpf.TestRunAttr(prog_fd=self.runner.progs["write_prefixes"],
                               ctx_size_in=ctypes.sizeof(ctx),
                               ctx_in=ctypes.addressof(ctx))
        bpf.bpf(bpf.PROG_TEST_RUN, attr)
        return ctx.done, -ctx.error

    def write(self, remove, rows):
        assert self.call(remove, rows) == (len(rows), 0)
        for what, peer in rows:
            if remove:
                self.rows.pop(what, None)
            else:
                self.rows[what] = peer

    def key(self, what):
        kind = TlPrefix4 if self.family == 4 else TlPrefix6
        key = kind(what.prefixlen)
        key.addr[:] = what.network_address.packed
        return bytes(key)

    def check(self):
        """The maps are as they should be."""
        assert {key: self.map.lookup(key)[0] for key in self.map.keys()} == {
            self.key(what): bytes(TlPrefix(peer, GUARD))
            for what, peer in self.rows.items()}
        found = TlLengths.from_buffer_copy(
            self.runner.maps["lengths"].lookup(self.slot())[0])
        used = [what.prefixlen for what in self.rows]
        assert list(found.rows) == [used.count(n) for n in range(TOP)]
        walked, at = [], TOP
        while found.shorter[at]:
            at = found.shorter[at] - 1
            walked.append(at)
        assert walked == sorted(set(used), reverse=True)


@FAMILIES
def test_writer(runner, family):
    """Random batches, and each row alone, from nothing to nothing."""
    writer, dice = Writer(runner, family), random.Random(family)
    every = [net(family, length, flip) for length in range(BITS[family] + 1)
             for flip in {None, length - 1 if length else None}]
    for _ in range(60):
        some = dice.sample(every, dice.choice((1, 2, 9, 30)))
        writer.write(dice.random() < .5, [(what, dice.randint(1, 9))
                                          for what in some])
        writer.check()
    writer.write(True, [(what, 0) for what in every])
    writer.check()
    dice.shuffle(every)
    for what in every:
        writer.write(False, [(what, 1)])
    writer.check()


@FAMILIES
def test_writer_stops(runner, family):
    """A row that cannot be written ends the batch; those before it are
    written."""
    writer, good = Writer(runner, family), net(family, 8)
    writer.rows = {good: 1}
    for bad in BITS[family] + 1, 0xffffffff:
        for remove in False, True:
            assert writer.call(False, [(good, 1)]) == (1, 0)
            assert writer.call(remove, [(bad, 1), (good, 2)]) == (
                0, errno.EINVAL)
            writer.check()
    assert writer.call(False, [(good, 1)], at=8) == (0, errno.EFAULT)
    writer.check()


@FAMILIES
def test_full(runner, family):
    """A prefix for which there is no room leaves no length behind."""
    writer = Writer(runner, family)
    first = int(ipaddress.ip_address(NET[family])) & ~0xffffff << (
        BITS[family] - 32) & (1 << BITS[family]) - 1
    kind = ipaddress.IPv4Network if family == 4 else ipaddress.IPv6Network
    array = (TlPrefixRow * writer.map.max_entries)()
    for i, row in enumerate(array):
        number = first + i if family == 4 else i << 64 | 1
        row.prefixlen = BITS[family]
        row.addr[:BITS[family] // 8] = number.to_bytes(
            BITS[family] // 8, "big")
    done, tries = 0, 0
    while done < len(array):
        rows = [None] * (len(array) - done)
        now, error = call_at(writer, False, rows, ctypes.addressof(
            array) + done * ctypes.sizeof(TlPrefixRow))
        done, tries = done + now, tries + 1
        assert error in (0, errno.ENOMEM) and tries < 10 ** 6
    more = kind((0, 9))
    assert writer.call(False, [(more, 1)]) == (0, errno.E2BIG)
    slot = TlLengths.from_buffer_copy(
        runner.maps["lengths"].lookup(writer.slot())[0])
    assert slot.shorter[TOP] == BITS[family] + 1
    assert slot.shorter[BITS[family]] == 0 and slot.rows[9] == 0
    assert call_at(writer, True, [None] * len(array),
                   ctypes.addressof(array)) == (len(array), 0)
    writer.check()


@FAMILIES
def test_stale(runner, family):
    """What CPUs remember is stale after each call, also one that fails."""
    def generation():
        return int.from_bytes(
            runner.maps["generations"].lookup(bytes(4))[0][:4], "little")

    writer = Writer(runner, family)
    before = generation()
    writer.write(False, [(net(family, 13), 1)])
    assert generation() == before + 1
    assert writer.call(False, [(TOP, 1)])[0] == 0
    assert generation() == before + 2
    writer.write(True, [(net(family, 13), 1)])
    assert generation() == before + 3


def call_at(writer, remove, rows, at):
    """write_prefixes for rows that are in memory already."""
    ctx = TlPrefixWrite(rows=at, n=len(rows), family=writer.family,
                        remove=remove)
    bpf.bpf(bpf.PROG_TEST_RUN, bpf.TestRunAttr(
        prog_fd=writer.runner.progs["write_prefixes"],
        ctx_size_in=ctypes.sizeof(ctx), ctx_in=ctypes.addressof(ctx)))
    return ctx.done, -ctx.error


@FAMILIES
def test_meanwhile(runner, family):
    """A prefix is found at any time while lengths around it come and go. Plain
    packets that the guard drops are looked up anew each time."""
    world = World()
    world.peer("198.51.100.1", "192.0.2.1")
    runner.enter(world)
    writer = Writer(runner, family)
    around = [(net(family, length, length - 1), 1)
              for length in (9, 11, 12, 14, 17, 20, 24)]
    writer.write(False, [(net(family, 13), 1)])
    stop = threading.Event()

    def change():
        dice = random.Random(1)
        while not stop.is_set():
            writer.call(dice.random() < .5, dice.sample(
                around, dice.choice((1, 2, 5))))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        data = frame(family, NET[family])
        data_in = ctypes.create_string_buffer(data, len(data))
        runner.counted()
        for _ in range(20):
            bpf.bpf(bpf.PROG_TEST_RUN, bpf.TestRunAttr(
                prog_fd=runner.progs["xdp_ingress"], data_size_in=len(data),
                data_in=ctypes.addressof(data_in), repeat=50000))
        counted = runner.counted()
    finally:
        stop.set()
        thread.join()
    assert {name: n for name, (n, _) in counted.items()} == {
        "rx_borrowed": 20 * 50000}


def test_frozen():
    """A frozen map takes no writes but those of the program."""
    runner = Runner()
    try:
        writer = Writer(runner, 4)
        for name in "prefixes4", "lengths":
            assert runner_freeze(runner.maps[name].fd) == 0
        writer.write(False, [(net(4, 8), 1)])
        writer.check()
        key = writer.key(net(4, 8))
        for change in (lambda: writer.map.update(key, bytes(8)),
                       lambda: writer.map.delete(key),
                       lambda: runner.maps["lengths"].update(
                           bytes(4), bytes(TlLengths()))):
            with pytest.raises(PermissionError):
                change()
        writer.write(True, [(net(4, 8), 1)])
        writer.check()
    finally:
        runner.close()


def runner_freeze(fd):
    """BPF_MAP_FREEZE."""
    return bpf.bpf(22, bpf.ElemAttr(fd))
