# SPDX-License-Identifier: GPL-2.0-only
"""What `tunload watch` costs while nothing happens: its memory, and its CPU
time with that of its children, who look every 25 s whether all is as it should
be. The peers have the usual keepalive and do not answer."""
import os
import re
import time

from .harness import Table, say
from .pair import quiet_lab

SIZES, SECONDS = (1, 100, 1000), 60
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def conf(peers):
    """A configuration of that many peers on the wire."""
    return "[interface]\nmode = tc\nsource = 172.22.2.2\n" + "".join(
        f"[peer p{i}]\nendpoint = 198.18.{i >> 8}.{i & 255}\n"
        f"allowed-ips = 10.{i >> 8}.{i & 255}.0/24\n" for i in range(peers))


def used_ms(pid):
    """CPU time of a process, and of its children that have ended."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        own = int(f.read().split()[0]) / 1e6
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        children = f.read().rpartition(")")[2].split()[13:15]
    return own + sum(map(int, children)) * TICK_MS


def resident(pid):
    """MiB at its most."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) / 1024


def measure(peers, seconds):
    """(MiB, ms of CPU time)."""
    with quiet_lab() as lab:
        host, other = lab.netns("host"), lab.netns("other")
        lab.veth(host, "eth0", other, "eth0")
        host.addr("eth0", "192.0.2.1/24")
        host.addr("lo", "172.22.2.2/32")
        host.ip("route", "add", "198.18.0.0/16", "via", "192.0.2.2")
        host.ip("neigh", "add", "192.0.2.2", "lladdr", other.mac("eth0"),
                "dev", "eth0")
        tl = lab.tunload(host)
        tl.attach(conf(peers), "--no-trigger")
        watch = lab.keep(tl.start("watch", "eth0"))
        watch.wait_output(f"p{peers - 1}: silent", timeout=120)
        pid = watch.popen.pid
        time.sleep(10)  # the child that wrote down who is silent
        before = used_ms(pid)
        time.sleep(seconds)
        return resident(pid), used_ms(pid) - before


def run(args):
    """The table."""
    seconds = args.seconds or SECONDS
    table = Table("watch", f"MiB, and ms of CPU time in {seconds} s",
                  ["peers", "memory", "CPU time"], digits=1)
    for peers in SIZES:
        say(f"watch of {peers:,} peers")
        table.row(f"{peers:,}", *measure(peers, seconds))
    yield table
