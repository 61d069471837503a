# SPDX-License-Identifier: GPL-2.0-only
"""One tunnel on two CPUs: packets a second of 1024 inner flows that the stack
forwards, with all of the work on the CPU on which the frames arrive, and spread
by RPS and by cpus = all. The generator (live frames) runs on the first CPU in
every case, and counts in full. The least disturbed run counts."""
import os
import sys
import time

from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

from lab import run as command
from netns import Process

from .harness import Table, interleave
from .packet import packets
from .pair import quiet_lab
from .programs import KEY
from .rates import DECAP, IN, OUT, Host

RUNS, REPEAT = 9, 300000
RPS = f"/sys/class/net/{IN}/queues/rx-0/rps_cpus"
SPREADS = {"one CPU": 0, "RPS, the other CPU": 2, "RPS, both": 3,
           "cpus = all": None}
SINK = "172.22.2.2"  # packets to it are forwarded
CONNTRACK = """table inet bench {
 chain forward { type filter hook forward priority 0; ct state invalid drop; }
 chain nat { type nat hook postrouting priority 100; masquerade; }
}"""
RULES = "table inet bench {\n chain forward {\n" \
    "  type filter hook forward priority 0\n" + "".join(
        f"  udp dport {port} drop\n" for port in range(200)) + " }\n}"
WORK = {"nothing": "", "conntrack and NAT": CONNTRACK, "200 rules": RULES}


class Spread(Host):
    """A host that forwards decapsulated packets to where they are counted."""

    def __init__(self, lab, work, mode, rules, cpus):
        super().__init__(lab, work)
        self.ns.run("ethtool", "-K", IN, "gro", "on")
        self.ns.run("tc", "qdisc", "add", "dev", OUT, "clsact")
        self.ns.run("tc", "filter", "add", "dev", OUT, "egress", "bpf",
                    "direct-action", "pinned", self.pin("tc_handled"))
        self.ns.nft(rules)
        self.tunload(IN, f"{mode}\ncpus = {cpus}", DECAP)

    def rps(self, mask):
        """Says to which CPUs RPS gives packets."""
        self.ns.run("unshare", "-m", "sh", "-c",
                    f"mount -t sysfs sysfs /sys && echo {mask:x} >{RPS}")

    def handled(self):
        """Packets that were forwarded."""
        return sum(int.from_bytes(value, "little")
                   for value in self.progs.maps["handled"].lookup(KEY))

    def rate(self, data, number):
        """Million packets a second that were forwarded. The generator gives
        way to no process but the kernel's threads of cpus = all, as it does
        to the softirqs of RPS."""
        send = self.sender(data, number, len(data) - len(Ether(data)[UDP]))
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            before, begin = self.handled(), time.monotonic()
            send()
            return (self.handled() - before) / (time.monotonic() - begin) / 1e6
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


# Keeps other processes off the second CPU, and runs the softirqs that wait
# there at the end of each system call, as an idle CPU does at once.
IDLE = """import socket
s = socket.socket(type=socket.SOCK_DGRAM)
while True:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)"""


def threads():
    """The kernel's threads for CPUMAPs."""
    return set(command("pgrep", "cpumap/", check=False).stdout.split())


def frame():
    """A 4in6 packet to the sink, without a flow label."""
    made = Ether(packets()["4in6"])
    made[UDP].sport, made[UDP].dport = 20000, 30000
    inner = made[UDP].underlayer
    inner.dst = SINK
    del made[UDP].chksum, inner.chksum
    return bytes(made)


def hosts(lab, work, mode):
    """{(row, column): function that measures}."""
    measures = {}
    for name, rules in WORK.items():
        host = Spread(lab, work, mode, rules, "no")
        others = threads()
        for spread, mask in SPREADS.items():
            if mask is not None:
                def measure(number, h=host, m=mask):
                    h.rps(m)
                    return h.rate(frame(), number)
            elif mode == "native":
                mapped = Spread(lab, work, mode, rules, "all")
                for thread in threads() - others:
                    os.sched_setscheduler(int(thread), os.SCHED_FIFO,
                                          os.sched_param(2))

                def measure(number, h=mapped):
                    return h.rate(frame(), number)
            else:
                continue
            measures[f"{mode}, {name}", spread] = measure
    return measures


def run(args):
    """The table."""
    number = args.repeat or REPEAT
    with quiet_lab() as lab:
        measures = {key: measure for mode in ("native", "tc")
                    for key, measure in hosts(lab, args.work, mode).items()}
        os.sched_setaffinity(0, {0})
        lab.keep(Process(["taskset", "-c", 1, "chrt", "-f", 1,
                          sys.executable, "-c", IDLE]))
        samples = interleave(args.runs or RUNS, {
            key: lambda m=measure: m(number)
            for key, measure in measures.items()})
    table = Table("cpus", "million packets a second", [
        "decap, and in the stack", *SPREADS,
        *(f"{spread}, of one CPU" for spread in list(SPREADS)[1:])], digits=2)
    table.samples = samples
    for name in dict.fromkeys(name for name, _ in measures):
        rates = [samples.most((name, spread)) if (name, spread) in samples
                 else None for spread in SPREADS]
        table.row(name, *rates, *(rate and rate / rates[0]
                                  for rate in rates[1:]))
    table.draw("bars", *SPREADS)
    yield table
