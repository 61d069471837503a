# SPDX-License-Identifier: GPL-2.0-only
"""docs/fleet.md quotes the configurations that the lab runs."""
import os
import re
import textwrap

import pytest

from lab import REPO, read

FOLDER = os.path.join("dist", "examples", "fleet")
QUOTED = ["g1.conf", "s1.conf", "g1-bird.conf", "g2-frr.conf",
          "ospf-bird.conf", "ospf-frr.conf", "rip-bird.conf", "rip-frr.conf"]


@pytest.mark.parametrize("name", QUOTED)
def test_quoted(name):
    quote = textwrap.indent(read(FOLDER, name).expandtabs(8), "    ")
    assert quote in read("docs", "fleet.md")


def test_named():
    """Every example is quoted or named, and every one that is named is there."""
    text = read("docs", "fleet.md")
    named = set(re.findall(r"`([a-z0-9-]+\.conf)`", text))
    assert named | set(QUOTED) == set(os.listdir(os.path.join(REPO, FOLDER)))


def test_hint():
    """The MTU hint is what test_fleet.py puts into g1's configuration."""
    (hint,) = re.findall(r'HINT = """(.*?)"""', read("tests", "wire",
                                                    "test_fleet.py"), re.S)
    quote = textwrap.indent(textwrap.dedent("\t" + hint).expandtabs(8), "    ")
    assert quote in read("docs", "fleet.md")
