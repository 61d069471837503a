# SPDX-License-Identifier: GPL-2.0-only
"""All differences between tunload on b and the kernel's driver there in what
becomes of an inner packet, with reasons. test_interop.py fails for a difference
that is not in the list, and for one in the list that does not occur;
docs/compatibility.md prints the list."""
from collections import namedtuple

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from interop_tunnels import encap_limit, fixed, outer_fragments
from pmtu import HEADER
from traffic import Packet

Difference = namedtuple("Difference",
                        "name side cases applies check reason source")
Difference.__doc__ = """A documented difference. side: the sender, "a" if tunload
decapsulates the packets, "b" if it encapsulates them; cases: a regular
expression for the names of cases; applies(kind, version, case): true for the
tunnels and cases that differ; check(case, kernel's outcome, tunload's): true if
the outcomes differ in this way."""

# Cases that are flows: interop_traffic.narrow_datagrams() and pmtu().
NARROW, NARROW_TCP = "narrow-datagram", "narrow-tcp"
TIME_EXCEEDED = {4: b"\x0b\0", 6: b"\x03\0"}  # ICMP type and code, in transit


def every(_kind, _version, _case):
    """All tunnels."""
    return True


def hop_counts(kind, version, case):
    """Inner IPv6 packets that are too big with both, without any other
    difference."""
    size = int(case.split("-")[1])
    return version == 6 and not encap_limit(kind) and \
        size > 1500 - HEADER[kind.outer]


def fragmented(kind, version, case):
    """Kernel tunnels with `nopmtudisc`, and inner packets without DF."""
    return outer_fragments(kind) and (version == 6 or case == NARROW)


def stubborn(kind, version, _case):
    """Kernel tunnels of IPv4 in IPv4 with path MTU discovery."""
    return kind.outer == version == 4 and not outer_fragments(kind)


def dropped(_case, kernel, tunload):
    """The kernel delivers it, tunload does not."""
    return bool(kernel) and not tunload


def looped(case, kernel, tunload):
    """The kernel forwards it until its hop limit is exceeded; tunload drops
    it."""
    (what, raw), = kernel
    return not tunload and what == "error" and \
        Packet(raw).payload[:2] == TIME_EXCEEDED[case[1]]


def delivered(case, kernel, tunload):
    """tunload delivers it, with nothing but two hops of TTL less; the kernel
    does not."""
    return [what for what, _ in kernel] != ["packet"] and \
        tunload == [("packet", hop(case[3], 2))]


def farther(case, kernel, tunload):
    """The kernel's outer TTL ends on the way. With tunload the packet reaches a,
    which delivers it, or where its inner TTL ends."""
    if case[2] == "ttl-3":
        return delivered(case, kernel, tunload)
    (what, raw), = tunload
    return not kernel and what == "error" and \
        Packet(raw).payload[:2] == TIME_EXCEEDED[case[1]]


def hop(raw, times=1):
    """The packet after `times` routers have forwarded it."""
    packet = (IP if raw[0] >> 4 == 4 else IPv6)(raw)
    if raw[0] >> 4 == 4:
        packet.ttl -= times
        del packet.chksum
    else:
        packet.hlim -= times
    return bytes(packet)


def arrives(_case, kernel, tunload):
    """The datagram arrives with tunload, and not with the kernel."""
    return bool(tunload) and not kernel


def refused(_case, kernel, tunload):
    """The kernel delivers it; tunload answers "too big"."""
    return kernel[0][0] == "packet" and mtu(tunload) == 1380


def answered(case, kernel, tunload):
    """Both answer "too big", with other sources and lengths of the quotation."""
    (_, ours), (_, theirs) = tunload[0], kernel[0]
    ours, theirs = Packet(ours), Packet(theirs)
    quoted = min(len(ours.payload), len(theirs.payload))
    return ours.dst == theirs.dst == Packet(case[3]).src and \
        ours.payload[:2] == theirs.payload[:2] and \
        ours.payload[8:quoted] == theirs.payload[8:quoted] and \
        ours.src == Packet(case[3]).dst and \
        mtu(tunload) - mtu(kernel) == 8 * encap_limit(case[0])


def clamped(case, kernel, tunload):
    """The same SYN, but tunload has lowered its MSS to what fits the peer's
    MTU."""
    kind, version = case[:2]
    mss = 1500 - HEADER[kind.outer] - HEADER[version] - 20
    (_, before), = kernel
    packet = (IP if version == 4 else IPv6)(before)
    packet[TCP].options = [(name, mss if name == "MSS" else value)
                           for name, value in packet[TCP].options]
    del packet[TCP].chksum
    return tunload == [("packet", bytes(packet))]


def by_eight_bytes(case, kernel, tunload):
    """With tunload 8 bytes more fit: fragments of other sizes with the same
    content, an error that names 8 bytes more, or a whole packet instead."""
    if kernel[0][0] == "packet" == tunload[0][0]:
        return whole(kernel) == whole(tunload)
    if tunload[0][0] == "packet":
        return mtu(kernel) == 1452 and delivered(case, kernel, tunload)
    return (mtu(kernel), mtu(tunload)) == (1452, 1460) and \
        about(kernel) == about(tunload, 1)


def hop_counted(_case, kernel, tunload):
    """The same error, but tunload's quotes the packet one hop later."""
    return mtu(kernel) == mtu(tunload) and about(kernel) == about(tunload, 1)


def about(outcome, hops=0):
    """The addresses, the kind and the quoted packet of an ICMP error; a quoted
    IPv6 packet as it was `hops` hops before."""
    (_, raw), = outcome
    packet = Packet(raw)
    quoted = bytearray(packet.payload[8:])
    if packet.version == 6:
        quoted[7] += hops
    return packet.src, packet.dst, packet.payload[:2], bytes(quoted)


def whole(outcome):
    """The source, ID and payload of the packet that the IPv4 fragments make."""
    packets = [Packet(raw) for _, raw in outcome]
    assert len({(p.src, p.dst, p.id, p.proto) for p in packets}) == 1
    packets.sort(key=lambda p: int.from_bytes(p.data[6:8], "big") & 0x1FFF)
    return packets[0].src, packets[0].id, b"".join(
        p.payload for p in packets)


def mtu(outcome):
    """The MTU in an ICMP error."""
    (what, raw), = outcome
    assert what == "error"
    packet = Packet(raw)
    if packet.version == 4:
        return int.from_bytes(packet.payload[6:8], "big")
    return int.from_bytes(packet.payload[4:8], "big")


DIFFERENCES = [Difference(*row) for row in (
    ("sources that are not allowed", "a", "source-(elsewhere|other-tunnel)"
     "|direct-source-(reserved|link-local)", lambda kind, version, case:
     case != "direct-source-link-local" or version == 4, dropped,
     "tunload takes from a peer only what its allowed-ips contain; the kernel "
     "takes any source unless a reverse-path filter is on",
     "RFC 4213 3.6"),
    ("our own address as source", "a", "source-theirs",
     lambda kind, version, case: version == 6, dropped,
     "tunload drops an inner source that is this host's address; the kernel "
     "does so for IPv4 only", "RFC 4213 3.6"),
    ("embedded IPv4 addresses as source", "a",
     "direct-source-(mapped|compatible)", every, dropped,
     "tunload drops IPv4-mapped and IPv4-compatible inner sources "
     "(rx_martian), as that section wants; the kernel forwards them",
     "RFC 4213 3.6"),
    ("link-local destination", "a", "direct-destination-link-local",
     lambda kind, version, case: version == 6 and len(kind.inner) == 2, looped,
     "tunload drops it (rx_neighbour); the kernel's ip6tnl in mode any sends "
     "it on until its hop limit is used up",
     "RFC 4291 2.5.6"),
    ("destinations of a link", "a",
     "direct-destination-(link-local|all-hosts|all-nodes|reserved|broadcast"
     "|broadcast-of-lan)",
     lambda kind, version, case: not (
         version == 6 and case == "direct-destination-link-local"), dropped,
     "tunload drops what only a neighbour on the wire may send (rx_neighbour); "
     "behind the kernel's drivers it reaches the host or is forwarded",
     "RFC 3927 2.7, RFC 4291 2.7"),
    ("clamped MSS", "b", "syn|syn-ack|syn-odd", every, clamped,
     "tunload lowers the MSS of forwarded SYNs to what the tunnel carries; "
     "with the kernel's driver this is left to a firewall rule",
     "RFC 4459 3.2"),
    ("clamped MSS of what arrives", "a", "syn|syn-ack|syn-odd", every, clamped,
     "tunload lowers the MSS of SYNs out of a tunnel, too, as the other end "
     "need not do it; the kernel's driver leaves them alone",
     "RFC 4459 3.2"),
    ("eight bytes more fit", "b", r"size-(145[39]|14[678]\d|1500)(-df)?"
     "|options-big|fragment-big",
     lambda kind, version, case: encap_limit(kind), by_eight_bytes,
     "tunload inserts no Destination Options header, so a packet of 1453 to "
     "1460 bytes is not too big, and larger ones are cut or refused at 1460",
     "RFC 2473 5.1, RFC 7872"),
    ("quoted hop limit", "b", r"size-(14[68]1|1479|1480|1500)", hop_counts,
     hop_counted,
     "the packet that Packet Too Big quotes has passed the hop: Linux obeys a "
     "route's MTU behind the decrement, a device's before it",
     "RFC 4443 3.2"),
    ("inner encapsulation limit", "b", "header-limit-0",
     lambda kind, version, case: kind.outer == version == 6, delivered,
     "tunload does not read the inner packet's Tunnel Encapsulation Limit, "
     "which bounds how deep tunnels nest; the kernel's ip6tnl "
     "refuses a packet with limit 0", "RFC 2473 4.1.1"),
    ("low TTL", "b", "ttl-[23]", lambda kind, version, case: not fixed(kind),
     farther,
     "the outer TTL is the peer's, 64 by default, and the tunnel is one hop "
     "to the inner packet; with `ttl inherit` the packet is lost on the way",
     "RFC 2003 3.1, RFC 2473 6.3"),
    ("outer fragments", "a", f"{NARROW}|{NARROW_TCP}|narrow-1400", fragmented,
     dropped,
     "tunload deviates here: RFC 4213 3.6 requires a decapsulator to "
     "reassemble (as RFC 1122 3.3.2 does a host), but no hook of XDP or tc "
     "sees the whole packet; a fragment is counted (rx_fragment) and not "
     "delivered. Set `pmtudisc` at the other end",
     "against RFC 4213 3.6"),
    ("outer DF", "b", "narrow-1400", fragmented, refused,
     "tunload always sets the outer DF and tells the inner sender of the "
     "path's MTU; the kernel's sit with `nopmtudisc` has routers fragment",
     "RFC 4213 3.2.2"),
    ("answers about a path's MTU", "b", "narrow-1400(-df)?",
     lambda kind, version, case: not (fragmented(kind, version, case) and
                                      version == 6), answered,
     "with tunload they come from the inner destination, which every sender's "
     "reverse-path filter expects there, and quote 536 or 1232 bytes; without "
     "the encapsulation limit 8 bytes more fit", "RFC 1191 4, RFC 4443 3.2"),
    ("datagrams over a narrow path", "b", NARROW, stubborn, arrives,
     "once tunload knows the path's MTU, what has no inner DF is fragmented "
     "inside; the kernel's ipip sets the outer DF, and loses it",
     "RFC 2003 5.1"),
)]


def table():
    """The list as lines of Markdown, for scripts/compatibility."""
    yield "| difference | packets | reason | source |"
    yield "|---|---|---|---|"
    for d in DIFFERENCES:
        towards = "to tunload" if d.side == "a" else "from tunload"
        yield f"| {d.name} | {towards} | {d.reason} | {d.source} |"
