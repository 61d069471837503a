# SPDX-License-Identifier: GPL-2.0-only
"""The benchmarks run (no figure is looked at), and what checks.py takes out of
bpf/ is still there to be taken out."""
import glob
import json
import os
import re
import shutil
import sys

import pytest

from bench import checks, packet
from lab import REPO, run

PARTS = ["packet", "plain", "tc", "forward"]  # quick ones


def parts():
    """The modules that measure something."""
    for path in glob.glob(f"{REPO}/tests/bench/*.py"):
        with open(path, encoding="utf-8") as f:
            if "\ndef run(args)" in f.read():
                yield os.path.basename(path).removesuffix(".py")


@pytest.mark.root
def test_the_harness_writes_its_files(tmp_path):
    shutil.copy(f"{REPO}/docs/performance.md", tmp_path)
    run(sys.executable, f"{REPO}/tests/bench", *PARTS, "--runs", 1,
        "--repeat", 100, "--docs", tmp_path, timeout=300)
    figures = json.loads((tmp_path / "performance.json").read_text())
    assert set(figures) == set(PARTS)
    text = (tmp_path / "performance.md").read_text()
    for part in PARTS:
        assert figures[part]["kernel"] == os.uname().release
        for row in figures[part]["rows"]:
            assert f"\n| {row} | " in text
        picture = (tmp_path / f"performance-{part}.svg").read_text()
        assert picture.count("<rect") > len(figures[part]["rows"])


def test_the_page_has_a_place_for_each_table():
    with open(f"{REPO}/docs/performance.md", encoding="utf-8") as f:
        text = f.read()
    begun, ended = (re.findall(rf"^<!-- {word} bench (\S+) -->$", text, re.M)
                    for word in ("begin", "end"))
    assert begun == ended
    assert len(begun) == len(set(begun))
    assert set(parts()) < set(begun)


@pytest.mark.parametrize("name", checks.CHECKS)
def test_check_is_in_the_source(name):
    file, text, _, kinds = checks.CHECKS[name]
    with open(os.path.join(REPO, "bpf", file), encoding="utf-8") as f:
        assert f.read().count(text) == 1
    assert kinds and set(kinds) <= set(packet.packets())
