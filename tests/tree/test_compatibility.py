# SPDX-License-Identifier: GPL-2.0-only
"""docs/compatibility.md is up to date, and scripts/compatibility makes the right
tables from marked tests."""
import collections
import json
import os
import re
import shutil
import sys

from lab import REPO, run

KERNELS = os.path.join(REPO, "tests/kernels")
TESTS = """
import pytest
FEATURES = [pytest.param(n, marks=pytest.mark.feature("Host", n))
            for n in ("good", "bad", "absent")]
@pytest.fixture(params=["6.1", "6.12"])
def kernel(request):
    return request.param
@pytest.fixture(autouse=True)
def skips(kernel):
    if kernel == "6.12":
        pytest.skip("no network")
@pytest.mark.parametrize("name", FEATURES)
def test_it(kernel, name, record_property):
    record_property("release", kernel + ".9")
    record_property("note", "a|b")
    if name == "good":
        record_property("left out", "2 of them: too old")
    assert name != "bad"
@pytest.mark.feature("Host", "bad")
def test_another_of_the_same(kernel):
    pass
@pytest.mark.feature("Other", "arm")
@pytest.mark.parametrize("arch", ["arm64"])
def test_arm(kernel, arch):
    pass
def test_without_a_cell(kernel):
    assert 0
"""


def rows(tmp_path):
    """{first column: other columns} of the tables that TESTS make."""
    shutil.copy(os.path.join(KERNELS, "conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    report = tmp_path / "report.xml"
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n",
        "2", f"--junitxml={report}", "--rootdir", tmp_path, tmp_path,
        check=False, env={**os.environ,
                          "PYTHONPATH": os.path.join(REPO, "tests/labs")})
    out = run(os.path.join(REPO, "scripts/compatibility"), report).stdout
    assert out.endswith("\n[1] 2 of them: too old\n\n[2] no network\n")
    assert re.search(r"\ncommit \S+ on \S+ in 0 minutes;", out)
    return {name: cells for name, *cells in lines(out)}


def lines(text):
    """The cells of each line of the tables in a document."""
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in text.splitlines() if line.startswith("|")]


def test_table(tmp_path):
    table = rows(tmp_path)
    assert table["6.1 x86_64"] == ["6.1.9"]
    assert table["good"] == ["yes a\\|b [1]", "skipped [2]"]
    assert table["bad"] == ["NO a\\|b", "skipped [2]"]
    assert table["absent"] == ["yes a\\|b", "skipped [2]"]
    assert table["arm"] == ["yes", "skipped [2]"]
    assert [name for name in table if name in ("good", "bad", "absent", "arm")
            ] == ["good", "bad", "absent", "arm"]
    assert "without" not in str(table)


def committed():
    """The text of docs/compatibility.md."""
    with open(os.path.join(REPO, "docs/compatibility.md"),
              encoding="utf-8") as f:
        return f.read()


def passed(text):
    """{(section, row): columns with "yes"} of a document."""
    out = {}
    for section in text.split("\n## ")[1:]:
        (_, *columns), _, *rows_ = lines(section)
        for name, *cells in rows_:
            out[section.partition("\n")[0], name] = {
                column for column, cell in zip(columns, cells)
                if cell.startswith("yes")}
    return out


def test_committed_tables_have_every_cell(tmp_path):
    """They have no other cells, and each cell passed."""
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        KERNELS, "--cells", tmp_path / "cells", check=False)
    defined = collections.defaultdict(set)
    for _, kernel, arch, *row in json.loads((tmp_path / "cells").read_text()):
        defined[tuple(row)].add(f"{kernel} {arch}")
    assert passed(committed().partition("\n## Where tunload")[0]) == defined


def test_committed_list_has_every_difference(monkeypatch):
    monkeypatch.syspath_prepend(KERNELS)
    from interop_differences import table
    assert "\n".join(["", "", *table(), ""]) in committed()
