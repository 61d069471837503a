# SPDX-License-Identifier: GPL-2.0-only
"""A Debian root file system of its own: what a machine of vm.py of another
architecture runs, and what the compiler and the emulator of single programs see
(a sysroot); and what a machine boots by systemd. Its packages are unpacked, not
installed: their scripts do not run."""
import glob
import os
import tempfile
import zlib

from debs import CACHE, Apt, cached
from netns import run

# What scripts run in a machine, what the tree is built with, and the run time
# of the sanitizers.
PACKAGES = """
    base-files usr-is-merged busybox-static bash coreutils grep sed util-linux
    mount procps kmod iproute2 iputils-ping bpftool python3
    libc6-dev libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjansson-dev
    libcmocka-dev libasan8 libubsan1
"""


def rootfs(arch, packages=PACKAGES):
    """The directory that holds it."""
    version = zlib.crc32(packages.encode())
    return cached(f"root-{arch}-{version:08x}",
                  lambda path: make(arch, packages, path))


def make(arch, packages, path):
    """Downloads and unpacks it. apt knows what else the packages need."""
    apt = Apt(arch)
    apt.get("update")
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        os.mkdir(os.path.join(work, "partial"))
        apt.get("-o", f"Dir::Cache::archives={work}", "-y",
                "--no-install-recommends", "--download-only", "install",
                *packages.split())
        unpack(glob.glob(os.path.join(work, "*.deb")), path)
    # Python in an emulated machine would do it at every start, for long.
    run("/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode",
        "unchecked-hash", *glob.glob(os.path.join(path, "usr/lib/python3*")),
        check=False, timeout=300)


def unpack(debs, path):
    """Into merged directories, as these packages expect them."""
    for name in "bin", "sbin", "lib":
        os.makedirs(os.path.join(path, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(path, name))
    for deb in debs:
        run("bash", "-c", 'set -o pipefail; dpkg --fsys-tarfile "$1" | '
            'tar -x --keep-directory-symlink -C "$2"', "-", deb, path)
