# SPDX-License-Identifier: GPL-2.0-only
"""TCP with one and with eight streams, and small UDP packets, through tunnels
in tc mode at both ends of a veth, beside the same without a tunnel and through
the kernel's seg6. Everything is on one CPU, so that a figure is what both ends
cost, and not how the two happen to wait for each other. TCP: medians of the runs
and of the rounds' own ratios; UDP: the minimum of the runs."""
import json

from lab import wait_until

from .harness import Table, interleave
from .pair import PORT, Pair, former, quiet_lab, udp_tool

RUNS, SECONDS, REPEAT = 7, 1, 300000
STREAMS = {"1 stream": 1, "8 streams": 8}
# What gives packets to sockets; End.DX6 only forwards.
ACTIONS = {4: ("End.DX4", "nh4", "0.0.0.0"), 6: ("End.DT6", "table", "local")}
SEGMENT = "fd00:5e6:{}::{}"  # side, inner version


def seg6(pair):
    """Puts seg6 on a third veth; {name: path}. The segment of each side and
    inner version is an outer address."""
    paths = {}
    for side, ns in enumerate(pair.ends):
        ns.forward()
        ns.sysctl("net.ipv6.conf.all.seg6_enabled", 1)
        ns.sysctl("net.ipv6.conf.eth2.seg6_enabled", 1)
        ns.addr("eth2", f"2001:db8:7::{side + 1}/64")
        ns.addr("lo", f"10.7.{side}.1/32", f"fd00:7:{side}::1/128")
        ns.ip("sr", "tunsrc", "set", f"2001:db8:7::{side + 1}")
    for version, prefix in (4, "10.7.{}.1"), (6, "fd00:7:{}::1"):
        for side, ns in enumerate(pair.ends):
            there = SEGMENT.format(1 - side, version)
            ns.ip("-6", "route", "add", f"{SEGMENT.format(1 - side, version)}"
                  "/128", "via", f"2001:db8:7::{2 - side}")
            ns.ip("-6", "route", "add", f"{SEGMENT.format(side, version)}/128",
                  "encap", "seg6local", "action", *ACTIONS[version],
                  "dev", "eth2")
            ns.ip(f"-{version}", "route", "add", prefix.format(1 - side),
                  "encap", "seg6", "mode", "encap.red", "segs", there,
                  "dev", "eth2", "src", prefix.format(side))
        paths[f"seg6 {version}in6"] = (prefix.format(0), prefix.format(1))
    return paths


def gbits(ns, path, streams, seconds):
    """Gbit/s of one run, as the receiver saw it."""
    source, destination = path

    def once():
        out = json.loads(ns.run(
            "iperf3", "-J", "-c", destination, "-p", PORT, "-B", source,
            "-A", "0,0", "-P", streams, "-t", seconds, check=False,
            timeout=seconds + 30).stdout)
        error = out.get("error", "")
        assert not error or "busy" in error or "refused" in error, \
            f"{path}: {error}"
        return out["end"].get("sum_received")

    # The server may still be busy with the end of the run before, or just
    # about to listen again.
    return wait_until(once, f"{path}")["bits_per_second"] / 1e9


def udp_ns(ns, tool, path, number):
    """ns of each small packet on one CPU, the receiver's part included as far
    as its socket, which nobody reads."""
    return float(ns.run("taskset", "-c", "0", tool, "send", *path, PORT,
                        number).stdout)


def flows(lab, args):
    """{name: (sending namespace, path)}."""
    pair = Pair(lab)
    lab.veth(pair.send, "eth2", pair.recv, "eth2")
    pairs = {"": (pair, {**pair.paths(), **seg6(pair)})}
    if args.against:
        other = Pair(lab, program=former(args.work, args.against))
        pairs[f"{args.against} "] = (other, {
            name: path for name, path in other.paths().items()
            if not name.startswith("plain")})
    for one, _ in list(pairs.values()):
        lab.start(one.recv, "iperf3", "--forceflush", "-s", "-p",
                  PORT).wait_output("listening")
        one.listen(lab)
    return {label + name: (one.send, path)
            for label, (one, paths) in pairs.items()
            for name, path in paths.items()}


def run(args):
    """The table."""
    tool, number = udp_tool(args.work), args.repeat or REPEAT
    measures = {}
    with quiet_lab() as lab:
        found = flows(lab, args)
        for kind, streams in STREAMS.items():
            for name, (ns, path) in found.items():
                measures[kind, name] = lambda n=ns, p=path, s=streams: gbits(
                    n, p, s, args.seconds or SECONDS)
        for name, (ns, path) in found.items():
            measures["UDP", name] = lambda n=ns, p=path: udp_ns(
                n, tool, p, number)
        samples = interleave(args.runs or RUNS, measures)
    yield table(samples, found)


def table(samples, names):
    """Medians and ratios."""
    made = Table("streams", "Gbit/s, and ns a packet", [
        "path", "1 stream", "of plain", "of seg6", "8 streams",
        "8 streams of plain", "small UDP packet, ns", "UDP, ns more"],
        digits=2)
    made.samples = samples
    for name in names:
        combination = name.split()[-1]
        plain = f"plain IPv{combination[-1 if 'IPv' in name else 0]}"
        seg = f"seg6 {combination}"
        cells = [samples.median(("1 stream", name)),
                 samples.ratio(("1 stream", name), ("1 stream", plain)),
                 samples.ratio(("1 stream", name), ("1 stream", seg))
                 if seg in names else None,
                 samples.median(("8 streams", name)),
                 samples.ratio(("8 streams", name), ("8 streams", plain)),
                 round(samples.least(("UDP", name))),
                 round(samples.least(("UDP", name))
                       - samples.least(("UDP", plain)))]
        made.row(name, *cells)
    made.draw("bars", "of plain", "8 streams of plain")
    return made
