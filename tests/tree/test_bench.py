# SPDX-License-Identifier: GPL-2.0-only
"""The checks that tests/bench/checks removes from bpf/ are still in the source."""
import importlib.machinery
import importlib.util
import os

import pytest

from lab import REPO

PATH = os.path.join(REPO, "tests/bench/checks")
LOADER = importlib.machinery.SourceFileLoader("checks", PATH)
SPEC = importlib.util.spec_from_loader("checks", LOADER)
checks = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(checks)


@pytest.mark.parametrize("name", checks.CHECKS)
def test_check_is_in_the_source(name):
    file, text, _, kinds = checks.CHECKS[name]
    with open(os.path.join(REPO, "bpf", file), encoding="utf-8") as f:
        assert f.read().count(text) == 1
    assert kinds and set(kinds) <= set(checks.packets())
