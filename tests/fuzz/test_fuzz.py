# SPDX-License-Identifier: GPL-2.0-only
"""Runs each fuzz target of tests/fuzz a fixed number of times from a fixed seed,
starting with the corpus in the tree. A longer run by hand:

    make fuzzers
    mkdir found && build/fuzz/conf -dict=build/fuzz/conf.dict \\
        -max_total_time=600 found tests/fuzz/corpus/conf
"""
import os
import subprocess

import pytest

from lab import REPO, run

HERE = os.path.join(REPO, "tests", "fuzz")
RUNS = {"core": 200_000, "conf": 50_000, "text": 200_000}


@pytest.fixture(name="programs", scope="module")
def _programs():
    run("make", "-s", "-C", REPO, "fuzzers", timeout=300)
    return os.path.join(REPO, "build", "fuzz")


def sources():
    return {name[:-2] for name in os.listdir(HERE) if name.endswith(".c")}


def test_every_target_is_run():
    assert set(RUNS) == sources()


@pytest.mark.parametrize("target", RUNS)
def test_fuzz(programs, target, tmp_path):
    corpus, found = os.path.join(HERE, "corpus", target), tmp_path / "found"
    found.mkdir()  # libFuzzer writes new inputs into the first corpus
    args = ["-seed=1", f"-runs={RUNS[target]}", "-timeout=60",
            "-max_len=2048", f"-artifact_prefix={tmp_path}/"]
    words = os.path.join(programs, f"{target}.dict")
    if os.path.exists(words):
        args.append(f"-dict={words}")
    done = subprocess.run(
        [os.path.join(programs, target), *args, str(found), corpus],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        errors="replace", timeout=300, check=False)
    artifacts = [path.read_bytes() for path in tmp_path.glob("*-*")]
    assert done.returncode == 0, f"{artifacts}\n{done.stderr[-4000:]}"
    assert f"Done {RUNS[target]} runs" in done.stderr
