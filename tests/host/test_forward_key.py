# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp switched on and off while it runs; what the host tells of its
devices."""
import pytest

from lab import run
from lifecycle import (A, B, EXTRA_PEER, Pair, as_unit, conf_a,
                       linked_programs, pinned_programs)
from traffic import ping


def conf(forward, mode="native", peers=""):
    """The configuration of the first host."""
    text = conf_a(mode, peers=peers)
    if forward:
        text = text.replace("mode =", f"forward = {forward}\nmode =")
    return text


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with another interface, and nothing attached, on its first
    host."""
    pair = Pair(lab)
    lan = lab.netns("lan")
    lab.veth(pair.a, "eth1", lan, "eth0")
    lan.run("ethtool", "-K", "eth0", "gro", "on")
    return pair


def forwarding(pair):
    """(the key, whether the running program forwards: its code is there)"""
    prog = pinned_programs(pair.tl)["prog_xdp_ingress"]
    assert linked_programs(pair.tl)["link_xdp"] == prog
    code = run("bpftool", "prog", "dump", "xlated", "id", prog).stdout
    return pair.tl.status()["forward"], "bpf_xdp_fib_lookup" in code


def test_reload_switches_it(pair):
    """Under traffic, of which nothing is lost, with peers and counters
    kept."""
    tl = pair.tl
    tl.attach(conf(None))
    assert forwarding(pair) == ("no", False)
    one, two = pair.flows()
    with one, two:
        for forward in "xdp", "no", "xdp":
            before = tl.peer("b")["tx"]["packets"]
            old = pinned_programs(tl)
            done = tl.reload(conf(forward))
            assert forwarding(pair) == (forward, forward == "xdp"), done
            assert not set(old.values()) & set(pinned_programs(tl).values())
            assert tl.peer("b")["tx"]["packets"] >= before
    assert (one.got, two.got) == (one.sent, two.sent)
    assert "forward = xdp" in tl.ok("showconf", "eth0")


def test_other_commands_keep_it(pair):
    tl = pair.tl
    tl.attach(conf("xdp"))
    for args in (("attach", "eth0"), ("reload", "eth0", "-c", tl.conf),
                 ("peer", "set", "eth0", "b", "ttl", "9"),
                 ("trigger", "eth0", "--due")):
        tl.ok(*args)
        assert forwarding(pair) == ("xdp", True), args
    tl.attach(conf("no"))
    assert forwarding(pair) == ("no", False)


def test_a_failed_reload_changes_nothing(pair):
    tl = pair.tl
    tl.attach(conf("no"))
    before = pinned_programs(tl)
    done = tl.reload(conf("maybe"), check=False)
    assert done.returncode == 2
    assert 'forward "maybe" is neither xdp nor no' in done.stderr
    assert pinned_programs(tl) == before
    assert forwarding(pair) == ("no", False)


def test_status(pair):
    """What it says for people, in each mode."""
    tl = pair.tl
    tl.attach(conf("no"))
    assert "forward " not in tl.ok("status", "eth0")
    tl.reload(conf("xdp"))
    line = next(line for line in tl.ok("status", "eth0").splitlines()
                if line.startswith("  forward "))
    assert " in XDP to " in line and "eth1" in line
    assert "netfilter, rp_filter and tcpdump do not see" in line
    tl.reload(conf("xdp", "tc"))
    assert ("  forward      by the kernel: forward = xdp needs native mode\n"
            in tl.ok("status", "eth0"))
    assert tl.status()["forward_to"] == []
    assert ping(pair.a, B, A)


def rows(tl):
    """{ifindex: (MAC, flags)} of the map `devices`."""
    return {row["value"]["ifindex"]: (bytes(
        int(b, 16) if isinstance(b, str) else b for b in row["value"]["mac"]),
        row["value"]["flags"]) for row in tl.map("devices")
        if row["value"]["ifindex"]}


def wanted(pair):
    """The same by `ip link`; eth1 sends."""
    return {link["ifindex"]: (
        bytes.fromhex(link["address"].replace(":", "")),
        1 if link["ifname"] == "eth1" else 0)
        for link in pair.a.links() if link["link_type"] == "ether"}


def macvlan(pair, name, *more):
    """Another Ethernet interface, which sends no redirected frames."""
    pair.a.ip("link", "add", "name", name, *more, "link", "eth1", "up",
              "type", "macvlan")


def test_devices_follow_the_host(pair):
    """The timer's run sees new MACs, new and removed interfaces."""
    tl = pair.tl
    tl.attach(conf("xdp"))
    assert rows(tl) == wanted(pair)
    pair.a.ip("link", "set", "eth1", "address", "02:00:00:00:00:55")
    macvlan(pair, "mv7")
    tl.ok("trigger", "eth0", "--due")
    assert rows(tl) == wanted(pair)
    pair.a.ip("link", "del", "mv7")
    tl.ok("trigger", "eth0", "--due")
    assert rows(tl) == wanted(pair)


def test_slots_that_collide(pair):
    """Of two devices with one slot, the interface itself stays."""
    eth0 = pair.a.links("eth0")[0]["ifindex"]
    other = eth0 + 1024
    macvlan(pair, "mv1", "index", other)
    macvlan(pair, "mv2", "index", other + 1024)
    pair.tl.attach(conf("xdp"))
    found = rows(pair.tl)
    assert eth0 in found and not {other, other + 1024} & set(found)


def test_not_asked_for_nothing_is_written(pair):
    pair.tl.attach(conf("no"))
    assert rows(pair.tl) == {}


def test_as_a_unit(pair):
    """The rights of the systemd unit are enough."""
    path = pair.tl.write(conf("xdp", peers=EXTRA_PEER))
    done = as_unit(pair, "attach", "eth0", "-c", path, "--no-trigger")
    assert done.returncode == 0, done.stderr
    assert rows(pair.tl) == wanted(pair)
    assert forwarding(pair) == ("xdp", True)
