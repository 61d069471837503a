# SPDX-License-Identifier: GPL-2.0-only
"""What each check of xdp_ingress costs: the time that is gone when that check
alone is taken out of the source, measured like packet.py."""
from .harness import Table
from .packet import check_verdicts, measured, variant
from .programs import Wrapper

RUNS, REPEAT = 15, 200000

# name -> (file, text, instead), and the packets of which it is a part.
CHECKS = {
    "outer IPv4 checksum": ("decide/rx.h", "sum = csum_ip4(ip4);",
                            "sum = 0xffff;", ["4in4", "6in4"]),
    "outer lengths": ("decide/rx.h", "if (ip->tot_len < ip->hlen || "
                      "ip->tot_len > v->len)", "if (0)", ["4in4", "6in6"]),
    "martian source": ("decide/ingress.h", "if (family == 4 ? ip4_is_martian("
                       "*(const __be32 *)src)\n\t\t\t: ip6_is_martian(src))",
                       "if (0)", ["4in4", "6in6"]),
    "allowed source": ("decide/ingress.h", "prefix = find_prefix(family, src);",
                       "return PASSED;\n\tprefix = NULL;",
                       ["4in4", "6in6"]),
    "neighbour discovery": ("decide/ingress.h", "verdict = check_neighbour6("
                            "v, ip6, rx);", ";", ["6in6"]),
    "ECN": ("decide/ingress.h", "rx->ecn = ecn_decap(tos, outer->tos);",
            "rx->ecn = tos & ECN_MASK;", ["4in4", "6in6"]),
    "guard of plain packets": ("decide/ingress.h", "if (is_plain(final))",
                               "if (0)", ["plain IPv4", "plain IPv6"]),
    "time of the last packet": ("record/count.h", "if (o->verdict == TL_rx_decap)\n"
                                "\t\tstats->last_rx_ns = "
                                "bpf_ktime_get_coarse_ns();\n\telse ", "",
                                ["4in4", "6in6"]),
    "counters of the peer": ("record/count.h", "if (o->peer == TL_PEER_NONE)",
                             "if (1)", ["4in4", "6in6"]),
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
