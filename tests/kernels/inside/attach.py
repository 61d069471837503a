# SPDX-License-Identifier: GPL-2.0-only
"""test_attach.py runs these tests in a virtual machine of their own: every hook
of the kernel, two drivers, all four combinations of inner and outer version; and
that nothing is left."""
import glob
import json
import os

import pytest

from addresses import OUTER
from lab import run, wait_until
from lifecycle import HOOKS, hook_env, traces
from netns import kernel_version
from traffic import ping, tcp_transfer, udp_transfer

# {(outer, inner version): inner addresses of both ends}
INNER = {(4, 4): ("172.22.4.2", "10.10.4.1"),
         (4, 6): ("fd00:22:4::2", "fd00:10:4::1"),
         (6, 4): ("172.22.6.2", "10.10.6.1"),
         (6, 6): ("fd00:22:6::2", "fd00:10:6::1")}
PEER = """[peer over{outer}]
endpoint = {endpoint}
allowed-ips = {0}, {1}
"""
# name: (driver, mode, tc hook; None lets tunload choose)
VARIANTS = {"veth-native": ("veth", "native", None),
            "veth-tc-tcx": ("veth", "tc", None),
            "veth-tc-clsact": ("veth", "tc", "clsact"),
            "virtio_net-native": ("virtio_net", "native", None),
            "virtio_net-tc-tcx": ("virtio_net", "tc", None),
            "virtio_net-tc-clsact": ("virtio_net", "tc", "clsact")}
# The kernels since which native XDP takes packets of several pages.
JUMBO_SINCE = {"veth": (5, 18), "virtio_net": (6, 3)}


def virtio_nics():
    """The names of the network cards in the machine's first namespace."""
    return sorted(path.split("/")[4] for path in
                  glob.glob("/sys/class/net/*/device/driver")
                  if os.readlink(path).endswith("/virtio_net"))


def plug(lab, driver, mtu, a, b):
    """Connects two namespaces with an eth0 of the driver in each."""
    if driver == "veth":
        lab.veth(a, "eth0", b, "eth0", mtu=mtu)
        return
    nics = wait_until(lambda: len(virtio_nics()) == 2 and virtio_nics(),
                      "two network cards")
    for nic, ns in zip(nics, (a, b)):
        run("ip", "link", "set", nic, "netns", ns.name, "name", "eth0")
        ns.ip("link", "set", "eth0", "mtu", mtu, "up")
    for ns in a, b:
        wait_until(lambda n=ns: lab._settled(n, "eth0"), "the link is up")


class Ends:
    """The two hosts on a wire, with their addresses."""

    def __init__(self, lab, driver, mtu=1500):
        self.ns = [lab.netns(label) for label in "ab"]
        plug(lab, driver, mtu, *self.ns)
        for i, ns in enumerate(self.ns):
            ns.addr("eth0", f"{OUTER[4][i]}/24", f"{OUTER[6][i]}/64")
            ns.addr("lo", *(pair[i] for pair in INNER.values()))
        # traces() would change later, if addresses and neighbours came then.
        for addresses in OUTER.values():
            wait_until(lambda to=addresses[1]: ping(self.ns[0], to, wait=1),
                       "ping over the wire")
        self.tl = [lab.tunload(ns, bpffs=lab.new_bpffs()) for ns in self.ns]

    def attach(self, mode, hook):
        """Attaches both, with a peer for each outer version."""
        for i, tl in enumerate(self.tl):
            conf = (f"[interface]\nsource = {INNER[4, 4][i]}, "
                    f"{INNER[4, 6][i]}\n")
            for v in OUTER:
                conf += PEER.format(
                    INNER[v, 4][1 - i], INNER[v, 6][1 - i], outer=v,
                    endpoint=OUTER[v][1 - i])
            tl.attach(conf, "--mode", mode, "--no-trigger",
                      env=hook_env(hook) if hook else None)

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


def each_way():
    """Yields (index of the sender, its address, the receiver's) for all
    combinations."""
    for addresses in INNER.values():
        yield from ((i, addresses[i], addresses[1 - i]) for i in (0, 1))


def exchange(ends, size):
    """Sends traffic of all combinations in both directions; asserts that it
    arrives unchanged and is counted."""
    for i, at, to in each_way():
        assert ping(ends.ns[i], to, at, size=size)
        udp_transfer(ends.ns[i], at, ends.ns[1 - i], to, [1, 1000, size])
    check_counters(ends, True)
    for i, at, to in each_way():
        tcp_transfer(ends.ns[i], at, ends.ns[1 - i], to, 100_000)
    check_counters(ends, False)


def check_counters(ends, exact):
    """Asserts that both ends count the same packets, and no other verdicts. exact
    is for traffic without TCP, whose super-packets are split and merged
    differently at both ends."""
    peers = [tl.status()["peers"] for tl in ends.tl]
    assert [len(of_end) for of_end in peers] == [len(OUTER)] * 2
    for one, other in (*zip(*peers), *zip(*reversed(peers))):
        assert one["tx"]["packets"] >= 10
        assert not exact or one["tx"] == other["rx"]
        assert set(one["verdicts"]) == {"tx_encap", "rx_decap"}


def check_status(tl, mode, hook, reason):
    """Asserts that status names the mode, its reason and the hook, in JSON and
    text."""
    status, text = tl.status(), tl.ok("status", "eth0", "-v")
    assert (status["mode"], status["tc_hook"]) == (mode, hook)
    assert reason in status["mode_reason"]
    name = {"native": "native XDP + ", "tc": "tc by "}[mode]
    more = "" if kernel_version() >= (6, 6) else " (tcx needs Linux 6.6)"
    assert f"eth0     {name}{hook}{more} " in text
    assert reason in " ".join(text.split())
    limited = mode == "native" and kernel_version() < (6, 18)
    assert ("\nxdp      no headers behind" in text) == limited


def check_hooks(ends, mode, hook):
    """Asserts with the kernel's own tools that the hooks are in use."""
    for ns in ends.ns:
        link = json.loads(ns.ip("-j", "link", "show", "eth0").stdout)[0]
        assert (link.get("xdp", {}).get("mode") == 1) == (mode == "native")
        qdiscs = ns.run("tc", "qdisc", "show", "dev", "eth0").stdout
        assert ("clsact" in qdiscs) == (hook == "clsact")


@pytest.mark.parametrize("driver, mode, asked", VARIANTS.values(),
                         ids=VARIANTS)
def test_attach(lab, driver, mode, asked, record_property):
    hook = asked or HOOKS[0]
    record_property("note", f"({hook})")
    ends = Ends(lab, driver)
    before = ends.traces()
    reason = f"driver {driver} takes" if mode == "native" else "asked for by"
    ends.attach(mode, asked)
    for tl in ends.tl:
        check_status(tl, mode, hook, reason)
    check_hooks(ends, mode, hook)
    exchange(ends, 4000)
    ends.detach()
    wait_until(lambda: ends.traces() == before, "nothing is left")


@pytest.mark.parametrize("driver", ["veth", "virtio_net"])
def test_jumbo_frames(lab, driver, record_property):
    """The mode is native XDP if the driver can, else tc; status has it and its
    reason."""
    ends = Ends(lab, driver, mtu=9000)
    before = ends.traces()
    ends.attach("auto", None)
    mode = "native" if kernel_version() >= JUMBO_SINCE[driver] else "tc"
    record_property("note", f"({mode})")
    words = {"native": "takes native XDP", "tc": "refuses native XDP: "}[mode]
    for tl in ends.tl:
        check_status(tl, mode, HOOKS[0], f"driver {driver} {words}")
    exchange(ends, 8000)
    ends.detach()
    wait_until(lambda: ends.traces() == before, "nothing is left")
