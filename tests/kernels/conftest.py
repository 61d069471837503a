# SPDX-License-Identifier: GPL-2.0-only
"""The VM tier, and how its tests fill the tables of docs/compatibility.md.

    @pytest.mark.feature("As the other end", "ipip")
    @pytest.mark.parametrize("kernel", vm.KERNELS)
    def test_ipip(kernel, image): ...

is a cell: a row of the named section, in the column of the kernel and of `arch`
(another parameter, x86_64 if there is none). The cell has the result of the
test, the worst one if several tests share it; a skip is a result, too. A text
given with record_property("note", "...") is printed behind the result, one
given with record_property("left out", "...") below the tables."""
import json
import shutil

import pytest

import vm
from lab import REPO, run

ARCH = "x86_64"


def pytest_addoption(parser):
    """--kernel, which runs a part of the tier, and --cells."""
    parser.addoption("--kernel", action="append",
                     help="only tests of this kernel, as 6.1 (repeatable)")
    parser.addoption("--cells", metavar="FILE",
                     help="run no test, but write the list of cells")


def commit():
    """The commit of the tree, with -dirty if it was changed since; "unknown"
    without git or without a history."""
    if not shutil.which("git"):
        return "unknown"
    done = run("git", "-C", REPO, "-c", f"safe.directory={REPO}", "describe",
               "--always", "--exclude=*", "--dirty", check=False)
    return done.stdout.strip() or "unknown"


def params(item):
    """The parameters of a test."""
    return item.callspec.params if hasattr(item, "callspec") else {}


def cell(number, item):
    """The cell of a test (its number, kernel, arch, section, row), or None."""
    feature = item.get_closest_marker("feature")
    if not feature:
        return None
    of_test = params(item)
    return number, of_test["kernel"], of_test.get("arch", ARCH), *feature.args


def pytest_collection_modifyitems(config, items):
    """Writes the cells of the tests into the JUnit report, from which
    scripts/compatibility reads them, and applies the options."""
    cells = {item: one for number, item in enumerate(items)
             if (one := cell(number, item))}
    tree = commit() if cells else None
    for item, one in cells.items():
        item.user_properties += [("cell", json.dumps(one)), ("commit", tree)]
    wanted, listed = (config.getoption(o) for o in ("kernel", "cells"))
    if listed:
        with open(listed, "w", encoding="utf-8") as f:
            json.dump(list(cells.values()), f)
    out = [item for item in items if listed or
           wanted and params(item).get("kernel") not in wanted]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


@pytest.fixture(name="image")
def fixture_image(kernel, record_property):
    """The unpacked image of the kernel that the test has as a parameter."""
    try:
        image = vm.kernel(kernel)
    except vm.NoKernel as reason:
        pytest.skip(f"no kernel to boot: {reason}")
    record_property("release", vm.release(image))
    return image
