# SPDX-License-Identifier: GPL-2.0-only
"""docs/compatibility.md: what scripts/compatibility makes of tests, from the
marker to the table."""
import os
import shutil
import sys

from lab import REPO, run

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
    """{first column: the others} of all tables."""
    shutil.copy(os.path.join(REPO, "tests/kernels/conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    report = tmp_path / "report.xml"
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n",
        "2", f"--junitxml={report}", "--rootdir", tmp_path, tmp_path,
        check=False, env={**os.environ,
                          "PYTHONPATH": os.path.join(REPO, "tests")})
    out = run(os.path.join(REPO, "scripts/compatibility"), report).stdout
    assert out.endswith("\n[1] 2 of them: too old\n\n[2] no network\n")
    lines = [line[2:-2].split(" | ")
             for line in out.splitlines() if line.startswith("|")]
    return {name.strip(): cells for name, *cells in lines}


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
