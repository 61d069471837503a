# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of the wire tests."""
import os

import pytest

import lab as labs
from netns import own_mounts


def pytest_sessionstart(session):
    """Needs root, and mounts of its own; clears what a killed run left
    behind."""
    if os.geteuid():
        pytest.exit("these tests make network namespaces: run them as root",
                    returncode=2)
    own_mounts()
    labs.sweep()


@pytest.fixture
def lab():
    """A lab of the test's own (see lab.Lab), removed after it."""
    with labs.Lab() as new:
        yield new
