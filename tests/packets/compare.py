# SPDX-License-Identifier: GPL-2.0-only
"""Compares the result of a program with the expected one."""
from . import model, wire
from .case import UNKNOWN

READABLE = 512  # READABLE_AT_MOST


def masked(data, loose):
    """Returns data with zeroes at those offsets."""
    data = bytearray(data)
    for offset in loose:
        data[offset] = 0
    return bytes(data)


def compare(one, out):
    """Compares the whole packet afterwards."""
    if one.fate == "DROP":
        return
    want = one.data if one.out is None else one.out
    if one.verdict == "tx_encap" and want[12:14] == b"\x86\xdd":
        out, label = wire.without_label(out)
        assert label, "flow label is zero"
    assert masked(out, one.loose).hex() == masked(want, one.loose).hex()


def compare_counters(one, result):
    """Checks that exactly one verdict is counted, for the interface and for
    the peer."""
    assert list(result.counted) == [one.verdict]
    packets, size = result.counted[one.verdict]
    assert packets == 1
    if one.size != UNKNOWN:
        assert size == one.size, "bytes"
    if one.peer == UNKNOWN:
        return
    assert list(result.peers) == ([one.peer] if one.peer else [])
    if one.peer:
        moved = dict(result.peers[one.peer])
        for what, verdict in (("rx", "rx_decap"), ("tx", "tx_encap")):
            before, after = moved.pop(f"last {what}")
            assert after > 0 if one.verdict == verdict else after == before
        assert moved == {one.verdict: (1, size)}


def headers_len(one):
    """The most bytes up to the end of an inner header."""
    at = model.ip_at(one.data, model.MAX_TAGS)
    head = model.parse(one.data[at:]) if at else None
    return at + head.size + 40 if head else 0
