# SPDX-License-Identifier: GPL-2.0-only
"""forward = xdp: a router forwards what comes out of a tunnel in XDP. The
packets are those that the kernel's forwarding makes; what XDP cannot forward
takes that way."""
import pytest
from scapy.layers.inet import ICMP, IP, IPOption_Router_Alert, TCP, UDP
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from addresses import HEADER, OUTER
from lab import wait_until
from packets.runner import one_cpu
from traffic import is_tunnel, outer_frame, packet_of

SITE = {4: "10.10.0.1", 6: "fd00:10::1"}
LAN = {4: "172.22.2.9", 6: "fd00:22::9"}
ROUTER = {4: "172.22.2.1", 6: "fd00:22::1"}
GOOD = 100  # bytes of payload
FAMILIES = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])

CONF = """
[interface]
mode = native
forward = {forward}
[peer site]
endpoint = {endpoint}
allowed-ips = 10.10.0.0/24, fd00:10::/64{more}
"""


def header(family, dst=None, ttl=64, **fields):
    """An inner header from the site."""
    dst = dst or LAN[family]
    if family == 4:
        return IP(src=SITE[4], dst=dst, ttl=ttl, id=7, **fields)
    return IPv6(src=SITE[6], dst=dst, hlim=ttl, **fields)


def udp(family, size=GOOD, **fields):
    """An inner datagram from the site to the host on the LAN."""
    return header(family, **fields) / UDP(sport=5000, dport=9) / Raw(
        bytes(size))


class Router:
    """site - router - lan. The router's tunload forwards in XDP; the site's
    packets are made here. lan's GRO makes veth accept redirected frames."""

    def __init__(self, lab, outer=4, forward="xdp", more=""):
        self.lab, self.outer = lab, outer
        self.site, self.router, self.lan = (
            lab.netns(n) for n in ("site", "router", "lan"))
        lab.veth(self.site, "eth0", self.router, "eth0", offload=False)
        lab.veth(self.router, "eth1", self.lan, "eth0", offload=False)
        self.lan.run("ethtool", "-K", "eth0", "gro", "on")
        self.router.forward()
        for pair in OUTER.values():
            length = 64 if ":" in pair[0] else 24
            self.router.addr("eth0", f"{pair[0]}/{length}")
            self.site.addr("eth0", f"{pair[1]}/{length}")
        self.router.addr("eth1", ROUTER[4] + "/24", ROUTER[6] + "/64")
        self.lan.addr("eth0", LAN[4] + "/24", LAN[6] + "/64")
        for address in ROUTER.values():
            self.lan.ip("route", "add", "default", "via", address)
        self.tunload = lab.tunload(self.router)
        self.conf = dict(endpoint=OUTER[outer][1], more=more)
        self.tunload.attach(CONF.format(forward=forward, **self.conf),
                            "--no-trigger")
        self.sender = lab.sender(self.site, "eth0")
        self.wire = lab.capture(
            self.lan, "eth0", lambda f: not f.outgoing and
            SITE_BYTES[f.data[12:14]] in f.data[:42])

    def frame(self, inner, to=None, tos=0):
        """The frame of a tunnel packet from the site."""
        ends = dict(src=OUTER[self.outer][1], dst=OUTER[self.outer][0])
        proto = 4 if inner.version == 4 else 41
        outer = (IP(proto=proto, tos=tos, **ends) if self.outer == 4 else
                 IPv6(nh=proto, tc=tos, **ends))
        return bytes(Ether(src=self.site.mac("eth0"),
                           dst=to or self.router.mac("eth0")) / outer / inner)

    def expected(self, inner):
        """What the LAN receives of an inner packet: one hop less."""
        inner = inner.copy()
        if inner.version == 4:
            inner.ttl -= 1
        else:
            inner.hlim -= 1
        return bytes(Ether(src=self.router.mac("eth1"),
                           dst=self.lan.mac("eth0")) / inner)

    def counted(self, verdict):
        """(packets, bytes) of a verdict."""
        seen = self.tunload.status()["verdicts"].get(verdict, {})
        return seen.get("packets", 0), seen.get("bytes", 0)

    def send(self, *frames):
        """Sends frames, from one CPU, as each remembers for itself."""
        with one_cpu():
            self.sender.send(*frames)

    def warm(self, family):
        """Sends good packets until XDP forwards them."""
        before, _ = self.counted("rx_forward")
        frame = self.frame(udp(family))

        def forwarded():
            self.send(frame, frame)
            return self.counted("rx_forward")[0] > before
        wait_until(forwarded, "XDP forwards", interval=0.1)

    def goes_up(self, family, frame, verdict="rx_decap"):
        """Checks that XDP does not forward this packet, though it does others
        of the same addresses."""
        self.warm(family)
        good = self.frame(udp(family))
        size = len(udp(family))
        before = self.counted("rx_forward")
        others = self.counted(verdict)[0]
        self.send(good, good, frame)
        packets, length = (now - then for now, then in
                           zip(self.counted("rx_forward"), before))
        assert packets in (1, 2) and length == packets * size
        assert self.counted(verdict)[0] > others


SITE_BYTES = {b"\x08\x00": bytes([10, 10, 0, 1]),
              b"\x86\xdd": bytes.fromhex("fd000010" + "0" * 22 + "01"),
              b"\x08\x06": b"no packet"}


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
    for name in "all", "eth0":
        router.router.sysctl(f"net.ipv{inner}.conf.{name}.forwarding", 0)

    def stays():
        before = router.counted("rx_forward")
        router.send(*[router.frame(udp(inner))] * 3)
        return router.counted("rx_forward") == before
    wait_until(stays, "XDP has forgotten the way")
    router.wire.clear()
    assert stays()
    assert router.wire.frames() == []


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


# Into a tunnel. Far hosts of the site send to the LAN; here the router's LAN
# is on eth0 too (a router on a stick, as an instance in the cloud is): the plain
# packet arrives where the tunnel packet leaves.

STICK = {4: "10.10.0.7", 6: "fd00:10::7"}


def plain(family, size=GOOD, ttl=64, dst=None, src=None, **fields):
    """A datagram to the site, from a host on eth0's network if no other is
    named."""
    dst = dst or STICK[family]
    src = src or {4: "192.0.2.9", 6: "2001:db8::9"}[family]
    ip = (IP(src=src, dst=dst, ttl=ttl, id=9, **fields) if family == 4
          else IPv6(src=src, dst=dst, hlim=ttl, **fields))
    return ip / UDP(sport=6000, dport=9) / Raw(bytes(size))


class Stick(Router):
    """The Router, whose eth0 also receives what goes into the tunnel."""

    def __init__(self, lab, outer=4, **kwargs):
        super().__init__(lab, outer, **kwargs)
        # XDP_TX of a veth needs the other end's GRO, too.
        self.site.run("ethtool", "-K", "eth0", "gro", "on")
        self.tunload.ok("trigger", "eth0", "--due")
        self.out = lab.capture(
            self.site, "eth0", lambda f: not f.outgoing and
            f.data[12:14] != b"\x08\x06" and is_tunnel(packet_of(f.data))
            and b"\x17\x70\0\x09" in f.data)  # the ports

    @staticmethod
    def plain(family, *args, **kwargs):
        """A datagram to the site."""
        return plain(family, *args, **kwargs)

    def arrives(self, packet, to=None):
        """The frame of a plain packet."""
        return bytes(Ether(src=self.site.mac("eth0"),
                           dst=to or self.router.mac("eth0")) / packet)

    def leaves(self, frame, packet):
        """The frame of its tunnel packet; frame: the one to compare, whose
        flow label is taken."""
        packet = packet.copy()
        if packet.version == 4:
            packet.ttl -= 1
        else:
            packet.hlim -= 1
        return outer_frame(frame, bytes(packet), *OUTER[self.outer],
                           self.router.mac("eth0"), self.site.mac("eth0"))

    def warm_out(self, family):
        """Sends good packets until XDP encapsulates them."""
        before, _ = self.counted("tx_forward")
        frame = self.arrives(self.plain(family))

        def forwarded():
            self.send(frame, frame, frame)
            return self.counted("tx_forward")[0] > before
        wait_until(forwarded, "XDP encapsulates", interval=0.1)

    def left_alone(self, family, frame, verdict="rx_plain"):
        """Checks that XDP leaves this packet to the kernel, though it does
        encapsulate others of the same addresses."""
        self.warm_out(family)
        good = self.arrives(self.plain(family))
        size = len(self.plain(family))
        before = self.counted("tx_forward")
        others = self.counted(verdict)[0]
        self.send(good, good, good, frame)
        packets, length = (now - then for now, then in
                           zip(self.counted("tx_forward"), before))
        assert packets in (1, 2, 3) and length == packets * size
        assert self.counted(verdict)[0] > others


class FromLan(Stick):
    """The Router, into whose tunnel the LAN sends, by eth1."""

    def __init__(self, lab, outer=4):
        super().__init__(lab, outer, forward="xdp eth1")
        self.sender = lab.sender(self.lan, "eth0")

    @staticmethod
    def plain(family, *args, **kwargs):
        return plain(family, *args, **{"src": LAN[family]} | kwargs)

    def arrives(self, packet, to=None):
        return bytes(Ether(src=self.lan.mac("eth0"),
                           dst=to or self.router.mac("eth1")) / packet)


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
    packet = plain(4, 33)
    packet.src = "172.22.2.1"
    stick.warm_out(4)
    before = stick.counted("tx_forward")[0]
    stick.out.clear()
    stick.send(*[stick.arrives(packet)] * 4)
    assert stick.counted("tx_forward")[0] == before
    assert stick.out.frames() == []


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


# Neighbours

def impatient(ns, device):
    """Makes the neighbours of a device stale, and probed, within seconds."""
    for version in "ipv4", "ipv6":
        for name, value in (("base_reachable_time_ms", 500),
                            ("delay_first_probe_time", 1),
                            ("retrans_time_ms", 200)):
            ns.sysctl(f"net.{version}.neigh.{device}.{name}", value)
    # Those that are known keep their former time.
    ns.ip("neigh", "flush", "dev", device)


def is_probe(frame):
    """True for an ARP request or a neighbour solicitation that arrives."""
    data = frame.data
    return not frame.outgoing and (
        data[12:14] == b"\x08\x06" and data[20:22] == b"\0\1" or
        data[12:14] == b"\x86\xdd" and data[20] == 58 and data[54] == 135)


def probed_and_followed(router, frame, verdict, neighbour, wire, probes):
    """The neighbour that only XDP uses is probed, and XDP follows it to another
    address."""
    before = router.counted(verdict)[0]

    def probed():
        router.send(*[frame] * 20)
        return len(probes()) >= 3
    wait_until(probed, "the neighbour is probed", interval=0.1)
    assert router.counted(verdict)[0] - before >= 20
    neighbour.ip("link", "set", "eth0", "address", "02:00:00:00:00:88")
    wire.clear()

    def followed():
        then = router.counted(verdict)[0]
        router.send(*[frame] * 20)
        return router.counted(verdict)[0] > then + 10 and any(
            f.data[:6] == bytes.fromhex("020000000088")
            for f in wire.frames())
    wait_until(followed, "XDP uses the new address", interval=0.1)


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


def test_neighbour_of_the_tunnel(stick):
    """The same of the outer next hop."""
    impatient(stick.router, "eth0")
    stick.warm_out(4)
    probes = stick.lab.capture(stick.site, "eth0", is_probe)
    probed_and_followed(stick, stick.arrives(stick.plain(4)), "tx_forward",
                        stick.site, stick.out, probes.frames)
