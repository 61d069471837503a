# SPDX-License-Identifier: GPL-2.0-only
"""A sample of the mutation check; `make check-mutants` runs all of it."""
import importlib.machinery
import importlib.util
import os
from pathlib import Path

import pytest

from lab import REPO, run

SAMPLE, SEED = 3, 47


@pytest.mark.root
def test_sample_of_mutants():
    done = run(os.path.join(REPO, "tests", "mutants"), "--sample", SAMPLE,
               "--seed", SEED, "-j", 1, timeout=300)
    assert done.stdout.endswith(
        f"{SAMPLE} mutants, {SAMPLE} killed, 0 alive\n"), done.stdout


def test_every_mutant_still_applies():
    """A change to the source line of a mutant fails this test at once."""
    run(os.path.join(REPO, "tests", "mutants"), "--list")


def load():
    """The program as a module."""
    loader = importlib.machinery.SourceFileLoader(
        "mutants", os.path.join(REPO, "tests", "mutants"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("status, output, killer", [
    (0, "3 passed", None),
    (1, "FAILED tests/wire/test_a.py::test_b[c] - assert 0", "test_b[c]"),
    (1, "ERROR tests/wire/test_a.py::test_b\n"
        "FAILED tests/wire/test_a.py::test_c", "test_c"),
    (1, "tunload: the object does not load: ...", "the verifier"),
    (1, "ERROR tests/wire/test_a.py::test_b - AssertionError", "Broken"),
    (2, "ERROR tests/wire/test_a.py", "Broken"),
    (5, "no tests ran", "Broken"),
])
def test_only_tests_that_fail_kill(monkeypatch, status, output, killer):
    mutants = load()
    tree = object.__new__(mutants.Tree)
    tree.top = Path("/nowhere")
    monkeypatch.setattr(tree, "build", lambda target: None)
    monkeypatch.setattr(tree, "run", lambda *argv, **env: (status, output))
    try:
        judged = tree.pytest("a", "b")
    except mutants.Broken:
        judged = "Broken"
    assert judged == killer
