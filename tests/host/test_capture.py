# SPDX-License-Identifier: GPL-2.0-only
"""`tunload capture`: every frame with its interface, direction and verdict,
compared with what is on the wire. Where the kernel takes no tracing programs,
tests/kernels/test_capture.py runs these in a virtual machine."""
import os
import shutil
import signal
import socket
import time
from types import SimpleNamespace

import pytest
from scapy.layers.l2 import Dot1Q

import pcapng
from addresses import HEADER, INNER, THIRD
from capturing import (FRAMES, Running, Site, received_twice, sent_twice,
                       shown)
from lab import Process, run, wait_until
from netns import PATIENCE, kernel_version
from router import Router, udp
from traffic import payload

COMBINATIONS = [(mode, outer, inner) for mode in ("native", "tc")
                for outer in (4, 6) for inner in (4, 6)]
UDP_SEGMENT = 103


@pytest.mark.parametrize("mode, outer, inner", COMBINATIONS)
def test_every_frame(lab, mode, outer, inner):
    """Byte for byte, inside and outside: with a next hop that is asked for, and
    with one that is known."""
    site = Site(lab, mode, outer)
    capture = Running(site)
    expected = []
    for seed in 0, 1:
        site.send(INNER[inner][1], seed=seed)
        expected += sent_twice(site, site.wire.wait(seed + 1)[seed].data)
        frame = site.outer_of(site.inner(inner), inner)
        site.sender.send(frame)
        expected += received_twice(site, frame, inner)
        capture.wait(len(expected))
    file, written, lost = capture.end()
    assert shown(file.frames) == expected
    assert [f.length for f in file.frames] == [len(e[3]) for e in expected]
    assert file.interfaces == ["eth0 outer", "eth0 inner"]
    assert (written, lost) == (len(expected), 0)
    assert {n: (s[4], s[5]) for n, s in file.statistics.items()} == {
        "eth0 outer": (4, 0), "eth0 inner": (4, 0)}
    assert [f.ns for f in file.frames] == sorted(f.ns for f in file.frames)
    assert abs(file.frames[-1].ns - time.time_ns()) < 600e9 * PATIENCE


@pytest.mark.parametrize("keys, peer_keys", [
    ("cpus = all", ""), ("", "mark = 7")], ids=["cpus", "mark"])
def test_on_another_way(lab, keys, peer_keys):
    """What XDP gives to another CPU, and what it leaves to tc."""
    site = Site(lab, "native", keys=keys, peer_keys=peer_keys)
    capture = Running(site)
    expected = []
    for version in 4, 6:
        frame = site.outer_of(site.inner(version), version)
        site.sender.send(frame)
        expected += received_twice(site, frame, version)
        capture.wait(len(expected))
    file, _, _ = capture.end()
    assert shown(file.frames) == expected


def test_forwarded_in_xdp(lab):
    """The frame as it arrived, and as the LAN gets it."""
    router = Router(lab)
    forwards = kernel_version() >= (6, 3)
    if forwards:
        router.warm(4)
    capture = Running(SimpleNamespace(lab=lab, tl=router.tunload))
    router.wire.clear()
    sent = [udp(4, 100 + n) for n in range(20)]
    for number, inner in enumerate(sent, 1):
        router.send(router.frame(inner))
        router.wire.wait(number)

    def out_of_tunnel():
        # The LAN answers that the port is closed.
        return [f for f in shown(capture.frames()) if f[2] in (
            "rx_forward, peer site", "rx_decap, peer site")]
    wait_until(lambda: len(out_of_tunnel()) >= 2 * len(sent), "all frames")
    capture.end()
    frames = out_of_tunnel()
    assert len(frames) == 2 * len(sent)
    forwarded = 0
    for inner, first, then in zip(sent, frames[::2], frames[1::2]):
        comment = first[2]
        assert first == ("eth0 outer", "in", comment, router.frame(inner))
        assert then[:3] == ("eth0 inner", "in", comment)
        # One of each second goes up.
        if comment == "rx_forward, peer site":
            forwarded += 1
            assert then[3] == router.expected(inner)
    assert forwarded > 10 if forwards else not forwarded


def test_segments_of_one_send(lab):
    """One frame for many segments, as the programs see it."""
    site = Site(lab, "tc")
    capture = Running(site)
    site.sockets[4].setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
    site.send(INNER[4][1], 5000)
    capture.wait(2)
    file, _, _ = capture.end()
    inner, outer = file.frames
    assert {f.comment for f in file.frames} == {
        "tx_encap, peer b: encapsulated"}
    assert (inner.interface, outer.interface) == ("eth0 inner", "eth0 outer")
    assert inner.data[-5000:] == outer.data[-5000:] == payload(5000)
    assert len(outer.data) - len(inner.data) == HEADER[4]


@pytest.mark.parametrize("mode", ["native", "tc"])
def test_dropped(lab, mode):
    """A packet that is dropped, or left alone for a reason, is there once."""
    site = Site(lab, mode)
    capture = Running(site)
    plain = bytes(site.ether(4) / site.inner(4))
    frames = [
        ("rx_not_allowed, peer b", site.outer_of(
            site.inner(4, "10.99.0.1"), 4)),
        ("rx_no_peer", site.outer_of(site.inner(4), 4, "192.0.2.99")),
        ("rx_borrowed, peer b", plain)]
    for number, (_, frame) in enumerate(frames, 1):
        site.sender.send(frame)
        capture.wait(number)
    file, _, _ = capture.end()
    assert shown(file.frames) == [
        ("eth0 outer", "in", comment, frame) for comment, frame in frames]
    assert file.frames[0].comment == (
        "rx_not_allowed, peer b: inner source not in the peer's allowed "
        "prefixes (RFC 4213 3.6)")


@pytest.mark.parametrize("mode", ["native", "tc"])
def test_tags(lab, mode):
    """A VLAN tag is in both frames, also where the kernel keeps it beside."""
    site = Site(lab, mode)
    capture = Running(site)
    plain = site.outer_of(site.inner(4), 4)
    tag = bytes(Dot1Q(vlan=7, type=0x800))
    frame = plain[:12] + b"\x81\x00" + tag + plain[14:]
    site.sender.send(frame)
    capture.wait(2)
    file, _, _ = capture.end()
    assert shown(file.frames) == [
        ("eth0 outer", "in", "rx_decap, peer b", frame),
        ("eth0 inner", "in", "rx_decap, peer b",
         frame[:18] + frame[18 + HEADER[4]:])]


def test_fragments(lab):
    """A packet that is cut is there once as a whole; its fragments are the
    frames on the wire."""
    site = Site(lab, "tc")
    # Checksums that are not complete would be wrong in fragments.
    site.a.run("ethtool", "-K", "eth0", "tx", "off")
    capture = Running(site)
    site.a.ip("route", "change", "10.10.0.0/24", "via", "240.0.0.1", "dev",
              "eth0", "proto", 94, "onlink", "src", INNER[4][0])
    site.send(INNER[4][1], 1465)
    wire = [f.data for f in site.wire.wait(2)]
    capture.wait(3)
    file, _, _ = capture.end()
    whole = file.frames[[f.interface for f in file.frames].index("eth0 inner")]
    assert whole.comment.startswith("tx_fragmented, peer b: ")
    assert whole.data[-1465:] == payload(1465)
    assert [f.data for f in file.frames if f is not whole] == wire
    assert {f.comment for f in file.frames if f is not whole} == {
        "tx_encap, peer b: encapsulated"}


def test_too_big_is_there_whole(lab):
    """... though it becomes its answer."""
    site = Site(lab, "tc")
    site.a.ip("route", "change", "10.10.0.0/24", "via", "240.0.0.1", "dev",
              "eth0", "proto", 94, "onlink", "src", INNER[4][0])
    capture = Running(site)
    # IP_MTU_DISCOVER: IP_PMTUDISC_PROBE
    site.sockets[4].setsockopt(socket.IPPROTO_IP, 10, 3)
    site.send(INNER[4][1], 1465)
    capture.wait(1)
    file, _, _ = capture.end()
    one, = file.frames
    assert (one.interface, one.way) == ("eth0 inner", "out")
    assert one.comment.startswith("tx_too_big, peer b: ")
    assert one.data[-1465:] == payload(1465)


def test_one_peer(lab):
    """PEER: only its packets, in both directions."""
    site = Site(lab, "native")
    capture = Running(site, "c")
    site.send(INNER[4][1])
    site.sender.send(site.outer_of(site.inner(4), 4))
    site.send("10.30.0.1")
    there = site.wire.wait(2)[1].data
    frame = site.outer_of(site.inner(4, "10.30.0.1"), 4, THIRD[4])
    site.sender.send(frame)
    capture.wait(4)
    file, _, _ = capture.end()
    comment = "rx_decap, peer c"
    inner = bytes(site.ether(4)) + frame[34:]
    assert shown(file.frames) == sent_twice(site, there, "c") + [
        ("eth0 outer", "in", comment, frame),
        ("eth0 inner", "in", comment, inner)]


def test_count_and_snaplen(lab):
    """It ends by itself after so many frames, each cut to so many bytes."""
    site = Site(lab, "native")
    capture = Running(site, "-c", 3, "--snaplen", 20)
    for _ in range(3):
        site.sender.send(site.outer_of(site.inner(4), 4))
    assert capture.process.wait() == 0
    file, written, _ = capture.end()
    outer, inner = 14 + 20 + 28 + 80, 14 + 28 + 80
    assert [(len(f.data), f.length) for f in file.frames] == [
        (20, outer), (20, inner), (20, outer)]
    assert written == 3
    assert {f.comment for f in file.frames} == {
        "rx_decap, peer b: decapsulated"}


def test_pipe(lab):
    """Without -w it writes to a pipe at once; it ends when nobody reads any
    more."""
    site = Site(lab, "native")
    Running(site).end()
    out, into = os.pipe()
    process = lab.keep(Process(
        ["bash", "-c", f'exec "$@" >&{into}', "bash",
         *site.tl.argv("capture", "eth0")], pass_fds=[into]))
    os.close(into)
    process.wait_output("capturing on")
    frame = site.outer_of(site.inner(4), 4)
    site.sender.send(frame)
    data = b""
    while data.count(frame[34:]) < 2:
        data += os.read(out, 1 << 16)
    assert shown(pcapng.parse(data).frames) == received_twice(site, frame, 4)
    os.close(out)
    site.sender.send(frame)
    assert process.wait() == 0
    assert FRAMES.search(process.output())


def test_lost_frames_are_counted(lab):
    """While the capture is stopped its buffer fills up: each frame is written
    or counted as lost."""
    site = Site(lab, "tc", mtu=16000)
    capture = Running(site)
    capture.process.signal(signal.SIGSTOP)
    packets = 3000
    for _ in range(packets):
        site.send(INNER[4][1], 15000)
    capture.process.signal(signal.SIGCONT)
    file, written, lost = capture.end()
    assert written == len(file.frames) and lost > 0
    assert {f.comment for f in file.frames} == {"tx_encap, peer b: encapsulated"}
    assert written + lost == 2 * packets
    assert sum(s[5] for s in file.statistics.values()) == lost
    assert sum(s[4] for s in file.statistics.values()) == written + lost
    assert {len(f.data) for f in file.frames} == {14 + 28 + 15000,
                                                  14 + 48 + 15000}


def tracers():
    """How many tracing programs of a capture are loaded."""
    return run("bpftool", "prog", "show").stdout.count("name tc_egress_ends ")


def test_two_at_once_and_killed(lab):
    """Two captures see the same; one that is killed leaves nothing behind."""
    site = Site(lab, "native")
    first = Running(site)
    before = tracers()
    second = lab.keep(site.tl.start("capture", "eth0", "-w",
                                    os.path.join(site.tl.dir, "2")))
    second.wait_output("capturing on")
    assert tracers() == before + 1
    frame = site.outer_of(site.inner(4), 4)
    site.sender.send(frame)
    first.wait(2)
    second.popen.kill()
    wait_until(lambda: tracers() == before, "its programs are gone")
    site.sender.send(frame)
    first.wait(4)
    file, _, _ = first.end()
    assert shown(file.frames) == 2 * received_twice(site, frame, 4)
    wait_until(lambda: tracers() == before - 1, "all programs are gone")


def test_upgrade_and_detach(lab):
    """It goes on with the new programs of an upgrade, and ends with a
    detach."""
    site = Site(lab, "native")
    capture = Running(site)
    frame = site.outer_of(site.inner(4), 4)
    site.sender.send(frame)
    capture.wait(2)
    site.tl.ok("attach", "eth0", "-c", site.tl.conf, "--no-trigger")

    def followed():
        site.sender.send(frame)
        return len(capture.frames()) >= 4
    wait_until(followed, "frames of the new programs", interval=0.2)
    site.tl.detach()
    assert capture.process.wait() == 1
    file, _, _ = capture.end(1)
    assert "tunload: eth0 was detached\n" in capture.process.output()
    assert shown(file.frames)[:4] == 2 * received_twice(site, frame, 4)


def test_readers(lab):
    """tcpdump reads it, and tshark, comments included."""
    site = Site(lab, "native")
    capture = Running(site)
    site.sender.send(site.outer_of(site.inner(4), 4))
    capture.wait(2)
    capture.end()
    out = run("tcpdump", "-nr", capture.path).stdout
    assert out.count("\n") == 2 and "IP 10.10.0.1.7000 >" in out
    if not shutil.which("tshark"):
        pytest.skip("expected: tshark (130 MB) is not installed")
    out = run("tshark", "-r", capture.path, "-T", "fields", "-e",
              "frame.interface_name", "-e", "frame.comment").stdout
    assert out == ("eth0 outer\trx_decap, peer b: decapsulated\n"
                   "eth0 inner\trx_decap, peer b: decapsulated\n")


ERRORS = [
    (["eth0", "nobody"], 1, 'no such peer "nobody" on eth0: `tunload peer '
     'list eth0` lists its peers'),
    (["eth0", "-c", "0"], 2, 'capture: --count "0" is not a number from 1 to '
     "4294967295: see `tunload help capture`"),
    (["eth0", "--snaplen", "9x"], 2, 'capture: --snaplen "9x" is not a number '
     "from 1 to 262144: see `tunload help capture`"),
    (["eth0", "b", "c"], 2, 'capture: one argument too many "c": see `tunload '
     'help capture`'),
    (["eth9"], 1, 'no such interface "eth9": did you mean "eth0"?'),
]


def test_errors(lab):
    """Each is one line that says what to do."""
    site = Site(lab, "tc")
    for args, status, line in ERRORS:
        done = site.tl.run("capture", *args)
        assert (done.returncode, done.stderr) == (status, f"tunload: {line}\n")
    done = site.a.run("setpriv", "--bounding-set", "-all", "--inh-caps",
                      "-all", *site.tl.argv("capture", "eth0")[3:],
                      check=False)
    assert done.returncode == 1 and "run as root" in done.stderr


def test_file_that_cannot_be_written(lab):
    site = Site(lab, "tc")
    Running(site).end()
    done = site.tl.run("capture", "eth0", "-w", "/nowhere/file")
    assert (done.returncode, done.stderr) == (
        1, "tunload: /nowhere/file: cannot write: No such file or directory; "
        "name another file with -w\n")


def test_terminal(lab):
    """A terminal gets a line that says what to do."""
    site = Site(lab, "tc")
    command = " ".join(site.tl.argv("capture", "eth0"))
    done = run("script", "-qec", command, "/dev/null", check=False)
    assert done.returncode == 2
    assert done.stdout.strip() == (
        "tunload: capture: standard output is a terminal: name a file with -w, "
        "or read it, `tunload capture eth0 -w - | wireshark -k -i -`")
