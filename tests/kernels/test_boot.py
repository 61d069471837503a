# SPDX-License-Identifier: GPL-2.0-only
"""Debian 12 boots with systemd, on its own kernel: the installed units bring a
tunnel up and keep it up while the host changes. boot/first and boot/second have
the steps of one boot each; the second boot has the /etc of the first. At the
other end of eth0, and of eth1, which is added later, are a DHCP server and the
kernel's ipip (boot/other).

These tests are no rows of the table, as they run on Debian 12's kernel alone."""
import os
import re
import shutil

import pytest

import vm
from debs import NoKernel
from lab import REPO, run
from rootfs import rootfs

BOOT = os.path.join(REPO, "tests/kernels/boot")
FILES = "other", "lease", "steps"
PACKAGES = """
    base-files base-passwd usr-is-merged busybox-static dash bash coreutils
    debianutils diffutils findutils grep sed tar util-linux mount hostname
    procps kmod iproute2 iputils-ping bpftool
    systemd systemd-sysv udev ifupdown isc-dhcp-client
    libbpf1 libelf1 zlib1g libmnl0 libjansson4
    libnftables1 libnftnl11 libxtables12 libgmp10
"""
APPEND = "net.ifnames=0 systemd.show_status=true TERM=dumb"
LINE = re.compile(r"^(ok|NOT) (.*?)(?: \((\d+) s\))?$", re.M)


def prepare(share, network):
    """Puts into the share the scripts, and the files that boot/init copies into
    the root file system."""
    run("make", "-s", "-C", REPO, "install", f"DESTDIR={share}/install",
        timeout=300)
    for name, to in ("root", "root"), (network, "network"):
        shutil.copytree(os.path.join(BOOT, name), share / to)
    for name in FILES:
        shutil.copy(os.path.join(BOOT, name), share)


def text(name):
    """The text of a file in BOOT."""
    with open(os.path.join(BOOT, name), encoding="utf-8") as f:
        return f.read()


def boot(image, root, share, name):
    """Boots with a script; asserts that it ends and that every step is ok."""
    machine = vm.Machine(image, text(name), share, root=root,
                         init=text("init"), append=APPEND)
    output = machine.wait(300)[1]
    print(f"{name} boot:", *(" ".join(step) for step in LINE.findall(output)),
          sep="\n  ")
    assert not re.search(r"^NOT ", output, re.M), output
    assert "\nall done\n" in output, output


@pytest.mark.parametrize("network", ["networkd", "ifupdown"])
@pytest.mark.parametrize("kernel", ["6.1"])
def test_boot(kernel, image, network, tmp_path):
    del kernel
    try:
        root = rootfs("amd64", PACKAGES)
    except NoKernel as reason:
        pytest.skip(f"no packages to boot: {reason}")
    prepare(tmp_path, network)
    boot(image, root, tmp_path, "first")
    boot(image, root, tmp_path, "second")
