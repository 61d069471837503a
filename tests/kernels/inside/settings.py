# SPDX-License-Identifier: GPL-2.0-only
"""test_attach.py runs these tests in a virtual machine of their own: tunload with
few capabilities, without a bpffs or BTF, and under lockdown."""
import os

import pytest

from lab import TUNLOAD, run
from lifecycle import A, B, Pair, conf_a
from traffic import ping

NEEDED = ["bpf", "net_admin", "perfmon"]
BPFFS = "/sys/fs/bpf"
BTF = "/sys/kernel/btf"
LOCKDOWN = "/sys/kernel/security/lockdown"


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def with_caps(pair, caps, bpffs, *args):
    """Runs tunload on the first host as root with these capabilities only."""
    caps = ",".join(["-all"] + [f"+{cap}" for cap in caps])
    return pair.a.run("setpriv", "--no-new-privs", "--bounding-set", caps,
                      TUNLOAD, "--bpffs", bpffs, *args, check=False)


def refused(done, *words):
    """Asserts that the command failed with 1 and one line that has the words."""
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1 and not done.stdout
    for word in words:
        assert word in done.stderr


def works(pair, caps, bpffs, mode="auto"):
    """Asserts that attach, a ping, status and detach work, and that nothing is
    left."""
    before = pair.traces()
    conf = pair.tl.write(conf_a(mode))
    for args in ["attach", "eth0", "-c", conf], ["status", "eth0"]:
        done = with_caps(pair, caps, bpffs, *args)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert ping(pair.a, B, A)
    done = with_caps(pair, caps, bpffs, "detach", "eth0")
    assert (done.returncode, done.stderr) == (0, "")
    assert pair.traces() == before


# 1 comes last, as it cannot be changed until the next boot.
@pytest.mark.parametrize("disabled", [0, 2, 1])
def test_capabilities(pair, disabled):
    """CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough, without CAP_SYS_ADMIN,
    for every value of kernel.unprivileged_bpf_disabled."""
    run("sysctl", "-qw", f"kernel.unprivileged_bpf_disabled={disabled}")
    works(pair, NEEDED + ["net_raw"], pair.tl.bpffs)


@pytest.mark.parametrize("missing", NEEDED)
def test_missing_capability(pair, missing):
    before = pair.traces()
    conf = pair.tl.write(conf_a("auto"))
    caps = [cap for cap in NEEDED if cap != missing]
    refused(with_caps(pair, caps, pair.tl.bpffs, "attach", "eth0", "-c", conf),
            "not permitted", "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN")
    assert pair.traces() == before


@pytest.fixture(name="bare")
def fixture_bare():
    """The usual mount point of the bpffs, with nothing mounted."""
    run("umount", BPFFS)
    assert not os.listdir(BPFFS)
    yield BPFFS
    if not os.path.ismount(BPFFS):
        run("mount", "-t", "bpf", "bpf", BPFFS)


def test_bpffs_is_mounted(pair, bare):
    works(pair, NEEDED + ["sys_admin", "net_raw"], bare)
    assert os.path.ismount(bare) and not os.listdir(bare)


def test_bpffs_cannot_be_mounted(pair, bare):
    """attach fails if it has to mount the bpffs without CAP_SYS_ADMIN."""
    conf = pair.tl.write(conf_a("auto"))
    refused(with_caps(pair, NEEDED, bare, "attach", "eth0", "-c", conf),
            bare, "not permitted", "mount -t bpf bpf")
    assert not os.path.ismount(bare) and not os.listdir(bare)


@pytest.fixture(name="no_btf")
def fixture_no_btf():
    """A kernel that does not show its BTF."""
    run("mount", "-t", "tmpfs", "none", BTF)
    yield
    run("umount", BTF)


def test_no_btf(pair, no_btf):
    del no_btf  # requested after pair, which needs BTF
    before = pair.traces()
    refused(pair.tl.attach(conf_a(), check=False), f"{BTF}/vmlinux",
            "CONFIG_DEBUG_INFO_BTF")
    assert pair.traces() == before


# The stricter level comes last, as none can be lowered until the next boot.
@pytest.mark.parametrize("level", ["integrity", "confidentiality"])
def test_lockdown(pair, level):
    """tunload works under kernel lockdown, as with secure boot."""
    if not os.path.exists(LOCKDOWN):
        run("mount", "-t", "securityfs", "none", os.path.dirname(LOCKDOWN))
    with open(LOCKDOWN, "w", encoding="ascii") as f:
        f.write(level)
    with open(LOCKDOWN, encoding="ascii") as f:
        assert f"[{level}]" in f.read()
    for mode in "native", "tc":
        works(pair, NEEDED + ["net_raw"], pair.tl.bpffs, mode)
