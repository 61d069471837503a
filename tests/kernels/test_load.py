# SPDX-License-Identifier: GPL-2.0-only
"""The object of every compiler loads on every kernel. The table has the number
of instructions that the verifier processed (its limit is a million)."""
import re

import pytest

import vm
from lab import REPO
from test_floor import CLANGS, build_objects

PROGRAMS = ["xdp_ingress", "tc_ingress", "tc_egress"]
ROW = f"{{}}: instructions verified of {', '.join(PROGRAMS)}"
MILLION = 1_000_000
INSIDE = """
import os, sys
sys.path.insert(0, "tests")
from packets import bpf
for top, _, names in os.walk("/sys/fs/bpf"):
    for name in names:
        count = bpf.verified_insns(bpf.obj_get(os.path.join(top, name)))
        print(os.path.basename(top), name, count)
"""
SCRIPT = f"""
mount -t bpf none /sys/fs/bpf
for clang in {' '.join(CLANGS)}; do
    bpftool prog loadall /run/share/$clang.o /sys/fs/bpf/$clang 2>&1
done
cd {REPO} && /usr/bin/python3 -c '{INSIDE}'
"""


@pytest.fixture(name="objects", scope="module")
def fixture_objects(tmp_path_factory):
    """A directory with the object of each compiler, as a machine's share."""
    work = tmp_path_factory.mktemp("objects")
    build_objects(work)
    return work


@pytest.fixture(name="told", scope="module")
def fixture_told(objects):
    """A function that loads all objects on a kernel, once, and returns the
    output."""
    said = {}

    def ask(image):
        if image not in said:
            said[image] = vm.Machine(image, SCRIPT, objects).wait(600)[1]
        return said[image]
    return ask


@pytest.mark.parametrize("clang", [
    pytest.param(c, marks=pytest.mark.feature("The verifier", ROW.format(c)))
    for c in CLANGS])
@pytest.mark.parametrize("kernel", [
    pytest.param(k, marks=pytest.mark.xdist_group(f"load {k}"))
    for k in vm.KERNELS])
def test_load(kernel, image, clang, told, record_property):
    del kernel
    output = told(image)
    counts = dict(re.findall(rf"^{clang} (\w+) (\d+)$", output, re.M))
    assert sorted(counts) == sorted([*PROGRAMS, "write_prefixes", "xdp_forward"]), output
    assert all(0 < int(n) < MILLION for n in counts.values()), output
    record_property("note", ", ".join(counts[p] for p in PROGRAMS))
