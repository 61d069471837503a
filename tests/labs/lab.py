# SPDX-License-Identifier: GPL-2.0-only
"""Labs of network namespaces: the parts of every wire test.

    with Lab() as lab:                        # or the pytest fixture `lab`
        a, b = lab.netns("a"), lab.netns("b")
        lab.veth(a, "eth0", b, "eth0")
        a.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
        tl = lab.tunload(a, "eth0")           # with a bpffs of its own
        tl.attach(CONF, "--mode", "tc")
        wire = lab.capture(b, "eth0")
        ...
        assert tl.verdict("rx_decap") == 3

A Lab closes what it made in reverse order, also after a failure. sweep()
removes what a killed run has left, at the start of the next.
"""
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from capture import Capture, Frame, GatewayWatch, Sender, Tap
from netns import IPV6, TIMEOUT, Netns, Process, run, wait_until

__all__ = ["Bpffs", "Capture", "Frame", "Lab", "Netns", "Process", "Sender",
           "TIMEOUT", "TUNLOAD", "Tap", "Tunload", "read", "run",
           "wait_until"]

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TUNLOAD = os.path.abspath(
    os.environ.get("TUNLOAD", os.path.join(REPO, "build", "tunload")))
SITE_TUN = os.path.join(REPO, "tests", "labs", "site_tun.py")


def read(*path):
    """The text of a file of the tree."""
    with open(os.path.join(REPO, *path), encoding="utf-8") as f:
        return f.read()


class Bpffs:
    """A bpf file system of its own in a temporary directory, .path: it keeps
    the pins of a test apart from those of other tests and of the host."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix=f"tunload-{os.getpid()}-")
        run("mount", "-t", "bpf", "bpf", self.path)

    def close(self):
        """Unmounts, which drops all pins."""
        run("umount", self.path)
        os.rmdir(self.path)


class Tunload:
    """The program under test, for one interface in one namespace, with the
    pins in a bpffs directory. `ns` may be None: the host's namespace."""

    program = TUNLOAD  # may be set to another version, to compare

    def __init__(self, ns, ifname, bpffs):
        self.ns, self.ifname, self.bpffs = ns, ifname, bpffs
        self.dir = tempfile.mkdtemp(prefix=f"tunload-{os.getpid()}-")
        self.conf = os.path.join(self.dir, f"{ifname}.conf")
        self.pins = os.path.join(bpffs, "tunload", ifname)

    def _command(self, *args):
        return [self.program, "--bpffs", self.bpffs, *(str(a) for a in args)]

    def argv(self, *args):
        """The whole command line of `tunload --bpffs DIR args`."""
        command = self._command(*args)
        return self.ns.argv(*command) if self.ns else command

    def run(self, *args, check=False, **kwargs):
        """Runs `tunload args`; returns the CompletedProcess."""
        runner = self.ns.run if self.ns else run
        return runner(*self._command(*args), check=check, **kwargs)

    def ok(self, *args, **kwargs):
        """run() that must succeed; returns its standard output."""
        return self.run(*args, check=True, **kwargs).stdout

    def start(self, *args, **kwargs):
        """`tunload args` as a Process, for monitor and the like."""
        return Process(self.argv(*args), **kwargs)

    def write(self, text):
        """Writes the configuration file; returns its path."""
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)
        return self.conf

    def attach(self, text, *args, check=True, **kwargs):
        """Writes the configuration and attaches with it."""
        return self.run("attach", self.ifname, "-c", self.write(text), *args,
                        check=check, **kwargs)

    def reload(self, text, *args, check=True, **kwargs):
        """Writes the configuration and reloads it."""
        return self.run("reload", self.ifname, "-c", self.write(text), *args,
                        check=check, **kwargs)

    def detach(self, check=True):
        """Detaches."""
        return self.run("detach", self.ifname, check=check)

    def status(self):
        """`status IFACE --json`, parsed."""
        return json.loads(self.ok("status", self.ifname, "--json"))

    def peer(self, name):
        """The peer's part of status()."""
        return next(p for p in self.status()["peers"] if p["name"] == name)

    def verdict(self, name, peer=None):
        """Packets counted for a verdict, of the interface or of a peer."""
        counted = (self.peer(peer) if peer else self.status())["verdicts"]
        return counted.get(name, {"packets": 0})["packets"]

    def map(self, name):
        """`bpftool map dump` of a pinned map, parsed: as an operator sees it,
        with field names."""
        out = run("bpftool", "-j", "map", "dump", "pinned",
                  os.path.join(self.pins, name)).stdout
        return [e.get("formatted", e) for e in json.loads(out)]

    def report(self):
        """`status -v`, or why there is none."""
        done = self.run("status", self.ifname, "-v")
        return f"{self.ifname}:\n{done.stdout}{done.stderr}"

    def close(self):
        """Detaches, if the interface is still attached."""
        if os.path.isdir(self.pins) and os.path.exists(TUNLOAD):
            self.run("detach", self.ifname)
        shutil.rmtree(self.dir, ignore_errors=True)


class Lab(contextlib.ExitStack):
    """Makes all of the above and closes them in reverse order."""

    watch = True  # fails if a frame to or about a gateway is on a wire

    def __init__(self):
        super().__init__()
        self._macs = itertools.count(1)
        self._bpffs = None
        self._hosts = []  # what report() asks

    def keep(self, thing):
        """Closes `thing` with the lab; returns it."""
        self.callback(thing.close)
        return thing

    def report(self):
        """What its namespaces and Tunloads have counted, as text, for a test
        that failed; or why that cannot be told, as anything may be broken."""
        parts = []
        for host in self._hosts:
            try:
                parts.append(host.report())
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                parts.append(f"no report: {e}")
        return "\n".join(parts)

    def _host(self, thing):
        self._hosts.append(thing)
        return self.keep(thing)

    def netns(self, label="ns"):
        """A new Netns."""
        return self._host(Netns(label))

    def next_mac(self):
        """02:74:6c:00:00:01, :02 ... in the order of calls, so that a lab has
        the same addresses in every run."""
        return f"02:74:6c:00:00:{next(self._macs):02x}"

    def veth(self, ns_a, if_a, ns_b, if_b, mtu=1500, offload=True):
        """A veth pair between two namespaces, up on both ends, with fixed
        MACs. offload=False: checksums are computed and no super-packets are
        made, as on the simplest of network cards."""
        ns_a.ip("link", "add", "name", if_a, "address", self.next_mac(),
                "mtu", mtu, "type", "veth",
                "peer", "name", if_b, "address", self.next_mac(),
                "mtu", mtu, "netns", ns_b.name)
        for ns, ifname in (ns_a, if_a), (ns_b, if_b):
            ns.ip("link", "set", ifname, "up")
            if not offload:
                ns.run("ethtool", "-K", ifname, "tx", "off", "gso", "off",
                       "gro", "off", "tso", "off")
        if self.watch:
            self.keep(GatewayWatch(ns_a, if_a))
            self.keep(GatewayWatch(ns_b, if_b))
        for ns, ifname in (ns_a, if_a), (ns_b, if_b):
            wait_until(lambda n=ns, i=ifname: self._settled(n, i),
                       f"{ns.name} {ifname} settled")

    @staticmethod
    def _settled(ns, ifname):
        out = ns.ip("-json", "addr", "show", "dev", ifname).stdout
        link = json.loads(out)[0]
        return link["operstate"] == "UP" and (not IPV6 or any(
            a["scope"] == "link" and not a.get("tentative")
            for a in link["addr_info"]))

    def bpffs(self):
        """The lab's own bpffs; the same one at each call."""
        if not self._bpffs:
            self._bpffs = self.keep(Bpffs())
        return self._bpffs.path

    def tunload(self, ns, ifname="eth0", bpffs=None):
        """A Tunload for ns's interface. Two namespaces with equally named
        interfaces need two bpffs: pass bpffs=lab.new_bpffs()."""
        return self._host(Tunload(ns, ifname, bpffs or self.bpffs()))

    def new_bpffs(self):
        """Another bpffs; its path."""
        return self.keep(Bpffs()).path

    def capture(self, ns, ifname, keep=None):
        """A new Capture."""
        return self.keep(Capture(ns, ifname, keep))

    def tap(self, ns, ifname, keep=None):
        """A new Tap."""
        return self.keep(Tap(ns, ifname, keep))

    def sender(self, ns, ifname):
        """A new Sender."""
        return self.keep(Sender(ns, ifname))

    def site_tun(self, ns, local, remote, mtu, routes, *options):
        """Starts site_tun.py in ns, with routes ({prefix: preferred source})
        into its device, tun0; returns the Process."""
        site = self.start(ns, sys.executable, SITE_TUN, "--local", local,
                          "--remote", remote, "--mtu", mtu, *options)
        site.wait_output("ready")
        for prefix, source in routes.items():
            ns.ip("route", "add", prefix, "dev", "tun0", "src", source)
        return site

    def start(self, ns, *argv, **kwargs):
        """ns.start(), closed with the lab."""
        return self.keep(ns.start(*argv, **kwargs))


def sweep():
    """Removes namespaces and directories of test runs that are no longer
    alive."""
    def dead(match):
        return match and not alive(int(match.group(1)))

    os.makedirs("/run/netns", exist_ok=True)
    for name in os.listdir("/run/netns"):
        if dead(re.match(r"tl(\d+)x\d+-", name)):
            run("ip", "netns", "del", name, check=False)
    for name in os.listdir(tempfile.gettempdir()):
        if dead(re.match(r"tunload-(\d+)-", name)):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name),
                          ignore_errors=True)


def alive(pid):
    """True if that process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
