# SPDX-License-Identifier: GPL-2.0-only
"""The maps are as large as the configuration needs, and attach makes larger ones
where they do not suffice."""
import ipaddress
import json
import os
import struct

import pytest

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from lab import run
from netns import wait_until
from packets import bpf
from packets.world import TRAFFIC, TlTraffic, traffic_slots_of

ROOM = 1 << 16  # PREFIXES_LEAST
PEERS = 4096  # PEERS_LEAST
FIRST = int(ipaddress.ip_address("10.0.0.0"))
FULL = ('tunload: the map "%s" is full: fewer peers or prefixes, or `tunload '
        "attach` with their file, which makes it larger\n")
HEAD = "[interface]\nmode = tc\nroutes = no\n"


@pytest.fixture(name="tl")
def fixture_tl(lab):
    ns, other = lab.netns("room"), lab.netns("other")
    lab.veth(ns, "eth0", other, "eth0")
    ns.addr("eth0", "192.0.2.1/24")
    ns.ip("route", "add", "default", "via", "192.0.2.2")
    tl = lab.tunload(ns, "eth0", lab.new_bpffs())
    tl.sender, tl.mac = lab.sender(other, "eth0"), ns.mac("eth0")
    yield tl
    tl.close()


def peer(name, number, prefixes):
    """A section with that many IPv4 prefixes of 28 bits."""
    at = FIRST + (number << 24)
    return f"[peer {name}]\nendpoint = 192.0.2.{number}\nkeepalive = 0\n" + \
        "".join(f"allowed-ips = {ipaddress.ip_address(at + 16 * i)}/28\n"
                for i in range(prefixes))


def endpoint(number):
    """The endpoint of a peer of many()."""
    return f"198.18.{number >> 8}.{number & 255}"


def inner(number):
    """Its prefix."""
    return f"44.{number >> 8}.{number & 255}.0/24"


def many(count, name="p"):
    """That many sections, p0 and so on."""
    return "".join(f"[peer {name}{i}]\nendpoint = {endpoint(i)}\nkeepalive = 0\n"
                   f"allowed-ips = {inner(i)}\n" for i in range(count))


def add(tl, number, **how):
    """Adds such a peer to the running ones."""
    return tl.run("peer", "add", "eth0", f"p{number}", "endpoint",
                  endpoint(number), "keepalive", "0", "allowed-ips",
                  inner(number), **how)


def size(tl, name):
    """How many rows a map may have."""
    return json.loads(run("bpftool", "-j", "map", "show", "pinned", os.path.join(
        tl.pins, name)).stdout)["max_entries"]


def rooms(tl):
    """The sizes of prefixes4 and prefixes6."""
    return [size(tl, f"prefixes{family}") for family in (4, 6)]


def follows(peers):
    """The sizes of the maps whose rows are peers, with room for so many, and of
    the index of the fewest prefixes, or of a row for each peer."""
    allowed = max(2 * peers, 2 * ROOM // 8)
    return {"peers": peers, "learned": peers, "hostnames": peers,
            "waiting": peers, "endpoints": 2 * peers, "names": 2 * peers,
            "peer_stats": bpf.possible_cpus() * peers, "allowed": allowed}


def sizes(tl):
    """The sizes of these."""
    return {name: size(tl, name) for name in follows(0)}


def count(tl, number):
    """Counts a packet for the peer with that id on CPU 0."""
    stats = bpf.Map(bpf.obj_get(os.path.join(tl.pins, "peer_stats")))
    stats.update(number.to_bytes(8, "little"), struct.pack(
        "QQ", 1, 1).ljust(stats.value_size, b"\1"))


def lengths(tl):
    """How many prefixes of each length there are, of IPv4."""
    return tl.map("lengths")[0]["value"]["rows"]


def rows(tl):
    """The rows of all maps that the loader fills."""
    return [sorted(map(str, tl.map(name)))
            for name in ("peers", "prefixes4", "lengths", "endpoints", "names",
                         "allowed", "hostnames", "waiting", "peer_stats")]


def refused(tl, done, name, before):
    """A command that found that map full has changed nothing."""
    assert (done.returncode, done.stdout, done.stderr) == (1, "", FULL % name)
    assert rows(tl) == before


def test_larger(tl):
    """A reload that does not fit is refused and changes nothing; attach with
    the file makes room, and the peers keep their ids."""
    few = HEAD + peer("gone", 2, 1) + peer("a", 3, 2)
    tl.attach(few, "--no-trigger")
    assert rooms(tl) == [ROOM, ROOM]
    tl.ok("peer", "del", "eth0", "gone")
    before = rows(tl)
    many = HEAD + peer("a", 3, ROOM + 9)
    done = tl.reload(many, check=False, timeout=300)
    refused(tl, done, "prefixes4", before)
    done = tl.attach(many, "--no-trigger", timeout=300)
    assert "larger maps" in done.stdout
    assert rooms(tl) == [4 * ROOM, ROOM]
    assert [row["key"] for row in tl.map("peers")] == [2]
    assert lengths(tl)[28] == ROOM + 9
    # Room once made stays.
    done = tl.attach(few, "--no-trigger", timeout=300)
    assert "upgraded in place" in done.stdout
    assert rooms(tl) == [4 * ROOM, ROOM]
    assert lengths(tl)[28] == 3


def test_sizes(tl):
    """All maps with a row for each peer have room for twice the peers, and the
    index for the prefixes."""
    tl.attach(HEAD + many(1), "--no-trigger")
    assert sizes(tl) == follows(PEERS)
    tl.detach()
    tl.attach(HEAD + many(PEERS + 1), "--no-trigger")
    assert sizes(tl) == follows(4 * PEERS)
    tl.detach()
    tl.attach(HEAD + many(8 * PEERS + 1), "--no-trigger", timeout=300)
    assert sizes(tl) == follows(32 * PEERS)


def test_peers_added(tl):
    """`peer add` fills the room; the peer after that is refused, also by
    reload. Attach with the file makes room, and the peers keep their ids."""
    tl.attach(HEAD + many(1), "--no-trigger")
    tl.reload(HEAD + many(PEERS - 2), timeout=300)
    for number in PEERS - 2, PEERS - 1:
        add(tl, number, check=True)
    count(tl, 7)
    before = rows(tl)
    refused(tl, add(tl, PEERS, check=False), "peers", before)
    more = HEAD + many(PEERS + 1)
    refused(tl, tl.reload(more, check=False, timeout=300), "peers", before)
    assert sizes(tl) == follows(PEERS)
    done = tl.attach(more, "--no-trigger", timeout=300)
    assert "larger maps" in done.stdout
    assert sizes(tl) == follows(4 * PEERS)
    assert sorted(row["key"] for row in tl.map("peers")) == list(
        range(1, PEERS + 2))
    # Room once made stays, and an upgrade keeps the counters.
    count(tl, 7)
    before = tl.map("peer_stats")
    done = tl.attach(HEAD + many(9), "--no-trigger", timeout=300)
    assert "upgraded in place" in done.stdout
    assert sizes(tl) == follows(4 * PEERS)
    assert before and tl.map("peer_stats") == before


def test_peers_replaced(tl):
    """New peers are written before the old ones are removed: they need room for
    both."""
    tl.attach(HEAD + many(1), "--no-trigger")
    tl.reload(HEAD + many(PEERS), timeout=300)
    others = HEAD + many(1, "other")
    before = rows(tl)
    refused(tl, tl.reload(others, check=False, timeout=300), "peers", before)
    done = tl.attach(others, "--no-trigger", timeout=300)
    assert "larger maps" in done.stdout
    assert sizes(tl) == follows(PEERS)


def test_prefixes_added(tl):
    """With many peers a change looks at one of them only. One whose prefix has
    no room left is refused, and leaves nothing."""
    tl.attach(HEAD + many(1), "--no-trigger")
    tl.reload(HEAD + many(1001) + peer("big", 3, ROOM - 1002), timeout=300)
    add(tl, 1001, check=True)
    before = rows(tl)
    refused(tl, add(tl, 1002, check=False), "prefixes4", before)
    assert lengths(tl)[28] + lengths(tl)[24] == ROOM


def cpus():
    """The CPUs that there may be."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as f:
        return 1 + int(f.read().strip().rpartition("-")[2])


def caches():
    """Bytes that what all CPUs remember may take where more is wanted."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(memory // 32, 256 << 20)


def most(rows, least, size, room):
    """The largest power of two up to rows that has room on all CPUs, but not
    less than `least`."""
    while rows > least and rows * size * cpus() > room:
        rows //= 2
    return rows


def test_flows(tl):
    """Sixteen for each prefix up to a MiB a CPU, then two as long as there is
    room for those of all CPUs."""
    for prefixes, flows in ((1, 1024), (200, 4096), (3000, 1 << 14),
                            (20000, most(1 << 16, 1 << 14, 64, caches()))):
        tl.attach(HEAD + peer("p", 3, prefixes), "--no-trigger")
        used = bpf.maps_of(bpf.obj_get(f"{tl.pins}/prog_tc_ingress"))
        assert used["flows"].max_entries == flows * cpus()
        tl.detach()


def maps_used(tl):
    """{name: map} of the programs."""
    used = {}
    for name in ("tc_egress", "tc_ingress", "xdp_forward"):
        used |= bpf.maps_of(bpf.obj_get(f"{tl.pins}/prog_{name}"))
    return used


def slots(tl):
    """The sizes of the maps of each CPU, and of the parts of each."""
    used = maps_used(tl)
    return {name: used[name].max_entries for name in (
        "next_hops", "strays", "ways")} | {
        name: used[name].max_entries / cpus() for name in ("heads", "paths")
    } | {"traffic": used["traffic"].max_entries / cpus() / len(TRAFFIC)}


def test_slots(tl):
    """So have the maps of each CPU, from 256 to 1,024 peers, and more if few CPUs
    need them. Those that are pinned stay as they are, and a peer with a higher
    id shares a slot."""
    few = {**dict.fromkeys(("traffic", "next_hops", "heads", "paths"), 256),
           "strays": 1, "ways": 1}
    tl.attach(HEAD + many(1), "--no-trigger")
    assert slots(tl) == few
    tl.reload(HEAD + many(300))
    tl.attach(HEAD + many(300), "--no-trigger")
    assert slots(tl) == few
    tl.sender.send(
        Ether(dst=tl.mac) / IP(src=endpoint(299), dst="192.0.2.1") /
        IP(src=inner(299).replace("0/24", "1"), dst="10.0.0.1") / UDP())
    wait_until(lambda: tl.verdict("rx_decap", "p299"), "the packet is counted")
    used = maps_used(tl)
    assert 300 in [
        TlTraffic.from_buffer_copy(used["traffic"].lookup(key)[0]).peer
        for _, key in traffic_slots_of(used, 300)]
    tl.reload(HEAD + many(300).replace(endpoint(299), "198.19.0.1"))
    assert tl.verdict("rx_decap", "p299") == 0
    tl.detach()
    tl.attach(HEAD + "forward = xdp\n" + many(PEERS), "--no-trigger")
    number = most(2 * PEERS, 1024, 256, caches() // 4)
    assert slots(tl) == {**dict.fromkeys(("traffic", "next_hops", "heads"),
                                         number),
                         "paths": 1 / cpus(), "strays": 1024, "ways": 4096}
