# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` names the cause of what README begins with: tunnels on EC2
that look right and carry nothing. And of what is under its "Limits"."""
import json

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.l2 import Ether

from checked import Case, check_case
from cloud import ELASTIC, INNER, SITE_INNER, Cloud
from lifecycle import A, B
from traffic import tcp_transfer


def findings(tl):
    """What `check` finds about what runs, by condition."""
    done = tl.run("check", "eth0", "--json")
    assert done.stderr == ""
    return {f["what"]: f for f in json.loads(done.stdout)
            if f["level"] != "ok"}


def mend(tl, finding):
    """Runs its command, which is one of tunload's."""
    tunload, *words = finding["command"].split()
    assert tunload == "tunload"
    tl.ok(*words)


def test_nothing_arrives_before_something_was_sent(lab):
    cloud = Cloud(lab)
    cloud.site_end(4)
    tl = cloud.tunload()
    tl.attach(cloud.conf(4), "--mode", "tc", "--no-trigger")
    assert not cloud.site_ping(wait=0.5)
    found = findings(tl)
    assert found.keys() == {"first packet"}
    mend(tl, found["first packet"])
    assert cloud.site_ping()
    assert findings(tl) == {}


def test_the_other_end_sends_destination_options(lab):
    """The network drops its packets; only its own commands can mend it."""
    cloud = Cloud(lab)
    site = cloud.site_end(6, "--encap-limit")
    tl = cloud.tunload()
    tl.attach(cloud.conf(6), "--mode", "tc")
    assert not cloud.instance_ping(wait=0.5)
    found = findings(tl)
    assert found.keys() == {"no answer"}
    assert ("a Linux ip6tnl needs encaplimit none: many networks drop its "
            "Destination Options header") in found["no answer"]["why"]
    site.close()
    cloud.site_end(6)
    assert cloud.instance_ping()
    assert findings(tl) == {}


def test_jumbo_frames_meet_the_internet(lab):
    cloud = Cloud(lab)
    cloud.site_end(4)
    tl = cloud.tunload()
    tl.attach(cloud.conf(4, interface="path-mtu = 9001"),
              "--mode", "tc")
    assert cloud.instance_ping()
    assert not cloud.instance_ping(size=1600, wait=0.5)
    found = findings(tl)
    assert found.keys() == {"jumbo frames"}
    mend(tl, found["jumbo frames"])
    tcp_transfer(cloud.instance, INNER[4], cloud.site, SITE_INNER[4], 1 << 18)
    assert findings(tl) == {}


def test_the_elastic_ip_is_no_address_of_the_instance(lab):
    """EC2 drops what comes from it; only the private address is right."""
    cloud = Cloud(lab)
    tl = cloud.tunload()
    done = tl.run("check", "eth0", "--json", "-c", tl.write(
        cloud.conf(4, interface=f"local4 = {ELASTIC}")))
    assert done.returncode == 1
    assert [f["why"] for f in json.loads(done.stdout)
            if f["level"] == "failure"] == [
                f"{ELASTIC}, our outer address, is not on eth0: nothing is "
                "sent, as clouds and providers drop what comes from other "
                "addresses"]


def send(host, *packets):
    """Sends packets of the other host to the first one."""
    sender = host.pair.lab.sender(host.b, "eth0")
    for packet in packets:
        sender.send(bytes(Ether(dst=host.a.mac("eth0")) / packet))


def outer(inner):
    """The packet in the tunnel from the other host."""
    return IP(src="192.0.2.2", dst="192.0.2.1") / inner


def fragments(host):
    """The other end sends outer fragments."""
    send(host, *fragment(outer(IP(src=B, dst=A) / UDP() / (b"x" * 1200)), 800))


def link_scope(host):
    """The other end sends link-scope multicast through the tunnel."""
    send(host, outer(IP(src=B, dst="224.0.0.5") / UDP()))


LIMITS = [
    Case("fragments", fragments,
         ("warning", "traffic", "outer fragments", "b",
          "2 packets were not tunnelled (rx_fragment): the other end sends its "
          "tunnel packets in fragments, which are not decapsulated: set the MTU "
          "of its tunnel"), None, attached=True),
    Case("link scope", link_scope,
         ("warning", "traffic", "link scope", "b",
          "1 packets were not tunnelled (rx_neighbour): link-local, broadcast "
          "and link-scope multicast destinations do not come out of a tunnel"),
         None, attached=True),
]


@pytest.mark.parametrize("case", LIMITS, ids=lambda case: case.name)
def test_limits(lab, case):
    check_case(lab, case)
