# SPDX-License-Identifier: GPL-2.0-only
"""`tunload status` for people: every line of it, its width, its colours, a
filter by peer, and --watch."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest

from aged import age
from lab import wait_until
from netns import TIMEOUT
from traffic import ping

CONF = """\
[interface]
mode = tc
address = 172.22.2.2/32
[peer tokyo]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24, fd00:10::/64, 10.11.0.0/24
[peer osaka]
endpoint = 192.0.2.3
allowed-ips = 10.20.0.0/24
[peer kobe]
endpoint = 2001:db8:9::1
allowed-ips = 10.30.0.0/24
local = 2001:db8:7::1
"""
CONF_B = """\
[interface]
address = 10.10.0.1/24
[peer ec2]
endpoint = 192.0.2.1
allowed-ips = 172.22.2.2/32
"""
# 192.0.2.3 takes everything and says nothing.
QUIET = """
table inet quiet {
    chain in {
        type filter hook input priority 0
        ip daddr 192.0.2.3 ip protocol { 4, 41 } drop
    }
}
"""
HEAD = """\
eth0     tc by tcx                                   2 of 3 peers need attention
mode     tc: asked for by mode = tc
local    192.0.2.1  2001:db8::1                     forwarding: IPv4 on, IPv6 on
"""
KOBE = """\
kobe   local "2001:db8:7::1" is not an address of eth0: EC2 drops packets from
       addresses that are not assigned to the interface; use 2001:db8::1
"""
TROUBLE = """\
osaka  2 sent, the last one N s ago, none back
       -> look whether security groups and firewalls let protocol 4 through to
          and from 192.0.2.3, and whether the other end has this tunnel
"""
TEXT = HEAD + """
PEER   STATE      ENDPOINT       ALLOWED IPS       MTU  LAST IN    IN   OUT
osaka  no answer  192.0.2.3      10.20.0.0/24     1480    never    0B  168B
kobe   waiting    2001:db8:9::1  10.30.0.0/24     1460    never    0B    0B
tokyo  up         192.0.2.2      10.10.0.0/24 +2  1480      N s  168B  168B

""" + TROUBLE + KOBE


class Host:
    """Two hosts; on the first one tokyo is up, osaka does not answer, and kobe
    waits."""

    def __init__(self, lab):
        self.lab, self.a, self.b = lab, lab.netns("a"), lab.netns("b")
        b = self.b
        lab.veth(self.a, "eth0", b, "eth0")
        self.a.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
        b.addr("eth0", "192.0.2.2/24", "192.0.2.3/24")
        self.a.ip("route", "add", "2001:db8:9::/64", "via", "2001:db8::2",
                  "dev", "eth0")
        b.nft(QUIET)
        self.a.forward()
        self.tl = lab.tunload(self.a)
        other = lab.tunload(b, bpffs=lab.new_bpffs())
        other.attach(CONF_B, "--no-trigger")
        self.tl.attach(CONF, "--no-trigger")

    def talk(self):
        """Two packets to each, of which tokyo answers its own."""
        for _ in range(2):
            assert ping(self.a, "10.10.0.1", "172.22.2.2")
            ping(self.a, "10.20.0.1", "172.22.2.2", wait=0.01)

    def text(self, *args, **env):
        """What status prints, with ages as N."""
        done = self.tl.run("status", *args, env={**os.environ, **env})
        assert (done.returncode, done.stderr) == (0, "")
        return ages(done.stdout)

    def open_terminal(self, rows, columns, *args, **env):
        """Runs tunload on a terminal of that size; returns the other end of it
        and the process."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                    struct.pack("4H", rows, columns, 0, 0))
        process = subprocess.Popen(
            self.tl.argv(*args), stdin=theirs, stdout=theirs,
            stderr=theirs, env={**os.environ, "TERM": "xterm", **env})
        os.close(theirs)
        return ours, process

    def terminal(self, columns, *args, **env):
        """What a command prints on a terminal."""
        ours, process = self.open_terminal(50, columns, *args, **env)
        out = b""
        try:
            while data := os.read(ours, 65536):
                out += data
        except OSError:  # EIO: the other end was closed
            pass
        os.close(ours)
        assert process.wait(TIMEOUT) == 0
        return ages(out.decode().replace("\r\n", "\n"))

    def age(self, peer, **seconds):
        """Says that the last packets of a peer came or went so long ago."""
        age(self.tl, peer, **seconds)


def ages(text):
    """text with each age in seconds as N, at the same place."""
    return re.sub(r"\b\d+( s\b)", lambda m: "N".rjust(len(m[0]) - 2) + m[1],
                  text).replace(" NN s", "  N s")


@pytest.fixture(name="host")
def fixture_host(lab):
    """A Host that has talked to its peers."""
    host = Host(lab)
    host.talk()
    return host


def test_text(host):
    assert host.text("eth0") == TEXT
    assert host.text() == TEXT
    for row in host.tl.status()["peers"]:
        words = re.search(rf"^{row['peer']} +(no answer|waiting|up) ", TEXT,
                          re.M)
        assert row["state"] == words[1].replace(" ", "_")
        assert row["needs_attention"] == (row["peer"] != "tokyo")


def test_filter(host):
    alone = """\
eth0     tc by tcx
""" + HEAD.split("\n", 1)[1] + """
PEER   STATE      ENDPOINT   ALLOWED IPS    MTU  LAST IN  IN   OUT
osaka  no answer  192.0.2.3  10.20.0.0/24  1480    never  0B  168B

""" + TROUBLE
    assert host.text("eth0", "osaka") == alone
    assert host.text("eth0", "tokyo", "osaka", "kobe") == TEXT
    whole = host.tl.status()
    told = [row["peer"] for row in whole["peers"]]
    assert told == ["tokyo", "osaka", "kobe"]
    done = host.tl.ok("status", "eth0", "osaka", "--json")
    assert '"peer": "osaka"' in done and '"tokyo"' not in done


VERBOSE = """\

peer tokyo: 192.0.2.2 <- 192.0.2.1 (4in4, 6in4)
  allowed ips  10.10.0.0/24, 10.11.0.0/24, fd00:10::/64
  gateway      240.0.0.1, fe80::74:6e:0:1
  mtu          1480
  received     2 packets, 168B, last N s ago
  sent         2 packets, 168B, last N s ago
  dropped      1 packet, 84B, rx_not_allowed: inner source not in the peer's
               allowed prefixes (RFC 4213 3.6)

peer osaka: 192.0.2.3 <- 192.0.2.1 (4in4)
  allowed ips  10.20.0.0/24
  gateway      240.0.0.2, fe80::74:6e:0:2
  mtu          1480
  received     0 packets, 0B, last never
  sent         2 packets, 168B, last N s ago

peer kobe: 2001:db8:9::1 <- 2001:db8:7::1, waits
  allowed ips  10.30.0.0/24
  gateway      240.0.0.3, fe80::74:6e:0:3
  mtu          1460
  received     0 packets, 0B, last never
  sent         0 packets, 0B, last never

all packets of eth0
  dropped      1 packet, 84B, rx_not_allowed: inner source not in the peer's
               allowed prefixes (RFC 4213 3.6)
  tunnelled    2 packets, 168B, rx_decap: decapsulated
  tunnelled    4 packets, 336B, tx_encap: encapsulated
"""


def test_verbose(host):
    """All about each peer, and each verdict."""
    host.b.addr("lo", "10.66.0.1/32")
    ping(host.b, "172.22.2.2", "10.66.0.1", wait=0.01)
    wait_until(lambda: host.tl.verdict("rx_not_allowed"), "a packet is refused")
    text = host.text("eth0", "-v")
    assert text.startswith(TEXT)
    # Neighbour discovery is passed or not yet, and answered or not.
    text, _ = re.split(r"^  (?:passed|answered) ", text + "  passed ", 1, re.M)
    assert text[len(TEXT):].splitlines() == VERBOSE.splitlines()
    assert host.text("eth0") == TEXT + \
        "\ndropped  1 rx_not_allowed (-v explains)\n"


LONG = "2001:db8:1234:5678:9abc:def0:1234:567"


def test_narrow(host):
    """Addresses are never cut: a column that has no room is left out."""
    host.tl.ok("peer", "add", "eth0", "a-name-with-letters", "endpoint",
               LONG + "8", "allowed-ips", "fd00:1234:5678::/48")
    host.tl.ok("peer", "add", "eth0", "nara", "endpoint", LONG + "9",
               "allowed-ips", "fd00:1234:5679::/48")
    lines = host.text("eth0", "nara").splitlines()
    table = next(i for i, line in enumerate(lines) if line[:4] == "PEER")
    assert lines[table:table + 4] == [
        f"PEER  STATE      {'ENDPOINT':38}   MTU  LAST IN  IN  OUT",
        f"nara  no answer  {LONG}9  1460    never  0B  88B",
        "(no room for ALLOWED IPS: see -v, or a wider terminal)", ""]
    narrow = host.text("eth0")
    assert max(map(len, narrow.splitlines())) <= 80
    assert "(no room for ENDPOINT: " in narrow
    assert " fd00:1234:5679::/48  1460 " in narrow
    wide = host.text("eth0", COLUMNS="200")
    assert "no room" not in wide and f" {LONG}8  fd00:1234:" in wide
    assert host.terminal(200, "status", "eth0", NO_COLOR="1") == wide
    assert host.terminal(60, "status", "eth0", NO_COLOR="1") == narrow


def test_colours(host):
    """Only on terminals that have them, and not with NO_COLOR."""
    coloured = host.terminal(80, "status", "eth0")
    assert "\x1b[31mno answer\x1b[0m  192.0.2.3" in coloured
    assert "\x1b[33mwaiting\x1b[0m    2001:" in coloured
    assert "\x1b[32mup\x1b[0m         192.0.2.2" in coloured
    assert re.sub("\x1b\\[[0-9]*m", "", coloured) == TEXT
    assert host.terminal(80, "status", "eth0", NO_COLOR="1") == TEXT
    assert host.terminal(80, "status", "eth0", TERM="dumb") == TEXT
    assert "\x1b" in host.terminal(80, "status", "eth0", NO_COLOR="")


def test_colours_of_others(host):
    """peer list and monitor have them, too."""
    lines = host.terminal(80, "peer", "list", "eth0").splitlines()
    assert lines[0].startswith("\x1b[1mPEER   ENDPOINT ")
    assert lines[3].startswith("\x1b[33mkobe\x1b[0m   2001:db8:9::1  ")
    assert "\x1b" not in host.terminal(80, "peer", "list", "eth0", NO_COLOR="1")
    ours, process = host.open_terminal(50, 80, "monitor", "eth0")
    out = ""
    while "PACKET" not in out:
        out += os.read(ours, 65536).decode()
    host.b.addr("lo", "10.66.0.1/32")
    ping(host.b, "172.22.2.2", "10.66.0.1", wait=0.01)
    while "10.66.0.1" not in out:
        out += os.read(ours, 65536).decode()
    process.send_signal(signal.SIGINT)
    assert process.wait(TIMEOUT) == 0
    os.close(ours)
    assert re.search(r"^\x1b\[31m\S+  dropped  rx_not_allowed ", out, re.M)


def test_silent(host):
    """Heard before, but not for two minutes, although there were packets."""
    host.age("tokyo", rx=300, tx=3)
    assert host.tl.peer("tokyo")["state"] == "silent"
    text = host.text("eth0", "tokyo")
    assert " silent  192.0.2.2  10.10.0.0/24 +2  1480    5 min  " in text
    assert text.endswith("""
tokyo  nothing received for 5 min, last sent N s ago
       -> nothing comes from 192.0.2.2 any more: look whether it is up, and
          whether protocol 4 and 41 still gets through both ways
""")
    host.age("tokyo", rx=300, tx=300)
    assert host.tl.peer("tokyo")["state"] == "idle"
    host.age("tokyo", rx=100, tx=3)
    assert host.tl.peer("tokyo")["state"] == "up"


def test_icmp_errors(host):
    """What came back instead of an answer."""
    host.tl.ok("peer", "set", "eth0", "osaka", "endpoint", "192.0.2.2",
               "allowed-ips", "10.20.0.0/24", "local", "192.0.2.9")
    host.a.addr("eth0", "192.0.2.9/24")
    host.tl.ok("trigger", "eth0", "osaka", "--due")
    ping(host.a, "10.20.0.1", "172.22.2.2", wait=0.01)
    wait_until(lambda: host.tl.verdict("rx_icmp_unreachable", "osaka"),
               "an error from 192.0.2.2")
    text = host.text("eth0", "osaka")
    assert re.search(r"^osaka  \d sent, the last one N s ago, none back; came "
                     r"back: \d\s+rx_icmp_unreachable\n +-> 192.0.2.2 or a "
                     r"router before it answers with ICMP errors", text, re.M)


def blocks(process):
    """The blocks that --watch has printed, but perhaps for the last."""
    return re.split(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, every 0.2 s, \^C ends\n",
                    process.output(), flags=re.M)[1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch(host, number):
    """Rates between two samples; ends well on a signal."""
    process = host.lab.keep(host.tl.start("status", "--watch", "0.2", "eth0",
                                          "tokyo"))
    wait_until(lambda: len(blocks(process)) > 2, "three blocks")
    row = r"^tokyo  up     192.0.2.2  10.10.0.0/24 \+2  1480 +\d+ s +"
    assert re.search(row + r"-        -$", blocks(process)[0], re.M)
    assert re.search(row + r"0        0$", blocks(process)[1], re.M)

    def rate():
        assert ping(host.a, "10.10.0.1", "172.22.2.2", size=1400, count=20)
        return re.search(row + r"(\d+k|[\d.]+M)  +(\d+k|[\d.]+M)$",
                         process.output(), re.M)
    wait_until(rate, "a rate")
    process.signal(number)
    assert process.wait() == 0


def test_watch_on_a_terminal(host):
    """Redrawn from the top, and never longer than the terminal."""
    ours, process = host.open_terminal(6, 80, "status", "eth0",
                                       "--watch=0.1", NO_COLOR="1")
    out = ""
    while out.count("\x1b[H\x1b[J") < 4:
        out += os.read(ours, 65536).decode()
    process.send_signal(signal.SIGINT)
    assert process.wait(TIMEOUT) == 0
    os.close(ours)
    first, second = out.split("\x1b[H\x1b[J")[1:3]
    for drawn in first, second:
        assert ages(drawn.split("\r\n", 1)[1]) == \
            HEAD.replace("\n", "\r\n") + "\r\n"


def test_watch_ends_with_the_attachment(host):
    process = host.lab.keep(host.tl.start("status", "--watch=0.1", "eth0"))
    process.wait_output("^C ends")
    host.tl.detach()
    assert process.wait() == 1
    assert process.output().endswith(
        "tunload: eth0 is not attached: run `tunload attach eth0`\n")


def test_no_peers_and_many(host):
    host.tl.reload("[interface]\nmode = tc\n")
    assert host.text("eth0") == HEAD.replace(
        "2 of 3 peers need attention", "                   no peers") + """
no peers: add them with `tunload peer add eth0 NAME endpoint A allowed-ips P`
"""
    host.tl.reload("[interface]\nmode = tc\n" + "".join(
        f"[peer p{i}]\nendpoint = 2001:db8:9::{i:x}\n"
        f"allowed-ips = 10.{i >> 8}.{i & 255}.0/24\n" for i in range(1, 1001)))
    text = host.text("eth0")
    rows = re.findall(r"^(p\d+) +no answer ", text, re.M)
    assert rows == [f"p{i}" for i in range(1, 1001)]
    assert len(re.findall(r"^p\d+ +\d sent, ", text, re.M)) == 10
    assert text.endswith("\n990 more need attention: `tunload status eth0 -v` "
                         "has all\n")
