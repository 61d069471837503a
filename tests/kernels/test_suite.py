# SPDX-License-Identifier: GPL-2.0-only
"""Files of the default tier, whole, on every kernel."""
import pytest

import vm
from guest import run_tests


def files(section, *named):
    """A parameter a run: its row of the table, its pytest arguments."""
    return [pytest.param(args, id=args[0],
                         marks=pytest.mark.feature(section, row))
            for row, *args in named]


@pytest.mark.parametrize("args", files(
    "Packets",
    ("every case, byte for byte", "test_packets.py"),
    ("random ones, answers", "test_properties.py", "tests/test_answers.py"),
) + files(
    "Labs",
    ("two hosts", "test_two_hosts.py"),
    ("the cloud", "test_cloud.py"),
    ("attach, reload, upgrade, detach", "test_lifecycle.py"),
    ("the trigger", "test_trigger.py"),
))
@pytest.mark.parametrize("kernel", vm.KERNELS)
def test_file(kernel, image, args, record_property):
    del kernel
    results = run_tests(image, [f"tests/{args[0]}", *args[1:]])
    record_property("note", f"({len(results.passed)})")
    results.check_all()
