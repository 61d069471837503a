# SPDX-License-Identifier: GPL-2.0-only
"""How long the commands take, by number of peers: wall seconds, the minimum of
the runs.

Each run attaches to a fresh interface of a namespace, with routes and a
source, and then: reload of the same file, reload with one peer changed, `peer
set` of one in the middle (its ttl, its mtu, a prefix more, another endpoint),
`peer add`, `peer del`, status, trigger --due with nothing due, detach; and
attaches once more with a trigger, until its first packet is at the other
end."""
import socket
import subprocess
import time

from .harness import Samples, Table, say
from .many import LOCAL, ROUTER, Population, short
from .pair import quiet_lab

RUNS = 3
COLUMNS = ["attach", "reload", "change one", "set ttl", "set mtu",
           "set prefixes", "set endpoint", "peer add", "peer del", "status",
           "due", "detach", "first packet"]
ROUTES = "source = 10.0.0.1"
# (peers, prefixes, settings)
SIZES = [(0, 0, ROUTES), (10, 10, ROUTES), (100, 100, ROUTES),
         (1000, 10000, ROUTES), (10000, 100000, ROUTES),
         (100000, 100000, ROUTES), (1, 1000000, ROUTES),
         (1, 1000000, "routes = no")]
AN_ARGUMENT = 2000  # prefixes
ETH_P_ALL, IPIP = 3, 4


def timed(tl, *args):
    """Wall seconds of one command."""
    begin = time.monotonic()
    subprocess.run(tl.argv(*args), stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begin


def first_packet(tl, far):
    """Seconds from the start of attach until a tunnelled packet arrives."""
    with far.socket(socket.AF_PACKET, socket.SOCK_RAW,
                    socket.htons(ETH_P_ALL)) as sock:
        sock.bind(("eth0", ETH_P_ALL))
        begin = time.monotonic()
        with subprocess.Popen(tl.argv("attach", "eth0", "-c", tl.conf),
                              stdout=subprocess.DEVNULL):
            while sock.recv(100)[23] != IPIP:
                pass
            took = time.monotonic() - begin
    tl.detach()
    return took


def one_run(tl, far, population, settings):
    """{command: seconds}."""
    def conf(ttl):
        return tl.write(population.conf(settings, ttl))

    took = {"attach": timed(tl, "attach", "eth0", "-c", conf(64),
                            "--no-trigger")}
    took["reload"] = timed(tl, "reload", "eth0", "-c", tl.conf)
    if population.peers:
        took["change one"] = timed(tl, "reload", "eth0", "-c", conf(63))
        middle = population.peers // 2
        one = f"p{middle}"
        for name, *words in (
                ("set ttl", "set", "eth0", one, "ttl", "62"),
                ("set mtu", "set", "eth0", one, "mtu", "1400"),
                ("set endpoint", "set", "eth0", one, "endpoint",
                 "198.51.100.2"),
                ("peer add", "add", "eth0", "new", "endpoint", "198.51.100.1",
                 "keepalive", "0", "allowed-ips", "10.9.1.0/24"),
                ("peer del", "del", "eth0", "new")):
            took[name] = timed(tl, "peer", *words)
        if population.each < AN_ARGUMENT:
            took["set prefixes"] = timed(
                tl, "peer", "set", "eth0", one, "allowed-ips",
                f"10.9.0.0/24, {population.allowed(population.of(middle))}")
    took["status"] = timed(tl, "status", "eth0")
    took["due"] = timed(tl, "trigger", "eth0", "--due")
    took["detach"] = timed(tl, "detach", "eth0")
    if settings == ROUTES and 0 < population.peers <= 1000:
        took["first packet"] = first_packet(tl, far)
    return took


def run(args):
    """The table."""
    samples = Samples()
    table = Table("commands", "seconds",
                  ["peers / prefixes", *COLUMNS], digits=3)
    with quiet_lab() as lab:
        ns, far = lab.netns("a"), lab.netns("b")
        lab.veth(ns, "eth0", far, "eth0")
        ns.addr("eth0", LOCAL[4])
        far.addr("eth0", f"{ROUTER[4]}/24")
        ns.addr("lo", "10.0.0.1/32")
        ns.ip("route", "add", "default", "via", ROUTER[4])
        tl = lab.tunload(ns)
        for peers, prefixes, settings in SIZES:
            title = f"{short(peers)} / {short(prefixes)}" + (
                ", routes = no" if settings != ROUTES else "")
            for done in range(args.runs or RUNS):
                say(f"{title}, run {done + 1}")
                took = one_run(tl, far, Population(4, peers, prefixes),
                               settings)
                for name, seconds in took.items():
                    samples.setdefault((title, name), []).append(seconds)
            table.row(title, *(samples.least((title, name))
                               if (title, name) in samples else None
                               for name in COLUMNS))
    table.samples = samples
    yield table
