# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside/ipsec.py, about IPsec on a host with tunnels, on the oldest
kernel."""
import pytest

import vm
from guest import run_tests

FLOOR = vm.KERNELS[0]


@pytest.mark.parametrize("kernel", [FLOOR])
def test_ipsec(kernel, image):
    del kernel
    results = run_tests(image, ["tests/kernels/inside/ipsec.py"])
    assert not results.failed, "\n".join(results.failed.values())
    assert len(results.passed) == 4
