# SPDX-License-Identifier: GPL-2.0-only
"""The JSON outputs are what docs/schema says: with each field, and no other."""
import json
import os
import re

import jsonschema
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from lab import REPO, TUNLOAD, read, run, wait_until
from lifecycle import A, B, Pair, conf_a
from traffic import ping

NAMES = [name.removesuffix(".json") for name in
         os.listdir(os.path.join(REPO, "docs", "schema"))]
PEERS = """
[peer six]
endpoint = 2001:db8::2
allowed-ips = 10.60.0.0/24, fd00:60::/64
dscp = 46
guard = no
[peer name]
endpoint = router.invalid
allowed-ips = 10.70.0.0/24
"""


def schema(name):
    """A schema of docs/schema."""
    return json.loads(read("docs", "schema", f"{name}.json"))


def check(name, value):
    """Checks a value against a schema; returns it."""
    jsonschema.Draft202012Validator(schema(name)).validate(value)
    return value


def objects(part):
    """Every part of a schema that describes an object."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from objects(inner)


def test_every_json_output_has_a_schema():
    commands = re.findall(r"^  ([a-z][a-z-]*) +\S", run(
        TUNLOAD, "help").stdout, re.M)
    assert len(commands) >= 10
    assert {"peer-list" if name == "peer" else name for name in commands
            if "--json" in run(TUNLOAD, "help", name).stdout} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_word_for_the_name_of_a_peer(name):
    """It is `peer`; `name`, which was there first, only stands beside it."""
    fields = [set(part.get("properties", ())) for part in
              objects(schema(name))]
    assert any("peer" in own for own in fields)
    assert all("peer" in own for own in fields if "name" in own)


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with a peer of each kind on its first host."""
    pair = Pair(lab)
    pair.tl.attach(conf_a(peers=PEERS))
    assert ping(pair.a, B, A)
    return pair


@pytest.mark.parametrize("name", NAMES)
def test_schemas_leave_nothing_open(name):
    """They are schemas, and an object has no other fields than those named."""
    whole = schema(name)
    jsonschema.Draft202012Validator.check_schema(whole)
    found = list(objects(whole))
    assert found
    for part in found:
        if "properties" not in part:  # verdicts, by name
            assert part["propertyNames"] and part["additionalProperties"]
            continue
        assert part["additionalProperties"] is False
        assert set(part["properties"]) - {"mended"} == \
            set(part["required"]) - {"mended"}


def test_status_while_watched(pair):
    """A peer that is up, one that waits."""
    watch = pair.lab.keep(pair.tl.start("watch", "eth0"))
    watch.wait_output("eth0: b: up")
    watch.wait_output("eth0: name: waiting")
    one = check("status", pair.tl.status())
    told = {p["name"]: p["watch"] for p in one["peers"]}
    assert told["b"]["state"] == "up"
    assert told["name"]["reason"] == pair.tl.peer("name")["waiting"]


def test_status(pair):
    one = check("status", json.loads(pair.tl.ok("status", "eth0", "--json")))
    every = check("status", json.loads(pair.tl.ok("status", "--json")))
    assert [row["interface"] for row in every] == ["eth0"]
    assert [row["peer"] for row in one["peers"]] == ["b", "six", "name"]
    for row in one["peers"]:
        assert row["peer"] == row["name"]
    states = {row["peer"]: row["state"] for row in one["peers"]}
    assert (states["b"], states["name"]) == ("up", "waiting")
    assert one["peers"][0]["last_tx_seconds"] < 60
    assert one["peers"][1]["forms"] == ["4in6", "6in6"]
    assert one["peers"][2]["hostname"] == "router.invalid"
    one["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        check("status", one)


def test_status_of_other_settings(pair):
    """Native mode with forwarding, no routes; a hook and a route are gone."""
    pair.tl.reload(conf_a("native").replace(
        "mode", "forward = xdp\ncpus = all\nmode"))
    told = check("status", pair.tl.status())
    assert (told["mode"], told["forward"]) == ("native", "xdp")
    pair.tl.reload(conf_a("tc").replace("mode", "routes = no\nmode"))
    pair.a.ip("link", "set", "eth0", "down")
    assert check("status", pair.tl.status())["hints"]


def test_status_with_a_learned_mtu(pair):
    """An ICMP error that the other host sends about a packet of ours."""
    pair.b.ip("link", "set", "eth0", "mtu", "1400")
    quoted = (IP(src="192.0.2.1", dst="192.0.2.2", flags="DF", id=0, ttl=64) /
              IP(src=A, dst=B) / ICMP() / bytes(1400))
    error = (Ether(src=pair.b.mac("eth0"), dst=pair.a.mac("eth0")) /
             IP(src="192.0.2.2", dst="192.0.2.1") /
             ICMP(type=3, code=4, nexthopmtu=1300) / bytes(quoted)[:120])
    pair.lab.sender(pair.b, "eth0").send(error)
    row = wait_until(lambda: pair.tl.peer("b")["learned_mtu"] and
                     pair.tl.peer("b"), "the MTU is learnt")
    check("status", pair.tl.status())
    assert row["mtu"] == row["learned_mtu"]["mtu"] == 1280
    assert row["learned_mtu"]["otherwise"] == 1480
    assert " 1280 " in pair.tl.ok("status", "eth0", "b")
    assert "  mtu          1280 (learnt from ICMP, for another " in pair.tl.ok(
        "status", "eth0", "b", "-v")


def test_peer_list(pair):
    told = check("peer-list", json.loads(
        pair.tl.ok("peer", "list", "eth0", "--json")))
    assert [(row["peer"], row["name"]) for row in told] == [
        ("b", "b"), ("six", "six"), ("name", "name")]


@pytest.mark.parametrize("args", [(), ("--wait", "1"), ("--due",)])
def test_trigger(pair, args):
    done = pair.tl.run("trigger", "eth0", "--json", *args)
    told = check("trigger", json.loads(done.stdout))
    assert ("mended" in told) == ("--due" in args)
    assert args == ("--due",) or [row["peer"] for row in told["peers"]] == [
        "b", "six", "name"]


def test_monitor(pair):
    monitor = pair.lab.keep(pair.tl.start("monitor", "eth0", "--json"))
    sender = pair.lab.sender(pair.b, "eth0")
    head = (Ether(src=pair.b.mac("eth0"), dst=pair.a.mac("eth0")) /
            IP(src="192.0.2.2", dst="192.0.2.1"))

    def told():
        sender.send(head / IP(src="10.66.0.1", dst=A) / ICMP())
        sender.send(Ether(bytes(head)[:14]) / IP(src=B, dst="192.0.2.1") /
                    ICMP())
        return [json.loads(line) for line in
                monitor.output().split("\n")[:-1] if line[:1] == "{"]

    wait_until(lambda: {e["verdict"] for e in told()} >= {
        "rx_not_allowed", "rx_borrowed"}, "both events", interval=0.1)
    assert {e["fate"] for e in told()} == {"dropped"}
    for event in told():
        check("monitor", event)
