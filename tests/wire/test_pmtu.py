# SPDX-License-Identifier: GPL-2.0-only
"""Path MTU discovery of the outer path (RFC 1191, RFC 8201, RFC 2003 5.1, RFC
2473 7, RFC 4213 3.2, RFC 4459): the tunnel learns the MTU of the path, and
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
    """The ends of a transfer to the site from the host, or from its LAN."""
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
    """TCP passes in both directions; the MTU is learnt hop by hop."""
    path.attach()
    src = ends(path, where, inner)
    tcp_transfer(*src, BULK)
    assert path.learned() == path.inner_mtu()
    tcp_transfer(*src[2:], *src[:2], BULK)
    assert path.learned() == path.inner_mtu()


@FLOWS
@INNERS
def test_udp_discovers_the_path(path, where, inner):
    """A sender with DF that follows EMSGSIZE and IP_MTU arrives at the exact
    size that the narrowest link carries."""
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
    """Large datagrams without DF get through, after a few losses at first."""
    path.attach()
    data = payload(5000)
    with datagrams(path, where, inner) as (server, client):
        wait_until(lambda: arrives(server, client, data, 0.1),
                   "the first datagram")
        assert arrives(server, client, data)


class Stream:
    """A TCP connection from src to dst whose receiver stops reading after
    `pause` bytes, until go_on()."""

    def __init__(self, src, src_address, dst, dst_address, pause, size):
        self.data, self.pause = payload(size), pause
        self.server = listen(dst, dst_address)
        # Small buffers, so that most bytes are still unsent at the pause.
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
        """Receives the rest; asserts that all bytes arrived as sent."""
        self.got += self._receive(len(self.data))
        assert self.got == self.data

    def close(self):
        """Closes the connection."""
        for sock in self.client, self.conn, self.server:
            sock.close()
        self.sent.join()


@FLOWS
@INNERS
def test_path_shrinks_under_a_running_stream(path, where, inner):
    """A link of the path becomes narrower during a TCP transfer."""
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
    """The sender learns the new MTU, and datagrams of that size arrive."""
    path.attach()
    path.learn(NARROWEST)
    headers = HEADER[inner] + UDP_HEADER
    before = path.inner_mtu(NARROWEST)
    after = path.inner_mtu(SHRUNK)
    with datagrams(path, where, inner, df=True) as (server, client):
        # The first one may be lost, as a host on the LAN has to learn the MTU.
        wait_until(lambda: arrives(server, client, payload(before - headers),
                                   0.1), "a datagram as large as the path")
        path.widths(r2=SHRUNK)
        wait_until(lambda: arrives(server, client, payload(before - headers),
                                   0.05) is None, "the sender gets EMSGSIZE")
        assert kernel_mtu(client) == after == path.learned()
        # An error that is still pending causes one more EMSGSIZE.
        wait_until(lambda: arrives(server, client, payload(after - headers),
                                   0.1), "a datagram as large as the new path")


@FLOWS
@INNERS
def test_path_grows_back(path, where, inner):
    """The learnt MTU expires after pmtu-expiry, and a wider path is used to the
    full. (No datagram is sent before that: the sender's kernel would remember
    the small MTU for longer.)"""
    path.attach("path-mtu = 9001\npmtu-expiry = 2")
    path.learn(NARROWEST)
    path.widths(r1=JUMBO, r2=JUMBO, r3=JUMBO)
    wait_until(lambda: path.learned() is None, "the learnt MTU expires")
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
    """The lengths of the captured inner packets."""
    return [len(packet_of(frame.data).payload) for frame in wire.frames()]


@FLOWS
@INNERS
def test_black_hole(path, where, inner):
    """If no router sends ICMP, a path-mtu that is right keeps traffic going."""
    path.attach(f"path-mtu = {NARROWEST}")
    path.blackhole()
    tcp_transfer(*ends(path, where, inner), BULK)
    headers = HEADER[inner] + UDP_HEADER
    with datagrams(path, where, inner) as (server, client):
        assert arrives(server, client, payload(path.inner_mtu() - headers))
        # The MTU of the kernel's route fragments them.
        wait_until(lambda: arrives(server, client, payload(5000), 0.1),
                   "a datagram in fragments")
    with datagrams(path, where, inner, df=True) as (server, client):
        too_big = payload(path.inner_mtu() - headers + 1)
        assert not arrives(server, client, too_big, 0.1)
        assert arrives(server, client, too_big) is None
    assert path.learned() is None
    assert path.count("rx_icmp_too_big") == 0


def test_black_hole_with_a_wrong_path_mtu(path):
    """The black hole of the lab works: no large packet gets through."""
    path.attach()
    path.blackhole()
    with datagrams(path, "local", 4, df=True) as (server, client):
        assert arrives(server, client, payload(100))
        assert not arrives(server, client, payload(2000), 0.3)
    assert path.learned() is None


@FLOWS
@INNERS
def test_route_of_the_users_own(path, where, inner):
    """With `routes = no` and a route of the user with too large an MTU, the
    data plane tells the sender the right one."""
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
                       "the sender learns the MTU")
            assert arrives(server, client, payload(size + 1)) is None
            # The ICMP error waits for the next call.
            client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert arrives(server, client, payload(size))
    finally:
        path.host.ip("route", "del", SITE_PREFIXES[inner])
    assert path.count("tx_too_big")
    assert path.count("rx_icmp_too_big") == 0
