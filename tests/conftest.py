# SPDX-License-Identifier: GPL-2.0-only
"""The lab fixture of all tests, and the skips of tests that need root."""
import os

import pytest

import lab as labs
from netns import own_mounts

HERE = os.path.dirname(os.path.abspath(__file__))
# Folders whose tests all need root; in others @pytest.mark.root marks such tests.
ROOT_FOLDERS = {"packets", "wire", "host", "kernels"}
NEEDS_ROOT = "needs root (network namespaces, BPF): run it as root"

pytest.register_assert_rewrite("packets.compare")


def pytest_sessionstart(session):
    """Gives a run as root a mount namespace, and removes what a killed run has
    left."""
    del session
    if os.geteuid() == 0:
        own_mounts()
        labs.sweep()


def needs_root(item):
    """True if the test needs root, by its folder or by its marker."""
    folder = os.path.relpath(item.path, HERE).split(os.sep)[0]
    return folder in ROOT_FOLDERS or item.get_closest_marker("root")


def pytest_collection_modifyitems(items):
    """Skips the tests that an ordinary user cannot run."""
    if os.geteuid() == 0:
        return
    for item in items:
        if needs_root(item):
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))


@pytest.fixture
def lab():
    """A lab of the test's own (see lab.Lab), removed after it."""
    with labs.Lab() as new:
        yield new


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds to a failure what the hosts of its lab have counted."""
    report = (yield).get_result()
    used = getattr(item, "funcargs", {}).get("lab")
    if used and report.failed and report.when != "teardown":
        report.sections.append(("the lab", used.report()))
