# SPDX-License-Identifier: GPL-2.0-only
"""Ends scripts/check: reads pytest's JUnit report, prints the reasons of the
skips and, as the last line, "N passed, N failed, N skipped".

usage: summary.py REPORT PYTEST_STATUS
"""

import os
import sys
import xml.etree.ElementTree as ElementTree

NOTHING_COLLECTED = 5


def outcomes(report):
    """(passed, failed, skips): two counts, and "test: reason" of each skip.

    A test that fails and whose teardown fails too is one failure; an error
    while collecting is one as well.
    """
    results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            results[name] = "failed"
        elif results.get(name) == "failed":
            continue
        elif skip is not None:
            results[name] = skip.get("message") or "no reason given"
            if skip.get("type") == "pytest.xfail":
                results[name] = "expected: to fail: " + results[name]
        else:
            results[name] = "passed"
    passed = sum(r == "passed" for r in results.values())
    failed = sum(r == "failed" for r in results.values())
    skips = [(n, r) for n, r in results.items() if r not in ("passed", "failed")]
    return passed, failed, skips


def main():
    report, status = sys.argv[1], int(sys.argv[2])
    try:
        passed, failed, skips = outcomes(report)
    except (OSError, ElementTree.ParseError):
        passed, failed, skips = 0, 1, []
    for name, reason in skips:
        print(f"skipped: {name}: {reason}")
    if status not in (0, NOTHING_COLLECTED) and not failed:
        print(f"pytest ended with status {status} although no test failed")
        failed = 1
    if not passed and not failed and not skips:
        print("no test ran")
        failed = 1
    unexpected = [r for _, r in skips if not r.startswith("expected:")]
    bad = failed or (os.environ.get("CI") == "true" and unexpected)
    print(f"{passed} passed, {failed} failed, {len(skips)} skipped")
    sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
