# SPDX-License-Identifier: GPL-2.0-only
"""Reads pcapng files (draft-ietf-opsawg-pcapng), of either byte order."""
import collections
import struct

SECTION, INTERFACE, STATISTICS, FRAME = 0x0A0D0D0A, 1, 5, 6

Captured = collections.namedtuple(
    "Captured", "interface way comment data length ns")
Captured.__doc__ = """A frame: the name of its interface, "in" or "out", its
comment, the bytes that are there, its whole length, ns since 1970."""

File = collections.namedtuple("File", "frames interfaces statistics section")
File.__doc__ = """frames: Captured; interfaces: names; statistics: {name: {option: value}};
section: {option: value}."""


def blocks(data):
    """(byte order, type, body) of each block; fails if one is incomplete."""
    at, order = 0, "<"
    while at < len(data):
        if data[at:at + 4] == b"\n\r\r\n":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, total = struct.unpack_from(order + "II", data, at)
        assert total % 4 == 0 and at + total <= len(data), "a block is cut off"
        assert struct.unpack_from(order + "I", data, at + total - 4) == (total,)
        yield order, kind, data[at + 8:at + total - 4]
        at += total


def options(order, data):
    """{code: bytes} of the options of a block; they must have an end."""
    found, at = {}, 0
    while True:
        code, size = struct.unpack_from(order + "HH", data, at)
        if not code:
            assert at + 4 == len(data)
            return found
        found[code] = data[at + 4:at + 4 + size]
        at += 4 + size + -size % 4


def number(order, data):
    """A number of 4 or 8 bytes."""
    return int.from_bytes(data, "little" if order == "<" else "big")


def frame(order, body, interfaces):
    """The Captured of a block."""
    side, high, low, caught, length = struct.unpack_from(order + "5I", body)
    found = options(order, body[20 + caught + -caught % 4:])
    way = {1: "in", 2: "out"}[number(order, found[2]) & 3]
    return Captured(interfaces[side], way, found[1].decode(),
                    body[20:20 + caught], length, high << 32 | low)


def parse(data):
    """The File of its bytes."""
    file = File([], [], {}, {})
    for order, kind, body in blocks(data):
        if kind == SECTION:
            file.section.update(options(order, body[16:]))
        elif kind == INTERFACE:
            found = options(order, body[8:])
            assert body[:2] == struct.pack(order + "H", 1)  # Ethernet
            assert found[9] == b"\x09"  # nanoseconds
            file.interfaces.append(found[2].decode())
        elif kind == FRAME:
            file.frames.append(frame(order, body, file.interfaces))
        else:
            assert kind == STATISTICS
            name = file.interfaces[number(order, body[:4])]
            file.statistics[name] = {
                code: number(order, value) for code, value
                in options(order, body[12:]).items()}
    return file


def load(path):
    """The File at path."""
    with open(path, "rb") as f:
        return parse(f.read())
