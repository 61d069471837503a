# SPDX-License-Identifier: GPL-2.0-only
"""The cloud lab drops what EC2 drops, shown here without tunload: the tests in
test_cloud.py rest on it."""
import pytest

from cloud import (ELASTIC, INNER, INSTANCE, JUMBO, SITE, SITE_INNER, WORLD,
                   Cloud)
from lab import TIMEOUT, wait_until
from traffic import packet_of, ping, tcp_transfer

BOTH = pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])


@pytest.fixture
def cloud(lab):
    """A Cloud that drops Destination Options in both directions."""
    return Cloud(lab)


@BOTH
def test_plain_traffic(cloud, outer):
    """A ping out is answered; a ping to the public address is dropped."""
    assert ping(cloud.instance, SITE[outer])
    assert not ping(cloud.site, WORLD[outer], wait=0.2)
    assert cloud.dropped("unasked") == 1


@BOTH
@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_closed_until_the_instance_sends(cloud, outer, inner):
    """Tunnel packets from the site are dropped until the instance sends one;
    then both ends of the lab work."""
    cloud.instance_end(outer)
    cloud.site_end(outer)
    assert not cloud.site_ping(inner, wait=0.2)
    assert cloud.dropped("unasked") == 1
    assert cloud.instance_ping(inner)
    assert cloud.site_ping(inner)
    tcp_transfer(cloud.instance, INNER[inner], cloud.site, SITE_INNER[inner],
                 1 << 18)
    tcp_transfer(cloud.site, SITE_INNER[inner], cloud.instance, INNER[inner],
                 1 << 18)


def test_kernel_end(cloud):
    """seg6 at the site sends 4in6 packets."""
    cloud.site_kernel()
    frames = cloud.lab.capture(cloud.net, "site", lambda f: not f.outgoing)
    assert not cloud.site_ping(wait=0.2)
    tunnelled = [packet_of(f.data) for f in frames.frames()]
    assert [p for p in tunnelled if p and p.proto == 4]


def test_nat_hides_the_instance(cloud):
    """The site sees the Elastic IP, the instance its private address."""
    cloud.instance_end(4)
    cloud.site_end(4)
    at_site, at_instance = (
        cloud.lab.capture(ns, "eth0", lambda f: f.data[23] == 4)
        for ns in (cloud.site, cloud.instance))
    assert cloud.instance_ping()
    assert [(p.src, p.dst) for p in map(packet_of, at_site.packets())] == [
        (ELASTIC, SITE[4]), (SITE[4], ELASTIC)]
    assert [(p.src, p.dst) for p in map(packet_of, at_instance.packets())] \
        == [(INSTANCE[4], SITE[4]), (SITE[4], INSTANCE[4])]


@pytest.mark.parametrize("source", [ELASTIC, "172.22.2.3", "2001:db8:1::11"])
def test_borrowed_sources_are_dropped(cloud, source):
    """The cloud drops the Elastic IP as a source, and addresses of the same
    subnet that the interface was not assigned."""
    cloud.instance.addr("lo", source + ("/128" if ":" in source else "/32"))
    outer = 6 if ":" in source else 4
    cloud.instance_end(outer, local=source)
    cloud.site_end(outer)
    assert not cloud.instance_ping(wait=0.2)
    assert cloud.dropped("spoofed") == 1


def test_options_are_dropped(cloud):
    """The cloud drops packets with the encapsulation limit of Linux's ip6tnl,
    as networks do (RFC 7872)."""
    cloud.instance_end(6, "--encap-limit")
    cloud.site_end(6)
    frames = cloud.lab.capture(cloud.vpc, "inst", lambda f: not f.outgoing)
    assert not cloud.instance_ping(wait=0.2)
    assert cloud.dropped("options") == 1
    options = [f.data for f in frames.frames() if f.data[20] == 60]
    assert options[0][54:62].hex() == "0400040104010100"


@pytest.mark.parametrize("options_in", [False, True], ids=["drop", "pass"])
def test_options_inbound(lab, options_in):
    """Packets with options from the site arrive only with options_in."""
    cloud = Cloud(lab, options_in=options_in)
    cloud.instance_end(6)
    cloud.site_end(6, "--encap-limit")
    wait = TIMEOUT if options_in else 0.2
    assert cloud.instance_ping(wait=wait) == options_in
    assert cloud.dropped("options") == (not options_in)


def test_multicast_and_neighbours(cloud):
    """The cloud drops multicast and broadcast pings, but the instance finds its
    router."""
    ns = cloud.instance
    for group in "ff02::1%eth0", "ff02::2%eth0", "172.22.2.255":
        # -L keeps the instance from answering itself.
        done = ns.run("ping", "-bLn", "-c1", "-W0.2", group, check=False)
        assert "1 packets transmitted, 0 received" in done.stdout
    assert cloud.dropped("multicast") == 3
    ns.ip("neigh", "flush", "dev", "eth0")
    assert ping(ns, SITE[6])
    assert "fe80::1 " in ns.ip("-6", "neigh").stdout


@BOTH
def test_jumbo_inside_only(cloud, outer):
    """The path carries 1500 bytes and drops 1501 without ICMP; the VPC carries
    9001."""
    header = {4: 28, 6: 48}[outer]
    assert ping(cloud.instance, SITE[outer], size=1500 - header)
    done = cloud.instance.run(
        "ping", "-n", "-M", "do", "-c1", "-W0.2", "-s", 1501 - header,
        SITE[outer], check=False)
    assert done.returncode == 1 and "too" not in done.stdout
    router = {4: "172.22.2.1", 6: "fe80::1%eth0"}[outer]
    assert ping(cloud.instance, router, size=JUMBO - header)


@BOTH
def test_idle_tunnels_are_forgotten(cloud, outer):
    """After the timeout packets from the site are dropped again."""
    cloud.forget_after(2)
    cloud.instance_end(outer)
    cloud.site_end(outer)
    assert cloud.instance_ping()
    wait_until(lambda: not cloud.tracked(), "the conntrack entry expires")
    assert not cloud.site_ping(wait=0.2)
    assert cloud.instance_ping()
    assert cloud.site_ping()
