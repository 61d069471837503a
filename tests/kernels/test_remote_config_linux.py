# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside/remote_config.py and inside/import_devices.py, about tunnels of the
kernel at the other end and here, on the oldest kernel."""
import pytest

import vm
from guest import run_tests

FLOOR = vm.KERNELS[0]
MODULES = ["ipip", "sit", "ip6_tunnel", "fou"]


@pytest.mark.parametrize("inside, tests", [("remote_config", 12),
                                           ("import_devices", 8)])
@pytest.mark.parametrize("kernel", [FLOOR])
def test_inside(kernel, image, inside, tests):
    del kernel
    results = run_tests(image, [f"tests/kernels/inside/{inside}.py"],
                        modules=MODULES, timeout=1500)
    assert not results.failed, "\n\n".join(
        f"{name}:\n{reason}" for name, reason in results.failed.items())
    assert len(results.passed) == tests
