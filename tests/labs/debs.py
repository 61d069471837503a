# SPDX-License-Identifier: GPL-2.0-only
"""Downloads Debian packages and unpacks them, without installing."""
import fcntl
import glob
import os
import shutil
import subprocess
import tempfile
import time
import warnings

from netns import run

CACHE = "/var/cache/tunload-kernels"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org"
BOOKWORM = "bookworm", "bookworm-security"
WEEK = 7 * 86400  # seconds


class NoKernel(Exception):
    """A package is not available here; the text says why."""


class Apt:
    """apt for an architecture and some suites, with its own sources and lists,
    apart from the host's."""

    def __init__(self, arch, suites=BOOKWORM):
        self.root = os.path.join(CACHE, f"apt-{arch}-{'+'.join(suites)}")
        for name in "lists/partial", "cache/archives/partial":
            os.makedirs(os.path.join(self.root, name), exist_ok=True)
        sources = os.path.join(self.root, "sources.list")
        with open(sources, "w", encoding="ascii") as f:
            f.writelines(source(suite) for suite in suites)
        self.options = []
        for option in (f"Dir::Etc::sourcelist={sources}",
                       "Dir::Etc::sourceparts=/dev/null",
                       f"Dir::State::Lists={self.root}/lists",
                       f"Dir::Cache={self.root}/cache",
                       "Dir::State::status=/dev/null",
                       "APT::Sandbox::User=root",
                       "APT::Update::Error-Mode=any",
                       "Acquire::http::Timeout=30",
                       f"APT::Architecture={arch}",
                       f"APT::Architectures={arch}"):
            self.options += ["-o", option]

    def get(self, *args, **kwargs):
        """apt-get; NoKernel if that fails, or hangs."""
        try:
            done = run("apt-get", *self.options, "-qq", *args, check=False,
                       timeout=600, **kwargs)
        except subprocess.TimeoutExpired as hangs:
            raise NoKernel(f"apt-get: {hangs}") from hangs
        if done.returncode:
            raise NoKernel(f"apt-get: {done.stderr.strip()}")

    def names(self, pattern):
        """The names of packages that match."""
        out = run("apt-cache", *self.options, "search", "--names-only",
                  pattern).stdout
        return [line.split()[0] for line in out.splitlines()]

    def download(self, names, to):
        """Fetches packages and unpacks them into a directory."""
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            self.get("download", *names, cwd=work)
            for deb in os.listdir(work):
                run("dpkg", "-x", os.path.join(work, deb), to)


def source(suite):
    """The suite's line of sources.list."""
    archive = "debian-security" if suite.endswith("-security") else "debian"
    return f"deb [signed-by={KEYRING}] {MIRROR}/{archive} {suite} main\n"


def cached(name, make):
    """A directory in CACHE that make(path) fills. An existing one is used for
    a week, and longer, with a warning, if a newer one is not available."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for killed in glob.glob(os.path.join(CACHE, "tmp*")):
            shutil.rmtree(killed)
        path = os.path.join(CACHE, name)
        if os.path.isdir(path) and time.time() - os.stat(path).st_mtime < WEEK:
            return path
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            new = os.path.join(work, "root")
            try:
                make(new)
            except NoKernel as reason:
                if os.path.isdir(path):
                    warnings.warn(f"{name} is over a week old: {reason}")
                    return path
                raise
            if os.path.isdir(path):
                os.rename(path, os.path.join(work, "old"))
            os.rename(new, path)
        os.utime(path)
        return path
