# SPDX-License-Identifier: GPL-2.0-only
"""make install and uninstall into a directory."""
import os

import pytest

from lab import REPO, run

SCRIPT = "usr/share/bash-completion/completions/tunload"
ZSH_SCRIPT = "usr/share/zsh/site-functions/_tunload"
UNITS = "usr/lib/systemd/system"
WANTED = {
    "usr/sbin/tunload": 0o755,
    "usr/share/man/man8/tunload.8": 0o644,
    "usr/share/man/man5/tunload.conf.5": 0o644,
    "usr/share/doc/tunload/README.md": 0o644,
    "usr/share/doc/tunload/COPYING": 0o644,
    "usr/share/doc/tunload/news.md": 0o644,
    "usr/share/doc/tunload/fleet.md": 0o644,
    **{f"usr/share/doc/tunload/examples/fleet/{name}": 0o644
       for name in os.listdir(os.path.join(REPO, "dist", "examples", "fleet"))},
    "usr/share/doc/tunload/example.conf": 0o644,
    "usr/share/doc/tunload/grafana.json": 0o644,
    **{f"usr/share/doc/tunload/schema/{name}": 0o644
       for name in os.listdir(os.path.join(REPO, "docs", "schema"))},
    SCRIPT: 0o644,
    ZSH_SCRIPT: 0o644,
    f"{UNITS}/tunload@.service": 0o644,
    f"{UNITS}/tunload-trigger@.service": 0o644,
    f"{UNITS}/tunload-trigger@.timer": 0o644,
    f"{UNITS}/tunload-watch@.service": 0o644,
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
