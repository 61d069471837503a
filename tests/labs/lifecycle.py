# SPDX-License-Identifier: GPL-2.0-only
"""Two hosts whose first one is attached, upgraded, reloaded and detached, and
counted flows between them; for the tests of a lifecycle."""
import json
import os
import socket
import threading

from addresses import INNER, OUTER, PREFIX, THIRD
from lab import TUNLOAD, run, wait_until
from netns import IPV6, PATIENCE, kernel_version
from traffic import family

A, B = INNER[4]
CONF_A = f"""
[interface]
source = {A}
mode = {{mode}}
[peer b]
endpoint = {OUTER[4][1]}
allowed-ips = {PREFIX[4][1]}{{more}}
"""
CONF_B = f"""
[interface]
source = {B}
[peer a]
endpoint = {OUTER[4][0]}
allowed-ips = {PREFIX[4][0]}
"""
EXTRA_PEER = f"""
[peer c]
endpoint = {THIRD[4]}
gateway = 10.31.0.9
allowed-ips = routed, 10.30.0.0/24
"""
# What holds tc programs here; the first is what the loader chooses.
HOOKS = ["tcx", "clsact"] if kernel_version() >= (6, 6) else ["clsact"]


def conf_a(mode="tc", more="", peers=""):
    """The configuration of the first host."""
    return CONF_A.format(mode=mode, more=more) + peers


def hook_env(hook):
    """The environment that chooses the kind of tc hook."""
    return dict(os.environ, TUNLOAD_HOOK=hook)


def as_unit(pair, *args, **kwargs):
    """Runs `tunload args` on the first host with no more capabilities than the
    systemd unit has."""
    return pair.a.run("setpriv", "--no-new-privs", "--bounding-set",
                      "-all,+bpf,+net_admin,+perfmon,+net_raw", TUNLOAD,
                      "--bpffs", pair.tl.bpffs, *args, check=False, **kwargs)


def with_hosts(pair, hosts, *args):
    """Runs tunload where /etc/hosts is of that text, and no name server."""
    path = os.path.join(pair.tl.dir, "hosts")
    with open(path, "w", encoding="utf-8") as f:
        f.write(hosts)
    with open(path + ".resolv", "w", encoding="utf-8") as f:
        f.write("nameserver 127.0.0.1\n")
    script = (f"mount --bind {path} /etc/hosts && "
              f"mount --bind {path}.resolv /etc/resolv.conf && exec \"$@\"")
    argv = pair.tl.argv(*args)
    return pair.a.run("unshare", "-m", "sh", "-c", script, "sh",
                      *argv[argv.index("--") + 1:], check=False)


def bpftool_pinned(kind, path):
    """`bpftool KIND show pinned PATH`, parsed."""
    return json.loads(run("bpftool", "-j", kind, "show", "pinned",
                          path).stdout)


def pinned_programs(tl):
    """The ids of the three pinned programs, by the name of the pin."""
    return {name: bpftool_pinned("prog", os.path.join(tl.pins, name))["id"]
            for name in ("prog_xdp_ingress", "prog_tc_ingress",
                         "prog_tc_egress")}


def linked_programs(tl):
    """The ids of the programs that the pinned links hold on their hooks."""
    links = [name for name in os.listdir(tl.pins) if name.startswith("link_")]
    return {name: bpftool_pinned("link",
                                 os.path.join(tl.pins, name))["prog_id"]
            for name in links}


def traces(ns):
    """All that tunload can leave in a namespace with an eth0."""
    return [
        ns.batch("link", "addr", "route show table all",
                 "neigh show nud permanent", "rule", options=["-details"]),
        ns.batch(*["rule"] * IPV6, options=["-6"]),
        ns.batch("qdisc", *(f"filter show dev eth0 {way}"
                            for way in ("ingress", "egress")), program="tc")]


class Flow:
    """A counted UDP flow, one datagram each half millisecond (where patience
    is needed, not so many)."""

    def __init__(self, src, src_address, dst, dst_address):
        self.sent, self.got = 0, 0
        self.address = dst_address, 7000
        self.stopping = threading.Event()
        self.rx = dst.socket(family(dst_address), socket.SOCK_DGRAM)
        self.rx.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.rx.bind(self.address)
        self.rx.settimeout(1)
        self.tx = src.socket(family(src_address), socket.SOCK_DGRAM)
        self.tx.bind((src_address, 0))
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._receive, self._send)]

    def _send(self):
        while not self.stopping.wait(0.0005 * PATIENCE ** 2):
            self.tx.sendto(b"x" * 100, self.address)
            self.sent += 1

    def _receive(self):
        while True:
            try:
                self.rx.recv(2048)
            except TimeoutError:
                if self.stopping.is_set():
                    return
                continue
            self.got += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.got > 20, "the flow")
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.rx.close()
        self.tx.close()


class Pair:
    """Two hosts on a wire, tunload on both; the second stays as it is."""

    def __init__(self, lab):
        self.lab = lab
        self.a, self.b = lab.netns("a"), lab.netns("b")
        lab.veth(self.a, "eth0", self.b, "eth0")
        for i, ns in enumerate((self.a, self.b)):
            ns.addr("eth0", f"{OUTER[4][i]}/24", f"{OUTER[6][i]}/64")
            ns.addr("lo", f"{INNER[4][i]}/32")
        self.tl = lab.tunload(self.a)
        self.tl_b = lab.tunload(self.b, bpffs=lab.new_bpffs())
        self.tl_b.attach(CONF_B, "--mode", "tc", "--no-trigger")

    def traces(self):
        """All that tunload can leave on the first host."""
        return traces(self.a), sorted(os.listdir(self.tl.bpffs))

    def flows(self):
        """Two flows, one in each direction."""
        return (Flow(self.a, A, self.b, B), Flow(self.b, B, self.a, A))
