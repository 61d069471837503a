# SPDX-License-Identifier: GPL-2.0-only
"""Every hook, two drivers and restrictive settings, on every kernel: runs
inside/attach.py and inside/settings.py, with a row of the table for each
test."""
import contextlib

import pytest

import vm
from guest import run_tests
from lab import TUNLOAD, Lab

ATTACH = "tests/kernels/inside/attach.py"
SETTINGS = "tests/kernels/inside/settings.py"
# A network card on a tap, with all its offloads.
NIC = ["-netdev", "tap,id=n{0},ifname=tap{0},script=no,downscript=no",
       "-device", "virtio-net-pci,netdev=n{0},mac=02:00:00:00:00:0{0}"]

ROWS = {
    "native XDP on veth": "test_attach[veth-native]",
    "tc on veth by TCX, or what is used instead": "test_attach[veth-tc-tcx]",
    "tc on veth by clsact": "test_attach[veth-tc-clsact]",
    "native XDP on virtio_net": "test_attach[virtio_net-native]",
    "tc on virtio_net by TCX, or what is used instead":
        "test_attach[virtio_net-tc-tcx]",
    "tc on virtio_net by clsact": "test_attach[virtio_net-tc-clsact]",
    "MTU 9000 on veth: native XDP or tc, and why": "test_jumbo_frames[veth]",
    "MTU 9000 on virtio_net: native XDP or tc, and why":
        "test_jumbo_frames[virtio_net]",
}
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
ROWS |= {f"lockdown={level}": f"test_lockdown[{level}]"
         for level in ("integrity", "confidentiality")}


def rows():
    """A parameter for each kernel and row."""
    for kernel in vm.KERNELS:
        for row, test in ROWS.items():
            yield pytest.param(kernel, test, id=f"{kernel}-{row}", marks=[
                pytest.mark.feature("Attaching", row),
                pytest.mark.xdist_group(f"attach {kernel}")])


@contextlib.contextmanager
def wire():
    """Makes a namespace that connects the taps of two network cards; yields the
    options that give the cards to a machine."""
    with Lab() as lab:
        ns = lab.netns("wire")
        ns.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        ns.batch("link add br0 type bridge", "link set br0 up", *(
            line.format(n) for n in (1, 2) for line in (
                "tuntap add tap{} mode tap vnet_hdr",
                "link set tap{} mtu 9000 master br0 up")))
        yield {"netns": ns, "modules": ["virtio_net"],
               "devices": [arg.format(n) for n in (1, 2) for arg in NIC]}


@vm.once
def machine(image):
    """The Results of all these tests on a kernel."""
    with wire() as options:
        return run_tests(image, [ATTACH, SETTINGS], **options)


@pytest.mark.parametrize("kernel, test", rows())
def test_row(kernel, test, image, record_property):
    del kernel
    results = machine(image)
    if test in results.notes:
        record_property("note", results.notes[test])
    results.check(test)


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
