# SPDX-License-Identifier: GPL-2.0-only
"""What each check of xdp_ingress costs: the time that is gone when that check
alone is taken out of the source, measured like packet.py."""
from .harness import Table
from .packet import check_verdicts, measured, variant
from .programs import Wrapper

RUNS, REPEAT = 15, 200000

# name -> (file, text, instead), and the packets of which it is a part.
CHECKS = {
    "outer IPv4 checksum": (
        "decide/lean.h", "if (outer == 4 && !ip4_checksum_is_right(v->at))",
        "if (0)", ["4in4", "6in4"]),
    "outer addresses and source, as remembered": (
        "decide/flows.h", "if (entry && is_flow(entry, at, outer, inner) &&",
        "if (entry &&", ["4in4", "6in6"]),
    "inner IPv4 destination": (
        "decide/lean.h", "check_neighbour4(ip) != PASSED ||", "!end ||",
        ["4in4", "4in6"]),
    "inner IPv6 destination, neighbour discovery": (
        "decide/lean.h", "ip->hop_limit == HOP_LIMIT_ND || "
        "ip6_is_link_scope(&ip->daddr) ||", "!end ||", ["6in4", "6in6"]),
    "ECN": ("decide/lean.h", "rx.ecn = ecn_decap(tos, outer_tos);",
            "rx.ecn = tos & ECN_MASK;", ["4in4", "6in6"]),
    "guard of plain packets": (
        "decide/lean.h",
        "if (!cache_hit(entry, &key, n, family, generation))",
        "if (0)", ["plain IPv4", "plain IPv6"]),
    "counters of the peer": (
        "record/count.h", "if (o->peer == TL_PEER_NONE)", "if (1)",
        ["4in4", "6in6"]),
}


def run(args):
    """The table."""
    wrapper = Wrapper(args.work)
    runners = {"": variant(args.work)}
    check_verdicts(runners[""])
    for name, (*change, _) in CHECKS.items():
        runners[name] = variant(args.work, change=change)
    kinds = {name: check[3] for name, check in CHECKS.items()}
    samples = measured(
        wrapper, {n: r.progs["xdp_ingress"] for n, r in runners.items()},
        args.runs or RUNS, args.repeat or REPEAT, kinds)
    table = Table("checks", "ns a packet", ["check", "ns"])
    table.samples = samples
    for name, of in kinds.items():
        for kind in of:
            table.row(f"{name} ({kind})", samples.least(("", kind))
                      - samples.least((name, kind)))
    yield table
