# SPDX-License-Identifier: GPL-2.0-only
"""`status` tells a host whose tunnels keep one CPU busy how to use the others;
the command that it prints does that."""
import os
import re
import struct

import pytest

from lifecycle import Pair, as_unit, conf_a
from packets import bpf

pytestmark = pytest.mark.skipif(os.cpu_count() < 2, reason="expected: one CPU")

HINT = "a tunnel's packets all come to one CPU"
MANY = -(-1_000_000 // bpf.possible_cpus())  # of each CPU
COUNTER = 16  # bytes: packets, bytes


@pytest.fixture(name="pair", params=["tc", "native"])
def fixture_pair(lab, request):
    """A Pair with tunload on its first host."""
    pair = Pair(lab)
    pair.tl.attach(conf_a(request.param), "--no-trigger")
    return pair


def with_sys(pair, command):
    """Runs a shell command where /sys is that of the first host."""
    return pair.a.run("unshare", "-m", "sh", "-c",
                      f"mount -t sysfs sysfs /sys && {command}").stdout


def status(pair):
    """What status says there."""
    argv = pair.tl.argv("status", "eth0")
    out = with_sys(pair, " ".join(argv[argv.index("--") + 1:]))
    return " ".join(out.split())


def rps(pair):
    """The mask of the first queue."""
    return int(with_sys(pair, "cat /sys/class/net/eth0/queues/rx-0/rps_cpus")
               .replace(",", ""), 16)


def received(pair, number):
    """Says that each CPU has counted so many packets out of tunnels."""
    names = list(pair.tl.map("verdicts")[0]["values"][0]["value"])
    counters = bpf.Map(bpf.obj_get(f"{pair.tl.pins}/verdicts"))
    value = bytearray(counters.value_size)
    struct.pack_into("Q", value, COUNTER * names.index("rx_decap"), number)
    counters.update(bytes(4), bytes(value))


def test_the_printed_command_mends_it(pair):
    assert HINT not in status(pair)
    received(pair, MANY - 1)
    assert HINT not in status(pair)
    received(pair, MANY)
    before = status(pair)
    assert HINT in before
    assert rps(pair) == 0
    with_sys(pair, re.search(r"`(.*rps_cpus)`", before)[1])
    assert rps(pair) == (1 << os.cpu_count()) - 1
    assert HINT not in status(pair)


def test_not_with_all_cpus(lab):
    """Nor where /sys is not that of the namespace."""
    pair = Pair(lab)
    pair.tl.attach(conf_a("native"), "--no-trigger")
    received(pair, MANY)
    assert HINT in status(pair)
    assert HINT not in pair.tl.ok("status", "eth0")
    pair.tl.reload(conf_a("native").replace("mode", "cpus = all\nmode"))
    assert HINT not in status(pair)
    pair.tl.reload(conf_a("tc").replace("mode", "cpus = all\nmode"))
    assert HINT in status(pair)


def test_all_cpus_as_a_unit(lab):
    """The rights of the systemd unit are enough for cpus = all."""
    pair = Pair(lab)
    path = pair.tl.write(conf_a("native").replace("mode", "cpus = all\nmode"))
    done = as_unit(pair, "attach", "eth0", "-c", path, "--no-trigger")
    assert done.returncode == 0, done.stderr
    assert pair.tl.status()["cpus"] == "all"
    assert "kernel threads cpumap/" in pair.tl.ok("status", "eth0")
