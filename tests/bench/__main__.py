# SPDX-License-Identifier: GPL-2.0-only
"""python3 tests/bench [PART ...] [options], as root: runs all parts, or those
that are named, and writes their tables into docs/performance.md, with the same
figures in docs/performance.json and plots beside it."""
import argparse
import importlib
import os
import signal
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "labs")]
# pylint: disable=wrong-import-position
from bench import harness
from lab import REPO, sweep
from netns import own_mounts

PARTS = ["packet", "plain", "tc", "checks", "many", "many_tc", "fleet", "forward", "rates",
         "cpus", "streams", "latency", "commands", "failover",
         "convergence", "watch", "memory", "instructions"]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        "tests/bench", description=__doc__.split(": ", 1)[1])
    parser.add_argument("parts", nargs="*", metavar="PART",
                        help=f"of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int,
                        help="how often each measurement is taken")
    parser.add_argument("--repeat", type=int,
                        help="packets of one measurement")
    parser.add_argument("--seconds", type=int,
                        help="how long a TCP stream runs")
    parser.add_argument("--kernel", metavar="LINE",
                        help="of the machine that counts instructions: 6.1")
    parser.add_argument("--against", metavar="COMMIT",
                        help="measures the programs of that commit, too")
    parser.add_argument("--docs", default=os.path.join(REPO, "docs"),
                        metavar="DIR", help="where the files are written")
    args = parser.parse_args()
    for part in args.parts:
        if part not in PARTS:
            parser.error(f'"{part}" is no part of {", ".join(PARTS)}')
    return args


def main():
    """Runs the parts, writes and prints their tables."""
    args = arguments()
    if os.geteuid():
        sys.exit("tests/bench needs root (network namespaces, BPF)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # cleans up
    own_mounts()
    sweep()
    cpus = os.sched_getaffinity(0)
    report = harness.Report(args.docs)
    options = [f"--{name} {getattr(args, name)}" for name in (
        "runs", "repeat", "seconds", "kernel", "against")
               if getattr(args, name)]
    for name in args.parts or PARTS:
        how = " ".join(["tests/bench", name, *options])
        part = importlib.import_module(f"bench.{name}")
        os.sched_setaffinity(0, cpus)  # a part may have changed them
        with tempfile.TemporaryDirectory(
                prefix=f"tunload-{os.getpid()}-bench-") as args.work:
            for table in part.run(args):
                report.add(table, how)
                harness.say("")
                print(f"{table.name}, {table.unit}\n\n{table.markdown()}",
                      flush=True)


if __name__ == "__main__":
    main()
