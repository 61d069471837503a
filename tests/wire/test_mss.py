# SPDX-License-Identifier: GPL-2.0-only
"""The MSS of forwarded SYN and SYN-ACK is lowered to what the tunnel carries,
at any place among the options, with the checksum updated. Nothing else
changes."""
import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from pmtu import HEADER, LAN, SITE, fixture_path, hop
from traffic import packet_of

INNERS = pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
MTU = 1400


def mss(value):
    """An MSS option as bytes."""
    return b"\x02\x04" + value.to_bytes(2, "big")


JUMBO_MSS = mss(8961)
# name: (options before the MSS, options behind it)
CLAMPED = {
    "alone": (b"", b""),
    "one NOP": (b"\x01", b"\x01\x01\x01"),
    "two NOPs": (b"\x01\x01", b"\0\0"),
    "unknown option": (b"\xfe\x06abcd\x01\x01", b""),
    "unknown option, odd": (b"\xfe\x05abc", b"\x01\x01\x01"),
    "usual ones": (b"\x04\x02\x08\x0a" + bytes(8), b"\x01\x03\x03\x07"),
    "last of all": (b"\x01" * 36, b""),
    "padded": (b"\x01\x01\x01\x01", b"\0" * 12),
}
# name: options without an MSS, with a small one, or malformed; they stay.
LEFT_ALONE = {
    "none": b"",
    "500": mss(500),
    "no MSS": b"\x01" * 8,
    "unknown": b"\xfe\x04ab",
    "behind the end": b"\0\0\0\0" + JUMBO_MSS,
    "length 0": b"\xfe\0" + JUMBO_MSS + b"\0\0",
    "length 1": b"\xfe\x01" + JUMBO_MSS + b"\0\0",
    "wrong length": b"\x02\x03\x23\x01" + b"\0" * 4,
    "beyond the end": b"\x01\x01\x02\x04",
    "length 255": b"\xfe\x08" + bytes(5) + b"\x02\x04\xff\x23\0",
    "inside another": b"\xfe\x06" + JUMBO_MSS + b"\0\0",
}


def segment(inner, options, flags):
    """A TCP segment; the options are bytes, since scapy would correct them."""
    layer = IPv6 if inner == 6 else IP
    return layer(src=LAN[inner], dst=SITE[inner]) / TCP(
        sport=1024, dport=9, flags=flags, seq=0x12345678,
        dataofs=5 + len(options) // 4) / Raw(options)


def forwarded(path, inner, options, flags="S"):
    """Sends a SYN from the LAN; returns the options that come out of the
    tunnel, after a check that all else, with the checksum, is right."""
    wire = path.to_site()
    path.send_from_lan(segment(inner, options, flags))
    got = packet_of(wire.wait(1)[0].data).payload
    out = got[HEADER[inner] + 20:]
    assert got == bytes(hop(segment(inner, out, flags)))
    return out


def limited(path, inner):
    """Attaches with a path of MTU bytes; returns the largest MSS for it."""
    path.untouched(f"path-mtu = {MTU}")
    return path.inner_mtu(MTU) - HEADER[inner] - 20


@INNERS
@pytest.mark.parametrize("flags", ["S", "SA"])
@pytest.mark.parametrize("name", CLAMPED)
def test_mss_is_lowered(path, inner, name, flags):
    """The MSS of RFC 9293 3.7.1, in SYN and SYN-ACK, at any place."""
    before, behind = CLAMPED[name]
    most = limited(path, inner)
    assert forwarded(path, inner, before + JUMBO_MSS + behind, flags) == \
        before + mss(most) + behind


@INNERS
@pytest.mark.parametrize("name", LEFT_ALONE)
def test_mss_is_left_alone(path, inner, name):
    """The options stay as they are: an MSS is never raised or added."""
    limited(path, inner)
    assert forwarded(path, inner, LEFT_ALONE[name]) == LEFT_ALONE[name]


@INNERS
def test_mss_at_the_limit(path, inner):
    """The largest MSS stays, one more is lowered; without SYN it stays."""
    most = limited(path, inner)
    assert forwarded(path, inner, mss(most)) == mss(most)
    assert forwarded(path, inner, mss(most + 1)) == mss(most)
    assert forwarded(path, inner, JUMBO_MSS, "A") == JUMBO_MSS


@INNERS
def test_mss_follows_what_was_learnt(path, inner):
    """The MSS of a SYN fits the learnt MTU of a path."""
    path.attach()
    path.learn(MTU)
    assert forwarded(path, inner, JUMBO_MSS) == mss(
        path.inner_mtu(MTU) - HEADER[inner] - 20)
