# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp: a router forwards what comes out of a tunnel in XDP. The
packets are those that the kernel's forwarding makes; what XDP cannot forward
takes that way."""
import pytest
from scapy.layers.inet import ICMP, IP, IPOption_Router_Alert, UDP
from scapy.layers.inet6 import (IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)

from lab import wait_until
from router import (LAN, ROUTER, Router, header, impatient, is_probe,
                    probed_and_followed, udp)

FAMILIES = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])


@pytest.fixture(params=[4, 6], ids=["outer4", "outer6"])
def router(request, lab):
    """The Router with the tunnel up."""
    return Router(lab, request.param)


@FAMILIES
@pytest.mark.parametrize("size", [0, 5, 1300])
def test_frames_are_those_of_the_kernel(router, inner, size):
    """Of equal packets the kernel forwards some and XDP others, with the same
    bytes; each is counted once (RFC 1812 5.3.1)."""
    packet = udp(inner, size)
    router.warm(inner)
    router.wire.clear()
    before = {v: router.counted(v) for v in ("rx_decap", "rx_forward")}
    router.send(*[router.frame(packet)] * 4)
    frames = [f.data for f in router.wire.wait(4)]
    assert {f.hex() for f in frames} == {router.expected(packet).hex()}
    count = {v: [now - then for now, then in zip(router.counted(v), before[v])]
             for v in before}
    assert count["rx_forward"][0] >= 3
    assert sum(n for n, _ in count.values()) == 4
    for packets, length in count.values():
        assert length == packets * len(packet)


@FAMILIES
def test_every_ttl(router, inner):
    """The checksum is right for each TTL, whatever it was (RFC 1624)."""
    router.warm(inner)
    router.wire.clear()
    packets = [udp(inner, ttl=ttl) for ttl in range(2, 256)]
    before = router.counted("rx_forward")[0]
    router.send(*[router.frame(p) for p in packets])
    frames = [f.data for f in router.wire.wait(254)]
    assert sorted(frames) == sorted(router.expected(p) for p in packets)
    assert router.counted("rx_forward")[0] - before >= 200


def test_congestion_is_kept(router):
    """The mark of a congested router goes on inside (RFC 6040 4.2)."""
    router.warm(4)
    router.wire.clear()
    before = router.counted("rx_forward")[0]
    packet = udp(4, tos=2)
    router.send(*[router.frame(packet, tos=3)] * 3)
    packet.tos = 3
    assert {f.data for f in router.wire.wait(3)} == {router.expected(packet)}
    assert router.counted("rx_forward")[0] - before >= 2


def test_peer_is_received_from(router):
    """Forwarded packets are the peer's received ones."""
    router.warm(4)
    peer = router.tunload.peer("site")
    verdicts = router.tunload.status()["verdicts"]
    assert peer["rx"]["packets"] == sum(
        peer["verdicts"][v]["packets"] for v in ("rx_decap", "rx_forward"))
    assert peer["verdicts"]["rx_forward"] == verdicts["rx_forward"]
    assert peer["last_rx_seconds"] < 30 and peer["hints"] == []


UP = {
    "ttl": (4, lambda: udp(4, 33, ttl=1)),
    "hop limit": (6, lambda: udp(6, 33, ttl=1)),
    "options": (4, lambda: header(4, options=[IPOption_Router_Alert()]) /
                UDP(dport=9)),
    "first fragment": (4, lambda: header(4, flags="MF") / UDP(dport=9) /
                       bytes(24)),
    "last fragment": (4, lambda: header(4, frag=2) / bytes(24)),
    "hop-by-hop": (6, lambda: header(6) / IPv6ExtHdrHopByHop() /
                   UDP(dport=9)),
    "routing": (6, lambda: header(6) / IPv6ExtHdrRouting() / UDP(dport=9)),
    "fragment": (6, lambda: header(6) / IPv6ExtHdrFragment(m=1) /
                 UDP(dport=9)),
    "multicast": (4, lambda: udp(4, 33, dst="239.1.2.3")),
    "multicast6": (6, lambda: udp(6, 33, dst="ff0e::5")),
    "to the router": (4, lambda: udp(4, 33, dst=ROUTER[4])),
    "to the router6": (6, lambda: udp(6, 33, dst=ROUTER[6])),
    "no neighbour": (4, lambda: udp(4, 33, dst="172.22.2.77")),
    "no route": (4, lambda: udp(4, 33, dst="198.51.100.9")),
    "too big": (4, lambda: udp(4, 1400, flags="DF")),
    "too big6": (6, lambda: udp(6, 1400)),
    "blackhole": (4, lambda: udp(4, 33, dst="10.77.0.1")),
}


@pytest.mark.parametrize("name", UP)
def test_goes_up(lab, name):
    """XDP leaves a packet to the kernel that needs more than the next hop."""
    router = Router(lab, 4)
    family, packet = UP[name]
    router.router.ip("link", "set", "eth1", "mtu", 1380)
    router.router.ip("route", "add", "blackhole", "10.77.0.0/16")
    # A default route also takes in what is no unicast.
    for gateway in LAN.values():
        if name.startswith("multicast"):
            router.router.ip("route", "add", "default", "via", gateway)
    router.goes_up(family, router.frame(packet()))


def test_kernel_answers(lab):
    """The answers about such packets come from the kernel: time exceeded, and
    fragmentation needed."""
    router = Router(lab, 4)
    router.router.ip("link", "set", "eth1", "mtu", 1380)
    answers = lab.capture(
        router.site, "eth0", lambda f: not f.outgoing and
        f.data[12:14] == b"\x08\x00" and f.data[23] == 4 and f.data[43] == 1
        and f.data[54:56] != b"\3\3")  # port unreachable: lan's answer
    router.goes_up(4, router.frame(udp(4, 33, ttl=1)))
    router.goes_up(4, router.frame(udp(4, 1400, flags="DF")))
    first, second = [IP(f.data[34:]) for f in answers.wait(2)]
    assert (first[ICMP].type, first[ICMP].code) == (11, 0)
    assert (second[ICMP].type, second[ICMP].code) == (3, 4)
    assert second[ICMP].nexthopmtu == 1380


def test_other_destination(lab):
    """A frame to another host, which a promiscuous interface receives, is not
    forwarded: that host gets it."""
    router = Router(lab, 4)
    router.router.ip("link", "set", "eth0", "promisc", "on")
    router.goes_up(4, router.frame(udp(4, 33), to="02:00:00:00:00:99"))


@FAMILIES
def test_forwarding_is_off(lab, inner):
    router = Router(lab, 4)
    router.warm(inner)

    def forwarding(value):
        for name in "all", "eth0":
            router.router.sysctl(f"net.ipv{inner}.conf.{name}.forwarding",
                                 value)
    first, arrived = router.counted("rx_forward")[0], len(router.wire.frames())
    forwarding(0)

    def stays():
        before = router.counted("rx_forward")[0]
        decap = router.counted("rx_decap")[0]
        router.send(*[router.frame(udp(inner))] * 3)
        wait_until(lambda: router.counted("rx_decap")[0] - decap +
                   router.counted("rx_forward")[0] - before >= 3,
                   "they are counted")
        return router.counted("rx_forward")[0] == before
    wait_until(stays, "XDP has forgotten the way")
    arrived += router.counted("rx_forward")[0] - first
    assert stays()
    forwarding(1)
    # Those that come now, and no other.
    arrived += router.warm(inner)
    assert len(router.wire.frames()) == arrived


def test_device_that_takes_no_frames(lab):
    """A veth without GRO or XDP on its other end drops redirected frames. The
    timer's run notices; then the kernel forwards, and again XDP."""
    router = Router(lab, 4)
    router.warm(4)
    tl = router.tunload
    assert "eth1" in tl.status()["forward_to"]
    router.lan.run("ethtool", "-K", "eth0", "gro", "off")
    tl.ok("trigger", "eth0", "--due")
    assert "eth1" not in tl.status()["forward_to"]
    before = router.counted("rx_forward")
    router.wire.clear()
    router.send(*[router.frame(udp(4))] * 3)
    assert len(router.wire.wait(3)) == 3
    assert router.counted("rx_forward") == before
    router.lan.run("ethtool", "-K", "eth0", "gro", "on")
    tl.ok("trigger", "eth0", "--due")
    router.warm(4)


def test_device_on_top_of_another(lab):
    """The FIB answers with a macvlan, as it does with a VLAN device or a
    bridge: these take no frames, and the kernel sends by the one below."""
    router = Router(lab, 4)
    router.router.ip("link", "add", "mv0", "link", "eth1", "up", "type",
                     "macvlan")
    router.router.addr("mv0", "172.23.0.1/24")
    router.lan.addr("eth0", "172.23.0.2/24")
    router.tunload.ok("trigger", "eth0", "--due")
    router.warm(4)
    router.wire.clear()
    packet = udp(4, 33, dst="172.23.0.2")
    router.goes_up(4, router.frame(packet))
    wait_until(lambda: packet.dst in [IP(f.data[14:]).dst
                                      for f in router.wire.frames()],
               "the kernel forwards it")


def test_to_another_peer(lab):
    """A packet to the gateway of another peer is encapsulated by tc_egress; it
    never leaves with the gateway's MAC."""
    router = Router(lab, 4, more="\n[peer other]\nendpoint = 192.0.2.3\n"
                    "allowed-ips = 10.30.0.0/24")
    router.site.addr("eth0", "192.0.2.3/24")
    router.goes_up(4, router.frame(udp(4, 33, dst="10.30.0.1")))
    wait_until(lambda: router.tunload.verdict("tx_encap", "other"),
               "it is encapsulated")


def test_off_by_default(lab):
    router = Router(lab, 4, forward="no")
    router.send(*[router.frame(udp(4))] * 5)
    assert len(router.wire.wait(5)) == 5
    assert router.counted("rx_decap")[0] == 5
    assert router.counted("rx_forward") == (0, 0)
    assert router.tunload.status()["forward_to"] == []


@FAMILIES
def test_neighbour_of_the_lan(lab, inner):
    """A neighbour that only XDP uses is asked again and again, stays valid, and
    is followed to another MAC address."""
    router = Router(lab)
    impatient(router.router, "eth1")
    router.warm(inner)
    probes = lab.capture(router.lan, "eth0", is_probe)
    to_it = bytes.fromhex(router.lan.mac("eth0").replace(":", ""))
    probed_and_followed(router, router.frame(udp(inner)), "rx_forward",
                        router.lan, router.wire, lambda: [
                            f for f in probes.frames() if f.data[:6] == to_it])
