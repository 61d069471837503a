# SPDX-License-Identifier: GPL-2.0-only
"""attach --all and detach --all, which packages run, and make uninstall."""
import fcntl
import json
import os
import shutil

import pytest

from lab import REPO, TUNLOAD, run

CONF = "[peer {}]\nendpoint = {}\nallowed-ips = {}\n"


@pytest.fixture(name="two")
def make_two(lab):
    """Tunload for eth0, and for eth0.7, of a host, attached; another host has
    an eth1 that is attached with pins in the same bpffs."""
    a, b = lab.netns("all"), lab.netns("other")
    lab.veth(a, "eth0", b, "eth1")
    lab.veth(a, "eth0.7", b, "eth7")
    a.addr("eth0", "192.0.2.1/24")
    a.addr("eth0.7", "198.51.100.1/24")
    b.addr("eth1", "192.0.2.2/24")
    one = lab.tunload(a, "eth0")
    two = lab.tunload(a, "eth0.7", one.bpffs)
    far = lab.tunload(b, "eth1", one.bpffs)
    one.attach(CONF.format("b", "192.0.2.2", "10.10.0.0/24"))
    two.attach(CONF.format("c", "198.51.100.2", "10.20.0.0/24"))
    far.attach(CONF.format("a", "192.0.2.1", "10.30.0.0/24"))
    return one, two, far


def routes(ns):
    """Our routes in a namespace."""
    return ns.ip("-N", "route", "show", "proto", "94").stdout


def test_attach_all_upgrades_what_is_attached(two):
    one, second, far = two
    one.ok("peer", "set", "eth0", "b", "ttl", "7")
    before = [tl.map("peers") for tl in (one, far)]
    out = sorted(one.ok("attach", "--all").splitlines())
    assert [line.split(",")[0] for line in out] == [
        "eth0.7: upgraded in place",
        "eth0: upgraded in place",
        "eth1: attached in another network namespace"]
    assert one.peer("b")["ttl"] == 7
    assert second.peer("c")["endpoint"] == "198.51.100.2"
    assert [tl.map("peers") for tl in (one, far)] == before


def test_detach_all_leaves_other_namespaces_alone(two):
    one, _, far = two
    before = routes(far.ns)
    assert "10.30.0.0/24" in before
    assert sorted(one.ok("detach", "--all").splitlines()) == [
        "eth0.7: detached", "eth0: detached",
        "eth1: attached in another network namespace, left alone"]
    assert (routes(one.ns), routes(far.ns)) == ("", before)
    assert os.listdir(os.path.dirname(one.pins)) == ["eth1"]
    assert [s["interface"] for s in json.loads(
        far.ok("status", "--json"))] == ["eth1"]


def test_detach_all_goes_on_after_a_failure(two):
    one, second, _ = two
    pins = [tl.pins.replace(".", ":") for tl in (one, second)]
    for locked, other in pins, pins[::-1]:
        fd = os.open(locked, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        done = one.run("detach", "--all")
        os.close(fd)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert os.path.exists(locked) and not os.path.exists(other)
        second.attach(CONF.format("c", "198.51.100.2", "10.20.0.0/24"))
        one.attach(CONF.format("b", "192.0.2.2", "10.10.0.0/24"))


def test_nothing_is_attached(lab):
    tl = lab.tunload(lab.netns("none"))
    for command in "attach", "detach":
        done = tl.run(command, "--all")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_uninstall_detaches(two, tmp_path):
    one, _, _ = two
    shutil.copytree(f"{REPO}/build/dist", tmp_path / "build/dist")
    shutil.copy(TUNLOAD, tmp_path / "build")

    def make(goal):
        return run("nsenter", f"--net=/run/netns/{one.ns.name}", "make", "-s",
                   "-C", REPO, "-o", "all", goal, f"PREFIX={tmp_path}/usr",
                   f"SYSCONFDIR={tmp_path}/etc", f"B={tmp_path}/build",
                   "SYSTEMCTL=echo systemctl", timeout=300,
                   env=dict(os.environ, TUNLOAD_BPFFS=one.bpffs)).stdout

    make("install")
    out = make("uninstall").splitlines()
    assert out[0] == "systemctl stop tunload*"
    assert {"eth0: detached", "eth0.7: detached"} < set(out)
    assert routes(one.ns) == ""
    assert not (tmp_path / "usr/sbin/tunload").exists()
