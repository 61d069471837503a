# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch` looks the names of endpoints up again: when, and what comes
of it."""
import pytest

from lab import wait_until
from lifecycle import A, B, with_hosts
from name_server import (CONF, FAILS, IN_TIME, MOVED, Named, PEER_B, peer,
                         said_of_names)
from netns import PATIENCE
from traffic import is_tunnel, packet_of, ping


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Named pair of hosts."""
    return Named(lab)


def tunnelled_to(pair, address):
    """A Capture of the first host's outer packets to that address."""
    return pair.lab.capture(pair.a, "eth0", lambda f: is_tunnel(
        packet_of(f.data)) and packet_of(f.data).dst == address)


def test_a_changed_address_is_followed_in_time(pair):
    watch = pair.up()
    wire = tunnelled_to(pair, "192.0.2.9")
    pair.rename("192.0.2.9")
    pair.move_b()
    watch.wait_output(MOVED, timeout=IN_TIME)
    assert pair.endpoint() == "192.0.2.9"
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
        pair.wait_asked(2)
    assert pair.endpoint() == "192.0.2.2"
    assert "mended" not in watch.output()


def test_a_name_that_is_gone_keeps_its_address(pair):
    watch = pair.up()
    record = pair.server.records.pop("b.example")
    pair.wait_asked(1 + 2 * 2)  # 2 families, 2 look-ups
    told = FAILS.format("Domain name not found")
    assert said_of_names(watch) == [told]
    pair.server.records["b.example"] = record
    watch.wait_output("b.example resolves again", timeout=IN_TIME)
    assert said_of_names(watch) == [told, "tunload: eth0: b.example resolves again"]
    assert pair.endpoint() == "192.0.2.2"


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
    pair.wait_asked(asked - len(pair.server.questions) + 2)
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
    assert len(said_of_names(watch)) == 6


def test_an_address_of_our_own_is_not_taken(pair):
    watch = pair.up()
    pair.rename("192.0.2.1", "127.0.0.1")
    watch.wait_output(
        'peer b: its name has no usable address any more: it keeps the '
        'endpoint "b.example" (192.0.2.2)\n', timeout=IN_TIME)
    pair.wait_asked(2)
    assert pair.endpoint() == "192.0.2.2"
    assert watch.output().count("no usable address") == 1
    pair.rename("192.0.2.1", "192.0.2.9")
    watch.wait_output(MOVED, timeout=IN_TIME)


def test_a_name_that_makes_its_peer_wait(pair):
    """Then it is looked up every 25 s, as that of any peer that waits."""
    watch = pair.up()
    pair.rename("10.10.0.9")
    watch.wait_output("eth0: b: waiting: ", timeout=IN_TIME)
    assert "inside its own allowed-ips" in watch.output()
    pair.rename("192.0.2.9")
    pair.move_b()
    watch.wait_output("mended: peer b: endpoint 192.0.2.9", timeout=IN_TIME)
    assert ping(pair.a, B, A)


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
    assert done.returncode == 0 and pair.endpoint() == "192.0.2.9"
    pair.server.questions.clear()
    watch.wait_output("eth0: b: silent")
    pair.wait_asked(1 - len(pair.server.questions))
    assert pair.endpoint() == "192.0.2.9"
    assert "mended" not in watch.output()
