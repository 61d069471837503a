# SPDX-License-Identifier: GPL-2.0-only
"""In a virtual machine that is nobody else's: every hook of this kernel, two
drivers, all four combinations, and nothing is left. Run by test_attach.py."""
import glob
import json
import os

import pytest

from lab import Bpffs, run, wait_until
from lifecycle import HOOKS, hook_env
from netns import kernel_version
from traffic import ping, tcp_transfer, udp_transfer

OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
INNER = {4: ("172.22.2.2", "10.10.0.1"), 6: ("fd00:22::2", "fd00:10::1")}
PREFIXES = "172.22.2.0/24, fd00:22::/64", "10.10.0.0/24, fd00:10::/64"
CONF = """
[interface]
source = {0}, {1}
[peer other]
endpoint = {2}
allowed-ips = {3}
"""
MODES = {"native": ("native", HOOKS[0])} | {
    f"tc-{hook}": ("tc", hook) for hook in HOOKS}


def virtio_nics():
    """The names of the network cards of this machine that are at home."""
    return sorted(path.split("/")[4] for path in
                  glob.glob("/sys/class/net/*/device/driver")
                  if os.readlink(path).endswith("/virtio_net"))


def plug(lab, driver, mtu, a, b):
    """Connects two namespaces by an eth0 of that driver in each."""
    if driver == "veth":
        lab.veth(a, "eth0", b, "eth0", mtu=mtu)
        return
    nics = wait_until(lambda: len(virtio_nics()) == 2 and virtio_nics(),
                      "two network cards")
    for nic, ns in zip(nics, (a, b)):
        run("ip", "link", "set", nic, "netns", ns.name, "name", "eth0")
        ns.ip("link", "set", "eth0", "mtu", mtu, "up")
    for ns in a, b:
        wait_until(lambda n=ns: lab._settled(n, "eth0"), "the link")


class Ends:
    """The two ends of a wire, with their addresses."""

    def __init__(self, lab, driver, mtu=1500):
        self.ns = [lab.netns(label) for label in "ab"]
        plug(lab, driver, mtu, *self.ns)
        for i, ns in enumerate(self.ns):
            ns.addr("eth0", f"{OUTER[4][i]}/24", f"{OUTER[6][i]}/64")
            ns.addr("lo", f"{INNER[4][i]}/32", f"{INNER[6][i]}/128")
        # What comes by itself and by traffic is there before the first look.
        for addresses in OUTER.values():
            wait_until(lambda to=addresses[1]: ping(self.ns[0], to), "the wire")
        self.tl = [lab.tunload(ns, bpffs=lab.new_bpffs()) for ns in self.ns]

    def attach(self, outer, mode, hook):
        """Attaches both."""
        for i, tl in enumerate(self.tl):
            conf = CONF.format(INNER[4][i], INNER[6][i], OUTER[outer][1 - i],
                               PREFIXES[1 - i])
            tl.attach(conf, "--mode", mode, "--no-trigger", env=hook_env(hook))

    def detach(self):
        """Detaches both."""
        for tl in self.tl:
            tl.detach()

    def traces(self):
        """All that tunload can leave on this machine."""
        bpf = [run("bpftool", "-j", kind, "list").stdout
               for kind in ("prog", "map", "link")]
        pins = [sorted(os.walk(tl.bpffs)) for tl in self.tl]
        return bpf, pins, [traces(ns) for ns in self.ns]


def traces(ns):
    """All that tunload can leave in a namespace."""
    found = [ns.ip(*args.split()).stdout for args in (
        "-d link", "addr", "-4 route show table all",
        "-6 route show table all", "-4 neigh show nud permanent",
        "-6 neigh show nud permanent", "rule", "-6 rule")]
    return found + [ns.run("tc", *args.split()).stdout for args in (
        "qdisc", "filter show dev eth0 ingress",
        "filter show dev eth0 egress")]


def each_way():
    """(index of a sender, its address, the other's) of both families."""
    for addresses in INNER.values():
        yield from ((i, addresses[i], addresses[1 - i]) for i in (0, 1))


def exchange(ends, size):
    """Both families in both directions: what is sent arrives as it was."""
    for i, at, to in each_way():
        assert ping(ends.ns[i], to, at, wait=20, size=size)
        udp_transfer(ends.ns[i], at, ends.ns[1 - i], to, [1, 1000, size])
    check_counters(ends, True)
    for i, at, to in each_way():
        tcp_transfer(ends.ns[i], at, ends.ns[1 - i], to, 100_000)
    check_counters(ends, False)


def check_counters(ends, exact):
    """What one end sent the other received, and nothing else happened. Bytes
    of TCP are others on both ends, where super-packets are cut and made."""
    peers = [tl.status()["peers"][0] for tl in ends.tl]
    for i in 0, 1:
        assert peers[i]["tx"]["packets"] >= 10
        assert not exact or peers[i]["tx"] == peers[1 - i]["rx"]
        assert set(peers[i]["verdicts"]) == {"tx_encap", "rx_decap"}


def check_status(tl, mode, hook, reason):
    """JSON and text name the mode, why it is that, and the hook."""
    status, text = tl.status(), tl.ok("status", "eth0")
    assert (status["mode"], status["tc_hook"]) == (mode, hook)
    assert reason in status["mode_reason"]
    name = {"native": "native XDP", "tc": "tc"}[mode]
    assert f"eth0: attached, {name} ({status['mode_reason']})\n" in text
    more = "" if kernel_version() >= (6, 6) else " (tcx needs Linux 6.6)"
    assert f"\n  tc hook      {hook}{more}\n" in text


def check_hooks(ends, mode, hook):
    """What the kernel's own tools say is on the hooks."""
    for ns in ends.ns:
        link = json.loads(ns.ip("-j", "link", "show", "eth0").stdout)[0]
        assert (link.get("xdp", {}).get("mode") == 1) == (mode == "native")
        qdiscs = ns.run("tc", "qdisc", "show", "dev", "eth0").stdout
        assert ("clsact" in qdiscs) == (hook == "clsact")


@pytest.mark.parametrize("mode, hook", MODES.values(), ids=MODES)
@pytest.mark.parametrize("driver", ["veth", "virtio_net"])
def test_attach(lab, driver, mode, hook):
    ends = Ends(lab, driver)
    before = ends.traces()
    reason = f"driver {driver} takes" if mode == "native" else "asked for by"
    for outer in OUTER:
        ends.attach(outer, mode, hook)
        for tl in ends.tl:
            check_status(tl, mode, hook, reason)
        check_hooks(ends, mode, hook)
        exchange(ends, 4000)
        ends.detach()
        wait_until(lambda: ends.traces() == before, "nothing left")


@pytest.mark.parametrize("driver", ["veth", "virtio_net"])
def test_jumbo_frames(lab, driver, record_property):
    """Native XDP where the driver takes it, else tc; status says which, and
    why."""
    ends = Ends(lab, driver, mtu=9000)
    before = ends.traces()
    ends.attach(6, "auto", HOOKS[0])
    mode = ends.tl[0].status()["mode"]
    record_property("note", f"({mode})")
    words = {"native": "takes native XDP", "tc": "refuses native XDP: "}[mode]
    for tl in ends.tl:
        check_status(tl, mode, HOOKS[0], f"driver {driver} {words}")
    exchange(ends, 8000)
    ends.detach()
    wait_until(lambda: ends.traces() == before, "nothing left")
