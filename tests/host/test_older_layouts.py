# SPDX-License-Identifier: GPL-2.0-only
"""The upgrade from map layouts 2 to 7 (TL_LAYOUT): `attach` takes the peers
over. The tests make the old maps by hand, as the headers of bpf/ declared them
then, but without BTF."""
import ipaddress
import os
import re
import socket
import struct
import time

import pytest

from lifecycle import A, B, Pair, conf_a, with_hosts
from packets.bpf import create_map, obj_pin
from packets.world import LAYOUT, shared_row
from traffic import ping

HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LPM_TRIE, RINGBUF = 1, 2, 5, 6, 11, 27
NO_PREALLOC, MMAPABLE = 1, 1024
# name: type, key, value, entries, flags
MAPS = {
    "peers": (HASH, 4, 112, 65536, NO_PREALLOC),
    "endpoints": (HASH, 36, 4, 65536, NO_PREALLOC),
    "prefixes4": (LPM_TRIE, 8, 8, 1 << 20, NO_PREALLOC),
    "prefixes6": (LPM_TRIE, 20, 8, 1 << 20, NO_PREALLOC),
    "peer_stats": (PERCPU_HASH, 4, 816, 65536, NO_PREALLOC),
    "verdicts": (PERCPU_ARRAY, 4, 800, 1, 0),
    "interface": (ARRAY, 4, 240, 1, 0),
    "hostnames": (HASH, 4, 256, 65536, NO_PREALLOC),
    "events": (RINGBUF, 0, 0, 256 * 1024, 0),
    "limits": (PERCPU_ARRAY, 4, 16, 2, 0),
}
# What layout 3 has instead.
MAPS3 = {
    "peer_stats": (HASH, 8, 608, 65536, NO_PREALLOC),
    "verdicts": (PERCPU_ARRAY, 4, 592, 1, 0),
    "interface": (ARRAY, 4, 248, 1, 0),
    "traffic": (PERCPU_ARRAY, 4, 56, 1024, 0),
}
MAPS4 = {
    "prefixes4": (HASH, 8, 8, 1 << 16, NO_PREALLOC),
    "prefixes6": (HASH, 20, 8, 1 << 16, NO_PREALLOC),
    "shared": (LPM_TRIE, 24, 4, 1 << 20, NO_PREALLOC),
    "peer_stats": (HASH, 8, 640, 4096, NO_PREALLOC),
    "verdicts": (PERCPU_ARRAY, 4, 624, 1, 0),
    "interface": (ARRAY, 4, 384, 1, 0),
}
MAPS5 = {
    "peers": (HASH, 4, 176, 4096, NO_PREALLOC),
    "peer_stats": (HASH, 8, 688, 4096, NO_PREALLOC),
    "verdicts": (PERCPU_ARRAY, 4, 672, 1, 0),
}
MAPS6 = {
    "peers": (HASH, 4, 200, 4096, NO_PREALLOC),
    "traffic": (PERCPU_ARRAY, 4, 88, 256, 0),
}
MAPS7 = {
    "traffic": (ARRAY, 4, 128, 512, MMAPABLE),
}
LAYOUTS = {2: MAPS, 3: MAPS | MAPS3, 4: MAPS | MAPS3 | MAPS4,
           5: MAPS | MAPS3 | MAPS4 | MAPS5,
           6: MAPS | MAPS3 | MAPS4 | MAPS5 | MAPS6,
           7: MAPS | MAPS3 | MAPS4 | MAPS5 | MAPS6 | MAPS7}
READY = 0x01
LOCAL_FIXED, PROBE_FIXED, GUARD_SET, GUARD = 0x01, 0x02, 0x04, 0x08
FIB_NEXTHOP = 0x10  # no longer exists
PREFIX_GUARD, PREFIX_OWN = 1, 2
SO_NETNS_COOKIE = 71
HOSTS = "192.0.2.9 other.example\n"
CONF = """\
[interface]
mode = tc
source = 172.22.2.2
path-mtu = 1480
pmtu-expiry = 300
routes = yes
[peer b]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24, 10.11.0.0/16, fd00:10::/64
probe = 10.10.0.1
keepalive = 7
mtu = 1400
ttl = 33
dscp = 46
guard = yes
[peer other]
endpoint = other.example
allowed-ips = 10.30.0.0/24
local = 192.0.2.1
keepalive = 25
ttl = 64
dscp = 0
"""


def ip(text):
    """An address as the maps store it: sixteen bytes."""
    return ipaddress.ip_address(text).packed.ljust(16, b"\0")


def peer_row(name, endpoint, flags=0, ttl=64, dscp=0, mtu=1460, **more):
    """A struct tl_peer of layout 2."""
    return struct.pack(
        "=32s4BI16s16sQI16sIII", name.encode(), 4, ttl, dscp, flags, mtu,
        ip(endpoint), ip("192.0.2.1"), more.get("until", 0),
        more.get("learned", 0), ip(more["probe"]), 4,
        more.get("keepalive", 25), more.get("mtu_fixed", 0))


def prefix_key(text):
    """A struct tl_prefix4 or tl_prefix6."""
    net = ipaddress.ip_network(text)
    return struct.pack("=I", net.prefixlen) + net.network_address.packed


def interface_row(ns, layout=2):
    """A struct tl_interface of that layout."""
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        cookie, = struct.unpack("=Q", sock.getsockopt(
            socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))
    index = ns.call(socket.if_nametoindex, "eth0")
    return struct.pack(
        "=IIQ16sIIIII4s16s4s16s128s4xQQ", layout, index, cookie, b"eth0", READY, 2,
        2, 1480, 300, ip("192.0.2.1")[:4], b"", ip(A)[:4], b"", b"mode = tc",
        0, 0) + bytes(LAYOUTS[layout]["interface"][2] - 240)


class Old:
    """An attachment of an older layout on the first host of a Pair: its maps,
    pinned, and its routes."""

    def __init__(self, pair, layout=2):
        self.maps = {name: create_map(*what, name)
                     for name, what in LAYOUTS[layout].items()}
        self.peer_size = LAYOUTS[layout]["peers"][2]
        self.maps["interface"].update(bytes(4),
                                      interface_row(pair.a, layout))
        until = time.monotonic_ns() + 10 ** 12
        self.peer(1, peer_row("b", "192.0.2.2", PROBE_FIXED | GUARD_SET |
                              GUARD | FIB_NEXTHOP, 33, 46, 1400,
                              until=until, learned=1300, probe=B,
                              keepalive=7, mtu_fixed=1400))
        self.peer(2, peer_row("other", "192.0.2.9", LOCAL_FIXED,
                              probe="10.30.0.1"))
        self.maps["hostnames"].update(
            struct.pack("=I", 2), b"other.example".ljust(256, b"\0"))
        for text, ident, flags in (
                ("10.10.0.0/24", 1, PREFIX_GUARD),
                ("10.11.0.0/16", 1, PREFIX_GUARD),
                ("fd00:10::/64", 1, PREFIX_GUARD),
                ("10.30.0.0/24", 2, 0),
                ("10.11.9.0/24", 0, 0),  # an exception, as for a host route
                ("2001:db8::1/128", 0, PREFIX_OWN)):
            self.prefix(text, ident, flags)
        os.makedirs(pair.tl.pins, 0o700)
        for name, one in self.maps.items():
            obj_pin(one.fd, os.path.join(pair.tl.pins, name))
        pair.lab.keep(self)
        pair.a.batch(
            f"route add 10.10.0.0/24 via 192.0.2.2 dev eth0 src {A} mtu 1400 "
            "onlink proto 94",
            f"route add 10.30.0.0/24 via 192.0.2.9 dev eth0 src {A} "
            "onlink proto 94")

    def close(self):
        """Closes the maps, which may still be pinned."""
        for one in self.maps.values():
            os.close(one.fd)

    def peer(self, ident, row):
        """Adds a row to peers."""
        self.maps["peers"].update(struct.pack("=I", ident),
                                  row.ljust(self.peer_size, b"\0"))

    def prefix(self, text, ident, flags=0):
        """Adds a row to prefixes4 or prefixes6."""
        name = "prefixes6" if ":" in text else "prefixes4"
        self.maps[name].update(prefix_key(text),
                               struct.pack("=II", ident, flags))


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def sections(text):
    """The configuration without comments, empty lines and `auto` values."""
    text = re.sub(r" *#.*", "", text)
    return re.sub(r"^\S+ = auto\n|^\n", "", text, flags=re.M)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_attach_takes_the_peers_over(pair, layout):
    before = pair.traces()
    Old(pair, layout)
    done = with_hosts(pair, HOSTS, "attach", "eth0")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "upgraded from the map layout of an older version" in done.stdout
    assert sections(pair.tl.ok("showconf", "eth0")) == CONF
    assert pair.tl.map("interface")[0]["value"]["layout"] == LAYOUT
    status = pair.tl.status()
    assert [p["waiting"] for p in status["peers"]] == [None, None]
    assert status["changes_pending"] == 0 and status["hooks_missing"] == []

    # Routes via gateways have replaced those via the endpoints.
    routes = pair.a.ip("route", "show", "proto", "94").stdout
    assert "10.10.0.0/24 via 240.0.0.1 dev eth0" in routes
    assert "10.30.0.0/24 via 240.0.0.2 dev eth0" in routes
    assert "192.0.2." not in routes
    assert ping(pair.a, B, A) and ping(pair.b, A, B)
    pair.tl.detach()
    assert pair.traces() == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_peers_keep_their_ids(pair, layout):
    """Somebody may have routes to their gateways (routes = no)."""
    old = Old(pair, layout)
    old.peer(9, peer_row("nine", "192.0.2.9", probe="10.39.0.1"))
    old.prefix("10.39.0.0/24", 9)
    old.maps["peers"].delete(struct.pack("=I", 2))
    old.maps["hostnames"].delete(struct.pack("=I", 2))
    for key in (prefix_key("10.30.0.0/24"),):
        old.maps["prefixes4"].delete(key)
    assert pair.tl.run("attach", "eth0", "--no-trigger").returncode == 0
    routes = pair.a.ip("route", "show", "proto", "94").stdout
    assert "10.10.0.0/24 via 240.0.0.1 dev eth0" in routes
    assert "10.39.0.0/24 via 240.0.0.9 dev eth0" in routes
    pair.tl.ok("peer", "add", "eth0", "new", "endpoint", "192.0.2.7",
               "allowed-ips", "10.40.0.0/24")
    routes = pair.a.ip("route", "show", "proto", "94").stdout
    assert "10.40.0.0/24 via 240.0.0.10 dev eth0" in routes


def test_shared_prefixes(pair):
    """Peers that share a prefix (routes = no), in layout 4."""
    old = Old(pair, 4)
    row = bytearray(old.maps["interface"].lookup(bytes(4))[0])
    row[32] |= 0x10  # TL_IF_F_NO_ROUTES
    old.maps["interface"].update(bytes(4), bytes(row))
    net = ipaddress.ip_network("10.55.0.0/16")
    old.prefix(str(net), 1, 4 | net.prefixlen << 8)  # TL_PREFIX_F_SHARED
    for ident in (1, 2):
        old.maps["shared"].update(*shared_row(net, ident))
    assert with_hosts(pair, HOSTS, "attach", "eth0").returncode == 0
    assert [("10.55.0.0/16" in p["allowed_ips"])
            for p in pair.tl.status()["peers"]] == [True, True]


def test_a_broken_entry_is_left_out(pair):
    old = Old(pair)
    old.peer(3, peer_row("bad name", "192.0.2.3", probe="10.33.0.1"))
    old.peer(4, peer_row("mortal", "192.0.2.4", ttl=0, probe="10.34.0.1"))
    old.peer(5, peer_row("b", "192.0.2.5", probe="10.35.0.1"))
    old.prefix("10.33.0.0/24", 3)
    old.maps["hostnames"].update(struct.pack("=I", 1), b"\xff" * 256)
    done = with_hosts(pair, HOSTS, "attach", "eth0")
    assert done.returncode == 0, done.stderr
    for words in ("id 3 has no valid name", "id 4 has a TTL of 0",
                  "id 5 has the name of another peer",
                  'map "prefixes4": a row has an unknown peer',
                  'map "hostnames": id 1 has no valid name'):
        assert sum(words in line and "left out" in line
                   for line in done.stderr.splitlines()) == 1, done.stderr
    assert sections(pair.tl.ok("showconf", "eth0")) == CONF
    assert ping(pair.a, B, A)


def test_a_file_that_is_named_replaces_them(pair):
    Old(pair)
    done = pair.tl.attach(conf_a())
    assert "upgraded from" in done.stdout
    assert [p["name"] for p in pair.tl.status()["peers"]] == ["b"]
    assert ping(pair.a, B, A)


@pytest.mark.parametrize("args", [
    ("attach", "eth0", "--dry-run"), ("attach", "eth0", "-c", "/none"),
    ("attach", "eth0", "--mode", "native", "-c", "BAD")])
def test_failed_attach_and_dry_run_change_nothing(pair, args):
    Old(pair)
    before = pair.traces(), sorted(os.listdir(pair.tl.pins))
    bad = pair.tl.write("[interface]\nlocal4 = 192.0.2.77\n")
    done = with_hosts(pair, HOSTS, *(bad if a == "BAD" else a for a in args))
    assert (done.returncode == 0) == ("--dry-run" in args), done
    if "--dry-run" in args:
        assert "10.30.0.0/24" in done.stdout
    assert (pair.traces(), sorted(os.listdir(pair.tl.pins))) == before


@pytest.mark.parametrize("args", [
    ("status", "eth0"), ("status", "eth0", "--json"), ("showconf", "eth0"),
    ("reload", "eth0", "-c", "FILE"), ("trigger", "eth0"),
    ("trigger", "eth0", "--due"), ("monitor", "eth0"),
    ("peer", "list", "eth0"), ("peer", "set", "eth0", "b", "ttl", "9"),
    ("peer", "add", "eth0", "c", "endpoint", "192.0.2.3",
     "allowed-ips", "10.50.0.0/24"),
    ("peer", "del", "eth0", "b")])
def test_every_other_command_says_attach(pair, args):
    Old(pair)
    before = pair.traces(), sorted(os.listdir(pair.tl.pins))
    conf = pair.tl.write(conf_a())
    done = pair.tl.run(*(conf if a == "FILE" else a for a in args))
    assert done.returncode == 1 and done.stdout in ("", "[]\n"), done
    lines = set(done.stderr.splitlines())
    assert lines == {
        "tunload: eth0 was attached by an older version of tunload: run "
        "`tunload attach eth0` to upgrade"}
    assert (pair.traces(), sorted(os.listdir(pair.tl.pins))) == before


def test_detach(pair):
    before = pair.traces()
    Old(pair)
    assert pair.traces() != before
    assert pair.tl.detach().stdout == "eth0: detached\n"
    assert pair.traces() == before


def test_unfinished_upgrade_is_removed(pair):
    """Maps without READY may be incomplete: attach removes them and starts from
    nothing."""
    row = bytearray(interface_row(pair.a))
    row[32] = 0  # flags
    Old(pair).maps["interface"].update(bytes(4), bytes(row))
    done = pair.tl.attach(conf_a())
    assert "removing what an unfinished attach has left" in done.stdout
    assert ping(pair.a, B, A)
