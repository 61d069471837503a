# SPDX-License-Identifier: GPL-2.0-only
"""Path MTU discovery of the outer path (RFC 1191, RFC 8201, RFC 2003 5.1, RFC
2473 7, RFC 4213 3.2, RFC 4459): what a tunnel learns, from whom, and that
traffic gets through."""
import contextlib
import socket
import threading

import pytest

from lab import TIMEOUT, wait_until
from pmtu import (HEADER, HOST, JUMBO, NARROWEST, ROUTER, SITE, SITE_PREFIXES,
                  UDP_HEADER, arrives, fixture_path, kernel_mtu)
from traffic import (PORT, listen, packet_of, payload, tcp_transfer,
                     udp_socket)

INNERS = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
FLOWS = pytest.mark.parametrize("where", ["local", "forwarded"])
BULK = 2 << 20
SHRUNK = 1340  # 6in6 must carry 1280 (RFC 2473 7.1)


def ends(path, where, inner):
    """The first arguments of the transfers."""
    ns, addresses = path.sender(where)
    return ns, addresses[inner], path.site, SITE[inner]


@contextlib.contextmanager
def datagrams(path, where, inner, **kwargs):
    """(server, client): UDP sockets, connected towards the site."""
    ns, address, site, site_address = ends(path, where, inner)
    with udp_socket(site, site_address, PORT) as server, \
            udp_socket(ns, address, **kwargs) as client:
        client.connect((site_address, PORT))
        yield server, client


@FLOWS
@INNERS
def test_tcp(path, where, inner):
    """Both directions; the narrowest link is found hop by hop."""
    path.attach()
    src = ends(path, where, inner)
    tcp_transfer(*src, BULK)
    assert path.learned() == path.inner_mtu()
    tcp_transfer(*src[2:], *src[:2], BULK)
    assert path.learned() == path.inner_mtu()


@FLOWS
@INNERS
def test_udp_discovers_the_path(path, where, inner):
    """A sender with DF that believes what it is told (EMSGSIZE, IP_MTU)
    ends up with exactly what the narrowest link carries."""
    path.attach()
    headers = HEADER[inner] + UDP_HEADER
    size = JUMBO
    with datagrams(path, where, inner, df=True) as (server, client):
        def fits():
            nonlocal size
            arrived = arrives(server, client, payload(size - headers), 0.05)
            if not arrived:
                size = kernel_mtu(client)
            return arrived

        wait_until(fits, "a size that fits")
        assert size == path.inner_mtu() == path.learned()
        assert arrives(server, client, payload(size + 1 - headers)) is None


@FLOWS
@INNERS
def test_udp_without_df(path, where, inner):
    """Large datagrams get through after a few losses at most, whoever cuts
    them into pieces."""
    path.attach()
    data = payload(5000)
    with datagrams(path, where, inner) as (server, client):
        wait_until(lambda: arrives(server, client, data, 0.1), "the first")
        assert arrives(server, client, data)


class Stream:
    """A TCP connection from src to dst that stands still when `pause` bytes
    have arrived, until go_on()."""

    def __init__(self, src, src_address, dst, dst_address, pause, size):
        self.data, self.pause = payload(size), pause
        self.server = listen(dst, dst_address)
        # Little room, so that most has still to be sent at the pause.
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        self.client = src.socket(self.server.family, socket.SOCK_STREAM)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        self.client.bind((src_address, 0))
        self.client.connect((dst_address, PORT))
        self.conn = self.server.accept()[0]
        self.conn.settimeout(TIMEOUT)
        self.sent = threading.Thread(target=self._send, daemon=True)
        self.sent.start()
        self.got = self._receive(pause)

    def _send(self):
        with contextlib.suppress(OSError):
            self.client.sendall(self.data)
            self.client.shutdown(socket.SHUT_WR)

    def _receive(self, size):
        got = b""
        while len(got) < size and (chunk := self.conn.recv(size - len(got))):
            got += chunk
        return got

    def go_on(self):
        """The rest; fails unless it arrives, and is what was sent."""
        self.got += self._receive(len(self.data))
        assert self.got == self.data

    def close(self):
        """Ends it."""
        for sock in self.client, self.conn, self.server:
            sock.close()
        self.sent.join()


@FLOWS
@INNERS
def test_path_shrinks_under_a_running_stream(path, where, inner):
    """In the middle of the path and of a TCP transfer."""
    path.attach()
    with contextlib.closing(Stream(*ends(path, where, inner), 1 << 19,
                                   BULK)) as stream:
        assert path.learned() == path.inner_mtu()
        path.widths(r2=SHRUNK)
        stream.go_on()
    assert path.learned() == path.inner_mtu(SHRUNK)


@FLOWS
@INNERS
def test_path_shrinks_under_datagrams(path, where, inner):
    """The sender is told, and what it makes of it arrives."""
    path.attach()
    path.learn(NARROWEST)
    headers = HEADER[inner] + UDP_HEADER
    before = path.inner_mtu(NARROWEST)
    after = path.inner_mtu(SHRUNK)
    with datagrams(path, where, inner, df=True) as (server, client):
        # A forwarding host's neighbours do not know its routes.
        wait_until(lambda: arrives(server, client, payload(before - headers),
                                   0.1), "as large as the path")
        path.widths(r2=SHRUNK)
        wait_until(lambda: arrives(server, client, payload(before - headers),
                                   0.05) is None, "the kernel knows")
        assert kernel_mtu(client) == after == path.learned()
        # An error that is still pending makes one more EMSGSIZE.
        wait_until(lambda: arrives(server, client, payload(after - headers),
                                   0.1), "as large as the path is now")


@FLOWS
@INNERS
def test_path_grows_back(path, where, inner):
    """What was learnt is forgotten after pmtu-expiry, and a wider path is
    used to the full. (The inner sender has not been told meanwhile: how long
    its own kernel remembers is not our affair.)"""
    path.attach("path-mtu = 9001\npmtu-expiry = 2")
    path.learn(NARROWEST)
    path.widths(r1=JUMBO, r2=JUMBO, r3=JUMBO)
    wait_until(lambda: path.learned() is None, "forgotten")
    most = path.inner_mtu(JUMBO)
    assert path.tunload.peer("site")["mtu"] == most
    wire = path.to_site()
    size = most - HEADER[inner] - UDP_HEADER
    with datagrams(path, where, inner, df=True) as (server, client):
        assert arrives(server, client, payload(size))
    assert sizes(wire) == [most]
    wire.clear()
    tcp_transfer(*ends(path, where, inner), 1 << 18)
    # The site takes segments of JUMBO - 100 bytes.
    assert most - 200 < max(sizes(wire)) <= most
    assert path.learned() is None


def sizes(wire):
    """Of the inner packets."""
    return [len(packet_of(frame.data).payload) for frame in wire.frames()]


@FLOWS
@INNERS
def test_black_hole(path, where, inner):
    """No router says a word: with path-mtu as it is, everything works."""
    path.attach(f"path-mtu = {NARROWEST}")
    path.blackhole()
    tcp_transfer(*ends(path, where, inner), BULK)
    headers = HEADER[inner] + UDP_HEADER
    with datagrams(path, where, inner) as (server, client):
        assert arrives(server, client, payload(path.inner_mtu() - headers))
        # The kernel's route makes the pieces, or says so to the LAN's host.
        wait_until(lambda: arrives(server, client, payload(5000), 0.1),
                   "pieces")
    with datagrams(path, where, inner, df=True) as (server, client):
        too_big = payload(path.inner_mtu() - headers + 1)
        assert not arrives(server, client, too_big, 0.1)
        assert arrives(server, client, too_big) is None
    assert path.learned() is None
    assert path.count("rx_icmp_too_big") == 0


def test_black_hole_with_a_wrong_path_mtu(path):
    """The lab's black hole is one: nothing large gets through."""
    path.attach()
    path.blackhole()
    with datagrams(path, "local", 4, df=True) as (server, client):
        assert arrives(server, client, payload(100))
        assert not arrives(server, client, payload(2000), 0.3)
    assert path.learned() is None


@FLOWS
@INNERS
def test_route_of_the_users_own(path, where, inner):
    """routes = no, and a route that knows nothing of the tunnel: the data
    plane finds out and says so."""
    path.attach("path-mtu = 1400\nroutes = no")
    gateway = path.tunload.status()["peers"][0][f"gateway{inner}"]
    path.host.ip("route", "add", SITE_PREFIXES[inner], "via", gateway, "dev",
                 "eth0", "onlink", "src", HOST[inner], "mtu", JUMBO)
    try:
        tcp_transfer(*ends(path, where, inner), BULK)
        headers = HEADER[inner] + UDP_HEADER
        with datagrams(path, where, inner, df=True) as (server, client):
            size = path.inner_mtu() - headers
            wait_until(lambda: kernel_mtu(client) == path.inner_mtu() or
                       arrives(server, client, payload(size + 1), 0.05),
                       "the kernel knows")
            assert arrives(server, client, payload(size + 1)) is None
            assert arrives(server, client, payload(size))
    finally:
        path.host.ip("route", "del", SITE_PREFIXES[inner])
    assert path.count("tx_too_big")
    assert path.count("rx_icmp_too_big") == 0
