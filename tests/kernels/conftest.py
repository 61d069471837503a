# SPDX-License-Identifier: GPL-2.0-only
"""The VM tier: what a test says in the table docs/compatibility.md.

    @pytest.mark.feature("As the other end", "ipip")
    @pytest.mark.parametrize("kernel", vm.KERNELS)
    def test_ipip(kernel, image): ...

is a cell: a row of the named section, the column of the kernel and of `arch`
(a parameter too, x86_64 if there is none). Its result is the test's, the worst
where several tests have the same cell. Skips are cells, too. What a test says
by record_property("note", "...") stands behind its result."""
import json

import pytest

import vm

ARCH = "x86_64"


def pytest_itemcollected(item):
    """Writes the cell of a test into the JUnit report, where
    scripts/compatibility reads it."""
    feature = item.get_closest_marker("feature")
    if not feature:
        return
    params = item.callspec.params
    item.user_properties.append(("cell", json.dumps(
        [params["kernel"], params.get("arch", ARCH), *feature.args])))


@pytest.fixture(name="image")
def fixture_image(kernel, record_property):
    """The unpacked image of the kernel that the test names."""
    try:
        image = vm.kernel(kernel)
    except vm.NoKernel as reason:
        pytest.skip(f"expected: no kernel to boot: {reason}")
    record_property("release", vm.release(image))
    return image
