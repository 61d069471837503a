# SPDX-License-Identifier: GPL-2.0-only
"""Two tunload ends over a path that is narrower than `path-mtu`: inner packets
without DF get through as inner fragments (RFC 2003 5.1), since the other end
cannot decapsulate outer fragments."""
import pytest

from lab import wait_until
from netns import PATIENCE
from traffic import is_tunnel, packet_of, payload, ping, udp_socket

A, B = {4: "192.0.2.1", 6: "2001:db8:a::1"}, {4: "198.51.100.1",
                                             6: "2001:db8:b::1"}
LAN, SITE = "10.1.0.9", "10.2.0.1"
NARROW = 1400
FAMILIES = pytest.mark.parametrize("outer", [4, 6])
OVERHEAD = {4: 20, 6: 40}


class Path:
    """lan - a (tunload) - r -(1400)- b (tunload)"""

    def __init__(self, lab, outer, offload):
        self.outer = outer
        self.lan, self.a = lab.netns("lan"), lab.netns("a")
        r, self.b = lab.netns("r"), lab.netns("b")
        lab.veth(self.lan, "eth0", self.a, "lan", offload=offload)
        lab.veth(self.a, "eth0", r, "ra")
        lab.veth(r, "rb", self.b, "eth0", mtu=NARROW)
        self.lan.addr("eth0", f"{LAN}/24")
        self.a.addr("lan", "10.1.0.1/24")
        self.a.addr("eth0", f"{A[4]}/24", f"{A[6]}/64")
        r.addr("ra", "192.0.2.254/24", "2001:db8:a::fe/64")
        r.addr("rb", "198.51.100.254/24", "2001:db8:b::fe/64")
        self.b.addr("eth0", f"{B[4]}/24", f"{B[6]}/64")
        self.b.addr("lo", f"{SITE}/32")
        for ns in self.a, r:
            ns.forward()
        self.lan.ip("route", "add", "default", "via", "10.1.0.1")
        self.a.ip("route", "add", "default", "via", "192.0.2.254")
        self.a.ip("route", "add", "default", "via", "2001:db8:a::fe")
        self.b.ip("route", "add", "default", "via", "198.51.100.254")
        self.b.ip("route", "add", "default", "via", "2001:db8:b::fe")
        self.tl = lab.tunload(self.a, bpffs=lab.new_bpffs())
        self.far = lab.tunload(self.b, bpffs=lab.new_bpffs())
        self.tl.attach(f"[interface]\nsource = 10.1.0.1\n[peer b]\n"
                       f"endpoint = {B[outer]}\nallowed-ips = 10.2.0.0/24\n",
                       "--mode", "tc", "--no-trigger")
        self.far.attach(f"[interface]\nsource = {SITE}\n[peer a]\n"
                        f"endpoint = {A[outer]}\nallowed-ips = 10.1.0.0/24\n",
                        "--mode", "tc", "--no-trigger")
        self.wire = lab.capture(self.b, "eth0", lambda f: not f.outgoing)

    def learnt(self):
        return self.tl.peer("b")["mtu"] == NARROW - OVERHEAD[self.outer]


def exchange(path, src, src_address, sizes):
    """Sends UDP datagrams without DF, each until it has arrived whole."""
    with udp_socket(src, src_address) as out, \
            udp_socket(path.b, SITE, 5201) as into:
        into.settimeout(0.3 * PATIENCE)
        for size in sizes:
            data = payload(size)

            def arrives():
                out.sendto(data, (SITE, 5201))
                try:
                    return into.recv(65535) == data
                except TimeoutError:
                    return False
            wait_until(arrives, f"{size} bytes without DF")


@FAMILIES
@pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])
def test_forwarded(lab, outer, offload):
    """Packets of a host behind us, which does not know the path. With offloads
    their checksums are not computed yet, so that they cannot be cut: the host
    is told to send less."""
    path = Path(lab, outer, offload)
    exchange(path, path.lan, LAN, [1432])
    assert path.learnt()
    path.wire.clear()
    exchange(path, path.lan, LAN, range(1300, 1433, 3))
    assert not path.far.verdict("rx_fragment")
    if not offload:
        assert path.tl.verdict("tx_fragmented", "b")
    outers = [p for p in map(packet_of, path.wire.packets()) if is_tunnel(p)]
    assert outers and all(p.df and not p.fragment for p in outers)


@FAMILIES
def test_local(lab, outer):
    """UDP datagrams and echo requests of the host itself."""
    path = Path(lab, outer, True)
    exchange(path, path.a, "10.1.0.1", [1432])
    assert path.learnt()
    for size in 1350, 1400, 1432:
        assert wait_until(lambda s=size: ping(path.a, SITE, size=s, wait=1),
                          f"echo of {size} bytes")
    exchange(path, path.a, "10.1.0.1", range(1300, 1433, 10))
    assert not path.far.verdict("rx_fragment")
