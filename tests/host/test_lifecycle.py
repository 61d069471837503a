# SPDX-License-Identifier: GPL-2.0-only
"""attach, reload and detach over the life of an interface: upgrades under
traffic, interfaces and namespaces that are removed, concurrent commands."""
import fcntl
import json
import os
import stat
import sys
import time

import pytest

from lab import TUNLOAD, run
from lifecycle import (A, B, EXTRA_PEER, HOOKS, Pair, as_unit, conf_a,
                       hook_env, linked_programs, pinned_programs)
from netns import PATIENCE
from traffic import ping

# Prints seconds and peak memory (KiB) of a command. A small process of its own
# runs it, as ru_maxrss of a child starts at the size of its parent.
MEASURE = """
import json, os, sys, time
start = time.monotonic()
argv, null = sys.argv[1:], os.open(os.devnull, os.O_WRONLY)
pid = os.posix_spawnp(argv[0], argv, os.environ,
                      file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(pid, 0)
print(json.dumps([time.monotonic() - start, usage.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


# Upgrade and reload under traffic

@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("mode", ["native", "tc"])
def test_upgrade_loses_nothing_and_keeps_all(pair, mode, hook):
    tl = pair.tl
    tl.attach(conf_a(mode), env=hook_env(hook))
    tl.ok("peer", "add", "eth0", "c", "endpoint", "192.0.2.3",
          "allowed-ips", "10.30.0.0/24")
    old = pinned_programs(tl)
    one, two = pair.flows()
    with one, two:
        for _ in range(max(2, 5 // PATIENCE)):
            before = tl.peer("b")["tx"]["packets"]
            assert "upgraded in place" in tl.ok(
                "attach", "eth0", "--no-trigger", env=hook_env(hook))
            assert tl.peer("b")["tx"]["packets"] >= before
    assert (one.got, two.got) == (one.sent, two.sent)
    assert [p["name"] for p in tl.status()["peers"]] == ["b", "c"]
    new = pinned_programs(tl)
    assert not set(old.values()) & set(new.values())
    assert set(linked_programs(tl).values()) <= set(new.values())
    assert tl.status()["mode"] == mode


def test_a_map_whose_pin_somebody_removed(pair):
    """`attach` pins another one; the other commands refuse."""
    tl = pair.tl
    tl.attach(conf_a())
    for name in "learned", "traffic", "endpoints":
        path = os.path.join(tl.pins, name)
        os.unlink(path)
        done = tl.run("status", "eth0")
        assert done.returncode == 1 and "is not attached by" in done.stderr
        assert "upgraded in place" in tl.ok("attach", "eth0", "--no-trigger")
        assert os.path.exists(path)
        assert ping(pair.a, B, A) and tl.verdict("rx_decap", "b")
    tl.detach()


def test_reload_adds_changes_and_removes_without_loss(pair):
    tl = pair.tl
    tl.attach(conf_a())
    one, two = pair.flows()
    with one, two:
        assert "added c" in tl.reload(conf_a(peers=EXTRA_PEER)).stdout
        more = ", 10.40.0.0/16"
        assert "changed b" in tl.reload(
            conf_a(more=more, peers=EXTRA_PEER)).stdout
        assert tl.peer("b")["allowed_ips"] == ["10.10.0.0/24",
                                               "10.40.0.0/16"]
        assert "removed c" in tl.reload(conf_a(more=more)).stdout
        assert "nothing changed" in tl.reload(conf_a(more=more)).stdout
        tl.reload(conf_a())
    assert (one.got, two.got) == (one.sent, two.sent)
    assert [p["name"] for p in tl.status()["peers"]] == ["b"]
    assert tl.map("peers")[0]["key"] == 1


@pytest.mark.parametrize("hook", HOOKS)
def test_mode_switch_under_traffic_drops_nothing_to_the_guard(pair, hook):
    """The driver may lose a few packets while XDP is added or removed. The
    guard must drop none that the other hook has decapsulated."""
    tl = pair.tl
    tl.attach(conf_a("tc"), env=hook_env(hook))
    one, two = pair.flows()
    with one, two:
        for mode in ("native", "tc", "native", "tc"):
            tl.reload(conf_a(mode), env=hook_env(hook))
            assert tl.status()["mode"] == mode
    assert tl.verdict("rx_borrowed") == 0
    assert one.sent - one.got < 50 and two.sent - two.got < 50


def test_upgrade_with_a_file_makes_the_state_equal_to_it(pair):
    pair.tl.attach(conf_a(peers=EXTRA_PEER))
    pair.tl.attach(conf_a("native"))
    status = pair.tl.status()
    assert [p["name"] for p in status["peers"]] == ["b"]
    assert status["mode"] == "native"


def test_failed_upgrade_leaves_what_runs(pair):
    def state():
        return (pinned_programs(pair.tl), linked_programs(pair.tl),
                pair.tl.ok("showconf", "eth0"), pair.traces())

    pair.tl.attach(conf_a())
    before = state()
    done = pair.tl.attach(conf_a(more=", 10.50.0.0/16").replace(
        f"source = {A}", "source = 172.22.2.9"), check=False)
    assert done.returncode == 1 and "172.22.2.9" in done.stderr
    assert state() == before
    assert ping(pair.a, B, A)


def test_attach_without_peers_says_so(pair):
    out = pair.tl.ok("attach", "eth0")
    assert "no peers" in out and "0 peers" in out


def test_dry_run_changes_nothing(pair):
    before = pair.traces()
    out = pair.tl.attach(conf_a(), "--dry-run").stdout
    assert "+ 10.10.0.0/24" in out and "peer b" in out
    assert pair.traces() == before


def test_dry_run_of_an_upgrade_is_about_what_runs(pair):
    pair.tl.attach(conf_a("native"))
    before = pair.traces()
    out = pair.tl.ok("attach", "eth0", "--dry-run")
    assert "peer b: endpoint 192.0.2.2" in out and "10.10.0.0/24" in out
    assert "native XDP" in out and "no peers" not in out
    assert "ingress by tc" in pair.tl.ok("attach", "eth0", "--dry-run",
                                         "--mode", "tc")
    assert pair.traces() == before


# Interfaces and namespaces that are added and removed

@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("mode", ["native", "tc"])
def test_interface_deleted_while_attached(lab, mode, hook):
    ns = lab.netns()
    tl = lab.tunload(ns, "w0")
    for _ in range(2):  # the second attach meets what the first has left
        ns.ip("link", "add", "w0", "type", "veth", "peer", "name", "w1")
        ns.ip("link", "set", "w0", "up")
        ns.addr("w0", "192.0.2.1/24")
        tl.attach(conf_a(mode).replace("source", "#"), env=hook_env(hook))
        ns.ip("link", "del", "w0")
    done = tl.run("attach", "w0")
    assert done.returncode and "no such interface" in done.stderr
    tl.detach()
    assert not os.path.exists(tl.pins)


def test_two_interfaces(pair):
    pair.lab.veth(pair.a, "eth0.7", pair.b, "eth7")
    pair.a.addr("eth0.7", "198.51.100.1/24")
    pair.tl.attach(conf_a())
    other = pair.lab.tunload(pair.a, "eth0.7")
    other.attach("[peer d]\nendpoint = 198.51.100.2\n"
                 "allowed-ips = 10.70.0.0/24\n")
    names = [s["interface"] for s in json.loads(
        pair.tl.ok("status", "--json"))]
    assert sorted(names) == ["eth0", "eth0.7"]
    other.detach()
    assert ping(pair.a, B, A)


def test_two_namespaces_need_two_bpffs(pair):
    pair.tl.attach(conf_a())
    other = pair.lab.tunload(pair.b, bpffs=pair.tl.bpffs)
    for command in (["attach", "eth0"], ["detach", "eth0"],
                    ["status", "eth0"], ["showconf", "eth0"],
                    ["peer", "list", "eth0"]):
        done = other.run(*command)
        assert done.returncode == 1 and "--bpffs" in done.stderr
        assert done.stderr.count("\n") == 1
    assert ping(pair.a, B, A)


def test_namespace_gone_with_its_interface(pair):
    ns = pair.lab.netns("gone")
    ns.ip("link", "add", "eth0", "type", "veth", "peer", "name", "p0")
    ns.ip("link", "set", "eth0", "up")
    ns.addr("eth0", "192.0.2.7/24")
    gone = pair.lab.tunload(ns, bpffs=pair.tl.bpffs)
    gone.attach("")
    ns.ip("link", "del", "eth0")
    pair.tl.attach(conf_a())
    assert ping(pair.a, B, A)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("mode", ["native", "tc"])
def test_pins_of_one_interface_in_two_bpffs(pair, mode, hook):
    env, tl = hook_env(hook), pair.tl
    tl.attach(conf_a(mode), env=env)
    before = pair.traces()
    other = pair.lab.tunload(pair.a, bpffs=pair.lab.new_bpffs())
    for command in "attach", "detach":
        done = other.run(command, "eth0", env=env)
        assert done.returncode == 1 and "--bpffs" in done.stderr
        assert done.stderr.count("\n") == 1
        assert pair.traces() == before
        assert "tunload" not in os.listdir(other.bpffs)
    assert ping(pair.a, B, A)


def test_filters_whose_pins_are_lost(pair):
    """detach, run as the systemd unit, keeps the pins while a filter is left at
    tunload's place that they do not know."""
    tl, clsact = pair.tl, hook_env("clsact")
    tl.attach(conf_a(), env=clsact)
    os.rename(tl.pins + "/prog_tc_egress", tl.pins + "/lost")
    done = as_unit(pair, "detach", "eth0", env=clsact)
    assert done.returncode == 1 and "pref 94" in done.stderr
    assert done.stderr.count("\n") == 1
    assert os.path.exists(tl.pins + "/lost")
    pair.a.run("tc", "filter", "del", "dev", "eth0", "egress", "pref", "94")
    assert as_unit(pair, "detach", "eth0", env=clsact).returncode == 0
    assert not os.path.exists(tl.pins)


def test_renamed_interface(pair):
    pair.tl.attach(conf_a("native"))
    pair.a.ip("link", "set", "eth0", "down")
    pair.a.ip("link", "set", "eth0", "name", "wan0")
    pair.a.ip("link", "set", "wan0", "up")
    done = as_unit(pair, "attach", "wan0")
    assert done.returncode == 1 and "`tunload detach eth0`" in done.stderr
    assert done.stderr.count("\n") == 1
    pair.tl.detach()
    assert not os.path.exists(pair.tl.pins)
    assert as_unit(pair, "attach", "wan0").returncode == 0
    assert as_unit(pair, "detach", "wan0").returncode == 0


# The pin directories

def modes(path):
    """The permissions of the pin directory and of its parent."""
    return [stat.S_IMODE(os.stat(d).st_mode)
            for d in (os.path.dirname(path), path)]


def test_pins_are_roots_alone(pair):
    tl = pair.tl
    os.umask(0)
    tl.attach(conf_a())
    assert modes(tl.pins) == [0o700, 0o700]
    tl.detach()
    os.makedirs(tl.pins, mode=0o777)
    tl.attach(conf_a())
    assert modes(tl.pins) == [0o700, 0o700]


@pytest.mark.parametrize("parent", [True, False])
def test_pins_in_a_directory_of_somebody_else(pair, parent):
    os.makedirs(pair.tl.pins)
    path = os.path.dirname(pair.tl.pins) if parent else pair.tl.pins
    os.chown(path, 65534, -1)
    done = pair.tl.attach(conf_a(), check=False)
    assert done.returncode == 1
    assert f'"{path}" belongs to user 65534' in done.stderr
    assert done.stderr.count("\n") == 1


def test_first_attaches_at_once_mount_once(pair, tmp_path):
    conf = pair.tl.write(conf_a())
    own = pair.lab.tunload(pair.a, bpffs=str(tmp_path))
    # The delay lets every attach find nothing mounted before one mounts.
    slow = ["strace", "-f", "-o", "/dev/null", "-e",
            "inject=mount:delay_enter=500000"]
    running = [pair.lab.start(pair.a, *slow, TUNLOAD, "--bpffs", tmp_path,
                              "attach", "eth0", "-c", conf) for _ in range(3)]
    assert [process.wait(30) for process in running] == [0] * 3
    own.detach()
    assert os.path.ismount(tmp_path)
    run("umount", tmp_path)
    assert not os.path.ismount(tmp_path)


# The lock

def test_commands_wait_for_each_other(pair):
    pair.tl.attach(conf_a())
    fd = os.open(pair.tl.pins, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    waiting = pair.lab.keep(pair.tl.start("attach", "eth0"))
    time.sleep(0.3)
    assert waiting.popen.poll() is None
    assert pair.tl.status()["interface"] == "eth0"  # readers do not wait
    os.close(fd)
    assert waiting.wait() == 0


def test_many_commands_at_once(pair):
    before = pair.traces()
    conf = pair.tl.write(conf_a())
    running = [pair.lab.keep(pair.tl.start(*command)) for command in (
        ["attach", "eth0", "-c", conf], ["detach", "eth0"],
        ["reload", "eth0", "-c", conf]) * 4]
    for process in running:
        assert process.wait(30) in (0, 1)
    pair.tl.run("detach", "eth0")
    assert pair.traces() == before


# Memory; tests/bench/commands.py measures the time

def test_attach_is_small(pair):
    conf = pair.tl.write("".join(
        f"[peer p{i}]\nendpoint = 2001:db8::{i + 16:x}\n"
        f"allowed-ips = 10.{i + 100}.0.0/16\n" for i in range(10)))
    argv = pair.tl.argv("attach", "eth0", "-c", conf)
    _, kib = json.loads(run(sys.executable, "-S", "-c", MEASURE, *argv).stdout)
    assert kib < 32 << 10
    assert len(pair.tl.status()["peers"]) == 10
