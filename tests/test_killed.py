# SPDX-License-Identifier: GPL-2.0-only
"""Commands that are killed half-way: whatever they leave, the next attach and
the next detach clear away."""
import itertools

import pytest

from lab import TUNLOAD
from lifecycle import A, B, EXTRA_PEER, HOOKS, Pair, conf_a, hook_env
from traffic import ping


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair, nothing attached on its first host."""
    return Pair(lab)


def killed(pair, syscalls, n, env, *args):
    """Runs tunload until its n-th such system call and kills it there; False
    if it came to its end before."""
    done = pair.a.run(
        "strace", "-f", "-o", "/dev/null", "-e",
        f"inject={syscalls}:signal=KILL:when={n}", TUNLOAD, "--bpffs",
        pair.tl.bpffs, *args, check=False, env=env)
    # strace ends as its child did.
    return done.returncode in (-9, 137)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("syscalls,step", [
    ("bpf", 9), ("sendto", 3),
    ("unlink,unlinkat,rename,rmdir,mkdir,flock", 2)])
@pytest.mark.parametrize("command", ["attach", "upgrade", "reload", "detach"])
def test_killed_anywhere(pair, command, syscalls, step, hook):
    """Whatever a killed command leaves, attach and detach clear away."""
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
            assert tl.map("interface")[0]["value"]["flags"] & 0x20 == 0
            assert ping(pair.a, B, A)
            tl.detach()
        else:
            tl.run("detach", "eth0")
        assert pair.traces() == before, f"killed at call {n}"
    assert n > step, "nothing was killed"
