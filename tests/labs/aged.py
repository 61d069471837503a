# SPDX-License-Identifier: GPL-2.0-only
"""Makes the traffic of a peer older than it is."""
import struct
import time

from packets import bpf
from packets.world import moves_on


def age(tl, peer, **seconds):
    """Says that the last packets of a peer came (rx) and went (tx) so long
    ago."""
    traffic = bpf.Map(bpf.obj_get(f"{tl.pins}/traffic"))
    number = next(row["key"] for row in tl.map("peers")
                  if row["value"]["name"] == peer)
    key = struct.pack("I", number)
    value = bytearray(max(traffic.lookup(key)))
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for place, name in (-16, "rx"), (-8, "tx"):
        struct.pack_into("Q", value, len(value) + place,
                         now - seconds[name] * 10 ** 9)
    traffic.update(key, bytes(value))
    # A remembered packet would keep that time for a second.
    moves_on(bpf.Map(bpf.obj_get(f"{tl.pins}/generations")))
