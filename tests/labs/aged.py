# SPDX-License-Identifier: GPL-2.0-only
"""Makes the traffic of a peer older than it is."""
import time

from packets import bpf
from packets.world import TlTraffic, cpu_slots_of, moves_on


def age(tl, peer, **seconds):
    """Says that the last packets of a peer came (rx) and went (tx) so long
    ago."""
    maps = {name: bpf.Map(bpf.obj_get(f"{tl.pins}/{name}"))
            for name in ("traffic", "next_hops", "generations")}
    number = next(row["key"] for row in tl.map("peers")
                  if row["value"]["name"] == peer)
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for key in cpu_slots_of(maps, number):
        slot = TlTraffic.from_buffer_copy(maps["traffic"].lookup(key)[0])
        slot.peer = number
        slot.last_rx_ns = now - seconds["rx"] * 10 ** 9
        slot.last_tx_ns = now - seconds["tx"] * 10 ** 9
        maps["traffic"].update(key, bytes(slot))
    # A remembered packet would keep that time for a second.
    moves_on(maps["generations"])
