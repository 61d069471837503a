# SPDX-License-Identifier: GPL-2.0-only
"""A sample of the mutation check; `make check-mutants` runs all of it."""
import os

import pytest

from lab import REPO, run

SAMPLE, SEED = 3, 20


@pytest.mark.root
def test_sample_of_mutants():
    done = run(os.path.join(REPO, "tests", "mutants"), "--sample", SAMPLE,
               "--seed", SEED, "-j", 1, timeout=300)
    assert done.stdout.endswith(
        f"{SAMPLE} mutants, {SAMPLE} killed, 0 alive\n"), done.stdout


def test_every_mutant_still_applies():
    """A change to the source line of a mutant fails this test at once."""
    run(os.path.join(REPO, "tests", "mutants"), "--list")
