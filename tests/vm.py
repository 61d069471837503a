# SPDX-License-Identifier: GPL-2.0-only
"""A Debian kernel under QEMU without KVM: a few seconds from start to power-off.
The kernel comes from apt and is not installed; it is kept in CACHE."""
import os
import re
import shutil
import subprocess
import tempfile

from netns import run

CACHE = "/var/cache/tunload-kernels"

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /bb /proc /sys /dev /tmp /run/netns
/bin/busybox --install -s /bb
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/bb
/bb/mount -t proc none /proc; /bb/mount -t sysfs none /sys
/bb/mount -t devtmpfs none /dev; /bb/mount -t tmpfs none /tmp
for module in /modules/*.ko; do /bb/insmod $module; done
/bin/dash /script
/bb/poweroff -f
"""


class NoKernel(Exception):
    """It cannot be had here; says why."""


def kernel(meta):
    """The directory of the unpacked image that a Debian meta package, e.g.
    linux-image-cloud-amd64, depends on."""
    out = run("apt-cache", "depends", meta, check=False).stdout
    names = re.findall(r"Depends: (linux-image-[\w.+-]+)", out)
    if not names:
        raise NoKernel(f"apt knows no {meta}")
    path = os.path.join(CACHE, names[0])
    if os.path.isdir(path):
        return path
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        done = run("apt-get", "download", names[0], cwd=work, check=False,
                   timeout=300)
        debs = [f for f in os.listdir(work) if f.endswith(".deb")]
        if done.returncode or not debs:
            raise NoKernel(f"apt cannot download {names[0]}")
        run("dpkg", "-x", os.path.join(work, debs[0]),
            os.path.join(work, "root"))
        os.rename(os.path.join(work, "root"), path)
    return path


def _copy(root, path):
    """A program with the libraries that ldd names, or a plain file."""
    out = run("ldd", path, check=False).stdout
    for name in [path, *re.findall(r"(/\S+)", out)]:
        to = root + name
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if not os.path.exists(to):
            shutil.copy(os.path.realpath(name), to)


def _modules(root, image, names):
    """The modules, decompressed, in the order in which they are named."""
    version, = os.listdir(os.path.join(image, "lib/modules"))
    top = os.path.join(image, "lib/modules", version)
    os.makedirs(os.path.join(root, "modules"))
    for n, name in enumerate(names):
        found = run("find", top, "-name", f"{name}.ko*").stdout.split()
        assert found, f"{version} has no module {name}"
        to = os.path.join(root, "modules", f"{n}.{os.path.basename(found[0])}")
        shutil.copy(found[0], to)
        if to.endswith(".xz"):
            run("xz", "-d", to)


def boot(image, script, programs, files=(), modules=(), timeout=120):
    """Runs a shell script as the only thing on that kernel; returns what it
    printed. programs and files are put where they are on this machine; a
    pair (path, where) goes elsewhere."""
    with tempfile.TemporaryDirectory() as work:
        root = os.path.join(work, "root")
        os.makedirs(root)
        # Not busybox as the shell: it would prefer its own ip and ping.
        for path in ["/bin/busybox", "/bin/dash", *programs]:
            _copy(root, path)
        for path, where in files:
            os.makedirs(os.path.dirname(root + where), exist_ok=True)
            shutil.copy(path, root + where)
        _modules(root, image, modules)
        for name, text in ("init", INIT), ("script", script):
            with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(os.path.join(root, name), 0o755)
        initrd = os.path.join(work, "initrd")
        subprocess.run(f"find . | cpio -o -H newc --quiet > {initrd}",
                       cwd=root, shell=True, check=True)
        boot_dir = os.path.join(image, "boot")
        vmlinuz, = [f for f in os.listdir(boot_dir) if f.startswith("vmlinuz")]
        return run("qemu-system-x86_64", "-M", "q35", "-nodefaults", "-serial",
                   "stdio", "-display", "none", "-accel", "tcg,thread=multi",
                   "-cpu", "max", "-smp", "1", "-m", "1024", "-no-reboot",
                   "-kernel", os.path.join(boot_dir, vmlinuz), "-initrd",
                   initrd, "-append", "console=ttyS0 panic=-1 quiet "
                   "mitigations=off nokaslr", timeout=timeout,
                   stdin=subprocess.DEVNULL).stdout.replace("\r", "")
