# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp switched on and off while it runs; what the host tells of its
devices; the program on other interfaces."""
import itertools
import json
import os

import pytest

from lab import TUNLOAD, run
from lifecycle import (A, B, EXTRA_PEER, Pair, as_unit, bpftool_pinned, conf_a,
                       linked_programs, pinned_programs)
from netns import scratch
from test_killed import killed
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
    # One call is for the ways back (allowed-ips = routed).
    return (pair.tl.status()["forward"],
            code.count("bpf_xdp_fib_lookup") > 1)


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
    assert "\nforward " not in tl.ok("status", "eth0")
    tl.reload(conf("xdp"))
    assert ("\nforward  in XDP from eth0 to eth1: netfilter, rp_filter and "
            "tcpdump do not see\n         those packets\n"
            in tl.ok("status", "eth0"))
    tl.reload(conf("xdp", "tc"))
    assert ("\nforward  by the kernel: forward = xdp needs native mode\n"
            in tl.ok("status", "eth0"))
    assert tl.status()["forward_to"] == []
    assert ping(pair.a, B, A)


# Other interfaces that packets come from.

def names(tl):
    """(what the configuration says, from where XDP forwards in fact)"""
    conf = tl.ok("showconf", "eth0")
    line, = [line for line in conf.splitlines() if line.startswith("forward")]
    return line, tl.status()["forward_from"]


def on(pair, name="eth1"):
    """The name of the XDP program on an interface, None: there is none."""
    link, = json.loads(pair.a.run("ip", "-j", "link", "show", name).stdout)
    return link.get("xdp", {}).get("prog", {}).get("name")


def foreign(pair, name="eth1"):
    """Puts somebody else's XDP program on an interface."""
    with scratch("foreign") as top:
        obj = os.path.join(top, "other.o")
        run("clang", "-target", "bpf", "-O2", "-x", "c", "-c", "-o", obj, "-",
            input='__attribute__((section("xdp"), used))\n'
                  'int other(void *ctx) { return 2; }\n')
        pair.a.ip("link", "set", name, "xdpdrv", "obj", obj, "sec", "xdp")


def test_attach_puts_the_program_there(pair):
    before = pair.traces()
    pair.tl.attach(conf("xdp eth1"))
    assert names(pair.tl) == ("forward = xdp eth1", ["eth1"])
    assert on(pair) == "xdp_forward"
    text = pair.tl.ok("status", "eth0")
    assert "in XDP from eth0, eth1 to " in text
    pair.tl.detach()
    assert on(pair) is None
    assert pair.traces() == before


def test_reload_adds_and_removes(pair):
    """Each way, and one program on all of them."""
    tl, lan = pair.tl, pair.lab.netns("lan2")
    pair.lab.veth(pair.a, "eth2.5", lan, "eth0")
    tl.attach(conf("xdp"))
    for words, want in (("xdp eth1", ["eth1"]),
                        ("xdp eth2.5 eth1", ["eth2.5", "eth1"]),
                        ("xdp,eth2.5", ["eth2.5"]), ("xdp", []),
                        ("xdp eth1", ["eth1"]), ("no", []),
                        ("xdp eth1,eth2.5", ["eth1", "eth2.5"])):
        done = tl.reload(conf(words))
        assert "settings of the interface changed" in done.stdout
        assert tl.status()["forward_from"] == want
        for name in "eth1", "eth2.5":
            assert on(pair, name) == ("xdp_forward" if name in want else None)
    assert names(tl)[0] == "forward = xdp eth1, eth2.5"
    assert "nothing changed" in tl.reload(conf("xdp eth1 eth2.5")).stdout
    assert len({bpftool_pinned("link", f"{tl.pins}/link_from_{name}")["prog_id"]
                for name in ("eth1", "eth2:5")} |
               {bpftool_pinned("prog", f"{tl.pins}/prog_xdp_forward")["id"]}
               ) == 1


def test_upgrade_in_place(pair):
    """The new program replaces the old one, and the names stay."""
    tl = pair.tl
    tl.attach(conf("xdp eth1"))
    old = bpftool_pinned("link", tl.pins + "/link_from_eth1")["prog_id"]
    tl.ok("attach", "eth0", "--no-trigger")
    new = bpftool_pinned("link", tl.pins + "/link_from_eth1")["prog_id"]
    assert new != old
    assert new == bpftool_pinned("prog", tl.pins + "/prog_xdp_forward")["id"]
    assert names(tl) == ("forward = xdp eth1", ["eth1"])
    tl.reload(conf("xdp eth1", "tc"))
    assert on(pair) is None
    tl.reload(conf("xdp eth1"))
    assert on(pair) == "xdp_forward"


def test_taken_by_another_program(pair):
    """It is told, and nothing is left or changed."""
    tl = pair.tl
    foreign(pair)
    before = pair.traces()
    done = tl.attach(conf("xdp eth1"), check=False)
    assert done.returncode == 1
    assert (f'{tl.conf}:4: forward "eth1" is not possible: XDP hook is taken '
            'by program "other" (id ') in done.stderr
    assert pair.traces() == before and on(pair) == "other"
    tl.attach(conf("xdp"))
    old = pinned_programs(tl)
    for words in "xdp eth1", "xdp lo, eth1":
        assert tl.reload(conf(words), check=False).returncode == 1
        assert names(tl) == ("forward = xdp", [])
        assert pinned_programs(tl) == old and on(pair) == "other"
        assert not [name for name in os.listdir(tl.pins) if "_from_" in name]
    done = tl.reload(conf("xdp lo"), check=False)
    assert 'forward "lo" is not possible: driver ' in done.stderr
    pair.a.ip("link", "set", "eth1", "xdpdrv", "off")
    tl.reload(conf("xdp eth1"))
    assert on(pair) == "xdp_forward"


def test_put_right_by_the_timer(pair):
    """Taken off by somebody; the interface deleted, and there again; renamed;
    another interface of that name. Others' programs stay."""
    tl = pair.tl
    tl.attach(conf("xdp eth1"))

    def due():
        return tl.ok("trigger", "eth0", "--due")
    run("bpftool", "link", "detach", "pinned", tl.pins + "/link_from_eth1")
    assert on(pair) is None
    assert tl.status()["forward_from"] == []
    assert "put the program back on XDP of eth1" in due()
    assert on(pair) == "xdp_forward"
    assert "put the program" not in due()
    pair.a.ip("link", "del", "eth1")
    assert ("the kernel forwards what arrives on eth1: there is no such "
            "interface") in tl.status()["hints"]
    due()
    pair.lab.veth(pair.a, "eth1", pair.lab.netns("lan2"), "eth0")
    assert "put the program back on XDP of eth1" in due()
    assert on(pair) == "xdp_forward" and rows(tl) == wanted(pair, False)
    pair.a.ip("link", "set", "eth1", "down", "name", "eth7", "up")
    due()
    assert tl.status()["forward_from"] == []
    pair.a.ip("link", "set", "eth7", "down", "name", "eth1", "up")
    due()
    assert on(pair) == "xdp_forward"
    run("bpftool", "link", "detach", "pinned", tl.pins + "/link_from_eth1")
    foreign(pair)
    assert "put the program" not in due()
    assert on(pair) == "other"
    assert ('the kernel forwards what arrives on eth1: XDP hook is taken by '
            'program "other" (id ') in "".join(tl.status()["hints"])
    tl.ok("peer", "set", "eth0", "b", "ttl", "9")
    tl.reload(conf("xdp eth1").replace("mode", "path-mtu = 1400\nmode"))
    assert on(pair) == "other"


def test_an_interface_that_is_late(pair):
    """It is warned of, and is used when it is there."""
    tl = pair.tl
    done = tl.attach(conf("xdp eth1 eth5"))
    assert ('warning: forward "eth5": no such interface yet: the kernel '
            "forwards what arrives there until the timer finds it"
            ) in done.stderr
    assert names(tl) == ("forward = xdp eth1, eth5", ["eth1"])
    pair.lab.veth(pair.a, "eth5", pair.lab.netns("lan5"), "eth0")
    tl.ok("trigger", "eth0", "--due")
    assert names(tl)[1] == ["eth1", "eth5"]


def reload_traced(pair, text, inject):
    """Reloads while strace injects something; (done, whether it did)."""
    tl = pair.tl
    trace = os.path.join(tl.dir, "trace")
    done = pair.a.run("strace", "-f", "-o", trace, "-e", f"inject={inject}",
                      TUNLOAD, "--bpffs", tl.bpffs, "reload", "eth0", "-c",
                      tl.write(text), check=False)
    with open(trace, encoding="utf-8") as f:
        return done, "INJECTED" in f.read()


@pytest.mark.parametrize("syscall,step", [("sendto", 31), ("bpf", 97)])
@pytest.mark.parametrize("words", ["xdp", "xdp eth1"])
def test_a_failed_step_changes_nothing(pair, words, syscall, step):
    """A reload that fails anywhere leaves the interfaces as they were."""
    tl, failed = pair.tl, 0
    text = conf("xdp eth1" if words == "xdp" else "no", peers=EXTRA_PEER)
    for n in itertools.count(1, step):
        tl.attach(conf(words), "--no-trigger")
        was = names(tl), on(pair), pinned_programs(tl), forwarding(pair)
        done, injected = reload_traced(pair, text,
                                       f"{syscall}:error=ENOBUFS:when={n}")
        if not injected:
            break
        if done.returncode:
            failed += 1
            assert (names(tl), on(pair), pinned_programs(tl),
                    forwarding(pair)) == was, n
    assert failed and done.returncode == 0, (n, failed)


@pytest.mark.parametrize("command", ["attach", "upgrade", "reload", "detach"])
def test_killed_anywhere(pair, command):
    """The next attach or detach removes what a killed command leaves on the
    other interface."""
    tl = pair.tl
    first, then = tl.write(conf("xdp eth1")), tl.conf + ".then"
    with open(then, "w", encoding="utf-8") as f:
        f.write(conf({"reload": "no"}.get(command, "xdp eth1")))
    args = {"attach": ["attach", "eth0", "-c", then, "--no-trigger"],
            "upgrade": ["attach", "eth0", "--no-trigger"],
            "reload": ["reload", "eth0", "-c", then],
            "detach": ["detach", "eth0"]}[command]
    before = pair.traces()
    for n in itertools.count(1, 151):
        if command != "attach":
            tl.ok("attach", "eth0", "-c", first, "--no-trigger")
        if not killed(pair, "bpf", n, None, *args):
            break
        if n // 151 % 2:
            tl.ok("attach", "eth0", "-c", first, "--no-trigger")
            assert names(tl) == ("forward = xdp eth1", ["eth1"])
            assert on(pair) == "xdp_forward"
            tl.ok("attach", "eth0", "-c", tl.write(conf("no")), "--no-trigger")
            assert on(pair) is None
            tl.write(conf("xdp eth1"))
            tl.detach()
        else:
            tl.run("detach", "eth0")
        assert pair.traces() == before, f"killed at call {n}"
    assert n > 151, "nothing was killed"


def test_killed_reload_is_mended_by_the_timer(pair):
    """An interface that a killed reload added is left alone again."""
    tl, seen = pair.tl, set()
    for n in itertools.count(1, 29):
        tl.attach(conf("xdp"))
        with open(tl.conf, "w", encoding="utf-8") as f:
            f.write(conf("xdp eth1"))
        if not killed(pair, "bpf", n, None, "reload", "eth0", "-c", tl.conf):
            break
        seen.add(on(pair))
        tl.ok("trigger", "eth0", "--due")
        line, live = names(tl)
        assert (line == "forward = xdp eth1") == (live == ["eth1"])
        assert (on(pair) == "xdp_forward") == (live == ["eth1"])
    assert seen == {None, "xdp_forward"}


BAD = {
    "xdp eth1 eth1": '"eth1" is there twice: remove one',
    "xdp eth0": '"eth0" is the interface of this file, from which it forwards '
                "anyway: remove it",
    "xdp " + " ".join(f"i{n}" for n in range(9)):
        '"i8" is one interface too many: give at most 8',
    "xdp a/b": '"a/b" is not the name of an interface: give names of at most '
               "15 characters",
    "xdp " + "x" * 16: f'"{"x" * 16}" is not the name of an interface: give '
                       "names of at most 15 characters",
    "no eth1": '"no eth1" has more than one word: write no',
    "eth1": '"eth1" is neither xdp nor no',
}


@pytest.mark.parametrize("value", BAD)
def test_bad_names(pair, value):
    path = pair.tl.write(conf(value))
    done = pair.tl.run("attach", "eth0", "-c", path)
    assert done.returncode == 2
    assert done.stderr == f"tunload: {path}:4: forward {BAD[value]}\n"


def test_edited_by_hand(pair):
    """What the map says is distrusted."""
    tl = pair.tl
    tl.attach(conf("xdp eth1"))
    path = tl.pins + "/interface"
    text = run("bpftool", "-j", "map", "dump", "pinned", path).stdout
    value = bytearray(int(b, 16) for b in json.loads(text)[0]["value"])
    at = value.rindex(b"eth1\0")
    value[at - 4] = 9
    value[at + 16:at + 32] = b"no/name".ljust(16, b"\0")
    value[at + 32:at + 48] = b"eth1".ljust(16, b"\0")
    run("bpftool", "map", "update", "pinned", path, "key", "0", "0", "0", "0",
        "value", *(str(b) for b in value))
    done = tl.run("showconf", "eth0")
    assert done.returncode == 0
    assert ('map "interface": forward 9 is not from no|xdp: taken as no'
            in done.stderr)
    assert done.stderr.count("forward_from has no valid name: left out") == 2
    assert "forward" not in done.stdout


def rows(tl):
    """{ifindex: (MAC, flags)} of the map `devices`."""
    return {row["value"]["ifindex"]: (bytes(
        int(b, 16) if isinstance(b, str) else b for b in row["value"]["mac"]),
        row["value"]["flags"]) for row in tl.map("devices")
        if row["value"]["ifindex"]}


def wanted(pair, sends=True):
    """The same by `ip link`; eth1 may send."""
    return {link["ifindex"]: (
        bytes.fromhex(link["address"].replace(":", "")),
        1 if sends and link["ifname"] == "eth1" else 0)
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
