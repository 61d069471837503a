# SPDX-License-Identifier: GPL-2.0-only
"""What the maps hold in a test: the structs of bpf/layout.h, by hand.

A World is written into the maps by the runner. Nothing is derived the way
the loader would do it: a test can also make maps no loader would write.
"""

import ctypes
import ipaddress
import re
from pathlib import Path

BPF_DIR = Path(__file__).resolve().parents[2] / "bpf"

u8, u32, u64 = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64

DSCP_COPY = 0xff
GUARD, OWN = 1, 2  # TL_PREFIX_F_*
NO_GUARD = 1 << 31  # no flag, but no_guard_until_ns in the future
READY = 0x01  # TL_IF_F_READY
NO_PEER = 0
FIB_NEXTHOP = 0x10  # TL_PEER_F_FIB_NEXTHOP

# (name, fate) in the order of the counters, from the one list there is.
VERDICTS = re.findall(r"VERDICT\((\w+),\s*(TUNNEL|PASS|DROP),",
                      (BPF_DIR / "verdicts.h").read_text(encoding="ascii"))
NAMES = [name for name, _ in VERDICTS]
FATES = dict(VERDICTS)


class TlPeer(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 32), ("family", u8), ("ttl", u8),
                ("dscp", u8), ("flags", u8), ("mtu", u32),
                ("endpoint", u8 * 16), ("local", u8 * 16),
                ("learned_until_ns", u64), ("learned_mtu", u32),
                ("probe", u8 * 16), ("probe_family", u32),
                ("keepalive", u32), ("mtu_fixed", u32)]


class TlEndpoint(ctypes.Structure):
    _fields_ = [("family", u8), ("zero", u8 * 3), ("endpoint", u8 * 16),
                ("local", u8 * 16)]


class TlPrefix4(ctypes.Structure):
    _fields_ = [("prefixlen", u32), ("addr", u8 * 4)]


class TlPrefix6(ctypes.Structure):
    _fields_ = [("prefixlen", u32), ("addr", u8 * 16)]


class TlPrefix(ctypes.Structure):
    _fields_ = [("peer", u32), ("flags", u32)]


class TlInterface(ctypes.Structure):
    _fields_ = [("layout", u32), ("ifindex", u32), ("netns_cookie", u64),
                ("name", ctypes.c_char * 16), ("flags", u32),
                ("mode", u32), ("mode_asked", u32), ("path_mtu", u32),
                ("pmtu_expiry", u32),
                ("local4", u8 * 4), ("local6", u8 * 16),
                ("source4", u8 * 4), ("source6", u8 * 16),
                ("mode_reason", ctypes.c_char * 128),
                ("monitor_until_ns", u64), ("no_guard_until_ns", u64)]


def addr16(text):
    """sixteen bytes; those behind an IPv4 address are zero."""
    return (u8 * 16)(*ipaddress.ip_address(text).packed)


class Peer:
    """One remote endpoint with the settings the data plane reads."""

    def __init__(self, ident, endpoint, local, **settings):
        self.id, self.endpoint, self.local = ident, endpoint, local
        self.ttl = settings.get("ttl", 64)
        self.dscp = settings.get("dscp", DSCP_COPY)
        self.family = ipaddress.ip_address(endpoint).version
        self.flags = settings.get("flags", 0)
        overhead = 20 if self.family == 4 else 40
        self.mtu = settings.get("mtu", 1500 - overhead)

    def endpoint_key(self):
        return bytes(TlEndpoint(family=self.family,
                                endpoint=addr16(self.endpoint),
                                local=addr16(self.local)))

    def value(self):
        return bytes(TlPeer(name=b"peer%d" % self.id, family=self.family,
                            ttl=self.ttl, dscp=self.dscp, flags=self.flags,
                            mtu=self.mtu,
                            endpoint=addr16(self.endpoint),
                            local=addr16(self.local)))


class TlEvent(ctypes.Structure):
    _fields_ = [("time_ns", u64), ("verdict", u32), ("peer", u32),
                ("length", u32), ("head_len", u32), ("head", u8 * 128)]


class World:
    """Peers, endpoints, prefixes and flags of one interface."""

    def __init__(self, flags=READY):
        self.peers = {}
        self.endpoints = {}  # key bytes -> peer id
        self.prefixes = {}  # network -> (peer id, flags)
        self.flags = flags

    def peer(self, endpoint, local, allowed=(), guard=GUARD, **settings):
        """A peer as a loader would write it; returns it."""
        peer = Peer(len(self.peers) + 1, endpoint, local, **settings)
        self.peers[peer.id] = peer
        self.endpoints[peer.endpoint_key()] = peer.id
        for text in allowed:
            self.prefix(text, peer.id, guard)
        return peer

    def prefix(self, text, peer=NO_PEER, flags=0):
        """One entry of prefixes4 or prefixes6, NO_PEER: an exception."""
        self.prefixes[ipaddress.ip_network(text)] = (peer, flags)

    def stale_endpoint(self, endpoint, local, ident):
        """An endpoint whose peer does not exist."""
        self.endpoints[Peer(ident, endpoint, local).endpoint_key()] = ident

    def write(self, maps, listen=False):
        """Makes the maps equal to this world, as if a monitor listened or
        not; counters of the interface are kept."""
        for name in ("prefixes4", "prefixes6", "endpoints", "peers",
                     "peer_stats"):
            maps[name].clear()
        stats = bytes(maps["peer_stats"].value_size)
        for ident, peer in self.peers.items():
            key = ident.to_bytes(4, "little")
            maps["peers"].update(key, peer.value())
            maps["peer_stats"].update(key, stats)
        for key, ident in self.endpoints.items():
            maps["endpoints"].update(key, ident.to_bytes(4, "little"))
        for net, (ident, flags) in self.prefixes.items():
            kind = TlPrefix4 if net.version == 4 else TlPrefix6
            key = kind(net.prefixlen)
            key.addr[:] = net.network_address.packed
            maps[f"prefixes{net.version}"].update(
                bytes(key), bytes(TlPrefix(ident, flags)))
        iface = TlInterface(layout=2, ifindex=1, name=b"test0",
                            flags=self.flags & ~NO_GUARD, mode=1, path_mtu=1500,
                            monitor_until_ns=2 ** 63 if listen else 0,
                            no_guard_until_ns=2 ** 63
                            if self.flags & NO_GUARD else 0)
        maps["interface"].update(bytes(4), bytes(iface))


def endpoint_of(world, src, dst):
    """Peer id by outer addresses, or None."""
    for key, ident in world.endpoints.items():
        if (key[0] == {4: 4, 16: 6}[len(src)]
                and key[4:20] == src.ljust(16, b"\0")
                and key[20:36] == dst.ljust(16, b"\0")):
            return ident
    return None


def match(world, addr):
    """(peer id, flags) of the longest prefix, or (None, 0)."""
    best, found = -1, (None, 0)
    number = int.from_bytes(addr, "big")
    for net, entry in world.prefixes.items():
        if net.version == {4: 4, 16: 6}[len(addr)] and net.prefixlen > best \
                and (number ^ int(net.network_address)) \
                >> (net.max_prefixlen - net.prefixlen) == 0:
            best, found = net.prefixlen, entry
    return found
