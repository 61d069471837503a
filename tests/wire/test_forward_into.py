# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp: a router forwards packets into a tunnel in XDP. They leave as the
kernel and tc_egress would send them; what XDP cannot forward takes that way."""
import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from addresses import HEADER
from lab import wait_until
from packets.runner import one_cpu
from router import (LAN, ROUTER, STICK, FromLan, Stick, impatient, is_probe, plain,
                    probed_and_followed, udp)
from traffic import is_tunnel, packet_of

FAMILIES = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])


@pytest.fixture(params=[(Stick, 4), (Stick, 6), (FromLan, 4), (FromLan, 6)],
                ids=["stick-outer4", "stick-outer6", "lan-outer4",
                     "lan-outer6"])
def stick(request, lab):
    """The Stick, or the FromLan, with the tunnel up."""
    kind, outer = request.param
    return kind(lab, outer)


@FAMILIES
@pytest.mark.parametrize("size", [30, 1300])
def test_into_a_tunnel(stick, inner, size):
    """Of equal packets the kernel and tc_egress encapsulate some and XDP
    others, with the same bytes; each is counted once."""
    packet = stick.plain(inner, size)
    stick.warm_out(inner)
    stick.out.clear()
    before = {v: stick.counted(v) for v in ("tx_encap", "tx_forward")}
    stick.send(*[stick.arrives(packet)] * 4)

    def frames_of_packet():
        return [f.data for f in stick.out.frames()
                if len(f.data) == 14 + HEADER[stick.outer] + len(packet)]
    wait_until(lambda: len(frames_of_packet()) >= 4, "they leave")
    frames = frames_of_packet()
    for frame in frames:
        assert frame.hex() == bytes(stick.leaves(frame, packet)).hex()
    assert len({f.hex() for f in frames}) == 1  # one flow label, too
    count = {v: [now - then for now, then in zip(stick.counted(v), before[v])]
             for v in before}
    assert count["tx_forward"][0] >= 2
    assert sum(n for n, _ in count.values()) == 4
    for packets, length in count.values():
        assert length == packets * len(packet)


def test_sent_to_the_peer(stick):
    """Forwarded packets are sent ones of the peer."""
    stick.warm_out(4)
    peer = stick.tunload.peer("site")
    assert peer["tx"]["packets"] == sum(
        peer["verdicts"][v]["packets"] for v in ("tx_encap", "tx_forward"))
    assert peer["verdicts"]["tx_forward"]["packets"] > 0


ALONE = {
    "ttl": (4, lambda: plain(4, 33, ttl=1)),
    "hop limit": (6, lambda: plain(6, 33, ttl=1)),
    "fragment": (4, lambda: plain(4, 33, flags="MF")),
    "too big": (4, lambda: plain(4, 1460, flags="DF")),
    "too big6": (6, lambda: plain(6, 1440)),
    "fragmented": (4, lambda: plain(4, 1460)),
    "elsewhere": (4, lambda: plain(4, 33, dst="172.22.2.9")),
    "to the router": (4, lambda: plain(4, 33, dst="192.0.2.1")),
}


@pytest.mark.parametrize("name", ALONE)
def test_left_to_the_kernel(lab, name):
    stick = Stick(lab, 4)
    family, packet = ALONE[name]
    stick.left_alone(family, stick.arrives(packet()))


def test_syn_is_left_to_the_kernel(lab):
    """tc_egress clamps its MSS."""
    stick = Stick(lab, 4)
    syn = IP(src="192.0.2.9", dst=STICK[4]) / TCP(
        sport=6000, dport=9, flags="S", options=[("MSS", 1460)])
    got = lab.capture(stick.site, "eth0", lambda f: not f.outgoing and
                      len(f.data) > 54 and f.data[23] == 4 and
                      f.data[43] == 6)
    stick.left_alone(4, stick.arrives(syn))
    frame = got.wait(1)[0]
    assert dict(IP(frame.data[34:])[TCP].options)["MSS"] == 1480 - 40


def test_own_source_is_left_to_the_kernel(lab):
    """The kernel drops a packet that arrives with an address of its own
    (RFC 1812 5.3.8)."""
    stick = Stick(lab, 4)
    packet, good = plain(4, 33, src="172.22.2.1"), plain(4, 34)
    stick.warm_out(4)
    before = stick.counted("tx_forward")[0]
    stick.out.clear()
    stick.send(*[stick.arrives(packet)] * 4, *[stick.arrives(good)] * 2)
    frames = [f.data for f in stick.out.wait(2)]
    assert frames == [bytes(stick.leaves(f, good)) for f in frames]
    assert stick.counted("tx_forward")[0] - before <= 2


def test_plain_frame_to_another_host(lab):
    stick = Stick(lab, 4)
    stick.router.ip("link", "set", "eth0", "promisc", "on")
    stick.left_alone(4, stick.arrives(plain(4, 33), to="02:00:00:00:00:99"))


def test_next_hop_that_is_gone(lab):
    """A next hop is used for a second at most after the kernel has used it: the
    kernel answers when it does not."""
    stick = Stick(lab, 4)
    stick.warm_out(4)
    stick.router.ip("neigh", "replace", "192.0.2.2", "lladdr",
                    "02:00:00:00:00:77", "dev", "eth0", "nud", "permanent")
    mac = bytes.fromhex("020000000077")
    seen = lab.capture(stick.site, "eth0", lambda f: not f.outgoing and
                       f.data[:6] == mac)
    frame = stick.arrives(plain(4))

    def moved():
        stick.send(frame)
        return seen.frames()
    wait_until(moved, "the new next hop is used", interval=0.2)


# From another interface

LEFT = {
    "ttl": (4, lambda: FromLan.plain(4, 33, ttl=1), None),
    "fragment": (4, lambda: FromLan.plain(4, 33, flags="MF"), "tx_encap"),
    "too big": (4, lambda: FromLan.plain(4, 1460, flags="DF"), None),
    "fragmented": (4, lambda: FromLan.plain(4, 1460), "tx_encap"),
    "elsewhere": (4, lambda: FromLan.plain(4, 33, dst="192.0.2.2"),
                  "tx_plain"),
    "syn": (6, lambda: IPv6(src=LAN[6], dst=STICK[6]) / TCP(
        sport=6000, dport=9, flags="S"), "tx_encap"),
    "own source": (4, lambda: FromLan.plain(4, 33, src="192.0.2.1"), None),
    "tunnelled source": (4, lambda: FromLan.plain(4, 33, src="10.10.0.9"),
                         "tx_encap"),
}


@pytest.mark.parametrize("name", LEFT)
def test_left_to_the_kernel_there(lab, name):
    """What XDP leaves alone arrives as if there were no program; tc_egress
    counts what the kernel sends, None: it sends nothing."""
    router = FromLan(lab)
    family, packet, verdict = LEFT[name]
    for device in "all", "eth1":
        router.router.sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)
    router.warm_out(family)
    before = {v: router.counted(v)[0]
              for v in ("tx_forward", "rx_plain", verdict or "tx_forward")}
    router.send(router.arrives(packet()))
    if verdict:
        wait_until(lambda: router.counted(verdict)[0] > before[verdict],
                   f"it is {verdict}")
    good = router.arrives(router.plain(family, 40))
    got = lab.capture(router.site, "eth0", lambda f: is_tunnel(
        packet_of(f.data)) and len(f.data) == 14 + 20 + len(good) - 14)
    router.send(good)
    got.wait(1)
    assert router.counted("tx_forward")[0] - before["tx_forward"] <= 1
    assert router.counted("rx_plain")[0] - before["rx_plain"] <= 2


def test_rp_filter_of_the_kernel(lab):
    """A source behind a tunnel does not enter another interface where the
    kernel's rp_filter is on: XDP leaves such packets to it."""
    router = FromLan(lab)
    router.router.sysctl("net.ipv4.conf.eth1.rp_filter", 1)
    router.warm_out(4)
    router.out.clear()
    packet = FromLan.plain(4, 33, src="10.10.0.9")
    router.send(*[router.arrives(packet)] * 3)
    router.send(router.arrives(router.plain(4, 34)))
    sizes = {14 + HEADER[4] + len(packet) + n for n in (0, 1)}
    seen = [len(f.data) for f in router.out.wait(1)]
    assert set(seen) & sizes == {max(sizes)}


def test_port_of_a_bridge(lab):
    """What arrives by one is for the bridge, whose rules count; the kernel knows
    them."""
    router = FromLan(lab)
    router.warm_out(4)
    ns, mac = router.router, router.router.mac("eth1")
    ns.ip("link", "add", "br0", "up", "address", mac, "type", "bridge")
    ns.ip("link", "set", "eth1", "master", "br0")
    ns.ip("addr", "flush", "dev", "eth1")
    ns.addr("br0", ROUTER[4] + "/24")
    router.tunload.ok("trigger", "eth0", "--due")
    before = {v: router.counted(v)[0] for v in ("tx_encap", "tx_forward")}
    router.out.clear()
    router.send(*[router.arrives(router.plain(4))] * 6)
    router.out.wait(6)
    assert {v: router.counted(v)[0] - n for v, n in before.items()} == {
        "tx_encap": 6, "tx_forward": 0}


def test_both_ways(lab):
    """A flow of both directions is forwarded in XDP altogether."""
    router = FromLan(lab)
    there = lab.sender(router.site, "eth0")

    def both():
        router.send(*[router.arrives(router.plain(4))] * 3)
        with one_cpu():
            there.send(*[router.frame(udp(4))] * 3)
        return all(router.counted(v)[0] for v in ("tx_forward", "rx_forward"))
    wait_until(both, "XDP forwards both", interval=0.1)


def test_neighbour_of_the_tunnel(stick):
    """The outer next hop that only XDP uses is probed, and followed, too."""
    impatient(stick.router, "eth0")
    stick.warm_out(4)
    probes = stick.lab.capture(stick.site, "eth0", is_probe)
    probed_and_followed(stick, stick.arrives(stick.plain(4)), "tx_forward",
                        stick.site, stick.out, probes.frames)
