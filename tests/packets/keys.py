# SPDX-License-Identifier: GPL-2.0-only
"""The keys of a peer about what comes out of its tunnel: min-ttl, rate, vrf.
test_keys.py has what a case cannot have: marks, and XDP beside tc."""

from .case import LOCAL, US, rx, table
from .wire import COMBOS, combo_name, eth, from_peer, udp
from .world import VRF_MAC, World

VRF = 9  # ifindex
FUTURE = 1 << 62  # ns

KEYS = {"min-ttl": {"min_ttl": 64}, "rate": {"rate": 1000},
        "rate exceeded": {"rate": 1000, "ahead": FUTURE},
        "vrf": {"vrf": VRF}, "vrf gone": {"vrf": 0},
        "all": {"vrf": VRF, "min_ttl": 255, "rate": 1, "mark": 7}}


def network(what, outer):
    """A number in the prefixes of a peer."""
    return 1 + list(KEYS).index(what) + 100 * (outer == 6)


def make_keys():
    """A peer of each outer family with each of these keys."""
    world, peers = World(), {}
    for what, keys in KEYS.items():
        n = network(what, 4)
        for outer, endpoint in ((4, f"198.51.100.{n}"),
                                (6, f"2001:db8:2::{n}")):
            net = network(what, outer)
            peers[what, outer] = world.peer(
                endpoint, LOCAL[outer],
                [f"10.{net}.0.0/16", f"fd00:{net}::/32"], **keys)
    return world, peers


WORLD, PEERS = make_keys()


def inner_packet(what, combo):
    """An inner packet of the peer with those keys."""
    inner, outer = combo
    net = network(what, outer)
    return udp(inner, f"10.{net}.0.9" if inner == 4 else f"fd00:{net}::9",
               US[inner])


def case(name, what, combo, verdict, rfc, **more):
    """A packet of a peer with those keys."""
    inner, outer = combo
    peer, ttl = PEERS[what, outer], more.pop("ttl", 64)
    packet = inner_packet(what, combo)
    data = eth(from_peer(peer, packet, ttl=ttl))
    if verdict == "rx_low_ttl":  # before the inner header is looked at
        more["size"] = len(data) - 14
    return rx(f"{combo_name(inner, outer)} {name}", data, verdict, rfc, peer,
              packet, world=WORLD, **more)


def to_vrf(name, what, combo, **more):
    """The kernel gives it to the VRF's device, by the device's address."""
    one = case(name, what, combo, "rx_decap", "bpf/packet/deliver.h",
               hook="tc", redirect=True, **more)
    one.out = VRF_MAC + one.out[6:]
    return one


@table
def min_ttl():
    for combo in COMBOS:
        for ttl in (0, 1, 63):
            yield case(f"min-ttl 64, outer TTL {ttl}", "min-ttl", combo,
                       "rx_low_ttl", "RFC 5082 3", ttl=ttl)
        for ttl in (64, 65, 255):
            yield case(f"min-ttl 64, outer TTL {ttl}", "min-ttl", combo,
                       "rx_decap", "RFC 5082 3", ttl=ttl)
        yield case("all keys, outer TTL 254", "all", combo, "rx_low_ttl",
                   "RFC 5082 3", ttl=254)


@table
def rate():
    for combo in COMBOS:
        yield case("rate", "rate", combo, "rx_decap", "bpf/record/rate.h")
        yield case("rate exceeded", "rate exceeded", combo, "rx_rate",
                   "bpf/record/rate.h")


@table
def vrf():
    for combo in COMBOS:
        yield to_vrf("to a VRF", "vrf", combo)
        yield to_vrf("to a VRF with all keys", "all", combo, ttl=255)
        yield case("to a VRF that is gone", "vrf gone", combo, "rx_no_vrf",
                   "bpf/packet/deliver.h")
        yield case("to a VRF, which XDP cannot", "vrf", combo, "rx_no_vrf",
                   "bpf/decide/admit.h", hook="xdp")
