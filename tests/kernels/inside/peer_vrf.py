# SPDX-License-Identifier: GPL-2.0-only
"""test_host.py runs these tests in a virtual machine, as not every host has the
driver: the key vrf of peers."""
import socket

import pytest

from traffic import ping

B = "10.10.0.1"
MODES = ["native", "tc"]


class Vrfs:
    """A host with two VRFs, red and blue, and a far host with the same inner
    addresses behind each of two endpoints."""

    def __init__(self, lab, mode):
        self.lab, self.a = lab, lab.netns("a")
        self.wire = lab.netns("wire")
        self.a.sysctl("net.ipv4.conf.all.rp_filter", 2)
        self.far = {}
        self.wire.ip("link", "add", "br0", "type", "bridge")
        self.wire.ip("link", "set", "br0", "up")
        lab.veth(self.a, "eth0", self.wire, "a0")
        self.a.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
        for n, name in enumerate(("red", "blue"), 1):
            self.vrf(name, n)
            far = self.far[name] = lab.netns(name)
            lab.veth(far, "eth0", self.wire, f"b{n}")
            far.addr("eth0", f"192.0.2.{10 + n}/24", f"2001:db8::{10 + n}/64")
            far.addr("lo", f"{B}/32", "fd00:10::1/128")
            lab.tunload(far, bpffs=lab.new_bpffs()).attach(
                f"[interface]\nmode = tc\nsource = {B}, fd00:10::1\n"
                "[peer a]\nendpoint = 192.0.2.1\nallowed-ips = "
                "172.22.2.0/24, fd00:22::/64\n", "--no-trigger")
        for port in "a0", "b1", "b2":
            self.wire.ip("link", "set", port, "master", "br0")
        self.tl = lab.tunload(self.a)
        self.mode = mode

    def vrf(self, name, table):
        """Makes a VRF with an inner address of its own."""
        self.a.ip("link", "add", name, "type", "vrf", "table", 100 + table)
        self.a.ip("link", "set", name, "up")
        self.a.addr(name, f"172.22.2.{table}/32", f"fd00:22::{table}/128")

    def conf(self):
        return f"[interface]\nmode = {self.mode}\n" + "".join(
            f"[peer {name}]\nendpoint = 192.0.2.{10 + n}\n"
            f"allowed-ips = 10.10.0.0/24, fd00:10::/64\nvrf = {name}\n"
            for n, name in enumerate(("red", "blue"), 1))


@pytest.fixture(name="vrfs", params=MODES)
def fixture_vrfs(lab, request):
    return Vrfs(lab, request.param)


def talks(vrfs, name, n):
    """A TCP connection in each direction between a VRF and its far host,
    bound to the VRF."""
    for far, near in ((B, f"172.22.2.{n}"), ("fd00:10::1", f"fd00:22::{n}")):
        kind = socket.AF_INET6 if ":" in far else socket.AF_INET
        with vrfs.a.socket(kind, socket.SOCK_STREAM) as server, \
                vrfs.far[name].socket(kind, socket.SOCK_STREAM) as client:
            server.setsockopt(socket.SOL_SOCKET, 25, name.encode())
            server.bind((near, 7000))
            server.listen()
            client.bind((far, 0))
            client.connect((near, 7000))
            conn, address = server.accept()
            with conn:
                assert address[0] == far
        assert ping(vrfs.a, far, name, count=2)


def test_vrfs_with_the_same_networks(vrfs):
    vrfs.tl.attach(vrfs.conf(), "--no-trigger")
    for n, name in enumerate(("red", "blue"), 1):
        table = vrfs.a.ip("route", "show", "table", 100 + n).stdout
        assert f"10.10.0.0/24 via" in table
        talks(vrfs, name, n)
        assert vrfs.tl.verdict("rx_decap", name) >= 4
        assert vrfs.tl.peer(name)["vrf"] == name
    assert "proto 94" not in vrfs.a.ip("route").stdout
    # What was read from the maps is what was wanted.
    assert vrfs.tl.status()["changes_pending"] == 0
    assert vrfs.tl.ok("trigger", "eth0", "--due").count("mended") == 0
    vrfs.a.ip("route", "del", "10.10.0.0/24", "table", "101")
    assert "put 1 routes or addresses right" in vrfs.tl.ok(
        "trigger", "eth0", "--due")
    # Nothing of a VRF reaches the host outside of it.
    assert not ping(vrfs.a, B, wait=0.3)
    assert vrfs.tl.verdict("rx_no_vrf") == 0
    vrfs.tl.detach()


def test_a_vrf_that_goes_and_comes(vrfs):
    vrfs.tl.attach(vrfs.conf(), "--no-trigger")
    vrfs.a.ip("link", "del", "red")
    vrfs.tl.ok("trigger", "eth0", "--due")
    peer = vrfs.tl.peer("red")
    assert 'vrf "red" is no VRF of this host' in peer["waiting"]
    talks(vrfs, "blue", 2)
    assert not ping(vrfs.far["red"], "172.22.2.2", B, wait=0.3)
    assert vrfs.tl.verdict("rx_no_vrf", "red") > 0
    vrfs.vrf("red", 1)
    vrfs.tl.ok("trigger", "eth0", "--due")
    assert vrfs.tl.peer("red")["waiting"] is None
    talks(vrfs, "red", 1)
