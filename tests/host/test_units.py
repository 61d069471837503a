# SPDX-License-Identifier: GPL-2.0-only
"""The systemd units are valid and hardened, and their commands work with the
capabilities, system calls, address families and file systems that the units
leave them."""
import os
import re

import pytest

from lab import REPO, Bpffs, read, run

SERVICE, TRIGGER, TIMER, METRICS, SOCKET, WATCH = (
    "tunload@{}.service", "tunload-trigger@{}.service",
    "tunload-trigger@{}.timer", "tunload-metrics@{}.service",
    "tunload-metrics.socket", "tunload-watch@{}.service")
CONF = """\
[interface]
source = 172.22.2.2

[peer tokyo]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
"""


class Installed:
    """tunload installed below a directory, built with its paths."""

    def __init__(self, root):
        self.root = root
        self.units = root / "units"
        run("make", "-s", "-j2", "-C", REPO, "install", f"B={root}/build",
            f"PREFIX={root}/usr", f"SYSCONFDIR={root}/etc",
            f"UNITDIR={self.units}", timeout=300)
        self.env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{self.units}:",
                    "MANPATH": f"{root}/usr/share/man", "SYSTEMD_COLORS": "0"}

    def lines(self, unit, key):
        """The values of a key in a unit."""
        text = (self.units / unit.format("")).read_text(encoding="utf-8")
        return re.findall(rf"^{key}=(.*)$", text, re.M)

    def command(self, unit, key):
        """A command of a unit, for eth0, as a list of words."""
        line, = self.lines(unit, key)
        return line.replace("%i", "eth0").split()


@pytest.fixture(scope="module", name="installed")
def install_once(tmp_path_factory):
    """An Installed that all tests of this file share."""
    return Installed(tmp_path_factory.mktemp("units"))


@pytest.mark.parametrize("unit", [SERVICE, TRIGGER, TIMER, METRICS, SOCKET, WATCH])
def test_systemd_accepts(installed, unit):
    done = run("systemd-analyze", "verify", "--recursive-errors=no",
               unit.format("eth0"), env=installed.env, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [SERVICE, TRIGGER, METRICS, WATCH])
def test_little_is_exposed(installed, unit):
    done = run("systemd-analyze", "security", "--offline=yes",
               "--threshold=30", unit.format("eth0"), env=installed.env,
               check=False)
    assert done.returncode == 0, done.stdout


def test_it_tries_again(installed):
    assert installed.lines(SERVICE, "Restart") == ["on-failure"]
    assert installed.lines(SERVICE, "StartLimitIntervalSec") == ["0"]
    # Status 2 is an error in the file, which waiting does not mend.
    assert installed.lines(SERVICE, "RestartPreventExitStatus") == ["2"]


def test_a_boot_does_not_wait_for_it(installed):
    """A unit that is restarted again and again, as its tunnel has no address
    yet, once kept the boot from reaching multi-user.target."""
    assert installed.lines(SERVICE, "DefaultDependencies") == ["no"]
    device = "sys-subsystem-net-devices-%i.device"
    assert installed.lines(SERVICE, "WantedBy") == [f"multi-user.target {device}"]
    assert installed.lines(SERVICE, "StopPropagatedFrom") == [device]


def test_the_path_is_kept_open(installed):
    seconds, = installed.lines(TIMER, "OnUnitActiveSec")
    accuracy, = installed.lines(TIMER, "AccuracySec")
    keepalive = re.search(r'"keepalive",.*?\.initial = (\d+)',
                          read("bpf", "keys.h"), re.S).group(1)
    assert seconds == keepalive + "s"
    # A peer is triggered every other run at least, before security groups
    # forget the path (600 s).
    assert 2 * int(seconds[:-1]) + int(accuracy[:-1]) < 600


def test_the_watch_lives_with_the_tunnels(installed):
    """It is started and stopped with them, and never given up."""
    for key, value in {"Type": "notify", "Restart": "always",
                       "StartLimitIntervalSec": "0", "WatchdogSec": "30",
                       "PartOf": "tunload@%i.service",
                       "After": "tunload@%i.service",
                       "WantedBy": "tunload@%i.service"}.items():
        assert installed.lines(WATCH, key) == [value]


def test_the_metrics_are_not_for_everybody(installed):
    """The socket is for this host, each connection has an own service."""
    assert installed.lines(SOCKET, "ListenStream") == [
        "127.0.0.1:9743", "[::1]:9743"]
    assert installed.lines(SOCKET, "Accept") == ["yes"]
    for key in "StandardInput", "StandardOutput":
        assert installed.lines(METRICS, key) == ["socket"]


def allowed_calls(patterns):
    """The system calls of a SystemCallFilter=, with @groups expanded."""
    calls = set()
    for pattern in patterns:
        if not pattern.startswith("@"):
            calls.add(pattern)
            continue
        out = run("systemd-analyze", "syscall-filter", pattern).stdout
        members = re.findall(r"^ +([@\w-]+)$", out, re.M)
        assert members, pattern
        calls |= allowed_calls(members)
    return calls


class Service:
    """Runs commands of a unit with its capabilities and a read-only root file
    system, as systemd would, and checks their system calls."""

    def __init__(self, installed, ns, bpffs, trace):
        self.installed, self.ns, self.bpffs = installed, ns, bpffs
        self.trace = trace

    def run(self, unit, key, *more, stderr="", **kwargs):
        """Runs one command, with more arguments; returns its output. Its
        errors must match a pattern."""
        caps, = self.installed.lines(unit, "CapabilityBoundingSet")
        caps = ",".join(["-all"] + ["+" + c[4:].lower()
                                    for c in caps.split()])
        read_only = ("mount -o remount,bind,ro / && "
                     'exec setpriv --no-new-privs --bounding-set "$0" "$@"')
        done = self.ns.run(
            "strace", "-f", "-qq", "-o", self.trace, "unshare", "-m", "sh",
            "-c", read_only, caps, *self.installed.command(unit, key), *more,
            env={**os.environ, "TUNLOAD_BPFFS": self.bpffs}, check=False,
            **kwargs)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(stderr, done.stderr), done.stderr
        self.check_calls(unit)
        return done.stdout

    def calls(self):
        """(name, line) of every system call since tunload's execve()."""
        with open(self.trace, encoding="utf-8") as f:
            lines = f.read().splitlines()
        last = max(i for i, l in enumerate(lines)
                   if "execve(" in l and "tunload" in l and l.endswith("= 0"))
        for line in lines[last:]:
            match = re.match(r"\d+ +(\w+)\(", line)
            if match:
                yield match.group(1), line

    def check_calls(self, unit):
        """Checks that the unit allows all system calls of the last command."""
        calls, = self.installed.lines(unit, "SystemCallFilter")
        allowed = allowed_calls(calls.split())
        families, = self.installed.lines(unit, "RestrictAddressFamilies")
        for name, line in self.calls():
            assert name in allowed, line
            if name == "socket":
                family = re.search(r"\((\w+)", line).group(1)
                assert family in families.split(), line


@pytest.fixture(name="service")
def make_service(installed, lab, tmp_path):
    """A Service on one of two hosts, with a configuration installed."""
    ns, other = lab.netns("unit"), lab.netns("peer")
    lab.veth(ns, "eth0", other, "eth0")
    ns.addr("eth0", "192.0.2.1/24")
    ns.addr("lo", "172.22.2.2/32")
    other.addr("eth0", "192.0.2.2/24")
    (installed.root / "etc/tunload/eth0.conf").write_text(
        CONF, encoding="utf-8")
    bpffs = Bpffs()
    yield Service(installed, ns, bpffs.path, tmp_path / "trace")
    bpffs.close()


def test_the_commands_run_with_what_the_units_leave_them(service):
    root = service.installed.root
    out = service.run(SERVICE, "ExecStart")
    assert "eth0: attached" in out and "1 peer" in out
    assert "proto 94" in service.ns.ip("-N", "route").stdout
    service.run(TRIGGER, "ExecStart")
    out = service.run(METRICS, "ExecStart",
                      input="GET /metrics HTTP/1.1\r\n\r\n")
    assert out.startswith("HTTP/1.1 200 OK\n")
    assert 'tunload_peer_up{interface="eth0",peer="tokyo"} 0\n' in out
    (root / "etc/tunload/eth0.conf").write_text(
        CONF.replace("10.10.0.0/24", "10.20.0.0/24"), encoding="utf-8")
    service.run(SERVICE, "ExecReload")
    assert "10.20.0.0/24" in service.ns.ip("route").stdout
    assert "10.10.0.0/24" not in service.ns.ip("route").stdout
    service.run(SERVICE, "ExecStop")
    assert "10.20.0.0/24" not in service.ns.ip("route").stdout
    assert not os.path.exists(f"{service.bpffs}/tunload/eth0")


def test_the_watch_runs_with_what_its_unit_leaves_it(service):
    """It mends, asks, and ends by the command that it runs itself."""
    (service.installed.root / "etc/tunload/eth0.conf").write_text(
        CONF + "keepalive = 1\n", encoding="utf-8")
    service.run(SERVICE, "ExecStart")
    service.ns.ip("route", "del", "10.10.0.0/24")
    service.run(WATCH, "ExecStart", "--exec", "kill $PPID", stderr=(
        "tunload: eth0: watching 1 peer\n"
        "tunload: eth0: mended: put 1 routes or addresses right\n"
        "tunload: eth0: tokyo: silent: .*\n"))
    assert "10.10.0.0/24" in service.ns.ip("route").stdout
    service.run(SERVICE, "ExecStop")
