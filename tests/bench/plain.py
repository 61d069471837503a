# SPDX-License-Identifier: GPL-2.0-only
"""What a packet pays that tunload leaves alone, as every packet of a host
does: test runs of each program, less those of an empty one. Two peers, each
with a guarded prefix of both families. The minimum of the runs counts."""
from scapy.layers.l2 import ARP, Ether

from .harness import Table, interleave
from .packet import packets, variant
from .programs import Programs, Wrapper, timed_tc

RUNS, REPEAT = 25, 200000
KINDS = {"tc_ingress": "rx_plain", "tc_egress": "tx_plain"}


def kinds():
    """{name: bytes} of packets that are not tunnelled."""
    arp = bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff")
                / ARP(psrc="192.0.2.9", pdst="192.0.2.1"))
    return {**{name: data for name, data in packets().items()
               if name == "not IP" or name.startswith("plain")},
            "ARP": arp.ljust(114, b"\0")}


def run(args):
    """The table."""
    wrapper, empty = Wrapper(args.work), Programs(args.work, "tc")
    runner = variant(args.work)
    repeat = args.repeat or REPEAT
    measures = {}
    for kind, data in kinds().items():
        for name, verdict in {"xdp_ingress": "rx_plain", **KINDS}.items():
            counted = list(runner.run(name, data).counted)
            assert counted == [verdict], (kind, name, counted)
        for name, prog in (("no XDP", wrapper.progs["empty"]),
                           ("xdp_ingress", runner.progs["xdp_ingress"])):
            measures[name, kind] = \
                lambda d=data, p=prog: wrapper.time(p, d, repeat)
        for name, prog in (("no tc", empty.progs["tc_empty"]),
                           *((n, runner.progs[n]) for n in KINDS)):
            measures[name, kind] = \
                lambda d=data, p=prog: timed_tc(p, d, repeat)
    samples = interleave(args.runs or RUNS, measures)
    table = Table("plain", "ns a packet",
                  ["packet", "xdp_ingress", *KINDS])
    table.samples = samples
    for kind in kinds():
        table.row(kind, samples.least(("xdp_ingress", kind))
                  - samples.least(("no XDP", kind)),
                  *(samples.least((n, kind)) - samples.least(("no tc", kind))
                    for n in KINDS))
    table.draw("bars", "xdp_ingress", *KINDS)
    yield table
