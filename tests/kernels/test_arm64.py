# SPDX-License-Identifier: GPL-2.0-only
"""aarch64: the tree is cross-compiled against a Debian root file system. The
unit tests run under qemu-user; the object, the packet cases and the tunnels on
Debian's arm64 kernels, in one machine for all tests of a kernel."""
import collections
import fcntl
import glob
import os
import re

import pytest

import vm
from guest import PORT_MODULES, SERVE, port, run_packets
from lab import REPO, run
from rootfs import rootfs
from test_floor import CLANGS, SCRIPT, build_objects

DEBIAN = {"aarch64": "arm64"}
TRIPLET = "aarch64-linux-gnu"
BUILD = "build/arm64"
SOURCES = sorted(glob.glob(os.path.join(REPO, "tests/unit/test_*.c")))

BEFORE = f"""
uname -m
echo "JIT: $(cat /proc/sys/net/core/bpf_jit_enable)"
cp /sys/kernel/btf/vmlinux btf
tunload={REPO}/{BUILD}/tunload
"""

# Flags in vmlinux.h that Linux 6.1 does not have yet.
NEW_FLAGS = ["BPF_F_ADJ_ROOM_DECAP_L3_IPV4", "BPF_F_ADJ_ROOM_DECAP_L3_IPV6"]

Told = collections.namedtuple("Told", "release packets console btf")


def on_kernels(*cell):
    """A decorator that runs a test on each kernel. cell: section and row of the
    table."""
    def marks(line):
        yield pytest.mark.xdist_group(f"arm64-{line}")
        if cell:
            yield pytest.mark.feature(*cell)

    kernels = [pytest.param(line, marks=list(marks(line)))
               for line in vm.KERNELS]

    def decorated(test):
        for name, values in ("arch", ["aarch64"]), ("kernel", kernels):
            test = pytest.mark.parametrize(name, values, indirect=True)(test)
        return test
    return decorated


@pytest.fixture(name="kernel", scope="module")
def fixture_kernel(request):
    """The kernel; as a fixture, it lets pytest group the tests by kernel."""
    return request.param


@pytest.fixture(name="arch", scope="module")
def fixture_arch(request):
    """The architecture, a fixture for the same reason."""
    return request.param


def build(root, *targets):
    """Cross-compiles the targets, in one process at a time."""
    libs = os.path.join(root, "usr/lib", TRIPLET)
    os.makedirs(os.path.join(REPO, BUILD), exist_ok=True)
    with open(os.path.join(REPO, BUILD, "lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        run("make", "-s", "-C", REPO, f"B={BUILD}", "HOSTCC=gcc",
            f"CC={TRIPLET}-gcc --sysroot={root}", *targets, timeout=300,
            env={**os.environ, "PKG_CONFIG_SYSROOT_DIR": root,
                 "PKG_CONFIG_LIBDIR": f"{libs}/pkgconfig"})


@pytest.fixture(name="root", scope="module")
def fixture_root():
    """The root file system of Debian's arm64."""
    try:
        return rootfs("arm64")
    except vm.NoKernel as reason:
        pytest.skip(f"no root file system: {reason}")


@pytest.fixture(name="told", scope="module")
def fixture_told(kernel, arch, root, tmp_path_factory):
    """The Told of a machine with the kernel: its packet results and console."""
    try:
        image = vm.kernel(kernel, DEBIAN[arch])
    except vm.NoKernel as reason:
        pytest.skip(f"no kernel to boot: {reason}")
    build(root, "all")
    share = tmp_path_factory.mktemp("arm64")
    build_objects(share)
    socket = share / "runner"
    serve = SERVE.format(f"{REPO}/{BUILD}/tunload.bpf.o")
    machine = vm.Machine(
        image, BEFORE + serve + SCRIPT, share, arch=DEBIAN[arch], root=root,
        show=[REPO], modules=PORT_MODULES, devices=port(socket))
    try:
        # About twenty a second, on two cores with nothing else to do.
        packets = run_packets(machine, socket, timeout=1800)
        console = machine.wait(600)[1]
    finally:
        machine.stop()
    return Told(machine.release, packets, console, share / "btf")


@pytest.mark.feature("Unit tests", "under qemu-user, with sanitizers")
@pytest.mark.xdist_group("arm64-unit")
@pytest.mark.parametrize("kernel, arch", [("any kernel", "aarch64")])
@pytest.mark.parametrize("source", SOURCES, ids=os.path.basename)
def test_unit(root, source, kernel, arch):
    """The unit tests pass with the address and undefined behaviour sanitizers.
    The leak sanitizer needs ptrace(2), which qemu-user does not have."""
    del kernel, arch  # only for the table
    program = f"{BUILD}/tests/{os.path.basename(source)[:-2]}"
    build(root, program)
    with open(source, encoding="utf-8") as f:
        tests = len(re.findall(r"\bcmocka_unit_test(?:_\w+)?\(", f.read()))
    done = run("qemu-aarch64", "-L", root, os.path.join(REPO, program),
               env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert f"[  PASSED  ] {tests} test(s)." in done.stdout + done.stderr


@on_kernels("Packets", "every case, byte for byte; random ones")
def test_packets(told, record_property):
    record_property("release", told.release)
    told.packets.check_all(record_property)


@on_kernels()
def test_it_is_what_it_says(told, kernel, arch):
    assert told.release.startswith(kernel)
    assert f"{arch}\nJIT: 1\n" in told.console, told.console


@on_kernels()
def test_vmlinux_h_agrees_with_the_kernel(told, kernel):
    done = run(os.path.join(REPO, "scripts/check-vmlinux"), check=False,
               env={**os.environ, "BTF": str(told.btf)})
    assert "structs" in done.stdout, done.stderr
    assert re.findall(r": (\w+) is .*, in the kernel", done.stderr) == (
        NEW_FLAGS if kernel == "6.1" else [])
    assert done.stderr.count("\n") == (2 if kernel == "6.1" else 0)


@on_kernels("The verifier", "the objects of all compilers load")
@pytest.mark.parametrize("clang", CLANGS)
def test_object_loads(told, clang):
    assert f"{clang} loads" in told.console, told.console


def check_tunnels(told, mode):
    """Asserts that pings passed through all four kinds of tunnels."""
    for outer in "192.0.2.", "2001:db8::":
        for to in "10.10.0.1", "fd00:10::1":
            for size in 56, 4000:
                line = f"{outer} {mode} {to} {size} passes"
                assert line in told.console, told.console


@on_kernels("Attaching", "pings through all four tunnels, native XDP on veth")
def test_tunnels_by_native_xdp(told):
    check_tunnels(told, "native")
    assert "native XDP (driver veth takes native XDP)" in told.console


@on_kernels("Attaching", "pings through all four tunnels, tc on veth")
def test_tunnels_by_tc(told, record_property):
    """The hook is TCX, which came with Linux 6.6, else clsact."""
    check_tunnels(told, "tc")
    version = tuple(int(n) for n in told.release.split(".")[:2])
    hook = "tcx" if version >= (6, 6) else "clsact"
    record_property("note", f"({hook})")
    assert len(re.findall(rf"(?:by|\+) {hook}", told.console)) == 4, \
        told.console
    assert told.console.count("qdisc clsact") == 4 * (hook == "clsact")


@on_kernels()
def test_with_the_capabilities_of_the_unit(told):
    assert "unit attaches" in told.console, told.console


@on_kernels()
def test_nothing_is_left(told):
    assert "not found" not in told.console, told.console
    assert told.console.count("eth0: detached") == 9, told.console
    assert told.console.count("nothing left\n") == 5, told.console
