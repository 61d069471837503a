# SPDX-License-Identifier: GPL-2.0-only
"""pytest inside a virtual machine, on the tree that is tested outside."""
import os
import sys
import xml.etree.ElementTree as ElementTree

import vm
from lab import REPO

SCRIPT = """
mount -t bpf bpf /sys/fs/bpf
export TUNLOAD_TEST_PATIENCE=6
cd {repo} || exit
exec {python} -m pytest -q -p no:cacheprovider --tb=short \\
    --junitxml=/run/share/report.xml {args}
"""


def run_tests(image, share, args, timeout=600, **options):
    """Runs pytest with these arguments on a kernel: (passed, skips), where
    skips are "test: reason". A failure is an AssertionError that shows what
    pytest printed."""
    script = SCRIPT.format(repo=REPO, python=sys.executable,
                           args=" ".join(args))
    status, output = vm.Machine(image, script, share, **options).wait(timeout)
    assert status == 0, output[-20000:]
    cases = list(ElementTree.parse(
        os.path.join(share, "report.xml")).iter("testcase"))
    skips = [f"{case.get('name')}: {case.find('skipped').get('message')}"
             for case in cases if case.find("skipped") is not None]
    return len(cases) - len(skips), skips
