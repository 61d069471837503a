# SPDX-License-Identifier: GPL-2.0-only
"""The keys mark, table, min-ttl, mss and rate of a peer on a host: what rules,
nftables, sockets and the other end see of them. Those of vrf are in
tests/kernels/inside/peer_vrf.py."""
import os
import re
import socket

import pytest

from lifecycle import A, B, CONF_B, HOOKS, Pair, conf_a, hook_env
from lab import wait_until
from packets.world import LAYOUT
from traffic import listen, ping, tcp_transfer

MODES = ["native", "tc"]
COUNT_MARKS = """
table ip marks {
	chain c {
		type filter hook prerouting priority 0;
		ip saddr 10.10.0.0/24 meta mark 0x20 counter name "marked"
		ip saddr 10.10.0.0/24 meta mark 0 counter name "unmarked"
	}
	counter marked { }
	counter unmarked { }
}
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def counted(ns, name):
    """The packets of a counter of nftables."""
    text = ns.run("nft", "list", "counter", "ip", "marks", name).stdout
    return int(re.search(r"packets (\d+)", text)[1])


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("mode", MODES)
def test_mark(pair, mode, hook):
    """The mark comes and goes with the key, and so does tc ingress beside
    XDP."""
    before = pair.traces()
    pair.tl.attach(conf_a(mode), "--no-trigger", env=hook_env(hook))
    pair.a.nft(COUNT_MARKS)
    assert ping(pair.a, B, A, count=3)
    assert (counted(pair.a, "marked"), counted(pair.a, "unmarked")) == (0, 3)
    pair.tl.ok("peer", "set", "eth0", "b", "mark", "0x20",
               env=hook_env(hook))
    assert ping(pair.a, B, A, count=3)
    assert (counted(pair.a, "marked"), counted(pair.a, "unmarked")) == (3, 3)
    assert pair.tl.verdict("rx_decap", "b") == 6
    assert pair.tl.verdict("rx_plain") >= 0
    assert pair.tl.status()["hooks_missing"] == []
    assert "mark = 0x20\n" in pair.tl.ok("showconf", "eth0")
    assert pair.tl.peer("b")["mark"] == 32
    pair.tl.ok("peer", "set", "eth0", "b", "mark", "0", env=hook_env(hook))
    assert ping(pair.a, B, A, count=3)
    assert (counted(pair.a, "marked"), counted(pair.a, "unmarked")) == (3, 6)
    pair.a.nft("delete table ip marks\n")
    pair.tl.detach()
    assert pair.traces() == before


def ingress_hook(pair):
    """True if tunload is on tc ingress, by a link or a filter."""
    return os.path.exists(os.path.join(pair.tl.pins, "link_tcx_ingress")) \
        or "tc_ingress" in pair.a.run("tc", "filter", "show", "dev", "eth0",
                                      "ingress").stdout


def test_tc_ingress_only_where_needed(pair):
    pair.tl.attach(conf_a("native"), "--no-trigger")
    assert not ingress_hook(pair)
    pair.tl.reload(conf_a("native", "\nmark = 1"))
    assert ingress_hook(pair)
    # An upgrade, and the timer when somebody has taken it off.
    pair.tl.ok("attach", "eth0")
    assert ingress_hook(pair) and ping(pair.a, B, A)
    pair.tl.reload(conf_a("native"))
    assert not ingress_hook(pair) and ping(pair.a, B, A)


def test_mark_with_a_rule(pair):
    """A rule for the mark of a tunnel chooses the way of what comes out: here
    to an address that only its table knows."""
    pair.tl.attach(conf_a("native", "\nmark = 0x20"), "--no-trigger")
    pair.a.ip("route", "add", "local", "172.22.2.77", "dev", "lo", "table",
              "99")
    pair.a.nft(COUNT_MARKS.replace("prerouting", "input"))
    ping(pair.b, "172.22.2.77", B, wait=0.3)
    assert counted(pair.a, "marked") == 0
    pair.a.ip("rule", "add", "fwmark", "0x20", "lookup", "99")
    ping(pair.b, "172.22.2.77", B, wait=0.3)
    assert counted(pair.a, "marked") == 1


@pytest.mark.parametrize("mode", MODES)
def test_table(pair, mode):
    """The peer's routes are in that table alone, and follow a change."""
    before = pair.traces()
    pair.tl.attach(conf_a(mode, ", 0.0.0.0/0\ntable = 77"), "--no-trigger")
    routes = pair.a.ip("route", "show", "table", "77").stdout
    assert "10.10.0.0/24 via 240.0.0.1 dev eth0" in routes
    assert "default via 240.0.0.1 dev eth0" in routes
    main = pair.a.ip("route", "show", "table", "main").stdout
    assert "proto 94" not in main
    assert "32765" not in pair.a.ip("rule").stdout
    assert not ping(pair.a, B, A, wait=0.3)
    pair.a.ip("rule", "add", "to", "10.10.0.0/24", "lookup", "77")
    assert ping(pair.a, B, A)
    pair.tl.ok("peer", "set", "eth0", "b", "table", "78", "allowed-ips",
               "10.10.0.0/24")
    assert "10.10" not in pair.a.ip("route", "show", "table", "77").stdout
    assert "10.10" in pair.a.ip("route", "show", "table", "78").stdout
    pair.a.ip("rule", "del", "to", "10.10.0.0/24", "lookup", "77")
    pair.tl.detach()
    assert pair.traces() == before


def test_vrf_is_no_vrf(pair):
    """Another interface's name, and none's."""
    for name in "eth0", "nothing":
        done = pair.tl.attach(conf_a("tc", f"\nvrf = {name}"),
                              "--no-trigger")
        assert f'vrf "{name}" is no VRF of this host' in done.stderr
        pair.tl.detach()


@pytest.mark.parametrize("mode", MODES)
def test_min_ttl(pair, mode):
    """Packets come from the neighbour with the TTL that it sends: 64."""
    pair.tl.attach(conf_a(mode, "\nmin-ttl = 64"), "--no-trigger")
    assert ping(pair.a, B, A)
    pair.tl.ok("peer", "set", "eth0", "b", "min-ttl", "65")
    assert not ping(pair.a, B, A, wait=0.3)
    assert pair.tl.verdict("rx_low_ttl", "b") == 1
    pair.tl.ok("peer", "set", "eth0", "b", "min-ttl", "0")
    assert ping(pair.a, B, A)


@pytest.mark.parametrize("mode", MODES)
def test_rate(pair, mode):
    """A flood is cut; when the key goes, all get through."""
    pair.tl.attach(conf_a(mode, "\nrate = 20"), "--no-trigger")
    ping(pair.b, A, B, count=200, wait=1)
    cut = pair.tl.verdict("rx_rate", "b")
    assert cut >= 20 and pair.tl.verdict("rx_decap", "b") >= 16
    pair.tl.ok("peer", "set", "eth0", "b", "rate", "0")
    assert ping(pair.b, A, B, count=200)
    assert pair.tl.verdict("rx_rate", "b") == cut


def segment_size(pair, port):
    """The MSS that the other end announced, as each end of a connection from
    the second host sees it."""
    with listen(pair.a, A, port) as server, \
            pair.b.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.bind((B, 0))
        client.connect((A, port))
        conn, _ = server.accept()
        with conn:
            return [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12
                    for s in (conn, client)]


@pytest.mark.parametrize("mode", MODES)
def test_mss(pair, mode):
    """Both directions: the second host does not clamp, as its MTU is larger;
    timestamps take 12 bytes of a segment."""
    for ns in pair.a, pair.b:
        ns.ip("link", "set", "eth0", "mtu", "3000")
    pair.tl_b.reload(CONF_B.replace(
        "[interface]", "[interface]\nmode = tc\npath-mtu = 2600"))
    pair.tl.attach(conf_a(mode), "--no-trigger")
    assert segment_size(pair, 7000) == [1440, 1440]
    pair.tl.ok("peer", "set", "eth0", "b", "mss", "1000")
    assert segment_size(pair, 7001) == [1000, 1000]
    tcp_transfer(pair.b, B, pair.a, A, 1 << 20)
    tcp_transfer(pair.a, A, pair.b, B, 1 << 20)


BAD = {
    "mark = 0x100000000": 'mark "0x100000000" is not a number from 0 to',
    "mark = 0x": 'mark "0x" is not a number',
    "min-ttl = 256": 'min-ttl "256" is not a number from 0 to 255',
    "mss = 87": 'mss "87" is not a number from 88 to 65535, or auto, or off',
    "rate = fast": 'rate "fast" is not a number from 0 to 1000000000',
    "priority = -1": 'priority "-1" is not a number from 0 to 65535',
    "table = 0": 'table "0" is not a number from 1 to 4294967295, or auto',
    "vrf = a/b": 'vrf "a/b" is not the name of an interface: give a VRF, '
                 'or no',
    "vrf = sixteen-letters-": 'vrf "sixteen-letters-" is not the name',
    "vrf = red\ntable = 5": 'table "5" beside vrf "red", which has a table',
}


@pytest.mark.parametrize("line", BAD)
def test_bad_values(pair, line):
    before = pair.traces()
    done = pair.tl.attach(conf_a("tc", "\n" + line), check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert BAD[line] in done.stderr
    assert pair.traces() == before


def test_values_come_back(pair):
    """showconf is read back the same."""
    lines = ["mark = 0xff", "table = 5", "min-ttl = 60", "mss = off",
             "rate = 1000", "priority = 3"]
    pair.tl.attach(conf_a("tc", "\n" + "\n".join(lines)), "--no-trigger")
    text = pair.tl.ok("showconf", "eth0")
    assert all(f"\n{line}\n" in text for line in lines), text
    assert "nothing changed" in pair.tl.reload(text).stdout
    assert pair.tl.map("interface")[0]["value"]["layout"] == LAYOUT
