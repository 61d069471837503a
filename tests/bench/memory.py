# SPDX-License-Identifier: GPL-2.0-only
"""Memory of the maps, by number of peers and prefixes, as the kernel accounts
it: attached, and after a million packets from all of them (counters of a peer
come with its first packet); and of the loader while it attaches."""
import glob
import json
import os
import re

from lab import run as command

from packets import bpf

from .harness import Table, say
from .many import SIZES, SOURCES, Population, Tested, short
from .pair import quiet_lab
from .programs import Wrapper

FAMILY = 4


def remembered(pins):
    """{name: MiB} of what CPUs remember, in maps that are not pinned."""
    maps = bpf.maps_of(bpf.obj_get(f"{pins}/prog_tc_ingress")) | bpf.maps_of(
        bpf.obj_get(f"{pins}/prog_tc_egress"))
    sizes = {}
    for name in "flows", "paths", "heads":
        with open(f"/proc/self/fdinfo/{maps[name].fd}", encoding="ascii") as f:
            sizes[name] = int(re.search(r"memlock:\s*(\d+)", f.read())[1]) \
                / (1 << 20)
    return sizes


def mebibytes(pins):
    """MiB of all maps, and of the map that has most, with its name."""
    sizes = remembered(pins)
    for path in glob.glob(f"{pins}/*"):
        name = os.path.basename(path)
        if not name.startswith(("prog_", "link_")):
            shown = json.loads(command("bpftool", "-j", "map", "show",
                                       "pinned", path).stdout)
            sizes[name] = int(shown["bytes_memlock"]) / (1 << 20)
    most = max(sizes, key=sizes.get)
    return sum(sizes.values()), f"{most} {sizes[most]:.1f}"


def resident(tl, *args):
    """MiB of a command at its most. time(1) starts it: what a process inherits
    from a large one, as we are, would count for it."""
    return int(command("time", "-f", "%M", *tl.argv(*args), timeout=600)
               .stderr.split()[-1]) / 1024


def run(args):
    """The table."""
    table = Table("memory", "MiB", [
        "peers / prefixes", "maps", "the largest", "maps after packets",
        "the largest then", "loader"], digits=1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    wrapper = Wrapper(args.work)
    for peers, prefixes in SIZES:
        say(f"{peers:,} peers x {prefixes:,}")
        with quiet_lab() as lab:
            one = lab.keep(Tested(lab, wrapper,
                                  Population(FAMILY, peers, prefixes)))
            before = mebibytes(one.tl.pins)
            one.time("uniform", args.repeat or SOURCES)
            after = mebibytes(one.tl.pins)
            one.tl.detach()
            table.row(f"{short(peers)} / {short(prefixes)}", *before, *after,
                      resident(one.tl, "attach", "eth0", "-c", one.tl.conf,
                               "--no-trigger"))
    table.draw("bars", "maps", "maps after packets", "loader")
    yield table
