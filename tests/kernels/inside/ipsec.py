# SPDX-License-Identifier: GPL-2.0-only
"""IPsec and tunnels on one host, as in README: a policy about outer packets does
not apply to them; one between the inner networks protects the inner packets."""
import pytest

import lab as labs
from closed import INNER_SITE, INNER_US, SITE, US, Wire
from traffic import packet_of, ping

ESP, IPIP = 50, 4
KEYS = ["enc", "cbc(aes)", "0x" + "01" * 16, "auth", "hmac(sha256)",
        "0x" + "02" * 32]


@pytest.fixture(name="wire", params=["tc", "native"])
def fixture_wire(request):
    with labs.Lab() as lab:
        wire = Wire(lab, request.param)
        wire.seen = lab.capture(wire.site, "eth0", lambda f: not f.outgoing)
        yield wire


def protect(ns, here, there, ours, theirs, mode, proto=()):
    """Sets up ESP in both directions between here and there, for packets between
    the networks ours and theirs."""
    for spi, src, dst in ((1, *sorted((here, there))),
                          (2, *sorted((here, there), reverse=True))):
        ns.ip("xfrm", "state", "add", "src", src, "dst", dst, "proto", "esp",
              "spi", spi, "mode", mode, *KEYS)
    for direction, one, other, src, dst in (
            ("out", ours, theirs, here, there),
            ("in", theirs, ours, there, here)):
        ns.ip("xfrm", "policy", "add", "src", one, "dst", other, *proto,
              "dir", direction, "tmpl", "src", src, "dst", dst, "proto", "esp",
              "mode", mode)


def protocols(wire):
    """{(protocol, inner protocol of a tunnel packet, else None)} of the IPv4
    packets that came over the wire."""
    outers = [p for p in map(packet_of, wire.seen.packets())
              if p and p.version == 4]
    return {(p.proto, p.payload[9] if p.proto == IPIP else None)
            for p in outers}


def test_transport_mode_for_the_endpoint(wire):
    """A policy about the outer packets has no effect: they leave in clear."""
    wire.seen.clear()
    protect(wire.host, US, SITE, f"{US}/32", f"{SITE}/32", "transport",
            ["proto", "4"])
    assert ping(wire.host, INNER_SITE)
    assert protocols(wire) == {(IPIP, 1)}


def test_tunnel_mode_between_the_inner_networks(wire):
    """A policy between the inner networks puts ESP inside of the tunnel."""
    wire.seen.clear()
    protect(wire.host, INNER_US, INNER_SITE, "10.1.0.0/24", "10.2.0.0/24",
            "tunnel")
    protect(wire.site, INNER_SITE, INNER_US, "10.2.0.0/24", "10.1.0.0/24",
            "tunnel")
    assert ping(wire.host, INNER_SITE)
    assert (IPIP, ESP) in protocols(wire)
    assert (IPIP, 1) not in protocols(wire)
    assert not wire.far.verdict("rx_borrowed")
