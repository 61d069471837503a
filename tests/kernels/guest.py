# SPDX-License-Identifier: GPL-2.0-only
"""pytest inside a virtual machine, on the tree that is tested outside."""
import os
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import vm
from lab import REPO
from netns import PATIENCE

SLOWER = 6  # than the machine that it runs on, at the most

SCRIPT = """
mount -t bpf bpf /sys/fs/bpf
export TUNLOAD_TEST_PATIENCE={patience}
cd {repo} || exit
exec {python} -m pytest -q -p no:cacheprovider --tb=short \\
    --junitxml=/run/share/report.xml {args}
"""


class Results:
    """What a run of pytest found: .passed, names; .skipped and .failed,
    {name: reason}; .notes, {name: its property "note"}."""

    def __init__(self, report):
        self.passed, self.skipped, self.failed = [], {}, {}
        self.notes = {}
        for case in ElementTree.parse(report).iter("testcase"):
            self._add(case)

    def _add(self, case):
        name, skip = case.get("name"), case.find("skipped")
        for said in case.iter("property"):
            self.notes[name] = said.get("value")
        bad = [case.find("failure"), case.find("error")]
        bad = [one for one in bad if one is not None]
        if bad:
            self.failed[name] = bad[0].text or bad[0].get("message")
        elif skip is not None:
            self.skipped[name] = skip.get("message")
        else:
            self.passed.append(name)

    def check(self, name):
        """That one test passed."""
        assert name not in self.failed, f"{name}:\n{self.failed[name]}"
        assert name in self.passed, f"{name} did not run"

    def check_all(self):
        """That all have passed, and there were some."""
        assert not self.failed, "\n\n".join(
            f"{name}:\n{reason}" for name, reason in self.failed.items())
        assert not self.skipped, self.skipped
        assert self.passed


def run_tests(image, args, timeout=900, **options):
    """Runs pytest with these arguments on a kernel: its Results."""
    script = SCRIPT.format(repo=REPO, python=sys.executable,
                           args=" ".join(args), patience=SLOWER * PATIENCE)
    with tempfile.TemporaryDirectory(prefix="tunload-vm-") as share:
        machine = vm.Machine(image, script, share, **options)
        status, output = machine.wait(timeout * PATIENCE)
        report = os.path.join(share, "report.xml")
        assert status in (0, 1) and os.path.exists(report), output[-20000:]
        return Results(report)
