# SPDX-License-Identifier: GPL-2.0-only
"""Runs each cmocka test of tests/unit as a test of its own. `make unit-tests`
builds the programs with the address and undefined behaviour sanitizers."""
import functools
import glob
import os
import re

import pytest

from lab import REPO, run

SOURCES = sorted(glob.glob(os.path.join(REPO, "tests", "unit", "test_*.c")))


def declared(source):
    """The names of the tests in a source file."""
    with open(source, encoding="utf-8") as f:
        return re.findall(r"\bcmocka_unit_test(?:_\w+)?\(\s*(\w+)", f.read())


@functools.lru_cache(maxsize=None)
def results(program):
    """(exit status, {test: passed}, output) of one run of a program."""
    binary = f"build/tests/{program}"
    run("make", "-s", "-C", REPO, binary, timeout=300)
    done = run(os.path.join(REPO, binary), check=False,
               env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
    tests = {name: ok == "ok" for ok, name in re.findall(
        r"^(ok|not ok) \d+ - (\w+)", done.stdout, re.M)}
    return done.returncode, tests, done.stdout + done.stderr


def cases():
    """A parameter (program, test) for each cmocka test."""
    for source in SOURCES:
        program = os.path.basename(source)[:-2]
        for test in declared(source):
            yield pytest.param(program, test, id=f"{program[5:]}-{test}")


@pytest.mark.parametrize("program, test", cases())
def test_unit(program, test):
    _, tests, output = results(program)
    assert tests.get(test), output


@pytest.mark.parametrize("source", SOURCES, ids=os.path.basename)
def test_program_ends_well_and_ran_them_all(source):
    status, tests, output = results(os.path.basename(source)[:-2])
    assert status == 0, output
    assert set(tests) == set(declared(source)), output
