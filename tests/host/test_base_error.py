# SPDX-License-Identifier: GPL-2.0-only
"""Errors and warnings have priorities in the journal, and nowhere else."""
import os
import subprocess
import tempfile

import pytest

from lab import TIMEOUT, TUNLOAD

CONF = """\
[interface]
forward = xdp eth5
"""
WARNING = ('tunload: warning: forward "eth5": no such interface yet: the '
           "kernel forwards what arrives there until the timer finds it\n")
ERROR = 'tunload: no such interface "eht0": did you mean "eth0"?\n'


def the_file(st):
    return f"{st.st_dev}:{st.st_ino}"


# What JOURNAL_STREAM may be where standard error is not the journal.
OTHERS = {
    "no journal": lambda st: None,
    "no stream": lambda st: "",
    "other inode": lambda st: f"{st.st_dev}:{st.st_ino + 1}",
    "other device": lambda st: f"{st.st_dev + 1}:{st.st_ino}",
    "no inode": lambda st: f"{st.st_dev}",
    "no numbers": lambda st: "a:b",
}


@pytest.fixture(name="said")
def make_said(lab):
    """said(stream, interface): what `attach --dry-run` writes to standard
    error, a file of which stream() makes JOURNAL_STREAM."""
    ns, other = lab.netns("journal"), lab.netns("other")
    lab.veth(ns, "eth0", other, "eth0")
    conf = lab.tunload(ns, "eth0").write(CONF)

    def said(stream, ifname):
        env = dict(os.environ)
        with tempfile.TemporaryFile(mode="w+") as err:
            env["JOURNAL_STREAM"] = stream(os.fstat(err.fileno()))
            if env["JOURNAL_STREAM"] is None:
                del env["JOURNAL_STREAM"]
            argv = ns.argv(TUNLOAD, "attach", ifname, "--dry-run", "-c", conf)
            subprocess.run(argv, env=env, stderr=err, timeout=TIMEOUT,
                           stdout=subprocess.DEVNULL, check=False)
            err.seek(0)
            return err.read()
    return said


def test_in_the_journal(said):
    assert said(the_file, "eth0") == "<4>" + WARNING
    assert said(the_file, "eht0") == "<3>" + ERROR


@pytest.mark.parametrize("stream", OTHERS.values(), ids=OTHERS)
def test_elsewhere(said, stream):
    assert said(stream, "eth0") == WARNING
    assert said(stream, "eht0") == ERROR
