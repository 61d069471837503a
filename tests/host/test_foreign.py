# SPDX-License-Identifier: GPL-2.0-only
"""tunload leaves XDP programs, filters and qdiscs of others on the interface
alone, and names those that are in its way."""
import os

import pytest

from lab import run
from lifecycle import A, B, HOOKS, Pair, conf_a, hook_env
from traffic import ping

FOREIGN = """
struct __sk_buff;
struct xdp_md;
__attribute__((section("xdp"), used))
int foreign_xdp(struct xdp_md *ctx) { return 2; }
__attribute__((section("tc"), used))
int foreign_tc(struct __sk_buff *skb) { return -1; }
char _license[] __attribute__((section("license"), used)) = "GPL";
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


@pytest.fixture(name="foreign")
def fixture_foreign(tmp_path):
    """The path of a BPF object with an XDP and a tc program of another tool."""
    source, path = tmp_path / "foreign.c", tmp_path / "foreign.o"
    source.write_text(FOREIGN)
    run(os.environ.get("CLANG", "clang"), "-O2", "-g", "-target", "bpf",
        "-c", source, "-o", path)
    return path


@pytest.mark.parametrize("flag", ["xdpdrv", "xdpgeneric"])
def test_foreign_xdp_is_left_alone(pair, foreign, flag):
    pair.a.ip("link", "set", "eth0", flag, "obj", foreign, "sec", "xdp")
    before = pair.traces()
    pair.tl.attach(conf_a("auto"))
    status = pair.tl.status()
    assert status["mode"] == "tc"
    assert 'taken by program "foreign_xdp"' in status["mode_reason"]
    assert ping(pair.a, B, A)
    pair.tl.detach()
    assert pair.traces() == before
    done = pair.tl.attach(conf_a("native"), check=False)
    assert done.returncode == 1 and "foreign_xdp" in done.stderr
    assert pair.traces() == before


def test_foreign_filters_are_left_alone(pair, foreign):
    tc = ["tc", "filter", "add", "dev", "eth0"]
    bpf = ["bpf", "da", "obj", foreign, "sec", "tc"]
    pair.a.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    pair.a.run(*tc, "egress", "pref", "5", *bpf)
    pair.a.run(*tc, "ingress", *bpf)
    before = pair.traces()
    for hook in HOOKS:
        pair.tl.attach(conf_a(), env=hook_env(hook))
        assert ping(pair.a, B, A)
        pair.tl.detach()
        assert pair.traces() == before


def test_filter_that_came_later_keeps_our_clsact(pair, foreign):
    pair.tl.attach(conf_a(), env=hook_env("clsact"))
    pair.a.run("tc", "filter", "add", "dev", "eth0", "egress", "pref", "5",
               "bpf", "da", "obj", foreign, "sec", "tc")
    pair.tl.detach()
    out = pair.a.run("tc", "filter", "show", "dev", "eth0", "egress").stdout
    assert "foreign_tc" in out and "tc_egress" not in out


def test_place_taken_by_another_filter(pair, foreign):
    pair.a.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    pair.a.run("tc", "filter", "add", "dev", "eth0", "egress", "pref", "94",
               "handle", "0x746c", "bpf", "da", "obj", foreign, "sec", "tc")
    before = pair.traces()
    done = pair.tl.attach(conf_a(), check=False, env=hook_env("clsact"))
    assert done.returncode == 1 and "somebody else" in done.stderr
    assert pair.traces() == before


def test_driver_without_native_xdp(lab):
    ns = lab.netns()
    ns.ip("link", "add", "br0", "type", "bridge")
    ns.ip("link", "set", "br0", "up")
    ns.addr("br0", "192.0.2.1/24")
    tl = lab.tunload(ns, "br0")
    tl.attach("")
    assert tl.status()["mode"] == "tc"
    assert "driver bridge refuses" in tl.status()["mode_reason"]


@pytest.mark.parametrize("hook", HOOKS)
def test_status_names_the_tc_hook(pair, hook):
    """It also says so if the hook was removed."""
    pair.tl.attach(conf_a(), env=hook_env(hook))
    assert pair.tl.status()["tc_hook"] == hook
    assert f" {hook}" in pair.tl.ok("status", "eth0").splitlines()[0]
    if hook == "clsact":
        pair.a.run("tc", "qdisc", "del", "dev", "eth0", "clsact")
    else:
        run("bpftool", "link", "detach", "pinned",
            os.path.join(pair.tl.pins, "link_tcx_egress"))
    assert pair.tl.status()["tc_hook"] is None
    assert " no tc hook" in pair.tl.ok("status", "eth0").splitlines()[0]
    pair.tl.ok("attach", "eth0", "--no-trigger")
    assert pair.tl.status()["tc_hook"] == HOOKS[0]
