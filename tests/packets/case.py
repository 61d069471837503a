# SPDX-License-Identifier: GPL-2.0-only
"""A case: one packet into one hook, and its whole expected result."""

from dataclasses import dataclass
from typing import Callable, Optional

from . import wire
from .runner import (TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC, XDP_DROP,
                     XDP_PASS)
from .world import FATES, NO_GUARD, OWN, READY, World

HOOKS = {
    "ingress": ("xdp_ingress", "tc_ingress"),
    "xdp": ("xdp_ingress",),
    "tc": ("tc_ingress",),
    "egress": ("tc_egress",),
}

# Verdicts without a peer.
PEERLESS = ("rx_plain", "rx_no_peer", "rx_stale_peer", "rx_gateway",
            "tx_plain", "tx_stale_peer")
# Verdicts that leave the packet unchanged, so that its size is known.
WHOLE = ("rx_plain", "rx_no_peer", "rx_too_many_options", "rx_borrowed",
         "rx_icmp_too_big", "rx_icmp_unreachable", "rx_icmp_time_exceeded",
         "rx_icmp_other", "tx_plain", "tx_tunnelled")
UNKNOWN = -1


@dataclass
class Case:
    """out: the packet afterwards; None where it is unchanged or dropped.
    peer: id that counts the verdict too; UNKNOWN: not compared.
    size: bytes to be counted; UNKNOWN: not compared.
    answer: MTU of the ICMP error that may go back (there is a rate limit).
    loose: offsets in out that are not compared, check(out) looks at them.
    """
    name: str
    hook: str
    data: bytes
    verdict: str
    rfc: str
    world: World
    out: Optional[bytes] = None
    peer: Optional[int] = None
    size: int = UNKNOWN
    redirect: bool = False  # the kernel shall send it
    gso: int = 0
    answer: int = 0
    loose: tuple = ()
    check: Optional[Callable] = None

    @property
    def fate(self):
        return FATES[self.verdict]

    def action(self, prog):
        """The values that the program may return."""
        if self.fate == "DROP":
            shot = (XDP_DROP if prog == "xdp_ingress" else TC_ACT_SHOT,)
            return shot + (TC_ACT_REDIRECT,) * bool(self.answer)
        if self.redirect or self.fate == "ANSWER":
            return (TC_ACT_REDIRECT,)
        return (XDP_PASS if prog == "xdp_ingress" else TC_ACT_UNSPEC,)


TABLES = []


def table(function):
    """Decorator: the function yields cases."""
    TABLES.append(function)
    return function


def rx(name, data, verdict, rfc, peer=None, inner=None, **more):
    """An ingress case; inner: the packet that must come out, or that is
    counted by its length."""
    if inner is not None:
        more.setdefault("size", wire.length(inner))
    if verdict == "rx_decap":
        more.setdefault("out", wire.eth(inner))
    elif verdict in WHOLE:
        more.setdefault("size", len(data) - 14)
    more.setdefault("world", MAIN)
    return Case(name, more.pop("hook", "ingress"), data, verdict, rfc,
                peer=peer.id if isinstance(peer, wire_peer) else peer, **more)


def tx(name, inner, verdict, rfc, peer=None, **more):
    """An egress case for a bare inner packet to the gateway of that peer, or
    to the MAC `to`. The kernel finds the next hop of the outer packet."""
    to = more.pop("to", peer and peer.mac)
    if verdict == "tx_encap":
        outer = wire.to_peer(peer, inner, more.pop("df", True))
        more.setdefault("out", wire.eth(outer, to=to))
    more.setdefault("redirect", verdict in ("tx_encap", "tx_tunnelled"))
    more.setdefault("world", MAIN)
    more.setdefault("size", len(inner) if verdict == "tx_bad_inner"
                    else wire.length(inner))
    return Case(name, "egress", wire.eth(inner, to=to or wire.ETH[:6]),
                verdict, rfc, peer=peer.id if peer
                and verdict not in PEERLESS else None, **more)


# The world most cases live in.
LOCAL = {4: "192.0.2.10", 6: "2001:db8:0:1::10"}
US = {4: "172.22.2.2", 6: "fd00:22::2"}  # inner
STRANGER = {4: "203.0.113.77", 6: "2001:db8:77::77"}
STALE_ENDPOINT = {4: "198.51.100.99", 6: "2001:db8:2::99"}


def net(outer, inner, host="9"):
    """An inner address of the network behind PEER[outer]."""
    k = {4: 1, 6: 2}[outer]
    return f"10.{k}.0.{host}" if inner == 4 else f"fd00:{k}::{host}"


def make_main(flags=READY):
    """Two peers of each outer family: PEER has a wide prefix of each inner
    family, NESTED one inside it that has a hole (an exception) itself."""
    world = World(flags)
    main, nested = {}, {}
    for outer, wide in ((4, "198.51.100.1"), (6, "2001:db8:2::1")):
        k = {4: 1, 6: 2}[outer]
        main[outer] = world.peer(wide, LOCAL[outer],
                                 [f"10.{k}.0.0/16", f"fd00:{k}::/32"])
        nested[outer] = world.peer(
            wide.replace("::1", "::3") if outer == 6 else "198.51.100.3",
            LOCAL[outer], [f"10.{k}.3.0/24", f"fd00:{k}:3::/48"])
        world.prefix(f"10.{k}.3.128/25")
        world.prefix(f"fd00:{k}:3:8000::/49")
        world.prefix(net(outer, 4, "5"), flags=OWN)
        world.prefix(net(outer, 6, "5"), flags=OWN)
        world.stale_endpoint(STALE_ENDPOINT[outer], LOCAL[outer], 99)
    world.prefix("10.99.0.0/16", 99)
    world.prefix("fd00:99::/32", 99)
    main[7] = world.peer("198.51.100.7", LOCAL[4],
                         ["10.7.0.0/16", "fd00:7::/32"], guard=0)
    return world, main, nested


MAIN, PEER, NESTED = make_main()
UNGUARDED = PEER[7]
SUSPENDED = make_main(READY | NO_GUARD)[0]
wire_peer = type(PEER[4])


def make_default(endpoint, outer, guard=0):
    """A world with one peer that has both default routes; only protocol 4/41
    reaches its endpoint without the tunnel."""
    world = World()
    peer = world.peer(endpoint, LOCAL[outer], ["0.0.0.0/0", "::/0"],
                      guard=guard)
    return world, peer


DEFAULT = {4: make_default("198.51.100.1", 4),
           6: make_default("2001:db8:2::1", 6)}
EMPTY = World()
