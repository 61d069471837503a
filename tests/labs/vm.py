# SPDX-License-Identifier: GPL-2.0-only
"""Debian kernels under QEMU without KVM, some seconds from start to power-off.

The kernel is downloaded by apt, not installed, and kept in debs.CACHE. The
machine has this host's root file system, read-only by virtiofs, under an
overlay in its memory: all programs, the tree and the build are in the same
places. One directory is shared for writing too: files that a test leaves there
stay. A machine of another architecture has its own root file system
(rootfs.py), and the directories of this host that are given to it."""
import functools
import glob
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from debs import BOOKWORM, Apt, NoKernel, cached
from netns import PATIENCE, run, scratch, wait_until

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"

# The kernel lines, of each of which the newest kernel is used, and the Debian
# suites to search. The first is too old, the second is the oldest supported
# one.
BACKPORTS = ["trixie-backports"]
SUITES = {"5.10": ["bullseye"], "6.1": BOOKWORM, "6.12": BOOKWORM,
          "6.18": BACKPORTS, "7": BACKPORTS}
TOO_OLD, *KERNELS = SUITES

MEMORY = "1G"
SLOWER = 6  # times, than its host, at most
QEMU = ["-nodefaults", "-serial", "stdio", "-display", "none", "-accel",
        "tcg,thread=multi", "-no-reboot"]
# With ERMS, `rep stosb` of Linux 6.1 would count by the byte.
COUNTED = [word.replace("thread=multi", "thread=single") for word in QEMU] + [
    "-cpu", "max,-erms", "-icount", "shift=0,sleep=off"]
# The emulator of an architecture, and its console. Python runs half as fast
# again on an emulated cortex-a72 as on max, for which QEMU computes pointer
# authentication.
MACHINES = {
    "amd64": (["qemu-system-x86_64", "-M", "q35", "-cpu", "max"], "ttyS0"),
    "arm64": (["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72"],
              "ttyAMA0"),
}
# Avoids what is slow on an emulated processor: clearing memory twice, and
# random program addresses, for which QEMU translates code again.
QUICK = "mitigations=off init_on_alloc=0 nokaslr norandmaps"
UNPACK = {".ko": ["cat"], ".xz": ["xz", "-dc"], ".zst": ["zstd", "-dcq"]}

# The modules that are needed to mount the root file system.
ROOT_MODULES = ["virtio_pci", "virtiofs", "overlay"]

INIT = """#!/bin/busybox sh
bb=/bin/busybox
$bb mkdir -p /proc /lower /memory /root
$bb mount -t proc none /proc
while read -r module; do $bb insmod $module; done </modules
$bb mount -t virtiofs -o ro root /lower
$bb mount -t tmpfs none /memory
$bb mkdir /memory/upper /memory/work
$bb mount -t overlay -o \
lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work none /root
cd /root
$bb mount -t proc none proc
$bb mount -t sysfs none sys
$bb mount -t devtmpfs none dev
$bb mount -t tmpfs none run
$bb mkdir -p run/netns run/share lib/modules
{mounts}
$bb mount --bind .{image}/lib/modules lib/modules
$bb mount -t virtiofs share run/share
exec $bb switch_root /root /bin/bash run/share/.init
"""

# The second half of init, on the root file system.
SECOND = f"""\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export TUNLOAD_TEST_PATIENCE={SLOWER * PATIENCE}
cd /run/share || exit
uname -r >release
bash ./script </dev/null >output 2>&1
echo $? >status
sync
echo o >/proc/sysrq-trigger
sleep 100
"""


def once(function):
    """Caches what a function returns or raises for its arguments, so that the
    next row of a table does not repeat a failure."""
    @functools.cache
    def outcome(*args):
        try:
            return function(*args), None
        except Exception as error:  # pylint: disable=broad-except
            return None, error

    @functools.wraps(function)
    def cached_outcome(*args):
        value, error = outcome(*args)
        if error:
            raise error
        return value
    return cached_outcome


def newest(apt, line):
    """The newest version of a line of kernels: 6.1 -> 6.1.0-56-cloud-amd64."""
    found = apt.names(rf"^linux-image-{re.escape(line)}\.[0-9].*-cloud-[a-z0-9]+$")
    versions = {n.removeprefix("linux-image-") for n in found
                if not n.endswith("-dbg")}
    if not versions:
        raise NoKernel(f"apt has no linux-image-{line}.*-cloud")
    return max(versions, key=lambda v: [int(n) for n in re.findall(r"\d+", v)])


@once
def kernel(line, arch="amd64"):
    """The directory of the unpacked newest kernel of a line."""
    return cached(f"{line}-{arch}", lambda path: unpack(line, arch, path))


def unpack(line, arch, root):
    """Downloads the newest kernel of a line."""
    apt = Apt(arch, SUITES[line])
    apt.get("update")
    version = newest(apt, line)
    # Newer releases split the image into several packages.
    names = apt.names(f"^linux-(image|binary|modules|base)-{re.escape(version)}$")
    apt.download(names, root)
    if os.path.isdir(os.path.join(root, "usr/lib/modules")):
        os.makedirs(os.path.join(root, "lib"), exist_ok=True)
        os.rename(os.path.join(root, "usr/lib/modules"),
                  os.path.join(root, "lib/modules"))
    run("depmod", "-b", root, version)


def release(image):
    """The kernel's release, as in uname -r."""
    version, = os.listdir(os.path.join(image, "lib/modules"))
    return version


def vmlinuz(image):
    """The kernel image, in /boot or, in newer releases, beside its modules."""
    found, = glob.glob(f"{image}/boot/vmlinuz-*") or \
        glob.glob(f"{image}/lib/modules/*/vmlinuz")
    return found


def initramfs(image, path, modules, root_dir="/", trees=()):
    """Makes an initramfs that mounts the root file system. `modules` are
    further modules, which the kernel cannot load by itself later."""
    mounts = "\n".join(f"$bb mkdir -p .{tree}; $bb mount -t virtiofs -o ro "
                       f"{tag} .{tree}" for tag, tree in trees)
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "bin"))
        shutil.copy(os.path.join(root_dir, "bin/busybox"),
                    os.path.join(root, "bin/busybox"))
        names = insert_modules(image, root, ROOT_MODULES + list(modules))
        for name, text, mode in (
                ("init", INIT.format(image=image, mounts=mounts), 0o755),
                ("modules", "".join(f"{n}\n" for n in names), 0o644)):
            with open(os.path.join(root, name), "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(os.path.join(root, name), mode)
        run("bash", "-c", f"find . | cpio -o -H newc --quiet >{path}",
            cwd=root)


def insert_modules(image, root, modules):
    """Copies modules and what they depend on, decompressed; returns the names
    in the order of insertion."""
    names = []
    for module in modules:
        out = run("modprobe", "-d", image, "-S", release(image),
                  "--show-depends", module).stdout
        for path in re.findall(r"^insmod (\S+)", out, re.M):
            name, packed = os.path.splitext(os.path.basename(path))
            if packed == ".ko":
                name += packed
            if name not in names:
                names.append(name)
                with open(os.path.join(root, name), "wb") as f:
                    subprocess.run([*UNPACK[packed], path], stdout=f,
                                   check=True)
    return names


class Machine:
    """A machine that is running, or has run."""

    def __init__(self, image, script, share, modules=(), devices=(),
                 append="", arch="amd64", root="/", show=(), netns=None,
                 init=SECOND, counted=False):
        """Starts a bash script as root of a machine with that kernel. Its
        directory is `share` (/run/share there); `devices` are more arguments
        for QEMU, which runs in `netns` if that is given, `append` of the
        kernel. With another root file system than ours, it sees in the same
        place, to read, the directories `show`. `init` is what bash runs as its
        first process; it writes the release and, in the end, the status.
        counted: each instruction takes a nanosecond of the machine's clock."""
        emulator, console_name = MACHINES[arch]
        self.share, self.processes = share, []
        self.release = release(image)
        for name in "release", "status", "output":  # of an earlier machine
            pathlib.Path(share, name).unlink(missing_ok=True)
        for name, text in (".init", init), ("script", script):
            with open(os.path.join(share, name), "w", encoding="utf-8") as f:
                f.write(text)
        initrd = os.path.join(share, ".initrd")
        trees = [(f"tree{i}", path) for i, path in
                 enumerate([image, *show] if root != "/" else [])]
        initramfs(image, initrd, modules, root, trees)
        served = [("share", share, "auto"), ("root", root, "always"),
                  *((*tree, "always") for tree in trees)]
        qemu = [*emulator, *(COUNTED if counted else QEMU), "-m", MEMORY,
                "-kernel", vmlinuz(image), "-initrd", initrd,
                *self._shared_memory(tag for tag, _, _ in served),
                *devices, "-append", f"console={console_name} {QUICK} "
                f"panic=-1 quiet {append}"]
        try:
            for one in served:
                self._serve(*one)
            self.qemu = self._start("console", netns.argv(*qemu) if netns
                                    else qemu)
        except BaseException:
            self.stop()
            raise

    def _start(self, name, argv):
        """Starts a process that ends with this one at the latest; its output
        goes to a hidden file of the shared directory."""
        with open(os.path.join(self.share, f".{name}"), "wb") as log:
            self.processes.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv],
                stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT))
        return self.processes[-1]

    def _socket(self, tag):
        return os.path.join(self.share, f".{tag}.socket")

    def _serve(self, tag, directory, cache):
        """Starts the daemon of one virtiofs, which ends with the machine. With
        cache=always, for files that do not change meanwhile, a machine is
        twice as fast: it does not ask the daemon at each open()."""
        daemon = self._start(f"{tag}.log", [
            VIRTIOFSD, f"--socket-path={self._socket(tag)}", "-f", "-o",
            f"source={directory},sandbox=chroot,log_level=warn,"
            f"cache={cache},no_posix_lock,no_flock"])
        wait_until(lambda: os.path.exists(self._socket(tag)) or
                   daemon.poll() is not None, "virtiofsd")
        assert daemon.poll() is None, self.read(f".{tag}.log")

    def _shared_memory(self, tags):
        """QEMU arguments: memory shared with the daemons, and the file
        systems."""
        args = ["-object", f"memory-backend-memfd,id=mem,size={MEMORY},share=on",
                "-machine", "memory-backend=mem"]
        for tag in tags:
            args += ["-chardev", f"socket,id={tag},path={self._socket(tag)}",
                     "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]
        return args

    def wait(self, timeout):
        """Waits for the script's end, so many seconds times PATIENCE; returns
        its exit status and what it printed. A machine that hangs, or crashes,
        or runs another kernel, is an error."""
        try:
            self.qemu.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        self.stop()
        status = self.read("status")
        output = self.read("output") or ""
        assert status, (f"{self.release} did not finish in {timeout} s:\n"
                        f"{output[-3000:]}\n{self.read('.console')[-3000:]}")
        assert self.read("release") == f"{self.release}\n"
        return int(status), output

    def ended(self):
        """True if the machine has ended or crashed."""
        return self.qemu.poll() is not None

    def read(self, name):
        """A file of the shared directory, None if there is none."""
        try:
            with open(os.path.join(self.share, name), encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def stop(self):
        """Ends all its processes."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait()


def boot(image, script, timeout=120, **options):
    """Runs a script on a kernel to its end: exit status and output."""
    with scratch("vm") as share:
        return Machine(image, script, share, **options).wait(timeout)
