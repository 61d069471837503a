# SPDX-License-Identifier: GPL-2.0-only
"""Debian 12 boots with systemd, on its own kernel: the installed units bring a
tunnel up, and keep it through what happens to a host. What happens is in
boot/first and boot/second, for one boot each; what the second finds in /etc is
what the first left there. At the other end of eth0, and of eth1, which comes
late, are a DHCP server and the kernel's ipip (boot/other).

No rows of the table: they are about Debian 12, and its kernel alone."""
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
"""
APPEND = "net.ifnames=0 systemd.show_status=true TERM=dumb"
LINE = re.compile(r"^(ok|NOT) (.*?)(?: \((\d+) s\))?$", re.M)


def prepare(share, network):
    """What boot/init puts into the root file system; and the scripts."""
    run("make", "-s", "-C", REPO, "install", f"DESTDIR={share}/install",
        timeout=300)
    for name, to in ("root", "root"), (network, "network"):
        shutil.copytree(os.path.join(BOOT, name), share / to)
    for name in FILES:
        shutil.copy(os.path.join(BOOT, name), share)


def text(name):
    """A file of BOOT."""
    with open(os.path.join(BOOT, name), encoding="utf-8") as f:
        return f.read()


def boot(image, root, share, name):
    """Boots for one of the scripts, to its end; every step must be ok."""
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
