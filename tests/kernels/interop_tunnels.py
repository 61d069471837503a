# SPDX-License-Identifier: GPL-2.0-only
"""The tunnels of the interoperability lab, and the addresses in it.

    lan_a --- a --- r1 --- r2 --- b --- lan_b

Between a and b there is one tunnel of each kind, and all are up at once. On a
each is a device of the kernel; on b too, or tunload is there. Each tunnel
number n has outer addresses and inner prefixes of its own."""
from collections import namedtuple

Kind = namedtuple("Kind", "name outer inner driver options")
Kind.__doc__ = """A kernel tunnel: outer version, inner versions; and its type and
options for `ip link add`, which say how it fills in the outer header."""

INHERIT4 = "ttl inherit tos inherit"
INHERIT6 = "hoplimit 0 tclass inherit"
FIXED_TTL, FIXED_DSCP = 77, 10

KINDS = [Kind(*row) for row in (
    ("ipip", 4, (4,), "ipip", INHERIT4),
    ("ipip-fixed", 4, (4,), "ipip",
     f"ttl {FIXED_TTL} tos {FIXED_DSCP << 2:#x}"),
    ("ipip-nopmtudisc", 4, (4,), "ipip", INHERIT4 + " nopmtudisc"),
    ("sit", 4, (6,), "sit", INHERIT4),
    ("sit-nopmtudisc", 4, (6,), "sit", INHERIT4 + " nopmtudisc"),
    ("ipip6-none", 6, (4,), "ip6tnl mode ipip6",
     INHERIT6 + " encaplimit none"),
    ("ipip6-4", 6, (4,), "ip6tnl mode ipip6", INHERIT6),
    ("ip6ip6-none", 6, (6,), "ip6tnl mode ip6ip6",
     INHERIT6 + " encaplimit none"),
    ("ip6ip6-4", 6, (6,), "ip6tnl mode ip6ip6", INHERIT6),
    ("any-none", 6, (4, 6), "ip6tnl mode any",
     f"hoplimit {FIXED_TTL} tclass inherit encaplimit none"),
    ("any-4", 6, (4, 6), "ip6tnl mode any",
     f"hoplimit {FIXED_TTL} tclass {FIXED_DSCP << 2:#x}"),
)]

# (number, kind, inner version) of each tunnel and inner version.
TUNNELS = [(n, kind, v) for n, kind in enumerate(KINDS, 1)
           for v in kind.inner]

SIDES = ("a", "b")
OTHER = {"a": "b", "b": "a"}
LAST = 16  # bytes at the end of a tunnel's last packet, different for each
INNER_LENGTH = {4: 24, 6: 64}


def outer(side, n, version):
    """The outer address of host a or b for tunnel n; n=254: of its router."""
    if version == 4:
        return f"{'192.0.2' if side == 'a' else '198.51.100'}.{n}"
    return f"2001:db8:{side}::{n:x}"


def inner(side, n, version, host):
    """An inner address of tunnel n at a side: host 1 is a or b, 2 is lan_a or
    lan_b, others are unused; n=0 is the link between the two hosts."""
    net = SIDES.index(side) + 1
    if version == 4:
        return f"10.{net}.{n}.{host}"
    return f"fd00:{net}:{n:x}::{host:x}"


def prefix(side, n, version):
    """The inner prefix of tunnel n at a side."""
    return f"{inner(side, n, version, 0)}/{INNER_LENGTH[version]}" \
        if version == 4 else f"fd00:{SIDES.index(side) + 1}:{n:x}::/64"


def fixed(kind):
    """True if the outer TTL does not depend on the inner one."""
    return str(FIXED_TTL) in kind.options


def fixed_dscp(kind):
    """True if the outer DSCP does not depend on the inner one."""
    return f"{FIXED_DSCP << 2:#x}" in kind.options


def tunnel_name(kind, version):
    """The name of one of TUNNELS."""
    return f"{kind.name} IPv{version}"


def encap_limit(kind):
    """True if the tunnel sends and obeys the option of RFC 2473 4.1.1."""
    return kind.outer == 6 and "encaplimit none" not in kind.options


def outer_fragments(kind):
    """True if routers may fragment its outer packets (outer DF not set)."""
    return "nopmtudisc" in kind.options
