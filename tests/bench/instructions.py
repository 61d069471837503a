# SPDX-License-Identifier: GPL-2.0-only
"""Instructions per packet, in a machine under QEMU whose clock counts them: of
a host that forwards, beside the kernel's own tunnels, and of single programs.

The host has a generator in front of it and a sink behind it, as in rates.py;
the sink reads the clock at given packets. The median of the runs counts; the
first is left out. Single programs are measured as in packet.py and
plain.py."""
import argparse
import ipaddress
import json
import os
import statistics
import struct
import sys

import vm
from lab import REPO
from netns import kernel_version, own_mounts, run as command, scratch

from . import packet, plain
from .harness import Table
from .packet import COMBINATIONS, packets
from .pair import quiet_lab
from .programs import KEY, built
from .rates import IN, INNER, OUT, Host, hosts, plain_frame

RUNS, REPEAT, WARM_UP = 3, 4000, 500
KERNEL, TIMEOUT = "7", 3000
SINKS = ["XDP sink", "tc sink"]
SCRIPT = f"""
mount -t bpf bpf /sys/fs/bpf
export PYTHONPATH={REPO}/tests:{REPO}/tests/labs
exec {sys.executable} -m bench.instructions /run/share"""
# The kernel's tunnel devices by combination, and what leaves by each.
DEVICES = {"4in4": "ipip", "6in4": "sit", "4in6": "ip6tnl", "6in6": "ip6tnl"}
PREFIXES = {"4in4": "10.30.0.0/16", "6in4": "fd00:30::/32",
            "4in6": "10.40.0.0/16", "6in6": "fd00:40::/32"}
OUTSIDE = {4: ("198.51.100.1", "198.51.100.2"),
           6: ("2001:db8:2::1", "2001:db8:2::2")}  # of ENCAP in rates.py
INSIDE = {4: ("192.0.2.9", "192.0.2.1"),
          6: ("2001:db8::9", "2001:db8::1")}  # of DECAP
ACTIONS = {"4in6": ("End.DX4", "nh4", "0.0.0.0"),
           "6in6": ("End.DX6", "nh6", "::")}


def ready(lab, work):
    """A Host whose frames from the generator go to the stack."""
    host = Host(lab, work)
    host.xdp(host.ns, IN, "to_stack")
    return host


def with_devices(lab, work, addresses):
    """A Host with ipip, sit and ip6tnl between (local, remote) by family."""
    host = ready(lab, work)
    for device in sorted(set(DEVICES.values())):
        local, remote = addresses[6 if device == "ip6tnl" else 4]
        host.ns.ip("link", "add", f"t{device}", "type", device, "local",
                   local, "remote", remote, *(
                       ["mode", "any", "encaplimit", "none"]
                       if device == "ip6tnl" else ["ttl", "64"]))
        host.ns.ip("link", "set", f"t{device}", "up")
    for name, prefix in PREFIXES.items():
        host.ns.ip("route", "add", prefix, "dev", f"t{DEVICES[name]}")
    return host


def kernel_rows(lab, work):
    """{row: (host, frame)} of the kernel's own tunnels."""
    rows = {}
    encap = with_devices(lab, work, OUTSIDE)
    decap = with_devices(lab, work, INSIDE)
    for name, device in DEVICES.items():
        rows[f"{device} encap {name}"] = encap, plain_frame(INNER[name])
        rows[f"{device} decap {name}"] = decap, packets()[name]
    routed = ready(lab, work)
    for ifname in "all", IN, OUT:
        routed.ns.sysctl(f"net.ipv6.conf.{ifname}.seg6_enabled", 1)
    routed.ns.ip("sr", "tunsrc", "set", OUTSIDE[6][0])
    for name, action in ACTIONS.items():
        here = f"fd00:5e6::{name[0]}"
        routed.ns.ip("route", "add", PREFIXES[name], "encap", "seg6", "mode",
                     "encap.red", "segs", OUTSIDE[6][1], "dev", OUT)
        routed.ns.ip("-6", "route", "add", f"{here}/128", "encap",
                     "seg6local", "action", *action, "dev", OUT)
        rows[f"seg6 encap {name}"] = routed, plain_frame(INNER[name])
        frame = packets()[name]
        rows[f"seg6 decap {name}"] = routed, frame[:38] + \
            ipaddress.ip_address(here).packed + frame[54:]
    return rows


FLOWTABLE = f"""table inet filter {{
    flowtable fast {{ hook ingress priority 0; devices = {{ {IN}, {OUT} }}; }}
    chain forward {{
        type filter hook forward priority 0;
        meta l4proto udp flow add @fast
    }}
}}"""


def flowtable_rows(lab, work):
    """{row: (host, frame)} of the kernel's tunnels behind a flowtable, which
    takes 4in4 and 6in6 from Linux 6.19 on."""
    if kernel_version() < (6, 19):
        return {}
    encap = with_devices(lab, work, OUTSIDE)
    decap = with_devices(lab, work, INSIDE)
    for host in encap, decap:
        host.ns.nft(FLOWTABLE)
    # A flow is taken with the way back.
    for router, prefix in ("192.0.2.1", "10.1.0.0/16"), ("2001:db8::1",
                                                         "fd00:1::/32"):
        encap.ns.ip("neigh", "replace", router, "lladdr",
                    encap.far.mac("gen0"), "dev", IN, "nud", "permanent")
        encap.ns.ip("route", "add", prefix, "via", router)
        decap.ns.ip("neigh", "replace", router, "lladdr",
                    decap.far.mac("gen0"), "dev", IN, "nud", "permanent")
    decap.ns.ip("route", "add", "10.10.0.0/16", "dev", "tipip")
    decap.ns.ip("route", "add", "fd00:20::/32", "dev", "tip6tnl")
    rows = {}
    for name in "4in4", "6in6":
        rows[f"flowtable encap {name}"] = encap, plain_frame(INNER[name])
        rows[f"flowtable decap {name}"] = decap, packets()[name]
    return rows


def use_sink(host, sink):
    """Attaches a sink to the far end instead of that which is there."""
    if sink == "XDP sink":
        return  # it is there
    host.far.ip("link", "set", "sink0", "xdp", "off")
    path = host.pin("tc_sink")
    host.far.run("tc", "qdisc", "add", "dev", "sink0", "clsact")
    host.far.run("tc", "filter", "add", "dev", "sink0", "ingress", "bpf",
                 "da", "object-pinned", path)


def counted(host, frame, number):
    """Instructions per packet of so many packets."""
    host.progs.maps["arrivals"].update(KEY, struct.pack(
        "5Q", 0, WARM_UP, WARM_UP + number, 0, 0))
    host.generate(frame, WARM_UP + number)
    arrived, *_, first, last = struct.unpack(
        "5Q", host.progs.maps["arrivals"].lookup(KEY)[0])
    assert last, f"{arrived} of {WARM_UP + number} arrived"
    return (last - first) / number


def inside(work, runs, number):
    """In the machine: writes {row: {sink: instructions}}, and the tables of
    single programs."""
    own_mounts()
    args = argparse.Namespace(work=work, runs=runs, repeat=10 * number,
                              against=None)
    programs = {table.name: [table.head, table.rows]
                for part in (packet, plain) for table in part.run(args)}
    print(programs, flush=True)
    found = {}
    with quiet_lab() as lab:
        rows = {**hosts(lab, work), **kernel_rows(lab, work),
                **flowtable_rows(lab, work)}
        for sink in SINKS:
            for host in {id(host): host for host, _ in rows.values()}.values():
                use_sink(host, sink)
            for name, (host, frame) in rows.items():
                if sink == "tc sink" and ("redirect" in name
                                          or "forward =" in name):
                    continue  # a veth without NAPI takes no redirected frames
                took = [counted(host, frame, number)
                        for _ in range(runs + 1)][1:]
                found.setdefault(name, {})[sink] = statistics.median(took)
                print(f"{name}, {sink}: {took}", flush=True)
    with open(f"{work}/result.json", "w", encoding="utf-8") as f:
        json.dump([found, programs], f)


def run(args):
    """The tables."""
    with scratch("vm") as share:
        for source in "live", "xdp", "tc":
            built(share, source)
        os.rename(packet.tree_object(args.work), f"{share}/tunload.bpf.o")
        machine = vm.Machine(
            vm.kernel(args.kernel or KERNEL),
            f"{SCRIPT} {args.runs or RUNS} {args.repeat or REPEAT}", share,
            counted=True)
        try:
            status, output = machine.wait(TIMEOUT)
            assert status == 0, output[-3000:]
            found, programs = json.loads(machine.read("result.json"))
        finally:
            machine.stop()
    unit = f"instructions a packet, Linux {machine.release} under QEMU"
    yield forwarding_table(unit, found)
    for name, (head, rows) in programs.items():
        single = Table(f"{name}-instructions", unit, head)
        single.rows = rows
        yield single


def base_of(name):
    """The row of plain forwarding to compare with: the same inner family, and
    the same way in, where decapsulation in tc lets veth's GRO see packets."""
    if "kernel" in name:
        return name
    inner = name.split()[-1][0]
    return f"forwarded by the kernel, IPv{inner}" + \
        ", GRO" * name.startswith("decap, tc")


def forwarding_table(unit, found):
    """The table of the host that forwards."""
    table = Table("instructions", unit, ["packets"] + [
        f"{sink}{more}" for sink in SINKS for more in ("", ", over plain")])
    for name, took in found.items():
        base = found.get(base_of(name), {})
        cells = []
        for sink in SINKS:
            cells += [took.get(sink), took[sink] - base[sink]
                      if sink in took and sink in base else None]
        table.row(name, *cells)
    table.draw("bars", *SINKS)
    return table


assert set(DEVICES) == set(COMBINATIONS)

if __name__ == "__main__":
    inside(sys.argv[1], *map(int, sys.argv[2:]))
