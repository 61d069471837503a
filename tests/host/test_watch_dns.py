# SPDX-License-Identifier: GPL-2.0-only
"""How `tunload watch` looks names up: name servers, files, families; nothing
waits for them."""
import os
import signal

import pytest

from lab import wait_until
from lifecycle import A, B
from name_server import (CONF, FAILS, IN_TIME, MOVED, Named, NameServer,
                         PEER_B, peer, said_of_names)
from netns import PATIENCE
from traffic import ping


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Named pair of hosts."""
    return Named(lab)


def test_the_other_family_comes_last(pair):
    """Only a name that has no address of the family in use any more makes the
    peer change to the other one."""
    watch = pair.up()
    pair.rename("2001:db8::2")
    pair.tl_b.ok("peer", "set", "eth0", "a", "endpoint", "2001:db8::1")
    watch.wait_output("mended: peer b: endpoint b.example: 192.0.2.2 -> "
                      "2001:db8::2", timeout=IN_TIME)
    assert pair.tl.peer("b")["local"] == "2001:db8::1"
    assert ping(pair.a, B, A)


def cpu_seconds(pid):
    """The processor time of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_dead_name_server_holds_nothing_up(pair):
    watch = pair.up()
    pair.server.dead = True
    pair.wait_asked(1)
    sent, spent = pair.tl.peer("b")["tx"]["packets"], cpu_seconds(
        watch.popen.pid)
    watch.wait_output(FAILS.format("Timeout while contacting DNS servers"))
    assert cpu_seconds(watch.popen.pid) - spent < 2
    assert pair.tl.peer("b")["tx"]["packets"] > sent + 1
    assert "silent" not in watch.output()
    assert pair.endpoint() == "192.0.2.2"
    watch.signal(signal.SIGTERM)
    assert watch.wait() == 0


def test_another_name_server(pair):
    """DHCP has written another one into resolv.conf. It is seen as the second
    name is asked for; the first is asked for again at once, and has not
    failed."""
    pair.server.records["c.example"] = (9, ["192.0.2.3"])
    pair.tl.detach()
    pair.attach_named(CONF + PEER_B + peer("c", "c.example", "10.30.0.0/24",
                                           "keepalive = 0"))
    other = pair.lab.keep(NameServer(pair.a, "127.0.0.2"))
    other.records.update(pair.server.records,
                         **{"b.example": (3600, ["192.0.2.9"])})
    watch = pair.up()
    wait_until(lambda: len(pair.server.questions) >= 2, "both")
    pair.server.dead = True
    pair.wait_asked(1)
    pair.resolv_conf("nameserver 127.0.0.2\n")
    watch.wait_output(MOVED, timeout=IN_TIME)
    assert said_of_names(watch) == []


def test_an_alias_has_a_time_to_live_of_its_own(lab):
    """b.example is a name of the second host now, for 5 s; that name's address
    holds for longer."""
    pair = Named(lab, ttl=5)
    records = pair.server.records
    del records["b.example"]
    records["two.example"] = (3600, ["192.0.2.2"])
    records["nine.example"] = (3600, ["192.0.2.9"])
    pair.server.aliases["b.example"] = (5, "two.example")
    watch = pair.up()
    pair.wait_asked(2)
    pair.server.aliases["b.example"] = (5, "nine.example")
    watch.wait_output(MOVED, timeout=IN_TIME)


def test_a_long_answer_comes_by_tcp(pair):
    pair.server.by_tcp = True
    watch = pair.up()
    pair.rename("192.0.2.9")
    watch.wait_output(MOVED, timeout=IN_TIME)


def test_hosts_file(pair):
    """It comes first, and is read every 25 s."""
    watch = pair.up()
    pair.hosts("192.0.2.9 b.example\n")
    watch.wait_output(MOVED, timeout=IN_TIME)
    pair.rename("192.0.2.2")
    asked = len(pair.server.questions)
    pair.hosts("192.0.2.77 b.example\n")
    watch.wait_output("b.example: 192.0.2.9 -> 192.0.2.77", timeout=IN_TIME)
    assert len(pair.server.questions) == asked


def test_without_the_library(pair):
    watch = pair.watch(setup="for f in /usr/lib/*/libcares.so.2; do "
                             "mount --bind /dev/null $f; done")
    watch.wait_output("eth0: b: up")
    assert watch.output().splitlines()[0] == (
        "tunload: eth0: libcares.so.2 is missing: names of endpoints are not "
        "looked up again")
    assert pair.server.questions == []
