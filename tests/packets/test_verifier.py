# SPDX-License-Identifier: GPL-2.0-only
"""The object of every compiler loads here, far below the verifier's limits."""
import os
import re

import pytest

from lab import REPO, run

VERIFIER = os.path.join(REPO, "scripts", "verifier")


@pytest.mark.parametrize("clang", ["clang-14", "clang-16", "clang-19"])
def test_headroom(clang):
    out = run(VERIFIER, clang, timeout=300).stdout
    told = re.findall(rf"^{clang} +([\w+]+) +(\d+) verified", out, re.M)
    assert sorted(name for name, _ in told) == [
        "tc_egress", "tc_ingress", "write_prefixes", "xdp_forward",
        "xdp_forward+", "xdp_ingress", "xdp_ingress+"]
    assert all(0 < int(count) <= 250_000 for _, count in told), out


def test_a_program_over_the_limit_is_told(tmp_path):
    with open(VERIFIER, encoding="utf-8") as f:
        text = f.read()
    strict = tmp_path / "verifier"
    strict.write_text(text.replace("LIMIT = 250_000", "LIMIT = 1000")
                      .replace("REPO = ", f"REPO = {REPO!r} or "))
    assert run("/usr/bin/python3", strict, "clang-14",
               check=False, timeout=300).returncode == 1
