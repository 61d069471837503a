# SPDX-License-Identifier: GPL-2.0-only
"""The maps of prefixes are as large as the configuration needs, and attach makes
larger ones where they do not suffice."""
import ipaddress
import json
import os

import pytest

from lab import run

ROOM = 1 << 16  # ROOM_LEAST
FIRST = int(ipaddress.ip_address("10.0.0.0"))
HEAD = "[interface]\nmode = tc\nroutes = no\n"


@pytest.fixture(name="tl")
def fixture_tl(lab):
    ns, other = lab.netns("room"), lab.netns("other")
    lab.veth(ns, "eth0", other, "eth0")
    ns.addr("eth0", "192.0.2.1/24")
    tl = lab.tunload(ns, "eth0", lab.new_bpffs())
    yield tl
    tl.close()


def peer(name, number, prefixes):
    """A section with that many IPv4 prefixes of 28 bits."""
    at = FIRST + (number << 24)
    return f"[peer {name}]\nendpoint = 192.0.2.{number}\nkeepalive = 0\n" + \
        "".join(f"allowed-ips = {ipaddress.ip_address(at + 16 * i)}/28\n"
                for i in range(prefixes))


def rooms(tl):
    """The sizes of prefixes4 and prefixes6."""
    return [json.loads(run("bpftool", "-j", "map", "show", "pinned", os.path.join(
        tl.pins, f"prefixes{family}")).stdout)["max_entries"]
            for family in (4, 6)]


def lengths(tl):
    """How many prefixes of each length there are, of IPv4."""
    return tl.map("lengths")[0]["value"]["rows"]


def rows(tl):
    """The rows of peers and prefixes4, and of `lengths`."""
    return [sorted(map(str, tl.map(name)))
            for name in ("peers", "prefixes4", "lengths")]


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
    assert done.returncode == 1
    assert 'the map "prefixes4" is full' in done.stderr
    assert "`tunload attach`" in done.stderr
    assert rows(tl) == before
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
