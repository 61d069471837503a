# SPDX-License-Identifier: GPL-2.0-only
"""The last lines of scripts/check, and what it prints of a failed test, checked
with small test files."""
import os
import sys

import pytest

from lab import REPO, run

SUMMARY = os.path.join(REPO, "tests", "summary.py")


def check(tmp_path, code, ci=False):
    """Runs pytest and the summary as scripts/check does; returns the summary's
    (exit status, lines)."""
    (tmp_path / "test_it.py").write_text("import pytest\n" + code)
    report = tmp_path / "report.xml"
    tests = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                "-n", "2", f"--junitxml={report}", "--rootdir", tmp_path,
                tmp_path, check=False)
    env = {**os.environ, "CI": "true" if ci else ""}
    done = run(sys.executable, SUMMARY, report, tests.returncode, check=False,
               env=env)
    return done.returncode, done.stdout.splitlines()


PASS = "def test_a():\n    pass\n"
FAIL = "def test_b():\n    assert 0\n"
SKIP = "def test_c():\n    pytest.skip('no network card')\n"
EXPECTED = "def test_d():\n    pytest.skip('expected: only on arm64')\n"
XFAIL = ("@pytest.mark.xfail(reason='later')\n"
         "def test_f():\n    assert 0\n")
TEARDOWN = ("@pytest.fixture\ndef broken():\n    yield\n    assert 0\n"
            "def test_e(broken):\n    pass\n")


@pytest.mark.parametrize("code, ci, status, last", [
    (PASS, False, 0, "1 passed, 0 failed, 0 skipped"),
    (PASS + FAIL, False, 1, "1 passed, 1 failed, 0 skipped"),
    (PASS + SKIP, False, 0, "1 passed, 0 failed, 1 skipped"),
    (PASS + SKIP, True, 1, "1 passed, 0 failed, 1 skipped"),
    (PASS + EXPECTED, True, 0, "1 passed, 0 failed, 1 skipped"),
    (PASS + XFAIL, True, 0, "1 passed, 0 failed, 1 skipped"),
    (PASS + TEARDOWN, False, 1, "1 passed, 1 failed, 0 skipped"),
    ("import nothing_of_that_name\n", False, 1,
     "0 passed, 1 failed, 0 skipped"),
    ("", False, 1, "0 passed, 1 failed, 0 skipped"),
], ids=["pass", "fail", "skip", "skip-in-CI", "expected-skip-in-CI",
        "xfail-in-CI", "teardown", "collection", "nothing"])
def test_last_line(tmp_path, code, ci, status, last):
    done, lines = check(tmp_path, code, ci)
    assert (done, lines[-1]) == (status, last)


def test_reasons_of_skips_are_printed(tmp_path):
    _, lines = check(tmp_path, SKIP)
    assert any("test_c" in line and "no network card" in line
               for line in lines)


def test_no_report_is_a_failure(tmp_path):
    done = run(sys.executable, SUMMARY, tmp_path / "none.xml", 3, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


LAB = """
def test_g(lab):
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, "eth0", b, "eth0")
    a.addr("eth0", "192.0.2.1/24")
    lab.tunload(a).attach("[peer site]\\nendpoint = 192.0.2.2\\n"
                          "allowed-ips = 10.0.0.0/8\\n", "--mode", "tc")
    lab.netns("gone").close()
    assert 0
"""


@pytest.mark.root
def test_failure_shows_what_the_lab_has_counted(tmp_path):
    """Interfaces, stack and programs."""
    (tmp_path / "test_it.py").write_text(LAB)
    tests = os.path.join(REPO, "tests")
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "-p", "conftest", "--rootdir", tmp_path, tmp_path, check=False,
               env={**os.environ, "PYTHONPATH": ":".join(
                   [tests, os.path.join(tests, "labs")])})
    for text in ("assert 0", "the lab", "-a\n", "TX:  bytes packets",
                 "IpExtOutOctets", "no answer", "no report: ",
                 "1 failed"):
        assert text in done.stdout, text
