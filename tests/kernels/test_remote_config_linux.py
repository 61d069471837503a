# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside/remote_config.py, about the other end on Linux, on the oldest
kernel."""
import pytest

import vm
from guest import run_tests

FLOOR = vm.KERNELS[0]
MODULES = ["ipip", "sit", "ip6_tunnel"]


@pytest.mark.parametrize("kernel", [FLOOR])
def test_remote_config(kernel, image):
    del kernel
    results = run_tests(image, ["tests/kernels/inside/remote_config.py"],
                        modules=MODULES)
    assert not results.failed, "\n\n".join(
        f"{name}:\n{reason}" for name, reason in results.failed.items())
    assert len(results.passed) == 12
