# SPDX-License-Identifier: GPL-2.0-only
"""The next attach or detach removes all that a killed command leaves behind."""
import itertools
import os
import time

import pytest

from lab import TUNLOAD
from lifecycle import (A, B, EXTRA_PEER, HOOKS, Pair, as_unit, conf_a,
                       hook_env, pinned_programs)
from traffic import ping


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def killed(pair, syscalls, n, env, *args):
    """Runs tunload and kills it at its n-th call of one of the syscalls; false
    if it ended before."""
    done = pair.a.run(
        "strace", "-f", "-o", "/dev/null", "-e",
        f"inject={syscalls}:signal=KILL:when={n}", TUNLOAD, "--bpffs",
        pair.tl.bpffs, *args, check=False, env=env)
    # strace ends with the signal or status of its child.
    return done.returncode in (-9, 137)


def guard_suspended_until(tl):
    """The end of the guard's suspension as CLOCK_MONOTONIC in seconds; 0 if the
    guard is not suspended."""
    return tl.map("interface")[0]["value"]["no_guard_until_ns"] / 1e9


@pytest.mark.parametrize("hook", HOOKS)
def test_killed_switch_suspends_the_guard_for_a_moment(pair, hook):
    env, tl = hook_env(hook), pair.tl
    tl.attach(conf_a("tc"), env=env)
    with open(tl.conf, "w", encoding="utf-8") as f:
        f.write(conf_a("native"))
    # The kill hits while the switch waits for the packets in flight.
    assert killed(pair, "clock_nanosleep", 1, env, "reload", "eth0", "-c",
                  tl.conf)
    until = guard_suspended_until(tl)
    assert 0 < until < time.monotonic() + 1
    tl.ok("attach", "eth0", "--no-trigger", env=env)
    assert not guard_suspended_until(tl)
    assert ping(pair.a, B, A)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("then", ["attach", "detach"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_killed_upgrade_is_understood_by_the_unit(pair, hook, then, n):
    """The systemd unit cannot open programs by their ids, as it lacks the
    capability; it recognises our filters all the same."""
    env, tl = hook_env(hook), pair.tl
    before = pair.traces()
    tl.attach(conf_a(), env=env)
    assert killed(pair, "rename", n, env, "attach", "eth0", "--no-trigger")
    if then == "attach":
        assert killed(pair, "rename", n, env, "attach", "eth0", "--no-trigger")
        done = as_unit(pair, "attach", "eth0", env=env)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(set(pinned_programs(tl).values())) == 3
        assert not [name for name in os.listdir(tl.pins) if "_new" in name]
        assert ping(pair.a, B, A)
    done = as_unit(pair, "detach", "eth0", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert pair.traces() == before


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("syscalls,step", [
    ("bpf", 9), ("sendto", 3),
    ("unlink,unlinkat,rename,rmdir,mkdir,flock", 2)])
@pytest.mark.parametrize("command", ["attach", "upgrade", "reload", "detach"])
def test_killed_anywhere(pair, command, syscalls, step, hook):
    """Kills a command at every step-th system call; after every second kill an
    attach follows, else a detach."""
    env, tl = hook_env(hook), pair.tl
    first, then = tl.write(conf_a("native")), tl.conf + ".then"
    with open(then, "w", encoding="utf-8") as f:
        f.write(conf_a("tc", more=", 10.40.0.0/16", peers=EXTRA_PEER))
    args = {"attach": ["attach", "eth0", "-c", then, "--no-trigger"],
            "upgrade": ["attach", "eth0", "--mode", "tc", "--no-trigger"],
            "reload": ["reload", "eth0", "-c", then],
            "detach": ["detach", "eth0"]}[command]
    before = pair.traces()
    for n in itertools.count(1, step):
        if command != "attach":
            tl.ok("attach", "eth0", "-c", first, "--no-trigger", env=env)
        if not killed(pair, syscalls, n, env, *args):
            break
        if n // step % 2:
            tl.ok("attach", "eth0", "-c", first, "--no-trigger", env=env)
            assert [p["name"] for p in tl.status()["peers"]] == ["b"]
            assert not guard_suspended_until(tl)
            assert ping(pair.a, B, A)
            tl.detach()
        else:
            tl.run("detach", "eth0")
        assert pair.traces() == before, f"killed at call {n}"
    assert n > step, "nothing was killed"
