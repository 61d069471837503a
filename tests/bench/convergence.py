# SPDX-License-Identifier: GPL-2.0-only
"""How fast a fleet follows, in the lab of docs/fleet.md with its configurations.

convergence: a gateway falls silent, or a daemon is killed, while a site announces
10,000 prefixes: seconds between the last packet before and the first one after
the gap, of that flow out of 16 which waits longest; each has a packet every 10 ms.

routes: a site announces prefixes, or takes them back: routes a second, from
`birdc configure` there until all of them are in a gateway's FIB, or gone."""
import re
import statistics
import threading
import time

from fleet import LAN, S1, Fleet, example, prefix
from netns import wait_until

from .harness import Table, say
from .many import short
from .pair import quiet_lab

RUNS = 5
ROUTES = [10000, 100000]
DAEMONS = {"g1": "BIRD", "g2": "FRR"}


def wait_without(fleet, family):
    """Waits until the others know that a gateway is gone."""
    for host, network in ("lan", S1), ("s1", LAN):
        fleet.wait_next_hops(host, prefix(network[family]), 1)


def silence(fleet, gateway, family):
    """Seconds that flows to a site wait for the other gateway."""
    with fleet.flows_to(S1, family, "s1") as flows:
        with fleet.silent(gateway):
            wait_without(fleet, family)
            flows.running()
        fleet.wait_converged()
    return flows.gap(flows.arrived)


def kill_bgpd(fleet):
    """The same when FRR's bgpd dies and its host lives."""
    with fleet.flows_to(S1, 4, "s1") as flows:
        fleet.daemon["g2"].kill("bgpd")
        wait_without(fleet, 4)
        flows.running()
        fleet.daemon["g2"].restart("bgpd")
        fleet.wait_converged()
    return flows.gap(flows.arrived)


def convergence(args):
    """The table of failovers."""
    with quiet_lab() as lab:
        fleet = Fleet(lab)
        deaths = {f"{gateway} ({daemon}) falls silent, IPv{family}":
                  lambda g=gateway, f=family: silence(fleet, g, f)
                  for gateway, daemon in DAEMONS.items() for family in (4, 6)}
        deaths["bgpd of g2 is killed, IPv4"] = lambda: kill_bgpd(fleet)
        fleet.wait_converged()
        times = {name: [] for name in deaths}
        for done in range(args.runs or RUNS):
            for name, death in deaths.items():
                times[name].append(death())
            say(f"convergence, run {done + 1}")
    table = Table("convergence", "seconds without packets",
                  ["what happens", "least", "median", "most"], digits=2)
    for name, gaps in times.items():
        table.row(name, min(gaps), statistics.median(gaps), max(gaps))
    table.draw("bars", "least", "median", "most")
    return table


def fib_size(ns):
    """The number of IPv4 prefixes in a host's table of routes; without policy
    rules the kernel has the same for all tables."""
    text = ns.call(lambda: open("/proc/thread-self/net/fib_triestat",
                                encoding="ascii").read())
    return max(map(int, re.findall(r"Prefixes:\s+(\d+)", text)))


def announce(fleet, number, change):
    """s1 announces so many prefixes, which is so many more (or fewer) than it
    did: {gateway: seconds until its FIB has them}."""
    before = {name: fib_size(fleet.ns[name]) for name in DAEMONS}
    took, s1 = {}, fleet.daemon["s1"]
    more = "".join(f"route 10.{128 + (i >> 10)}.{i >> 2 & 255}.{(i & 3) << 6}"
                   "/26 blackhole;\n" for i in range(number))
    s1.write(example("s1-bird.conf"), **{"more.conf": more})

    def watch(name):
        wait_until(lambda: fib_size(fleet.ns[name]) == before[name] + change,
                   f"{name}: {change} routes more", timeout=300)
        took[name] = time.monotonic() - begin

    begin = time.monotonic()
    s1.ask("configure")
    watchers = [threading.Thread(target=watch, args=(name,)) for name in DAEMONS]
    for thread in watchers:
        thread.start()
    for thread in watchers:
        thread.join()
    return took


def routes(args):
    """The table of routes a second."""
    table = Table("routes", "routes a second",
                  ["gateway", *(f"{short(n)} {what}" for n in ROUTES
                                for what in ("announced", "withdrawn"))])
    rows = {name: [] for name in DAEMONS}
    with quiet_lab() as lab:
        fleet = Fleet(lab, prefixes=[])
        fleet.wait_converged()
        for number in ROUTES:
            samples = [(announce(fleet, number, number), announce(fleet, 0, -number))
                       for _ in range(args.runs or RUNS)]
            for name, row in rows.items():
                row += [number / statistics.median(took[name] for took in kind)
                        for kind in zip(*samples)]
            say(f"{number:,} routes")
    for name, row in rows.items():
        table.row(f"{name} ({DAEMONS[name]})", *row)
    return table


def run(args):
    """Both tables."""
    yield convergence(args)
    yield routes(args)
