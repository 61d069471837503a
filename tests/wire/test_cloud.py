# SPDX-License-Identifier: GPL-2.0-only
"""tunload on an instance in the cloud with a peer at a site, its main use.
test_cloud_lab.py shows without tunload what this cloud drops."""
import json

import pytest

from cloud import (ELASTIC, HEADER, INNER, INSTANCE, PATH_MTU, SITE,
                   SITE_INNER, SITE_SID, WORLD, Cloud)
from lab import TIMEOUT, wait_until
from traffic import (is_tunnel, packet_of, ping, tcp_transfer, udp_socket,
                     udp_transfer)

BULK = 20 << 20
BOTH = pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
MODES = pytest.mark.parametrize("mode", ["native", "tc"])
INNERS = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])


@pytest.fixture
def cloud(lab):
    """A Cloud that drops Destination Options in both directions."""
    return Cloud(lab)


@BOTH
@MODES
@INNERS
def test_attach_opens_the_path(cloud, outer, inner, mode):
    """Packets from the site get in only after `attach`, which sends the first
    packet."""
    cloud.site_end(outer)
    assert not cloud.site_ping(inner, wait=0.2)
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(outer, first=inner), "--mode", mode)
    assert cloud.site_ping(inner)
    assert cloud.instance_ping(inner)
    assert cloud.dropped("unasked") == 1
    assert not cloud.dropped("spoofed") + cloud.dropped("options")


@BOTH
def test_attach_opens_both_protocols(cloud, outer):
    """A security group tracks protocols 4 and 41 apart: attach opens a path for
    each, for a peer with IPv4 and IPv6 prefixes."""
    cloud.site_end(outer)
    cloud.tunload().attach(cloud.conf(outer))
    assert cloud.site_ping(4)
    assert cloud.site_ping(6)


@BOTH
def test_without_a_trigger(cloud, outer):
    """With --no-trigger the path is closed until `trigger` sends a packet."""
    cloud.site_end(outer)
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(outer), "--no-trigger")
    assert not cloud.site_ping(wait=0.2)
    tunload.ok("trigger", "eth0", "--wait", TIMEOUT)
    assert cloud.site_ping()


@BOTH
def test_status_tells_the_story(cloud, outer):
    """status --json before any packet, and after one echo request and reply."""
    cloud.site_end(outer)
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(outer), "--no-trigger")
    before = tunload.status()
    assert before["interface"] == "eth0" and before["mode_reason"]
    assert (before["local4"], before["local6"]) == tuple(INSTANCE.values())
    peer = before["peers"][0]
    zero = {"packets": 0, "bytes": 0}
    assert (peer["name"], peer["endpoint"]) == ("site", SITE[outer])
    assert peer["local"] == INSTANCE[outer]
    assert peer["allowed_ips"] == ["10.10.0.0/24", "fd00:10::/64"]
    assert peer["mtu"] == PATH_MTU - HEADER[outer]
    assert peer["rx"] == peer["tx"] == zero
    assert peer["last_rx_seconds"] is None

    assert cloud.instance_ping(4, size=100)
    peer = tunload.peer("site")
    one = {"packets": 1, "bytes": 128}
    assert peer["rx"] == peer["tx"] == one
    assert peer["verdicts"] == {"rx_decap": one, "tx_encap": one}
    assert 0 <= peer["last_rx_seconds"] < 60


@MODES
def test_kernel_site(cloud, mode):
    """The site's end is the kernel's seg6 (4in6): both directions work."""
    cloud.site_kernel()
    assert not cloud.site_ping(wait=0.2)
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(6, endpoint=SITE_SID), "--mode", mode)
    assert cloud.site_ping()
    assert cloud.instance_ping()
    udp_transfer(cloud.instance, INNER[4], cloud.site, SITE_INNER[4],
                 [1, 1432, 1433, 4000])
    for ends in both_ways(cloud, 4):
        tcp_transfer(*ends, BULK)
    assert tunload.peer("site")["verdicts"].keys() == {"rx_decap",
                                                       "tx_encap"}


@MODES
def test_encapsulation_limit_is_understood(lab, mode):
    """The site sends the encapsulation limit of RFC 2473, tunload does not."""
    cloud = Cloud(lab, options_in=True)
    cloud.site_end(6, "--encap-limit")
    tunload = cloud.tunload()
    ours = lab.capture(cloud.vpc, "inst", lambda f: not f.outgoing)
    theirs = lab.capture(cloud.net, "site", lambda f: not f.outgoing)
    tunload.attach(cloud.conf(6), "--mode", mode)
    for inner in 4, 6:
        assert cloud.instance_ping(inner)
        assert cloud.site_ping(inner)
    tcp_transfer(cloud.site, SITE_INNER[4], cloud.instance, INNER[4],
                 1 << 20)
    assert has_options(theirs) and not has_options(ours)
    assert tunload.status()["verdicts"].keys() <= {
        "rx_decap", "rx_plain", "tx_encap", "tx_plain"}


def has_options(capture):
    """True if a captured tunnel packet has a Destination Options header (next
    header 60)."""
    tunnelled = [p for p in map(packet_of, capture.packets())
                 if p and (is_tunnel(p) or p.proto == 60)]
    assert tunnelled
    return any(p.proto == 60 for p in tunnelled)


@BOTH
@MODES
@INNERS
def test_big_transfers(cloud, outer, inner, mode):
    """20 MB pass in each direction although the interface has MTU 9001, the
    path carries 1500, and no router sends ICMP: the routes' MTU sees to it."""
    cloud.site_end(outer)
    cloud.tunload().attach(cloud.conf(outer), "--mode", mode)
    for ends in both_ways(cloud, inner):
        tcp_transfer(*ends, BULK)
    assert not cloud.dropped("spoofed") + cloud.dropped("options")


def both_ways(cloud, inner):
    """Arguments of transfers from the instance and to it."""
    there = (cloud.instance, INNER[inner]), (cloud.site, SITE_INNER[inner])
    return [*there[0], *there[1]], [*there[1], *there[0]]


BORROWED = [
    (4, "local4", ELASTIC), (4, "local4", "172.22.2.3"),
    (6, "local6", "2001:db8:1::11"), (4, "local", ELASTIC),
    (6, "local", "2001:db8:1::11"),
]


@pytest.mark.parametrize("outer, key, address", BORROWED)
def test_borrowed_source_is_refused(cloud, outer, key, address):
    """attach refuses the Elastic IP, or a neighbour's address, as outer source
    in one line that names the place, the value and the right address; the host
    stays as it was."""
    part = "peer" if key == "local" else "interface"
    text = cloud.conf(outer, **{part: f"{key} = {address}"})
    before = host_state(cloud.instance)
    tunload = cloud.tunload()
    done = tunload.attach(text, check=False)
    assert done.returncode in (1, 2)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert f'"{address}"' in done.stderr or f"'{address}'" in done.stderr
    assert INSTANCE[outer] in done.stderr  # the right address
    if part == "peer":
        assert f"{tunload.conf}:" in done.stderr and "site" in done.stderr
    assert host_state(cloud.instance) == before
    assert tunload.run("status", "eth0").returncode == 1


def host_state(ns):
    """The routes and the attached BPF programs of a host."""
    return [ns.ip("route").stdout, ns.ip("-6", "route").stdout,
            ns.run("bpftool", "-j", "net", "show").stdout]


@BOTH
def test_idle_path_is_opened_again(cloud, outer):
    """`tunload trigger` opens a path that the security group has forgotten."""
    cloud.forget_after(2)
    cloud.site_end(outer)
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(outer))
    assert cloud.site_ping()
    wait_until(lambda: not cloud.tracked(), "the conntrack entry expires")
    assert not cloud.site_ping(wait=0.2)
    tunload.ok("trigger", "eth0", "site", "--wait", TIMEOUT)
    assert cloud.site_ping()


def test_trigger_without_a_site(cloud):
    """A trigger without an answer ends with 1 and names the peer, in text and
    in JSON."""
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(4), "--no-trigger")
    done = tunload.run("trigger", "eth0", "--wait", 0.2)
    assert done.returncode == 1
    assert "site" in done.stdout + done.stderr
    done = tunload.run("trigger", "eth0", "--wait", 0.2, "--json")
    assert done.returncode == 1
    assert "site" in json.dumps(json.loads(done.stdout))


@BOTH
def test_same_traffic_without_a_tunnel(cloud, outer):
    """Traffic outside of the site's networks is not tunnelled."""
    cloud.site_end(outer)
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(outer))
    encapsulated = tunload.verdict("tx_encap")
    for version in 4, 6:
        assert ping(cloud.instance, SITE[version])
        assert not ping(cloud.site, WORLD[version], wait=0.2)
    assert tunload.verdict("tx_encap") == encapsulated
    assert tunload.verdict("tx_plain") >= 2


def test_6in4_is_counted_once(cloud):
    """Packets pass tc egress twice, the second time with the next hop that the
    kernel found, but are counted once."""
    tunload = cloud.tunload()
    tunload.attach(cloud.conf(4), "--no-trigger")
    plain = tunload.verdict("tx_plain")
    sock = udp_socket(cloud.instance, INNER[6])
    for _ in range(50):
        sock.sendto(b"inner", (SITE_INNER[6], 9))
    sock.close()
    wait_until(lambda: tunload.verdict("tx_encap") == 50,
               "50 packets counted as tx_encap")
    # A few packets of neighbour discovery are counted as plain.
    assert tunload.verdict("tx_plain") < plain + 50
