# SPDX-License-Identifier: GPL-2.0-only
"""The VM tier: what a test says in the table docs/compatibility.md.

    @pytest.mark.feature("As the other end", "ipip")
    @pytest.mark.parametrize("kernel", vm.KERNELS)
    def test_ipip(kernel, image): ...

is a cell: a row of the named section, the column of the kernel and of `arch`
(a parameter too, x86_64 if there is none). Its result is the test's, the worst
where several tests have the same cell. Skips are cells, too. What a test says
by record_property("note", "...") stands behind its result, what it says by
record_property("left out", "...") below the tables."""
import json

import pytest

import vm

ARCH = "x86_64"


def pytest_addoption(parser):
    """--kernel, for a part of the tier."""
    parser.addoption("--kernel", action="append",
                     help="only what is about this kernel, as 6.1 (repeatable)")


def pytest_collection_modifyitems(config, items):
    """Writes the cells of the tests, numbered, into the JUnit report, where
    scripts/compatibility reads them; obeys --kernel."""
    wanted, out = config.getoption("kernel"), []
    for number, item in enumerate(items):
        params = item.callspec.params if hasattr(item, "callspec") else {}
        feature = item.get_closest_marker("feature")
        if feature:
            item.user_properties.append(("cell", json.dumps(
                [number, params["kernel"], params.get("arch", ARCH),
                 *feature.args])))
        if wanted and params.get("kernel") not in wanted:
            out.append(item)
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


@pytest.fixture(name="image")
def fixture_image(kernel, record_property):
    """The unpacked image of the kernel that the test names."""
    try:
        image = vm.kernel(kernel)
    except vm.NoKernel as reason:
        pytest.skip(f"no kernel to boot: {reason}")
    record_property("release", vm.release(image))
    return image
