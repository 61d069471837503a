# SPDX-License-Identifier: GPL-2.0-only
"""How long a small UDP packet and its answer take through tunnels in tc mode,
beside a path without one: median and 99 % of each run, of which the least
disturbed one counts."""
from .harness import Table, interleave
from .pair import PORT, Pair, quiet_lab, udp_tool

RUNS, REPEAT = 9, 20000


def ping(ns, tool, path, number):
    """us of a round trip."""
    median, most = ns.run("taskset", "-c", "0", tool, "ping", *path, PORT,
                          number).stdout.split()
    return {"median": float(median), "99 %": float(most)}


def run(args):
    """The table."""
    tool, number = udp_tool(args.work), args.repeat or REPEAT
    with quiet_lab() as lab:
        pair = Pair(lab)
        paths = pair.paths()
        for _, address in paths.values():
            lab.start(pair.recv, "taskset", "-c", "1", tool, "echo", address,
                      PORT).wait_output("ready")
        samples = interleave(args.runs or RUNS, {
            name: lambda p=path: ping(pair.send, tool, p, number)
            for name, path in paths.items()})
    table = Table("latency", "us a round trip",
                  ["path", "median", "99 %", "median, more than plain"],
                  digits=1)
    table.samples = samples
    for name in paths:
        plain = name if name in ("plain IPv4", "plain IPv6") else \
            f"plain IPv{name[0]}"
        median = samples.least((name, "median"))
        table.row(name, median, samples.least((name, "99 %")),
                  median - samples.least((plain, "median")))
    table.draw("bars", "median", "99 %")
    yield table
