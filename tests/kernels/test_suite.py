# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the default tier on every kernel: all packet cases, and as much of the
labs as a machine without KVM runs in some minutes."""
import pytest

import vm
from guest import packet_table, run_tests

# Section, row, file, functions (none: all), and pytest's -k for their cases.
RUNS = [
    ("Packets", "answers to senders", "packets/answers", [], ""),
    ("Packets", "super-packets", "wire/gso", [], "native and not 8000"),
    ("Labs", "two hosts, one independent: every packet on the wire",
     "wire/two_hosts", ["every_packet"],
     "independent and inner6 and (native-outer4 or tc-outer6)"),
    ("Labs", "the cloud: a Linux peer's options (and test_story.py)",
     "wire/cloud", ["encapsulation_limit_is_understood"], ""),
    ("Labs", "attackers", "wire/attack",
     ["decapsulated", "refused", "other_tunnels"], ""),
    ("Labs", "a path that shrinks under a TCP stream", "wire/pmtu",
     ["path_shrinks_under_a_running_stream"],
     "inner4-forwarded and (outer4-tc or outer6-native)"),
    ("Labs", "upgrades under traffic, failures, interfaces that go",
     "host/lifecycle", ["upgrade_loses_nothing_and_keeps_all",
                        "failed_upgrade_leaves_what_runs",
                        "interface_deleted_while_attached"],
     "failed or tc- or native-clsact"),
    ("Labs", "routes: repair", "host/routes",
     ["sync_repairs_and_touches_only_differences"], ""),
]
NAMES = {file.partition("/")[2]: only for _, _, file, _, only in RUNS}


def arguments():
    """The arguments of one pytest for all of RUNS. Functions are named by path,
    so that a missing one is an error."""
    for _, _, file, functions, _ in RUNS:
        folder, name = file.split("/")
        path = f"tests/{folder}/test_{name}.py"
        yield from (f"{path}::test_{function}" for function in functions)
        if not functions:
            yield path
    chosen = " or ".join(f"test_{name} and ({only or name})"
                         for name, only in NAMES.items())
    yield from ("-k", f"'{chosen}'")


@vm.once
def results(image):
    """The Results of all RUNS on a kernel."""
    return run_tests(image, arguments())


@pytest.mark.feature("Packets", "every case, byte for byte; random ones")
@pytest.mark.parametrize("kernel", vm.KERNELS)
def test_packets(kernel, image, record_property):
    del kernel
    packet_table(image).check_all(record_property)


@pytest.mark.parametrize("name", [
    pytest.param(name, id=name, marks=pytest.mark.feature(*run[:2]))
    for name, run in zip(NAMES, RUNS)])
@pytest.mark.parametrize("kernel", [
    pytest.param(kernel, marks=pytest.mark.xdist_group(f"suite {kernel}"))
    for kernel in vm.KERNELS])
def test_run(kernel, image, name, record_property):
    del kernel
    results(image).of(name).check_all(record_property)
