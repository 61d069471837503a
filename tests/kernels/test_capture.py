# SPDX-License-Identifier: GPL-2.0-only
"""Runs the tests of `tunload capture` in a virtual machine, as not every host
takes tracing programs: on the oldest and the newest kernel; no rows of the
table."""
import pytest

import vm
from guest import run_tests


@pytest.mark.parametrize("kernel", [vm.KERNELS[0], vm.KERNELS[-1]])
def test_capture(kernel, image):
    del kernel
    # The machine has no terminals.
    results = run_tests(image, ["tests/host/test_capture.py", "-k",
                                "'not terminal'"])
    assert results.passed and not results.failed, "\n\n".join(
        f"{name}:\n{reason}" for name, reason in results.failed.items())
    assert not results.skipped
