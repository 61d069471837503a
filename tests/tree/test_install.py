# SPDX-License-Identifier: GPL-2.0-only
"""make install and uninstall into a directory, and the shell completion."""
import os
import re

import pytest

from completion import complete
from lab import REPO, run

SCRIPT = "usr/share/bash-completion/completions/tunload"
UNITS = "usr/lib/systemd/system"
WANTED = {
    "usr/sbin/tunload": 0o755,
    "usr/share/man/man8/tunload.8": 0o644,
    "usr/share/man/man5/tunload.conf.5": 0o644,
    "usr/share/doc/tunload/README.md": 0o644,
    "usr/share/doc/tunload/COPYING": 0o644,
    "usr/share/doc/tunload/example.conf": 0o644,
    "usr/share/doc/tunload/grafana.json": 0o644,
    **{f"usr/share/doc/tunload/schema/{name}": 0o644
       for name in os.listdir(os.path.join(REPO, "docs", "schema"))},
    SCRIPT: 0o644,
    f"{UNITS}/tunload@.service": 0o644,
    f"{UNITS}/tunload-trigger@.service": 0o644,
    f"{UNITS}/tunload-trigger@.timer": 0o644,
    f"{UNITS}/tunload-metrics.socket": 0o644,
    f"{UNITS}/tunload-metrics@.service": 0o644,
}


def make(goal, root, build):
    """Runs make GOAL with DESTDIR=root and a build directory of its own."""
    return run("make", "-s", "-j2", "-C", REPO, goal, f"B={build}",
               f"DESTDIR={root}", "PREFIX=/usr", timeout=300)


def files(root):
    """{relative path: mode} of every file below root."""
    return {os.path.relpath(os.path.join(d, f), root):
            os.stat(os.path.join(d, f)).st_mode & 0o777
            for d, _, names in os.walk(root) for f in names}


@pytest.fixture(scope="module", name="installed")
def install_once(tmp_path_factory):
    """(root, build directory) after make install."""
    root = tmp_path_factory.mktemp("root")
    build = tmp_path_factory.mktemp("build")
    make("install", root, build)
    return root, build


def test_install_puts_every_file(installed):
    root, _ = installed
    assert files(root) == WANTED
    assert (root / "etc/tunload").is_dir()


def test_installed_program_runs_and_unit_has_its_path(installed):
    root, _ = installed
    with open(os.path.join(REPO, "VERSION"), encoding="utf-8") as f:
        version = f.read().strip()
    assert version in run(root / "usr/sbin/tunload", "version").stdout
    unit = (root / UNITS / "tunload@.service").read_text(encoding="utf-8")
    assert "ExecStart=/usr/sbin/tunload attach %i" in unit
    assert "@SBINDIR@" not in unit and "/etc/tunload/eth0.conf" in unit


def test_uninstall_leaves_configurations_alone(installed, tmp_path):
    _, build = installed
    make("install", tmp_path, build)
    conf = tmp_path / "etc/tunload/eth0.conf"
    conf.write_text("", encoding="utf-8")
    make("uninstall", tmp_path, build)
    assert set(files(tmp_path)) == {"etc/tunload/eth0.conf"}
    conf.unlink()
    make("uninstall", tmp_path, build)
    assert not (tmp_path / "etc/tunload").exists()


@pytest.mark.parametrize("words, wanted", [
    (("tunload", "a"), ["attach"]),
    (("tunload", "de"), ["detach"]),
    (("tunload", "attach", "l"), ["lo"]),
    (("tunload", "check", "l"), ["lo"]),
    (("tunload", "attach", "lo", "--mode", ""), ["auto", "native", "tc"]),
    (("tunload", "--bpffs", "/tmp", "tr"), ["trigger"]),
    (("tunload", "trigger", "eth0", "--w"), ["--wait"]),
    (("tunload", "metrics", "-o", "/etc/hostn"), ["/etc/hostname"]),
    (("tunload", "peer", ""), ["list", "add", "set", "del"]),
    (("tunload", "peer", "add", "eth0", "x", "all"), ["allowed-ips"]),
    (("tunload", "peer", "set", "eth0", "x", "guard", ""),
     ["yes", "no", "auto"]),
    (("tunload", "peer", "set", "eth0", "x", "guard", "no", "tt"), ["ttl"]),
])
def test_completion(installed, words, wanted):
    assert complete(installed[0] / SCRIPT, *words) == wanted


def test_completion_knows_every_command(installed):
    with open(os.path.join(REPO, "loader", "cmd", "cmd.h"),
              encoding="utf-8") as f:
        words = re.findall(r"^\tX\((\w+)\)", f.read(), re.M)
    commands = [word.replace("_", "-") for word in words]
    script = installed[0] / SCRIPT
    assert len(commands) > 9
    assert set(commands) <= set(complete(script, "tunload", ""))
    assert set(commands) <= set(complete(script, "tunload", "help", ""))


def test_completion_knows_the_options(installed):
    script = installed[0] / SCRIPT
    assert set(complete(script, "tunload", "attach", "eth0", "-")) == {
        "-c", "--config", "--mode", "--no-routes", "--no-trigger",
        "--dry-run"}
    assert set(complete(script, "tunload", "peer", "list", "-")) == {"--json"}
    assert set(complete(script, "tunload", "status", "eth0", "-")) == {
        "-v", "--verbose", "--watch", "--json"}
