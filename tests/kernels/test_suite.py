# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the default tier on every kernel: all single packets, and of the
labs what a machine without KVM does in a minute or two."""
import pytest

import vm
from guest import run_tests

# Section, row, file, and pytest's -k where it is not the whole file.
RUNS = [
    ("Packets", "every case, byte for byte", "packets", ""),
    ("Packets", "random ones", "properties", ""),
    ("Packets", "answers to senders", "answers", ""),
    ("Labs", "two hosts, one independent: every packet on the wire",
     "two_hosts", "every_packet and independent and inner6"),
    ("Labs", "the cloud: a site that is let in, a Linux peer's options",
     "cloud", "status_tells or limit"),
    ("Labs", "attackers", "attack", "decapsulated or refused or tunnels"),
    ("Labs", "a path that shrinks under a TCP stream",
     "pmtu", "running_stream and forwarded and inner4"),
    ("Labs", "upgrades under traffic, failures, interfaces that go",
     "lifecycle", "loses or failed or deleted"),
]


@pytest.mark.parametrize("name, only", [
    pytest.param(name, only, id=name, marks=pytest.mark.feature(section, row))
    for section, row, name, only in RUNS])
@pytest.mark.parametrize("kernel", vm.KERNELS)
def test_run(kernel, image, name, only, record_property):
    del kernel
    results = run_tests(image, [f"tests/test_{name}.py", "-k", f"'{only}'"])
    record_property("note", f"({len(results.passed)})")
    results.check_all()
