# SPDX-License-Identifier: GPL-2.0-only
"""Every hook, two drivers, and what users turn off, on every kernel: the tests
inside/attach.py and inside/settings.py, a row of the table each."""
import functools

import pytest

import vm
from guest import run_tests
from lab import TUNLOAD

ATTACH = "tests/kernels/inside/attach.py"
SETTINGS = "tests/kernels/inside/settings.py"
# Two network cards on one wire, and nothing else on it.
NICS = [arg for n in (1, 2) for arg in (
    "-netdev", f"hubport,id=n{n},hubid=0",
    "-device", f"virtio-net-pci,netdev=n{n},mac=02:00:00:00:00:0{n}")]

ROWS = {
    "native XDP on {}": "test_attach[{}-native]",
    "tc by clsact on {}": "test_attach[{}-tc-clsact]",
    "tc by TCX on {}": "test_attach[{}-tc-tcx]",
    "MTU 9000 on {}: native XDP or tc, and why": "test_jumbo_frames[{}]",
}
ROWS = {row.format(driver): test.format(driver)
        for driver in ("veth", "virtio_net") for row, test in ROWS.items()}
ROWS |= {f"kernel.unprivileged_bpf_disabled={n}, without CAP_SYS_ADMIN":
         f"test_capabilities[{n}]" for n in (0, 1, 2)}
ROWS |= {f"without CAP_{cap.upper()}: one clear line":
         f"test_missing_capability[{cap}]"
         for cap in ("bpf", "net_admin", "perfmon")}
ROWS |= {
    "bpffs not mounted: attach mounts it": "test_bpffs_is_mounted",
    "bpffs cannot be mounted: one clear line": "test_bpffs_cannot_be_mounted",
    "no BTF: one clear line": "test_no_btf",
}


def rows():
    """A parameter for each kernel and row."""
    for kernel in vm.KERNELS:
        for row, test in ROWS.items():
            if kernel != "6.1" or "TCX" not in row:
                yield pytest.param(kernel, test, id=f"{kernel}-{row}", marks=[
                    pytest.mark.feature("Attaching", row),
                    pytest.mark.xdist_group(f"attach {kernel}")])


@functools.lru_cache
def machine(image):
    """The Results of all of them on a kernel."""
    return run_tests(image, [ATTACH, SETTINGS, "-k", "'not lockdown'"],
                     devices=NICS, modules=["virtio_net"])


@pytest.mark.parametrize("kernel, test", rows())
def test_row(kernel, test, image, record_property):
    del kernel
    results = machine(image)
    if test in results.notes:
        record_property("note", results.notes[test])
    results.check(test)


@pytest.mark.parametrize("level", [
    pytest.param(level, marks=pytest.mark.feature("Attaching",
                                                  f"lockdown={level}"))
    for level in ("integrity", "confidentiality")])
@pytest.mark.parametrize("kernel", [vm.KERNELS[0], vm.KERNELS[-1]])
def test_lockdown(kernel, image, level):
    del kernel
    run_tests(image, [f"'{SETTINGS}::test_lockdown[{level}]'",
                      f"'{ATTACH}::test_attach[veth-tc-clsact]'"],
              append=f"lockdown={level}").check_all()


TOO_OLD = f"""
ip link add eth0 type veth peer name eth1; ip link set eth0 up
traces() {{ bpftool prog; bpftool map; ip -d link; tc qdisc; ls -A /sys/fs/bpf; }}
traces >/tmp/before
{TUNLOAD} attach eth0; echo "status $?"
traces | diff /tmp/before - && echo "nothing left"
"""


@pytest.mark.feature("Attaching", "older than 6.1: one clear line")
@pytest.mark.parametrize("kernel", [vm.TOO_OLD])
def test_too_old(kernel, image):
    output = vm.boot(image, TOO_OLD)[1]
    assert output == (
        f'tunload: kernel "{vm.release(image)}" is too old: tunload needs '
        "Linux 6.1 or newer\nstatus 1\nnothing left\n")
    assert vm.release(image).startswith(kernel)
