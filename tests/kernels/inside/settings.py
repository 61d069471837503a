# SPDX-License-Identifier: GPL-2.0-only
"""In a virtual machine of its own: what users turn off, and what tunload says
then. Run by test_attach.py."""
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
    """A Pair, nothing attached on its first host."""
    return Pair(lab)


def with_caps(pair, caps, bpffs, *args):
    """Runs tunload on the first host as root of few capabilities."""
    caps = ",".join(["-all"] + [f"+{cap}" for cap in caps])
    return pair.a.run("setpriv", "--no-new-privs", "--bounding-set", caps,
                      TUNLOAD, "--bpffs", bpffs, *args, check=False)


def refused(done, *words):
    """One line that names all of that, and exit status 1."""
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1 and not done.stdout
    for word in words:
        assert word in done.stderr


def works(pair, caps, bpffs, mode="auto"):
    """attach, a packet, status, detach; as little as before is left."""
    before = pair.traces()
    conf = pair.tl.write(conf_a(mode))
    for args in ["attach", "eth0", "-c", conf], ["status", "eth0"]:
        done = with_caps(pair, caps, bpffs, *args)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert ping(pair.a, B, A)
    done = with_caps(pair, caps, bpffs, "detach", "eth0")
    assert (done.returncode, done.stderr) == (0, "")
    assert pair.traces() == before


# 1 cannot be taken back before the next boot.
@pytest.mark.parametrize("disabled", [0, 2, 1])
def test_capabilities(pair, disabled):
    """CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough, CAP_SYS_ADMIN is not
    needed, whatever kernel.unprivileged_bpf_disabled is."""
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
    """The usual place of the bpffs, with none mounted."""
    run("umount", BPFFS)
    assert not os.listdir(BPFFS)
    yield BPFFS
    if not os.path.ismount(BPFFS):
        run("mount", "-t", "bpf", "bpf", BPFFS)


def test_bpffs_is_mounted(pair, bare):
    works(pair, NEEDED + ["sys_admin", "net_raw"], bare)
    assert os.path.ismount(bare) and not os.listdir(bare)


def test_bpffs_cannot_be_mounted(pair, bare):
    """Mounting takes CAP_SYS_ADMIN."""
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
    del no_btf  # from when the pair is there
    before = pair.traces()
    refused(pair.tl.attach(conf_a(), check=False), f"{BTF}/vmlinux",
            "CONFIG_DEBUG_INFO_BTF")
    assert pair.traces() == before


# Neither can be taken back before the next boot, and the second is stricter.
@pytest.mark.parametrize("level", ["integrity", "confidentiality"])
def test_lockdown(pair, level):
    """As on a machine with secure boot."""
    if not os.path.exists(LOCKDOWN):
        run("mount", "-t", "securityfs", "none", os.path.dirname(LOCKDOWN))
    with open(LOCKDOWN, "w", encoding="ascii") as f:
        f.write(level)
    with open(LOCKDOWN, encoding="ascii") as f:
        assert f"[{level}]" in f.read()
    for mode in "native", "tc":
        works(pair, NEEDED + ["net_raw"], pair.tl.bpffs, mode)
