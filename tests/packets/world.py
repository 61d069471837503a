# SPDX-License-Identifier: GPL-2.0-only
"""The contents of the maps in a test: the structs of bpf/layout.h, written by
hand.

A World is written into the maps by the runner. It does not use the loader's
rules, so that a test can also make maps that the loader would not write.
"""

import ctypes
import ipaddress
import itertools
import re
from pathlib import Path

from . import bpf

BPF_DIR = Path(__file__).resolve().parents[2] / "bpf"

u8, u32, u64 = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64

DSCP_COPY = 0xff
GUARD, OWN, SHARED = 1, 2, 4  # TL_PREFIX_F_*
NO_GUARD = 1 << 31  # not a flag: sets no_guard_until_ns to the future
READY = 0x01  # TL_IF_F_READY
NO_PEER = 0
SPECIAL, TC = 0x10, 0x20  # TL_PEER_F_*
VRF_MAC = bytes.fromhex("0200000000cc")
IFINDEX = 77  # differs from test runs, which have no routes and no addresses

LAYOUT = int(re.search(
    r"#define TL_LAYOUT (\d+)",
    (BPF_DIR / "layout.h").read_text(encoding="ascii"))[1])

# (name, fate) in the order of the counters, from their only list.
VERDICTS = re.findall(r"VERDICT\((\w+),\s*(TUNNEL|PASS|DROP|ANSWER),",
                      (BPF_DIR / "verdicts.h").read_text(encoding="ascii"))
NAMES = [name for name, _ in VERDICTS]
FATES = dict(VERDICTS)
# The verdicts of enum tl_traffic_kind, in its order.
TRAFFIC = "rx_decap", "tx_encap", "rx_forward", "tx_forward"


class TlPeer(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 32), ("family", u8), ("ttl", u8),
                ("dscp", u8), ("flags", u8), ("mtu", u32),
                ("endpoint", u8 * 16), ("local", u8 * 16),
                ("unused", u64), ("unused_too", u32),
                ("probe", u8 * 16), ("probe_family", u32),
                ("keepalive", u32), ("mtu_fixed", u32), ("mark", u32),
                ("table", u32), ("min_ttl", u32), ("mss", u32),
                ("rate", u32), ("priority", u32),
                ("vrf", ctypes.c_char * 16), ("vrf_ifindex", u32),
                ("vrf_table", u32), ("vrf_mac", u8 * 6), ("zero", u8 * 2),
                ("silent_ns", u64), ("gateway6", u8 * 16),
                ("gateway4", u8 * 4), ("zero2", u8 * 4)]


class TlEndpoint(ctypes.Structure):
    _fields_ = [("family", u8), ("zero", u8 * 3), ("endpoint", u8 * 16),
                ("local", u8 * 16)]


class TlPrefix4(ctypes.Structure):
    _fields_ = [("prefixlen", u32), ("addr", u8 * 4)]


class TlPrefix6(ctypes.Structure):
    _fields_ = [("prefixlen", u32), ("addr", u8 * 16)]


class TlPrefix(ctypes.Structure):
    _fields_ = [("peer", u32), ("flags", u32)]


class TlShared(ctypes.Structure):
    _fields_ = [("prefixlen", u32), ("family", u8), ("peer", u8 * 3),
                ("addr", u8 * 16)]


class TlNextHop(ctypes.Structure):
    _fields_ = [("until", u64), ("peer", u32), ("macs", u8 * 12)]


class TlTraffic(ctypes.Structure):
    _fields_ = [("peer", u32), ("zero", u32), ("counter", u64 * 2),
                ("last_ns", u64)]


class TlInterface(ctypes.Structure):
    _fields_ = [("layout", u32), ("ifindex", u32), ("netns_cookie", u64),
                ("name", ctypes.c_char * 16), ("flags", u32),
                ("mode", u32), ("mode_asked", u32), ("path_mtu", u32),
                ("pmtu_expiry", u32),
                ("local4", u8 * 4), ("local6", u8 * 16),
                ("source4", u8 * 4), ("source6", u8 * 16),
                ("mode_reason", ctypes.c_char * 128),
                ("monitor_until_ns", u64), ("no_guard_until_ns", u64),
                ("address4_len", u8), ("address6_len", u8),
                ("cpus", u32), ("forward", u32),
                ("forward_from", ctypes.c_char * 16 * 8)]


def addr16(text):
    """Sixteen bytes; those after an IPv4 address are zero."""
    return (u8 * 16)(*ipaddress.ip_address(text).packed)


def gateway_mac(ident):
    """The link layer address that stands for the peer with that id."""
    return bytes.fromhex("02746e") + ident.to_bytes(3, "big")


def gateway(version, ident):
    """The gateway's IP address, as text."""
    if version == 4:
        return f"240.{ident >> 16}.{ident >> 8 & 255}.{ident & 255}"
    return f"fe80::74:6e:{ident >> 16:x}:{ident & 0xffff:x}"


class Peer:
    """One remote endpoint with the settings the data plane reads. waits: for
    its "endpoint" or for a "local" address. ahead: what its row in `rates`
    has. vrf: an ifindex, 0: its VRF is gone."""

    def __init__(self, ident, endpoint, local, **settings):
        self.id, self.endpoint, self.local = ident, endpoint, local
        self.ttl = settings.get("ttl", 64)
        self.dscp = settings.get("dscp", DSCP_COPY)
        self.family = ipaddress.ip_address(endpoint).version
        self.waits = settings.get("waits")
        overhead = 20 if self.family == 4 else 40
        self.mtu = settings.get("mtu", 1500 - overhead)
        self.mac = gateway_mac(ident)
        self.keys = {key: settings.get(key, 0) for key in
                     ("mark", "min_ttl", "mss", "rate")}
        self.vrf, self.ahead = settings.get("vrf"), settings.get("ahead")

    def flags(self):
        """TL_PEER_F_SPECIAL and TL_PEER_F_TC."""
        behind = bool(self.keys["mark"]) or self.vrf is not None
        special = behind or self.keys["min_ttl"] or self.keys["rate"]
        return SPECIAL * bool(special) | TC * behind

    def endpoint_key(self):
        return bytes(TlEndpoint(family=self.family,
                                endpoint=addr16(self.endpoint),
                                local=addr16(self.local)))

    def value(self):
        endpoint, local = addr16(self.endpoint), addr16(self.local)
        nothing = (u8 * 16)()
        return bytes(TlPeer(
            name=b"peer%d" % self.id,
            family=0 if self.waits == "endpoint" else self.family,
            ttl=self.ttl, dscp=self.dscp, mtu=self.mtu, flags=self.flags(),
            vrf=b"" if self.vrf is None else b"vrf",
            vrf_ifindex=self.vrf or 0, vrf_mac=(u8 * 6)(*VRF_MAC),
            **self.keys,
            endpoint=nothing if self.waits == "endpoint" else endpoint,
            local=nothing if self.waits == "local" else local))


class TlEvent(ctypes.Structure):
    _fields_ = [("time_ns", u64), ("verdict", u32), ("peer", u32),
                ("length", u32), ("head_len", u32), ("head", u8 * 128)]


class TlPrefixRow(ctypes.Structure):
    _fields_ = [("prefixlen", u32), ("addr", u8 * 16), ("peer", u32),
                ("flags", u32)]


class TlPrefixWrite(ctypes.Structure):
    _fields_ = [("rows", u64), ("n", u32), ("family", u32), ("remove", u32),
                ("done", u32), ("error", ctypes.c_int32), ("zero", u32)]


class FrozenPrefixes:
    """A map of prefixes of an attachment, which only its program
    write_prefixes writes."""

    def __init__(self, prefixes, prog):
        self.map, self.prog = prefixes, prog
        self.family = 4 if prefixes.key_size == ctypes.sizeof(TlPrefix4) else 6

    def _write(self, row, remove):
        ctx = TlPrefixWrite(rows=ctypes.addressof(row), n=1,
                            family=self.family, remove=remove)
        bpf.bpf(bpf.PROG_TEST_RUN, bpf.TestRunAttr(
            prog_fd=self.prog, ctx_size_in=ctypes.sizeof(ctx),
            ctx_in=ctypes.addressof(ctx)))
        assert (ctx.done, ctx.error) == (1, 0)

    def update(self, key, value):
        """As Map has it."""
        row = TlPrefixRow.from_buffer_copy(
            key.ljust(TlPrefixRow.peer.offset, b"\0") + value)
        self._write(row, False)

    def clear(self):
        """Deletes all prefixes."""
        for key in list(self.map.keys()):
            self._write(TlPrefixRow.from_buffer_copy(
                key.ljust(ctypes.sizeof(TlPrefixRow), b"\0")), True)


class World:
    """Peers, endpoints, prefixes and flags of one interface; the host's
    broadcast addresses; known next hops."""

    def __init__(self, flags=READY):
        self.peers = {}
        self.endpoints = {}  # key bytes -> peer id
        self.prefixes = {}  # network -> (peer id, flags)
        self.shared = {}  # network -> ids of the peers that share it
        self.broadcasts = set()  # bytes
        self.next_hops = {}  # peer id -> (until, MACs)
        self.flags = flags
        self.ifindex = IFINDEX  # of the attached interface

    def peer(self, endpoint, local, allowed=(), guard=GUARD, **settings):
        """A peer as a loader would write it; returns it."""
        ident = settings.pop("ident", len(self.peers) + 1)
        peer = Peer(ident, endpoint, local, **settings)
        self.peers[peer.id] = peer
        if not peer.waits:
            self.endpoints[peer.endpoint_key()] = peer.id
        for text in allowed:
            self.prefix(text, peer.id, guard)
        return peer

    def prefix(self, text, peer=NO_PEER, flags=0):
        """One entry of prefixes4 or prefixes6, NO_PEER: an exception."""
        self.prefixes[ipaddress.ip_network(text)] = (peer, flags)

    def share(self, text, *peers, guard=GUARD):
        """A prefix that all of these peers may use."""
        net = ipaddress.ip_network(text)
        self.shared[net] = {peer.id for peer in peers}
        self.prefix(text, peers[0].id, guard | SHARED | net.prefixlen << 8)

    def stale_endpoint(self, endpoint, local, ident):
        """An endpoint whose peer does not exist."""
        self.endpoints[Peer(ident, endpoint, local).endpoint_key()] = ident

    def write(self, maps, listen=False):
        """Makes the maps equal to this world, as if a monitor listened or
        not; counters of the interface are kept."""
        for name in ("prefixes4", "prefixes6", "endpoints", "peers",
                     "peer_stats", "shared", "broadcasts", "rates"):
            maps[name].clear()
        for ident, peer in self.peers.items():
            maps["peers"].update(ident.to_bytes(4, "little"), peer.value())
            if peer.ahead:
                maps["rates"].update(ident.to_bytes(4, "little"),
                                     peer.ahead.to_bytes(8, "little"))
        for key, ident in self.endpoints.items():
            maps["endpoints"].update(key, ident.to_bytes(4, "little"))
        if "lengths" in maps:  # else write_prefixes keeps them
            self.write_lengths(maps["lengths"])
        for net, (ident, flags) in self.prefixes.items():
            kind = TlPrefix4 if net.version == 4 else TlPrefix6
            key = kind(net.prefixlen)
            key.addr[:] = net.network_address.packed
            maps[f"prefixes{net.version}"].update(
                bytes(key), bytes(TlPrefix(ident, flags)))
        for net, idents in self.shared.items():
            for ident in idents:
                maps["shared"].update(*shared_row(net, ident))
        for addr in self.broadcasts:
            maps["broadcasts"].update(addr, addr)
        self.write_next_hops(maps["next_hops"])
        slots = maps["traffic"]
        for key in slots.filled:
            slots.update(key, bytes(TlTraffic()))
        slots.filled = {key for ident in self.peers
                        for _, key in traffic_slots_of(maps, ident)}
        moves_on(maps["generations"])
        iface = TlInterface(layout=LAYOUT, ifindex=self.ifindex, name=b"test0",
                            flags=self.flags & ~NO_GUARD, mode=1,
                            path_mtu=1500,
                            monitor_until_ns=2 ** 63 if listen else 0,
                            no_guard_until_ns=2 ** 63
                            if self.flags & NO_GUARD else 0)
        maps["interface"].update(bytes(4), bytes(iface))


    def write_lengths(self, slots):
        """Writes which prefix lengths are in use."""
        for slot, version in enumerate((4, 6)):
            shorter, at = (u32 * 130)(), 129
            for length in sorted({net.prefixlen for net in self.prefixes
                                  if net.version == version}, reverse=True):
                shorter[at], at = length + 1, length
            slots.update(slot.to_bytes(4, "little"),
                         bytes(shorter) + bytes(4 * 129))

    def write_next_hops(self, slots):
        """Writes the next hops and empties the slots of the former world."""
        rows = {key: TlNextHop() for key in slots.filled}
        for ident, (until, macs) in self.next_hops.items():
            rows[slot_of(slots, ident)] = TlNextHop(until, ident,
                                                    (u8 * 12)(*macs))
        for key, row in rows.items():
            slots.update(key, bytes(row))
        slots.filled = {slot_of(slots, ident) for ident in self.next_hops}


def slot_of(slots, ident):
    """The key of a peer's slot in `next_hops`."""
    return (ident % slots.max_entries).to_bytes(4, "little")


def traffic_slots_of(maps, ident):
    """[(verdict, key)] of a peer's slots in `traffic`, of each CPU."""
    each = maps["next_hops"].max_entries
    return [(verdict, (number * each + ident % each).to_bytes(4, "little"))
            for number, (_, verdict) in enumerate(itertools.product(
                range(bpf.possible_cpus()), TRAFFIC))]


def moves_on(generations):
    """Makes stale what the programs remember of look-ups."""
    number = int.from_bytes(generations.lookup(bytes(4))[0], "little")
    generations.update(bytes(4), (number + 1).to_bytes(16, "little"))


def shared_row(net, ident):
    """(key, value) in the map `shared`."""
    key = TlShared(32 + net.prefixlen, net.version,
                   (u8 * 3)(*ident.to_bytes(3, "big")),
                   addr16(net.network_address))
    return bytes(key), net.prefixlen.to_bytes(4, "little")


def endpoint_of(world, src, dst):
    """The peer id by outer addresses, or None."""
    for key, ident in world.endpoints.items():
        if (key[0] == {4: 4, 16: 6}[len(src)]
                and key[4:20] == src.ljust(16, b"\0")
                and key[20:36] == dst.ljust(16, b"\0")):
            return ident
    return None


def longest(world, addr):
    """The longest prefix that contains that address, or None."""
    best = None
    number = int.from_bytes(addr, "big")
    for net in world.prefixes:
        if net.version == {4: 4, 16: 6}[len(addr)] \
                and (best is None or net.prefixlen > best.prefixlen) \
                and (number ^ int(net.network_address)) \
                >> (net.max_prefixlen - net.prefixlen) == 0:
            best = net
    return best


def match(world, addr):
    """(peer id, flags) of the longest prefix, or (None, 0)."""
    return world.prefixes.get(longest(world, addr), (None, 0))


def may_use(world, addr, ident):
    """True if that peer has the longest prefix, alone or shared."""
    net = longest(world, addr)
    return net is not None and ident in world.shared.get(
        net, {world.prefixes[net][0]})
