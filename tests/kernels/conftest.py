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
import shutil

import pytest

import vm
from lab import REPO, run

ARCH = "x86_64"


def pytest_addoption(parser):
    """--kernel, for a part of the tier."""
    parser.addoption("--kernel", action="append",
                     help="only what is about this kernel, as 6.1 (repeatable)")
    parser.addoption("--cells", metavar="FILE",
                     help="run nothing, but write which cells there are")


def commit():
    """The commit of the tree, and whether it was changed since; "unknown"
    without git, and in a tree that has no history."""
    if not shutil.which("git"):
        return "unknown"
    done = run("git", "-C", REPO, "-c", f"safe.directory={REPO}", "describe",
               "--always", "--exclude=*", "--dirty", check=False)
    return done.stdout.strip() or "unknown"


def params(item):
    """The parameters of a test."""
    return item.callspec.params if hasattr(item, "callspec") else {}


def cell(number, item):
    """The cell of a test: its number, kernel, arch, section, row; or None."""
    feature = item.get_closest_marker("feature")
    if not feature:
        return None
    of_test = params(item)
    return number, of_test["kernel"], of_test.get("arch", ARCH), *feature.args


def pytest_collection_modifyitems(config, items):
    """Writes the cells of the tests into the JUnit report, where
    scripts/compatibility reads them; obeys the options."""
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
    """The unpacked image of the kernel that the test names."""
    try:
        image = vm.kernel(kernel)
    except vm.NoKernel as reason:
        pytest.skip(f"no kernel to boot: {reason}")
    record_property("release", vm.release(image))
    return image
