# SPDX-License-Identifier: GPL-2.0-only
"""Makes the traffic of a peer older than it is."""
import time

from packets import bpf
from packets.world import TlTraffic, moves_on, traffic_slots_of


def age(tl, peer, **seconds):
    """Says that the last packets of a peer came (rx) and went (tx) so long
    ago."""
    maps = {name: bpf.Map(bpf.obj_get(f"{tl.pins}/{name}"))
            for name in ("traffic", "next_hops", "generations")}
    number = next(row["key"] for row in tl.map("peers")
                  if row["value"]["name"] == peer)
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for verdict, key in traffic_slots_of(maps, number):
        slot = TlTraffic.from_buffer_copy(maps["traffic"].lookup(key)[0])
        slot.peer = number
        slot.last_ns = now - seconds[verdict[:2]] * 10 ** 9
        maps["traffic"].update(key, bytes(slot))
    # A remembered packet would keep that time for a second.
    moves_on(maps["generations"])
