# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages that are unpacked, not installed."""
import os
import tempfile

from netns import run

CACHE = "/var/cache/tunload-kernels"
SOURCES = """\
deb [signed-by={keyring}] {mirror}/debian bullseye main
deb [signed-by={keyring}] {mirror}/debian bookworm main
deb [signed-by={keyring}] {mirror}/debian-security bookworm-security main
deb [signed-by={keyring}] {mirror}/debian trixie-backports main
"""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org"


class NoKernel(Exception):
    """It cannot be had here; says why."""


class Apt:
    """apt with sources and lists of its own, which the host's do not see."""

    def __init__(self, arch):
        self.root = os.path.join(CACHE, f"apt-{arch}")
        for name in "lists/partial", "cache/archives/partial":
            os.makedirs(os.path.join(self.root, name), exist_ok=True)
        sources = os.path.join(self.root, "sources.list")
        with open(sources, "w", encoding="ascii") as f:
            f.write(SOURCES.format(keyring=KEYRING, mirror=MIRROR))
        self.options = []
        for option in (f"Dir::Etc::sourcelist={sources}",
                       "Dir::Etc::sourceparts=/dev/null",
                       f"Dir::State::Lists={self.root}/lists",
                       f"Dir::Cache={self.root}/cache",
                       "Dir::State::status=/dev/null",
                       "APT::Sandbox::User=root",
                       f"APT::Architecture={arch}",
                       f"APT::Architectures={arch}"):
            self.options += ["-o", option]

    def update(self):
        """Reads the lists again."""
        done = run("apt-get", *self.options, "-qq", "update", check=False,
                   timeout=300)
        if done.returncode:
            raise NoKernel(f"apt-get update: {done.stderr.strip()}")

    def names(self, pattern):
        """The names of packages that match."""
        out = run("apt-cache", *self.options, "search", "--names-only",
                  pattern).stdout
        return [line.split()[0] for line in out.splitlines()]

    def download(self, names, to):
        """Fetches packages and unpacks them into a directory."""
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            done = run("apt-get", *self.options, "-qq", "download", *names,
                       cwd=work, check=False, timeout=600)
            debs = sorted(f for f in os.listdir(work) if f.endswith(".deb"))
            if done.returncode or len(debs) != len(names):
                raise NoKernel(f"apt-get download {' '.join(names)}: "
                               f"{done.stderr.strip()}")
            for deb in debs:
                run("dpkg", "-x", os.path.join(work, deb), to)
