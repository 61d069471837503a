# SPDX-License-Identifier: GPL-2.0-only
"""tunload on a router: hosts behind it send through the tunnel and learn its
MTU by ICMP and TCP's MSS."""
import pytest

from addresses import INNER, OUTER
from traffic import (Packet, is_tunnel, outer_frame, packet_of, ping,
                     tcp_transfer)

LAN = {4: "172.22.2.9", 6: "fd00:22::9"}
FAR = {v: INNER[v][1] for v in INNER}
MTU = {4: 1500 - 20, 6: 1500 - 40}
HEADER = {4: 28, 6: 48}


class Router:
    """lan - router - far: tunload on the router's eth0, an independent tunnel
    end at far. far's tunnel device has MTU 1500, too much for the path: only
    the MSS limits the TCP segments that it sends."""

    def __init__(self, lab, outer, mode):
        self.lan, self.router, self.far = (
            lab.netns(n) for n in ("lan", "router", "far"))
        lab.veth(self.lan, "eth0", self.router, "lan", offload=False)
        lab.veth(self.router, "eth0", self.far, "eth0", offload=False)
        self.router.forward()
        for pair in OUTER.values():
            length = 64 if ":" in pair[0] else 24
            self.router.addr("eth0", f"{pair[0]}/{length}")
            self.far.addr("eth0", f"{pair[1]}/{length}")
        self.router.addr("lan", "172.22.2.1/24", "fd00:22::1/64")
        self.lan.addr("eth0", LAN[4] + "/24", LAN[6] + "/64")
        self.far.addr("lo", FAR[4] + "/32", FAR[6] + "/128")
        self.lan.ip("route", "add", "default", "via", "172.22.2.1")
        self.lan.ip("route", "add", "default", "via", "fd00:22::1")
        lab.site_tun(self.far, OUTER[outer][1], OUTER[outer][0], 1500,
                     {"172.22.2.0/24": FAR[4], "fd00:22::/64": FAR[6]})
        self.wire = lab.capture(
            self.router, "eth0",
            lambda f: f.outgoing and is_tunnel(packet_of(f.data)))
        self.tunload = lab.tunload(self.router)
        self.tunload.attach(f"""
[peer far]
endpoint = {OUTER[outer][1]}
allowed-ips = 10.10.0.0/24, fd00:10::/64
""", "--mode", mode, "--no-trigger")


@pytest.fixture(params=[4, 6], ids=["outer4", "outer6"])
def outer(request):
    """Outer family."""
    return request.param


@pytest.fixture(params=["native", "tc"])
def router(request, lab, outer):
    """The Router with the tunnel up."""
    return Router(lab, outer, request.param)


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_forwarded(router, outer, inner):
    """The outer header is that of a local packet; only the kernel's forwarding
    decrements the inner TTL (RFC 2003 3.1)."""
    assert ping(router.lan, FAR[inner], size=1000)
    macs = router.router.mac("eth0"), router.far.mac("eth0")
    frame, = router.wire.wait(1)
    packet = packet_of(frame.data).payload
    assert frame.data == outer_frame(frame.data, packet, *OUTER[outer],
                                     *macs)
    assert packet[8 if inner == 4 else 7] == 63
    assert (Packet(packet).src, Packet(packet).dst) == (LAN[inner],
                                                        FAR[inner])


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_too_big(router, outer, inner):
    """The sender of 1500 bytes with DF is told the tunnel's MTU (RFC 2003 5.1,
    RFC 2473 7), and a packet of that size gets through."""
    done = router.lan.run("ping", "-n", "-M", "do", "-c", 1, "-W", 2, "-s",
                          1500 - HEADER[inner], FAR[inner], check=False)
    assert done.returncode == 1
    assert f"mtu={MTU[outer]}" in done.stdout.replace(" ", "")
    assert ping(router.lan, FAR[inner], size=MTU[outer] - HEADER[inner])


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_forwarded_tcp(router, inner):
    """Bulk transfers do not hang, although both ends have MTU 1500."""
    ends = (router.lan, LAN[inner]), (router.far, FAR[inner])
    tcp_transfer(*ends[0], *ends[1], 1 << 20)
    tcp_transfer(*ends[1], *ends[0], 1 << 20)


def test_without_dont_fragment(router, outer):
    """An IPv4 packet without DF that is too big gets through as two fragments
    that fit. The reply, just as large, is not looked at."""
    done = router.lan.run("ping", "-n", "-M", "dont", "-c", 1, "-W", 0.5,
                          "-s", 1472, FAR[4], check=False)
    assert "mtu" not in done.stdout
    inner = [packet_of(f.data).payload for f in router.wire.wait(2)]
    assert [Packet(p).fragment for p in inner] == [True, True]
    assert sum(Packet(p).length - 20 for p in inner) == 1480
    assert all(Packet(p).length <= MTU[outer] for p in inner)
