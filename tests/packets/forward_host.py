# SPDX-License-Identifier: GPL-2.0-only
"""A namespace with routes and neighbours that forward = xdp asks for, the
programs on its interfaces, and packets through it."""
import struct
from types import SimpleNamespace

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from netns import Netns

from . import bpf
from .runner import XDP_PASS, Runner
from .world import OWN, World, gateway_mac

XDP_TX, XDP_REDIRECT = 3, 4
FOR_EVER = 2 ** 62
IN, OUT, NEXT = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
SENDER, HOP = "02:00:00:00:00:04", "02:00:00:00:00:05"
US = {4: "192.0.2.1", 6: "2001:db8::1"}
FAR = {4: "198.51.100.1", 6: "2001:db8:5::1"}
INSIDE = {4: "10.10.0.1", 6: "fd00:10::1"}
LAN = {4: "172.22.2.9", 6: "fd00:22::9"}
NEAR = {4: "192.0.2.8", 6: "2001:db8::8"}  # on the wire of in0
ABROAD = {4: "203.0.113.9", 6: "2001:db8:9::9"}
OURS = {4: "203.0.113.1", 6: "2001:db8:9::1"}
MTU = {4: 1480, 6: 1460}  # of the peers
SENDS = 1  # TL_DEVICE_F_SENDS


def make_world():
    """Peer 1 has IPv4 outside, peer 2 IPv6."""
    world = World()
    for ident, outer in ((1, 4), (2, 6)):
        world.peer(FAR[outer], US[outer],
                   [f"10.{ident * 10}.0.0/16", f"fd00:{ident * 10}::/32"],
                   ident=ident)
        world.next_hops[ident] = (FOR_EVER, mac(HOP) + mac(IN))
    # An address of this host that is in no allowed prefix.
    world.prefix(OURS[4] + "/32", flags=OWN)
    world.prefix(OURS[6] + "/128", flags=OWN)
    return world


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


WORLD = make_world()


class Host:
    """The namespace: in0, where tunload is attached, and out0, where it only
    sends packets into tunnels. The programs are on both, or a test run could
    not be on them."""

    def __init__(self):
        self.runner = Runner(forward_xdp=1, cache_ttl=FOR_EVER)
        self.ns = ns = Netns("forward")
        for name, address in (("in", IN), ("out", OUT)):
            ns.ip("link", "add", f"{name}0", "address", address, "type",
                  "veth", "peer", "name", f"{name}1")
            # It must not send anything of its own.
            ns.sysctl(f"net.ipv6.conf.{name}1.disable_ipv6", 1)
            for end in "01":
                ns.ip("link", "set", name + end, "up")
        ns.forward()
        self.index = {link["ifname"]: link["ifindex"] for link in ns.links()}
        for prog, device in (("xdp_ingress", "in0"), ("xdp_forward", "out0")):
            info = (bpf.ctypes.c_char * 220)()
            bpf.bpf(bpf.OBJ_GET_INFO_BY_FD, bpf.InfoAttr(
                self.runner.progs[prog], len(info),
                bpf.ctypes.addressof(info)))
            ns.run("bpftool", "net", "attach", "xdpdrv", "id",
                   struct.unpack_from("I", info, 4)[0], "dev", device)
        ns.addr("in0", US[4] + "/24", US[6] + "/64")
        ns.addr("out0", "172.22.2.1/24", "fd00:22::1/64")
        for address in LAN.values():
            ns.ip("neigh", "add", address, "lladdr", NEXT, "dev", "out0",
                  "nud", "permanent")
        for address in NEAR.values():
            ns.ip("neigh", "add", address, "lladdr", SENDER, "dev", "in0",
                  "nud", "permanent")
        for ident, outer in ((1, 4), (2, 6)):
            for gateway, net in ((f"240.0.0.{ident}", f"10.{ident * 10}.0.0/16"),
                                 (f"fe80::74:6e:0:{ident}",
                                  f"fd00:{ident * 10}::/32")):
                ns.ip("neigh", "add", gateway, "lladdr",
                      gateway_mac(ident).hex(":"), "dev", "in0", "nud",
                      "permanent")
                ns.ip("route", "add", net, "via", gateway, "dev", "in0",
                      "onlink", "mtu", MTU[outer])
        WORLD.ifindex = self.index["in0"]
        self.devices()

    def devices(self, sending=("in0", "out0"), address=IN):
        """Fills the map `devices`."""
        for name, own in (("in0", address), ("out0", OUT)):
            index = self.index[name]
            self.runner.maps["devices"].update(
                struct.pack("I", index % 1024),
                struct.pack("I6sH", index, mac(own), name in sending))
        self.routed()

    def run(self, frame, device="in0"):
        """One run of the device's program: the action, the frame afterwards,
        the verdict, the bytes counted."""
        frame = bytes(frame)
        ctx = bpf.XdpMd(data_end=len(frame), ingress_ifindex=self.index[device])
        prog = "xdp_ingress" if device == "in0" else "xdp_forward"
        action, out, counted = self.ns.call(self.runner.quick, prog, frame, ctx)
        if device == "out0" and not counted:
            counted = {None: (1, 0)}
        (verdict, (packets, size)), = counted.items()
        assert packets == 1
        return SimpleNamespace(action=action, out=out, verdict=verdict,
                               size=size)

    def routed(self):
        """The host's routing has changed: waits for nothing that the programs
        remember of it."""
        for slot in range(4096):
            self.runner.maps["ways"].update(struct.pack("I", slot), bytes(128))

    def enter(self):
        """Starts with nothing remembered."""
        self.runner.enter(WORLD)
        self.runner.forget()

    def close(self):
        self.ns.close()
        self.runner.close()


def ip(src, dst, ttl=64, **fields):
    """An IP header."""
    if ":" in src:
        return IPv6(src=src, dst=dst, hlim=ttl, **fields)
    return IP(src=src, dst=dst, ttl=ttl, id=5, **fields)


def udp(size=50):
    return UDP(sport=1000, dport=2000) / Raw(bytes(size))


def less(packet):
    """The packet with one hop less."""
    packet = packet.copy()
    if packet.version == 4:
        packet.ttl -= 1
    else:
        packet.hlim -= 1
    return packet


def framed(packet, to=IN, tos=0, outer=4):
    """The frame with a tunnel packet from the peer."""
    proto = 4 if packet.version == 4 else 41
    head = (IP(src=FAR[4], dst=US[4], proto=proto, tos=tos) if outer == 4 else
            IPv6(src=FAR[6], dst=US[6], nh=proto, tc=tos))
    return Ether(src=SENDER, dst=to) / head / packet


def inside(inner, size=50, outer=4, **fields):
    """An inner packet from the site to the LAN."""
    source = INSIDE[inner] if outer == 4 else INSIDE[inner].replace("10", "20",
                                                                    1)
    fields = {"dst": LAN[inner]} | fields
    if outer == 6:
        source = {4: "10.20.0.1", 6: "fd00:20::1"}[inner]
    return ip(source, **fields) / udp(size)


def abroad(inner, outer=4, size=50, src=None, dst=None, **fields):
    """A plain packet to a site."""
    dst = dst or {(4, 4): "10.10.0.1", (4, 6): "10.20.0.1",
                  (6, 4): "fd00:10::1", (6, 6): "fd00:20::1"}[inner, outer]
    return ip(src or ABROAD[inner], dst, **fields) / udp(size)


def plain(packet, to=IN):
    return Ether(src=SENDER, dst=to) / packet


def from_lan(inner, outer=4, **fields):
    """A packet from out0's network to a site."""
    return abroad(inner, outer, src=LAN[inner], **fields)


def stays(host, frame, out, verdict="rx_decap"):
    """The packet goes up, decapsulated or untouched."""
    done = host.run(frame)
    assert (done.action, done.verdict) == (XDP_PASS, verdict)
    assert done.out.hex() == bytes(out).hex()


def warm(host, inner, outer=4):
    """The first packet goes up; after it XDP forwards."""
    good = inside(inner, outer=outer)
    stays(host, framed(good, outer=outer),
          Ether(src=SENDER, dst=IN) / good)
    done = host.run(framed(good, outer=outer))
    assert (done.action, done.verdict) == (XDP_REDIRECT, "rx_forward")
    assert done.size == len(good)
    assert done.out.hex() == bytes(
        Ether(src=OUT, dst=NEXT) / less(good)).hex()


def encapsulated(packet, outer, label=0):
    """The frame with the packet's tunnel packet."""
    proto = 4 if packet.version == 4 else 41
    head = (IP(src=US[4], dst=FAR[4], proto=proto, ttl=64, id=0, flags="DF",
               tos=getattr(packet, "tos", 0)) if outer == 4 else
            IPv6(src=US[6], dst=FAR[6], nh=proto, hlim=64, fl=label))
    return Ether(src=IN, dst=HOP) / head / less(packet)


FAMILIES = pytest.mark.parametrize("inner", [4, 6])
OUTERS = pytest.mark.parametrize("outer", [4, 6])


@pytest.fixture(name="the_host", scope="module")
def fixture_the_host():
    """A Host for a module, which takes both fixtures from here: the mutation
    check runs without conftest.py."""
    host = Host()
    yield host
    host.close()


@pytest.fixture(name="host")
def fixture_host(the_host):
    """The Host with its devices, and nothing remembered."""
    the_host.devices()
    the_host.enter()
    return the_host
