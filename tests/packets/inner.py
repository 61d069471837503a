# SPDX-License-Identifier: GPL-2.0-only
"""Tunnel packets that are not decapsulated: the inner packet."""

from .case import DEFAULT, NESTED, PEER, US, World, net, rx, table
from .ingress import inner_packet
from .refused import patched
from .wire import (COMBOS, PROTO, combo_name, eth, from_peer, ip, opt_header,
                   udp)
from .world import GUARD


@table
def inner_version():
    for inner, outer in COMBOS:
        good = inner_packet(outer, inner)
        for nibble in range(16):
            if nibble == inner:
                continue
            packet = patched(good, 0, bytes([nibble << 4 | good[0] & 15]))
            data = from_peer(PEER[outer], packet, PROTO[inner])
            yield rx(f"{combo_name(inner, outer)} inner version {nibble}",
                     eth(data), "rx_bad_version", "RFC 4213 3.6",
                     PEER[outer])
        other = inner_packet(outer, 10 - inner)
        yield rx(f"{combo_name(inner, outer)} holds the other version",
                 eth(from_peer(PEER[outer], other, PROTO[inner])),
                 "rx_bad_version", "RFC 4213 3.6", PEER[outer])


@table
def inner_lengths():
    for outer in (4, 6):
        good = inner_packet(outer, 4)
        name, src = combo_name(4, outer), net(outer, 4)
        for ihl in [*range(5), 15 + 1]:
            packet = patched(good, 0, bytes([0x40 | min(ihl, 15)]))
            if ihl > 15:  # the header is longer than the packet
                packet = ip(4, src, US[4], 17, b"o" * 8, ihl=15)
            yield rx(f"{name} inner IHL {ihl}", eth(from_peer(
                PEER[outer], packet, 4)), "rx_bad_inner", "RFC 791 3.1",
                PEER[outer])
        for size in (0, 1, 19, len(good) + 1, len(good) + 20, 65535):
            packet = udp(4, src, US[4], len=size)
            for padding in (0, 100):  # of the frame, which is not counted
                yield rx(f"{name} inner total length {size}, pad {padding}",
                         eth(from_peer(PEER[outer], packet))
                         + bytes(padding), "rx_bad_inner", "RFC 4213 3.6",
                         PEER[outer])
        good = inner_packet(outer, 6)
        for more in (1, 20, 60000):
            packet = udp(6, net(outer, 6), US[6], plen=len(good) - 40 + more)
            for padding in (0, 100):
                yield rx(f"{combo_name(6, outer)} inner {more} too long, "
                         f"pad {padding}",
                         eth(from_peer(PEER[outer], packet))
                         + bytes(padding), "rx_bad_inner", "RFC 4213 3.6",
                         PEER[outer])


MARTIANS = {
    4: ["0.0.0.0", "0.0.0.1", "0.255.255.255", "127.0.0.1",
        "127.255.255.255", "224.0.0.1", "239.255.255.255",
        "255.255.255.255"],
    6: ["::", "::1", "ff00::", "ff02::1", "ffff::1", "::ffff:0.0.0.0",
        "::ffff:10.1.0.9", "::ffff:255.255.255.255",
        "::2", "::10.1.0.9"],  # IPv4-compatible
}


@table
def martians():
    """Martians are refused also from a peer with a default route (RFC 4213
    3.6)."""
    for inner, outer in COMBOS:
        world, default = DEFAULT[outer]
        for src in MARTIANS[inner]:
            packet = udp(inner, src, US[inner])
            name = f"{combo_name(inner, outer)} from {src}"
            yield rx(name, eth(from_peer(PEER[outer], packet)), "rx_martian",
                     "RFC 4213 3.6", PEER[outer], packet)
            yield rx(f"{name}, default route", eth(from_peer(
                default, packet)), "rx_martian", "RFC 4213 3.6", default,
                packet, world=world)


@table
def neighbour_discovery():
    """The kernel accepts it only with a hop limit of 255, also after extension
    headers (RFC 4861 7.1, 11.2)."""
    chain = opt_header(58) + bytes([135, 0]) + bytes(22)
    for outer in (4, 6):
        def case(what, proto, data, ttl=255, outer=outer, refused=True):
            packet = ip(6, net(outer, 6), US[6], proto, data, ttl=ttl)
            return rx(f"{combo_name(6, outer)} {what}, hop limit {ttl}",
                      eth(from_peer(PEER[outer], packet)),
                      "rx_neighbour" if refused else "rx_decap",
                      "RFC 4861 11.2", PEER[outer], packet)
        for kind in (1, 128, 132, 133, 134, 135, 136, 137, 138):
            data = bytes([kind, 0]) + bytes(22)
            yield case(f"ICMPv6 {kind}", 58, data, refused=133 <= kind <= 137)
            yield case(f"ICMPv6 {kind}", 58, data, 254, refused=False)
        for kind in (0, 43, 60):
            yield case(f"solicitation behind {kind}", kind, chain)
            yield case(f"solicitation behind {kind}", kind, chain, 254,
                       refused=False)
        for proto in (17, 44, 59):
            yield case(f"protocol {proto}", proto, chain, refused=False)
        yield case("ICMPv6 without a type", 58, b"", refused=False)
        empty = ip(6, net(outer, 6), US[6], 58, ttl=255)
        yield rx(f"{combo_name(6, outer)} a type in the padding",
                 eth(from_peer(PEER[outer], empty)) + b"\x87", "rx_decap",
                 "RFC 4213 3.6", PEER[outer], empty, out=eth(empty) + b"\x87")


@table
def link_scope_destinations():
    """Destinations of link scope are refused, their neighbours are not (RFC
    3927 2.7, 4291 2.5.6 and 2.7, 5771 4)."""
    refused = {4: ["0.0.0.0", "0.255.255.255", "127.0.0.1",
                   "127.255.255.255", "169.254.0.0", "169.254.255.255",
                   "224.0.0.0", "224.0.0.1", "224.0.0.255", "240.0.0.0",
                   "240.0.0.1", "255.255.255.254", "255.255.255.255"],
               6: ["fe80::", "fe80::1", "febf:ffff::1", "ff01::1", "ff02::1",
                   "ff02::1:ff00:7", "ff12::1", "ff32::1", "ff00::1"]}
    passed = {4: ["1.0.0.0", "126.255.255.255", "128.0.0.0",
                  "169.253.255.255", "169.255.0.0", "223.255.255.255",
                  "224.0.1.0", "224.1.0.0", "232.0.0.1", "239.255.255.255",
                  "172.22.2.255"],
              6: ["fe7f:ffff::1", "fec0::", "fd80::1", "ff03::1", "ff05::1",
                  "ff08::1", "ff0e::1", "ff18::1", "::", "::1",
                  "fd02::1"]}
    for inner, outer in COMBOS:
        for verdict, addresses in (("rx_neighbour", refused[inner]),
                                   ("rx_decap", passed[inner])):
            for dst in addresses:
                packet = udp(inner, net(outer, inner), dst)
                yield rx(f"{combo_name(inner, outer)}, arrives for {dst}",
                         eth(from_peer(PEER[outer], packet)), verdict,
                         "RFC 3927 2.7, 4291 2.7, 5771 4", PEER[outer],
                         packet)


@table
def subnet_broadcasts():
    """Broadcasts of the host's networks (RFC 2644 4: routers do not forward
    them)."""
    world, peers = World(), {}
    for outer in (4, 6):
        peers[outer] = world.peer(PEER[outer].endpoint, PEER[outer].local,
                                  ["10.1.0.0/16"] if outer == 4
                                  else ["10.2.0.0/16"])
    for text in ("172.22.2.255", "192.0.2.3", "10.255.255.255",
                 "172.22.2.127"):
        world.broadcasts.add(bytes(map(int, text.split("."))))
    for outer, peer in peers.items():
        for dst, verdict in [
                ("172.22.2.255", "rx_neighbour"), ("192.0.2.3",
                                                   "rx_neighbour"),
                ("10.255.255.255", "rx_neighbour"),
                ("172.22.2.127", "rx_neighbour"),
                ("172.22.2.254", "rx_decap"), ("172.22.3.255", "rx_decap"),
                ("172.22.2.0", "rx_decap"), ("192.0.2.7", "rx_decap"),
                ("255.2.22.172", "rx_neighbour"),  # class E
                ("10.255.255.127", "rx_decap")]:
            packet = udp(4, net(outer, 4), dst)
            yield rx(f"4in{outer}, broadcast to {dst}",
                     eth(from_peer(peer, packet)), verdict,
                     "RFC 2644 4, 1812 4.2.3.1", peer, packet, world=world)


def shared_world(outer):
    """Peers that share prefixes: all, a and b, a and c, c alone."""
    world, ends = World(), {4: "198.51.100.{}", 6: "2001:db8:2::{}"}
    a, b, c = (world.peer(ends[outer].format(n), PEER[outer].local,
                          ident=n << 16 | 7) for n in (1, 2, 3))
    for four, six, peers in (("10.0.0.0/8", "fd00::/16", (a, b, c)),
                             ("10.50.0.0/16", "fd00:50::/32", (a, b)),
                             ("10.50.7.0/24", "fd00:50:7::/48", (c, a)),
                             ("0.0.0.0/0", None, (a, c)),
                             (None, "::/0", (a, b))):
        for prefix in filter(None, (four, six)):
            world.share(prefix, *peers)
    for prefix in ("10.50.8.0/24", "fd00:50:8::/48", "11.0.0.0/8",
                   "fd11::/16"):
        world.prefix(prefix, c.id, GUARD)
    for prefix in ("10.50.9.0/24", "fd00:50:9::/48"):
        world.prefix(prefix)
    return world, a, b, c


@table
def shared_prefixes():
    """Several peers may use the source, by the longest prefix of any peer
    (README, routes = no)."""
    for inner, outer in COMBOS:
        world, a, b, c = shared_world(outer)
        where = {4: [("10.9.9.9", (a, b, c)), ("10.50.1.9", (a, b)),
                     ("10.50.7.9", (a, c)), ("10.50.8.9", (c,)),
                     ("10.50.9.9", ()), ("11.9.9.9", (c,)),
                     ("8.8.8.8", (a, c))],
                 6: [("fd00:9::9", (a, b, c)), ("fd00:50:1::9", (a, b)),
                     ("fd00:50:7::9", (a, c)), ("fd00:50:8::9", (c,)),
                     ("fd00:50:9::9", ()), ("fd11::9", (c,)),
                     ("2001:db8::9", (a, b))]}[inner]
        for src, may in where:
            packet = udp(inner, src, US[inner])
            for n, peer in enumerate((a, b, c)):
                yield rx(f"{combo_name(inner, outer)} from {src} of peer "
                         f"{'abc'[n]}, shared", eth(from_peer(peer, packet)),
                         "rx_decap" if peer in may else "rx_not_allowed",
                         "RFC 4213 3.6", peer, packet, world=world)
            if may:
                yield rx(f"IPv{inner} {src} borrowed, shared by peers in "
                         f"IPv{outer}", eth(packet), "rx_borrowed",
                         "RFC 4213 3.6",
                         c if src.endswith(("7.9", "7::9")) else may[0],
                         world=world)


@table
def inner_sources():
    for inner, outer in COMBOS:
        k, other = (1, 2) if outer == 4 else (2, 1)
        name = combo_name(inner, outer)
        wide = {4: [f"10.{k - 1}.255.255", f"10.{k + 1}.0.0", "9.255.0.0",
                    f"10.{other}.0.9", f"10.{k}.3.0", f"10.{k}.3.127",
                    f"10.{k}.3.128", "172.22.2.2", "192.0.2.10",
                    "10.99.0.1", "240.0.0.1"],
                6: [f"fd00:{k - 1}:ffff::", f"fd00:{k + 1}::", "fd01::9",
                    f"fd00:{other}::9", f"fd00:{k}:3::9",
                    f"fd00:{k}:3:8000::", "fd00:22::2",
                    "2001:db8:0:1::10", "fd00:99::1", "fe80::1"]}[inner]
        narrow = {4: [f"10.{k}.3.128", f"10.{k}.3.255", f"10.{k}.2.255",
                      f"10.{k}.4.0", f"10.{k}.0.9"],
                  6: [f"fd00:{k}:3:8000::", f"fd00:{k}:3:ffff::",
                      f"fd00:{k}:2:ffff::", f"fd00:{k}:4::",
                      f"fd00:{k}::9"]}[inner]
        for who, peer, sources in (("wide", PEER[outer], wide),
                                   ("nested", NESTED[outer], narrow)):
            for src in sources:
                packet = udp(inner, src, US[inner])
                yield rx(f"{name} {who} peer from {src}",
                         eth(from_peer(peer, packet)), "rx_not_allowed",
                         "RFC 4213 3.6", peer, packet)
        for who, peer in (("its", PEER), ("another", NESTED)):
            packet = udp(inner, net(outer, inner, "5"), US[inner])
            yield rx(f"{name} our address in {who} prefix",
                     eth(from_peer(peer[outer], packet)), "rx_own_source",
                     "RFC 4213 3.6", peer[outer], packet)
