# SPDX-License-Identifier: GPL-2.0-only
"""Two gateways and two sites whose routes BIRD and FRR make by BGP inside of the
tunnels: docs/fleet.md."""
import contextlib
import errno
import glob
import os
import re
import shutil
import socket

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from bird import Bird
from fleet import LAN, S1, S2, SHARED, Fleet, example, prefix
from flows import open_udp, receive
from frr import Frr
from lab import Lab, alive, wait_until
from netns import scratch
from traffic import packet_of, tcp_transfer, udp_socket, udp_transfer

# What docs/fleet.md says about MTUs.
HINT = """export filter {
		if ifname = "eth0" then krt_mtu = 1480;
		accept;
	};"""

both_families = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module", name="whole")
def _whole():
    with Lab() as lab:
        yield Fleet(lab)


@pytest.fixture(name="fleet")
def _fleet(whole):
    """The fleet, with all routes."""
    whole.wait_converged()
    return whole


def lan_captures(fleet):
    """What the LAN's router exchanges with each gateway."""
    return {gateway: fleet.lab.capture(fleet.ns["lan"], f"eth{i}")
            for i, gateway in enumerate(("g1", "g2"), 1)}


def in_clear(fleet, gateway):
    """A capture of what a gateway has on the internet's wire without a tunnel:
    packets from or to private addresses."""
    def private(frame):
        packet = packet_of(frame.data)
        return packet and any(a.startswith(("10.", "172.30.", "fd00:"))
                              for a in (packet.src, packet.dst))
    return fleet.lab.capture(fleet.ns["r"], f"eth{gateway[1]}", private)


def take(sock, number):
    """Waits until so many packets came; returns [(data, sender)]."""
    got = []
    wait_until(lambda: got.extend((data, sender) for data, _, sender
                                  in receive(sock)) or len(got) >= number,
               f"{number} packets")
    return got


def test_prefixes_flow(fleet):
    """A packet into each of the 10,000 prefixes that a site announces, and one
    out of each: the gateways accept no other sources than those of routes."""
    lan, s1 = fleet.ns["lan"], fleet.ns["s1"]
    hosts = [p.replace(".0/24", ".7") for p in fleet.prefixes]
    assert len(hosts) == 10000
    with open_udp(s1, "0.0.0.0", 7000) as there, open_udp(lan, LAN[4]) as here:
        for start in range(0, len(hosts), 500):
            chunk = hosts[start:start + 500]
            for host in chunk:
                here.sendto(host.encode(), (host, 7000))
            assert sorted(data.decode() for data, _ in take(there, 500)) == \
                sorted(chunk)
            for host in chunk:
                with s1.call(socket.socket, socket.AF_INET,
                             socket.SOCK_DGRAM) as back:
                    back.bind((host, 7001))
                    back.sendto(host.encode(), here.getsockname())
            assert sorted((data.decode(), sender) for data, sender
                          in take(here, 500)) == \
                sorted((host, (host, 7001)) for host in chunk)


@both_families
def test_ecmp_over_two_peers(fleet, family):
    """Both sites have the same network: a gateway uses both, and keeps each
    flow on one; so does the LAN with the gateways."""
    captures = lan_captures(fleet)
    with fleet.flows_to(SHARED, family, "s1", "s2", number=64,
                        interval=0.04) as flows:
        flows.running(50)
    assert flows.lost(flows.arrived) == flows.lost(flows.echoed) == [0] * 64
    sites = [{got.who for got in flow} for flow in flows.arrived]
    ways = [{name for name, _ in way} for way in flows.ways(captures)]
    assert all(len(s) == 1 for s in sites) and all(len(w) == 1 for w in ways)
    assert len({(*w, *s) for w, s in zip(ways, sites)}) == 4


@both_families
@pytest.mark.parametrize("gateway", ["g1", "g2"])
def test_gateway_dies(fleet, family, gateway, record_property):
    """A gateway hangs: BFD notices, what went over it goes over the other one,
    and what went over the other one loses nothing. tests/bench/convergence.py
    looks at the time."""
    captures = lan_captures(fleet)
    other = {"g1": "g2", "g2": "g1"}[gateway]
    with fleet.flows_to(S1, family, "s1") as flows:
        with fleet.silent(gateway):
            for host, network in ("lan", S1), ("s1", LAN):
                fleet.wait_next_hops(host, prefix(network[family]), 1)
                assert "BFD" in fleet.daemon[host].show(
                    f"protocols all {gateway}{'_6' * (family == 6)}")
            flows.running()
            before = flows.ways(captures)
        fleet.wait_converged()
        flows.running()
    assert {way[-1][0] for way in before} == {other}
    ways = flows.ways(captures)
    assert {way[0][0] for way in ways} == {gateway, other}
    for way, missing in zip(ways, flows.lost(flows.arrived)):
        if way[0][0] == other:
            assert {name for name, _ in way} == {other} and not missing
    gap, lost = flows.gap(flows.arrived), sum(flows.lost(flows.arrived))
    record_property("failover", f"{gap:.3f} s, {lost} packets lost of "
                    f"{sum(flows.sent)}")
    assert gap and lost


@both_families
def test_source_through_the_wrong_peer(fleet, family):
    """s2 sends what s1 announces: dropped at both gateways, and counted."""
    layer = IP if family == 4 else IPv6
    seen = lan_captures(fleet)

    def sources(capture):
        return [p.src for p in map(packet_of, capture.packets(outgoing=False))
                if p and p.src in (S1[family], S2[family])]

    for gateway in "g1", "g2":
        tl, device = fleet.tl[gateway], fleet.lab.sender(fleet.ns["s2"], gateway)
        before = tl.verdict("rx_not_allowed", "s2")
        for source in S1, S2:
            device.send(*[layer(src=source[family], dst=LAN[family]) /
                          UDP(sport=7, dport=n) for n in range(10)])
        wait_until(lambda: len(sources(seen[gateway])) >= 10, "its own come")
        assert sources(seen[gateway]) == [S2[family]] * 10
        assert tl.verdict("rx_not_allowed", "s2") == before + 10


@both_families
def test_withdrawn_route(fleet, family):
    """s1 withdraws its networks: what both sites have follows the table to s2,
    the rest ends at the gateways, and nothing is on the wire in clear."""
    clear = [in_clear(fleet, g) for g in ("g1", "g2")]
    s1, static = fleet.daemon["s1"], {4: "static1", 6: "static2"}
    with fleet.flows_to(SHARED, family, "s1", "s2") as flows, \
            fleet.flows_to(S1, family, "s1") as gone:
        s1.ask(f"disable {static[family]}", check=True)
        for gateway in "g1", "g2":
            fleet.wait_next_hops(gateway, prefix(S1[family]), 0)
            fleet.wait_next_hops(gateway, prefix(SHARED[family]), 1)
        flows.running()
        arrived = [len(flow) for flow in gone.arrived]
        begin = [len(flow) for flow in flows.arrived]
        flows.running(50)
        assert [len(flow) for flow in gone.arrived] == arrived
        end = [len(flow) for flow in flows.arrived]
        s1.ask(f"enable {static[family]}", check=True)
        gone.running()
    for flow, i, j in zip(flows.arrived, begin, end):
        assert {got.who for got in flow[i:j]} == {"s2"}
    assert not [f for c in clear for f in c.packets()]


def refused(fleet):
    """Packets that were dropped for their inner source, at all hosts."""
    return sum(tl.verdict("rx_not_allowed") for tl in fleet.tl.values())


def restart_bird(fleet):
    """Kills g1's BIRD and starts it again, with its host forwarding meanwhile.
    Returns flows to both sites, over both gateways."""
    with fleet.flows_to(S1, 4, "s1") as one, \
            fleet.flows_to(S2, 4, "s2") as two:
        fleet.daemon["g1"].kill()
        fleet.daemon["g1"].start("-R")
        fleet.wait_converged()
        one.running()
        two.running()
    return one, two


def test_bird_restarts(fleet):
    """What is lost is what arrives where no route leads back, and is counted."""
    before = refused(fleet)
    lost = [sum(f.lost(f.echoed)) for f in restart_bird(fleet)]
    print(f"BIRD restarts: {lost} packets lost")
    assert sum(lost) == refused(fleet) - before


def test_bird_restarts_beside_static_prefixes(fleet):
    """With the sites' networks beside `routed`, nothing is lost."""
    for name, tl in fleet.tl.items():
        tl.reload(example(f"{name}.conf").replace(
            "[interface]", "[interface]\nroutes = no").replace(
            "= routed", "= routed, 10.0.0.0/8"))
    try:
        for flows in restart_bird(fleet):
            assert not any(flows.lost(flows.echoed))
    finally:
        for name, tl in fleet.tl.items():
            tl.reload(example(f"{name}.conf"))


def test_frr_restarts(fleet):
    """Its routes go with bgpd, so the other gateway takes over."""
    with fleet.flows_to(S1, 4, "s1") as one, \
            fleet.flows_to(S2, 4, "s2") as two:
        fleet.daemon["g2"].kill("bgpd")
        for host, network in ("lan", S1), ("s1", LAN), ("s2", LAN):
            fleet.wait_next_hops(host, prefix(network[4]), 1)
        one.running()
        two.running()
        fleet.daemon["g2"].restart("bgpd")
        fleet.wait_converged()
        one.running()
        two.running()


@contextlib.contextmanager
def only_by(fleet, gateway, host, family):
    """The LAN's router reaches that host by one gateway only."""
    lan, number = fleet.ns["lan"], gateway[1]
    via = f"10.1.{number}.1" if family == 4 else f"fd00:1:0:{number}::1"
    route = f"-{family}", "route"
    lan.ip(*route, "add", f"{host}/{32 if family == 4 else 128}", "via", via)
    try:
        yield
    finally:
        lan.ip(*route, "del", f"{host}/{32 if family == 4 else 128}")


def too_big(frame):
    """(source, MTU) of an ICMP error about a packet that is too big, or None."""
    packet = packet_of(frame)
    if packet and (packet.proto, packet.payload[:2]) in (
            (1, b"\x03\x04"), (58, b"\x02\x00")):
        return packet.src, int.from_bytes(packet.payload[4:8], "big")
    return None


def check_mtu(fleet, gateway, family, site, network):
    """Large packets without fragments to a site by a gateway: the first one is
    answered, then they fit. Returns the answers to the LAN."""
    lan, host = fleet.ns["lan"], network[family]
    overhead = 28 if family == 4 else 48
    capture = lan_captures(fleet)[gateway]
    with only_by(fleet, gateway, host, family):
        with udp_socket(lan, LAN[family], df=True) as sock:
            def fits(size):
                try:
                    sock.sendto(bytes(size - overhead), (host, 9))
                except OSError as e:
                    assert e.errno == errno.EMSGSIZE
                    return False
                return True
            wait_until(lambda: not fits(1481), "a smaller MTU")
        udp_transfer(lan, LAN[family], fleet.ns[site], host,
                     [1480 - overhead] * 10, df=True)
        tcp_transfer(lan, LAN[family], fleet.ns[site], host, 1 << 20)
        tcp_transfer(fleet.ns[site], host, lan, LAN[family], 1 << 20)
    return {too_big(f) for f in capture.packets(outgoing=False)} - {None}


@both_families
@pytest.mark.parametrize("gateway", ["g1", "g2"])
def test_routes_without_mtu(fleet, family, gateway):
    """The daemons' routes have no MTU: tunload answers for the gateway."""
    for site, network in ("s1", S1), ("s2", S2):
        assert "mtu" not in fleet.ns[gateway].ip(
            f"-{family}", "route", "show", prefix(network[family])).stdout
        before = fleet.tl[gateway].verdict("tx_too_big", site)
        answers = check_mtu(fleet, gateway, family, site, network)
        # tunload answers as if the destination did.
        assert answers == {(network[family], 1480)}
        assert fleet.tl[gateway].verdict("tx_too_big", site) > before


@both_families
def test_krt_mtu(fleet, family):
    """BIRD gives its routes an MTU, and the kernel answers."""
    bird = fleet.daemon["g1"]
    bird.configure(example("g1-bird.conf").replace("export all;", HINT))
    try:
        wait_until(lambda: "mtu 1480" in fleet.ns["g1"].ip(
            f"-{family}", "route", "show", prefix(S1[family])).stdout,
            "the route has an MTU")
        assert "mtu" not in fleet.ns["g1"].ip(
            f"-{family}", "route", "show", prefix(LAN[family])).stdout
        fleet.wait_converged()
        sent = fleet.tl["g1"].verdict("tx_too_big")
        own = "10.1.1.1" if family == 4 else "fd00:1:0:1::1"
        assert check_mtu(fleet, "g1", family, "s1", S1) == {(own, 1480)}
        assert fleet.tl["g1"].verdict("tx_too_big") == sent
    finally:
        bird.configure(example("g1-bird.conf"))


def since(bird):
    """When each protocol got into its state, in milliseconds of the day; BIRD's
    own clock is not as exact."""
    times = re.findall(r"(\d\d):(\d\d):(\d\d)\.(\d{3})", bird.show("protocols"))
    return [((int(h) * 60 + int(m)) * 60 + int(s)) * 1000 + int(ms)
            for h, m, s, ms in times]


def test_attached_again(fleet):
    """tunload itself changes below the sessions: none ends, nothing is lost."""
    before = since(fleet.daemon["g1"])
    with fleet.flows_to(S1, 4, "s1") as one, \
            fleet.flows_to(S2, 6, "s2") as two:
        for name, tl in fleet.tl.items():
            tl.attach(example(f"{name}.conf"), "--no-trigger")
            one.running()
            two.running()
    for flows in one, two:
        assert not any(flows.lost(flows.echoed))
    after = since(fleet.daemon["g1"])
    assert len(after) == len(before) > 6
    assert all(abs(a - b) < 100 for a, b in zip(after, before))


@pytest.mark.parametrize("gateway", ["g1", "g2"])
def test_detached(fleet, gateway):
    """The tunnels of a gateway go, while traffic flows: nothing leaves in clear,
    the other gateway takes over, and of tunload nothing is left. Attached again,
    the daemons find their way."""
    clear, tl, ns = in_clear(fleet, gateway), fleet.tl[gateway], fleet.ns[gateway]
    with fleet.flows_to(S1, 4, "s1") as one, \
            fleet.flows_to(S2, 6, "s2") as two:
        tl.detach()
        for family in 4, 6:
            for network in S1, S2, SHARED:
                fleet.wait_next_hops(gateway, prefix(network[family]), 0)
        one.running()
        two.running()
        left = ns.batch("addr show dev eth0", "route show table all dev eth0")
        left += ns.batch("route show table all dev eth0", options=["-6"])
        # The kernel may ask the wire for former next hops, in vain.
        left += "".join(line for line in ns.ip(
            "neigh", "show", "dev", "eth0").stdout.splitlines()
                        if "lladdr" in line)
        tl.attach(example(f"{gateway}.conf"), "--no-trigger")
        fleet.wait_converged()
        one.running()
        two.running()
    for trace in "172.30.0.", "fd00:30:", "02:74:6e", "240.0.0", "proto 94":
        assert trace not in left
    assert not clear.packets()


def test_leaves_nothing():
    """Daemons that were killed or not leave no process and no file."""
    with Lab() as lab:
        ns, directory = lab.netns(), lab.enter_context(scratch("left"))
        shutil.chown(directory, "frr", "frr")
        bird, frr = Bird(lab, ns, directory), Frr(lab, ns, directory)
        bird.write(example("g1-bird.conf"))
        frr.write(example("g2-frr.conf"))
        bird.start()
        frr.start()
        frr.kill("bgpd")
        frr.start_one("bgpd")
        bird.kill()
        bird.start("-R")
        pids = [p.popen.pid for p in (bird.process, *frr.processes.values())]
        assert all(map(alive, pids)) and os.path.exists(bird.socket)
        files = glob.glob("/var/tmp/frr/*")
    assert not any(map(alive, pids)) and not os.path.exists(directory)
    assert not [f for f in files if os.path.exists(f) and
                int(f.rsplit(".", 1)[1]) in pids]
