# SPDX-License-Identifier: GPL-2.0-only
"""Makes a Debian root file system, for a machine of vm.py of another
architecture, for the compiler and the emulator of single programs (a sysroot),
and for a machine that boots with systemd. Its packages are unpacked, not
installed: their scripts do not run."""
import glob
import os
import tempfile
import zlib

from debs import CACHE, MIRROR, Apt, NoKernel, cached
from netns import run

# Packages for scripts in a machine, for building the tree, and for running the
# sanitizers.
PACKAGES = """
    base-files usr-is-merged busybox-static bash coreutils grep sed util-linux
    mount procps kmod iproute2 iputils-ping bpftool python3
    libc6-dev libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjansson-dev
    libnftables-dev libc-ares-dev libcurl4-gnutls-dev libsystemd-dev
    libcmocka-dev libasan8 libubsan1
"""


def rootfs(arch, packages=PACKAGES):
    """The directory of the root file system."""
    version = zlib.crc32(packages.encode())
    return cached(f"root-{arch}-{version:08x}",
                  lambda path: make(arch, packages, path))


def make(arch, packages, path):
    """Downloads and unpacks the packages, and their dependencies by apt."""
    apt = Apt(arch)
    apt.get("update")
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        os.mkdir(os.path.join(work, "partial"))
        apt.get("-o", f"Dir::Cache::archives={work}", "-y",
                "--no-install-recommends", "--download-only", "install",
                *packages.split())
        unpack(glob.glob(os.path.join(work, "*.deb")), path)
    # Otherwise Python in an emulated machine compiles at every start, which
    # takes long.
    run("/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode",
        "unchecked-hash", *glob.glob(os.path.join(path, "usr/lib/python3*")),
        check=False, timeout=300)


def unpack(debs, path):
    """Unpacks into merged directories (/usr/bin, ...), as these packages
    expect."""
    for name in "bin", "sbin", "lib":
        os.makedirs(os.path.join(path, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(path, name))
    for deb in debs:
        run("bash", "-c", 'set -o pipefail; dpkg --fsys-tarfile "$1" | '
            'tar -x --keep-directory-symlink -C "$2"', "-", deb, path)


def bare_debian(packages):
    """The directory of a Debian 12 with these packages, installed."""
    version = zlib.crc32(" ".join(packages).encode())

    def fill(path):
        done = run("debootstrap", "--variant=minbase", "--include",
                   ",".join(packages), "bookworm", path, f"{MIRROR}/debian",
                   check=False, timeout=600)
        if done.returncode:
            raise NoKernel(f"debootstrap: {done.stdout[-500:]}")

    return cached(f"bare-{version:08x}", fill)


class Chroot:
    """A changeable copy of a root file system, in which commands run in a
    network namespace, with a bpffs of its own
    (which is named, as it vanishes with this mount namespace)."""

    def __init__(self, lower, ns, folder):
        self.ns, self.root = ns, f"{folder}/root"
        for name in "root", "tmpfs":
            os.mkdir(f"{folder}/{name}")
        run("mount", "-t", "tmpfs", "tmpfs", f"{folder}/tmpfs")
        for name in "upper", "work":
            os.mkdir(f"{folder}/tmpfs/{name}")
        run("mount", "-t", "overlay", "-o", f"lowerdir={lower},upperdir="
            f"{folder}/tmpfs/upper,workdir={folder}/tmpfs/work", "overlay",
            self.root)
        run("mount", "-t", "proc", "proc", f"{self.root}/proc")
        ns.run("mount", "-t", "sysfs", "sysfs", f"{self.root}/sys")
        run("mount", "-t", "bpf", "bpf", f"{self.root}/sys/fs/bpf")
        self.mounts = [self.root, f"{folder}/tmpfs"]

    def run(self, *argv, **kwargs):
        """run() in there."""
        return self.ns.run("chroot", self.root, "env", "-i", "LANG=C.UTF-8",
                           "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                           "TUNLOAD_BPFFS=/sys/fs/bpf", *argv, **kwargs)

    def files(self):
        """All paths but those of dpkg's own, of /proc and of /sys."""
        out = self.run("find", "/", "-xdev", "(", "-path", "/var/lib/dpkg",
                       "-o", "-path", "/var/log", ")", "-prune", "-o", "-print")
        return set(out.stdout.split("\n"))

    def close(self):
        """Removes the copy."""
        for path in self.mounts:
            run("umount", "-R", path)
