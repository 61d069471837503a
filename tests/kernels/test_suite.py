# SPDX-License-Identifier: GPL-2.0-only
"""Files of the default tier, whole, on every kernel."""
import pytest

import vm
from guest import run_tests

SECTION = "The host's own tests"


def files(*named):
    """A parameter a file: its row of the table, its pytest arguments."""
    return [pytest.param(args, id=args[0],
                         marks=pytest.mark.feature(SECTION, row))
            for row, *args in named]


@pytest.mark.parametrize("args", files(
    ("packets: byte for byte", "test_packets.py"),
    ("packets: random ones", "test_properties.py"),
    ("packets: answers", "test_answers.py"),
))
@pytest.mark.parametrize("kernel", vm.KERNELS)
def test_file(kernel, image, args, tmp_path, record_property):
    del kernel
    passed, skips = run_tests(image, tmp_path, [f"tests/{args[0]}",
                                                *args[1:]])
    assert passed
    record_property("note", f"({passed})")
    for skip in skips:
        print(f"skipped: {skip}")
    assert not skips
