# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch` looks the names of endpoints up again: by their time to live,
when a peer falls silent, and without waiting for a name server."""
import os
import signal

import pytest

from lab import wait_until
from lifecycle import A, B, with_hosts
from name_server import CONF, Named, NameServer, PEER_B, peer
from netns import PATIENCE
from traffic import is_tunnel, packet_of, ping

MOVED = ("eth0: mended: peer b: endpoint b.example: 192.0.2.2 -> 192.0.2.9")
# The time to live of the records is 5 s, and a change is followed within 30 s
# more.
IN_TIME = 35 * PATIENCE


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Named pair of hosts."""
    return Named(lab)


def tunnelled_to(pair, address):
    """A Capture of the first host's outer packets to that address."""
    return pair.lab.capture(pair.a, "eth0", lambda f: is_tunnel(
        packet_of(f.data)) and packet_of(f.data).dst == address)


def wait_asked(pair, times):
    """Waits until the name server was asked so often, from now on."""
    before = len(pair.server.questions)
    wait_until(lambda: len(pair.server.questions) >= before + times,
               f"{times} questions", timeout=40 * PATIENCE + 30 * times)


def endpoint(pair):
    """The endpoint of b."""
    return pair.tl.peer("b")["endpoint"]


def test_a_changed_address_is_followed_in_time(pair):
    watch = pair.up()
    wire = tunnelled_to(pair, "192.0.2.9")
    pair.rename("192.0.2.9")
    pair.move_b()
    watch.wait_output(MOVED, timeout=IN_TIME)
    assert endpoint(pair) == "192.0.2.9"
    assert ping(pair.a, B, A)
    assert wire.frames()
    assert set(pair.server.questions) == {("b.example", 4)}
    assert "peer b" in pair.tl.ok("showconf", "eth0")
    assert "endpoint = b.example" in pair.tl.ok("showconf", "eth0")


def test_it_begins_with_a_first_packet(pair):
    """Also to a peer without keepalives."""
    pair.tl.ok("peer", "set", "eth0", "b", "keepalive", "0")
    pair.watch()
    wire = tunnelled_to(pair, "192.0.2.9")
    pair.rename("192.0.2.9")
    assert wire.wait(1)


def test_the_address_in_use_stays_while_the_name_has_it(pair):
    watch = pair.up()
    for addresses in (["192.0.2.9", "192.0.2.2"],
                      ["2001:db8::2", "192.0.2.2", "192.0.2.9"]):
        pair.rename(*addresses)
        wait_asked(pair, 2)
    assert endpoint(pair) == "192.0.2.2"
    assert "mended" not in watch.output()


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


def failures(watch):
    """What it has said of names."""
    return [line for line in watch.output().splitlines()
            if "resolve" in line]


SAID = ("tunload: eth0: b.example does not resolve ({}): 192.0.2.2 stays in "
        "use")


def test_a_name_that_is_gone_keeps_its_address(pair):
    watch = pair.up()
    record = pair.server.records.pop("b.example")
    wait_asked(pair, 1 + 2 * 2)  # 2 families, 2 look-ups
    told = SAID.format("Domain name not found")
    assert failures(watch) == [told]
    pair.server.records["b.example"] = record
    watch.wait_output("b.example resolves again", timeout=IN_TIME)
    assert failures(watch) == [told, "tunload: eth0: b.example resolves again"]
    assert endpoint(pair) == "192.0.2.2"


def cpu_seconds(pid):
    """The processor time of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_dead_name_server_holds_nothing_up(pair):
    watch = pair.up()
    pair.server.dead = True
    wait_asked(pair, 1)
    sent, spent = pair.tl.peer("b")["tx"]["packets"], cpu_seconds(
        watch.popen.pid)
    watch.wait_output(SAID.format("Timeout while contacting DNS servers"))
    assert cpu_seconds(watch.popen.pid) - spent < 2
    assert pair.tl.peer("b")["tx"]["packets"] > sent + 1
    assert "silent" not in watch.output()
    assert endpoint(pair) == "192.0.2.2"
    watch.signal(signal.SIGTERM)
    assert watch.wait() == 0


def test_a_silent_peer_is_looked_up_at_once(lab):
    """Long before its time to live has passed."""
    pair = Named(lab, ttl=3600)
    watch = pair.up()
    pair.rename("192.0.2.9", ttl=3600)
    pair.move_b()
    watch.wait_output("eth0: b: silent")
    watch.wait_output(MOVED)
    wait_until(lambda: watch.output().count("eth0: b: up in") == 2, "up again")
    # And while it is silent it is looked up every 25 s.
    pair.kill_b()
    asked = len(pair.server.questions)
    wait_until(lambda: watch.output().count("eth0: b: silent") == 2, "silent")
    wait_asked(pair, asked - len(pair.server.questions) + 2)
    assert watch.output().count("mended") == 1


def test_peers_of_one_name_make_one_question(pair):
    pair.tl.detach()
    pair.a.addr("eth0", "192.0.2.11/24", "192.0.2.12/24")
    pair.server.records["b.example"] = (3600, ["192.0.2.2"])
    pair.attach_named(CONF + peer("b", "b.example", "10.10.0.0/24",
                                  "local = 192.0.2.1", "keepalive = 1") +
                      peer("c", "b.example", "10.30.0.0/24",
                           "local = 192.0.2.11") +
                      peer("d", "b.example", "10.40.0.0/24",
                           "local = 192.0.2.12"))
    pair.up()
    assert pair.server.questions == [("b.example", 4)]
    pair.rename("192.0.2.9")
    pair.move_b()
    wait_until(lambda: {p["endpoint"] for p in pair.tl.status()["peers"]} ==
               {"192.0.2.9"}, "all three follow", timeout=60 * PATIENCE)


def test_many_names_do_not_flood_the_server(pair):
    """Eight are asked for, and again, before the others have their turn."""
    pair.tl.detach()
    for i in range(20):
        pair.server.records[f"n{i}.example"] = (3600, [f"192.0.2.{100 + i}"])
    pair.attach_named(CONF + PEER_B + "".join(
        peer(f"n{i}", f"n{i}.example", f"10.30.{i}.0/24", "keepalive = 0")
        for i in range(20)))
    pair.server.dead = True
    watch = pair.up()
    wait_until(lambda: len(pair.server.questions) > 20, "more questions")
    names = pair.server.names()
    assert len(set(names[:16])) == 8 and len(set(names[:20])) > 8
    watch.wait_output("eth0: more names do not resolve", timeout=60 * PATIENCE)
    assert len(failures(watch)) == 6


def test_another_name_server(pair):
    """DHCP has written another one into resolv.conf."""
    watch = pair.up()
    pair.server.dead = True
    other = pair.lab.keep(NameServer(pair.a, "127.0.0.2"))
    other.records["b.example"] = (5, ["192.0.2.9"])
    pair.resolv_conf("nameserver 127.0.0.2\n")
    watch.wait_output(MOVED, timeout=IN_TIME)


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
    wait_asked(pair, 2)
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


def test_an_address_of_our_own_is_not_taken(pair):
    watch = pair.up()
    pair.rename("192.0.2.1", "127.0.0.1")
    watch.wait_output(
        'peer b: its name has no usable address any more: it keeps the '
        'endpoint "b.example" (192.0.2.2)\n', timeout=IN_TIME)
    wait_asked(pair, 2)
    assert endpoint(pair) == "192.0.2.2"
    assert watch.output().count("no usable address") == 1
    pair.rename("192.0.2.1", "192.0.2.9")
    watch.wait_output(MOVED, timeout=IN_TIME)


def test_killed_and_started_again(lab):
    """It looks names up as it begins."""
    pair = Named(lab, ttl=3600)
    watch = pair.up()
    watch.popen.kill()
    watch.wait()
    pair.rename("192.0.2.9")
    pair.watch().wait_output(MOVED)


def test_another_commands_answer_is_not_undone(lab):
    """The watch has looked the name up, for an hour; then a command does, which
    finds another address."""
    pair = Named(lab, ttl=3600)
    watch = pair.up()
    pair.rename("192.0.2.9", ttl=3600)
    done = with_hosts(pair, "", "peer", "set", "eth0", "b", "endpoint",
                      "b.example")
    assert done.returncode == 0 and endpoint(pair) == "192.0.2.9"
    pair.server.questions.clear()
    watch.wait_output("eth0: b: silent")
    wait_asked(pair, 1 - len(pair.server.questions))
    assert endpoint(pair) == "192.0.2.9"
    assert "mended" not in watch.output()


def test_without_the_library(pair):
    watch = pair.watch(setup="for f in /usr/lib/*/libcares.so.2; do "
                             "mount --bind /dev/null $f; done")
    watch.wait_output("eth0: b: up")
    assert watch.output().splitlines()[0] == (
        "tunload: eth0: libcares.so.2 is missing: names of endpoints are not "
        "looked up again")
    assert pair.server.questions == []
