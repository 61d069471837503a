# SPDX-License-Identifier: GPL-2.0-only
"""What forward = xdp costs for each packet that XDP sends into a tunnel, back by
the interface that it came by (XDP_TX) or from another one: test runs, less those
of a program that only asks the kernel for the packet's way (bpf_fib_lookup), as
this does. The minimum of the runs counts."""
from packets import bpf
from packets.test_forward import OUT, WORLD, Host, abroad, from_lan, plain

from .harness import Table, interleave
from .programs import Wrapper

RUNS, REPEAT = 25, 200000
WAYS = {"XDP_TX": ("xdp_ingress", "in0", abroad),
        "redirected": ("xdp_forward", "out0", from_lan)}


def frames():
    """{(combination, way): frame} of what goes into a tunnel."""
    return {(f"{inner}in{outer}", way): bytes(plain(
        packet(inner, outer, size=100),
        **{"to": OUT} if device == "out0" else {}))
        for inner in (4, 6) for outer in (4, 6)
        for way, (_, device, packet) in WAYS.items()}


def run(args):
    """The table."""
    wrapper, host = Wrapper(args.work), Host()
    repeat = args.repeat or REPEAT
    host.enter()
    measures = {}

    def one(prog, device, data):
        ctx = bpf.XdpMd(data_end=len(data),
                        ingress_ifindex=host.index[device])
        return lambda: host.ns.call(wrapper.time, prog, data, repeat, ctx=ctx)
    try:
        for (name, way), data in frames().items():
            prog, device, _ = WAYS[way]
            assert host.run(data, device).verdict == "tx_forward", (name, way)
            measures[name, way] = one(host.runner.progs[prog], device, data)
            measures[name, way, "FIB"] = one(wrapper.progs[f"fib{name[0]}"],
                                             device, data)
        assert WORLD.ifindex == host.index["in0"]
        samples = interleave(args.runs or RUNS, measures)
    finally:
        host.close()
    table = Table("forward", "ns a packet",
                  ["packet", *WAYS, "of which the FIB's, not counted"])
    table.samples = samples
    for name in dict.fromkeys(name for name, _ in frames()):
        fib = {way: samples.least((name, way, "FIB")) for way in WAYS}
        table.row(name, *(samples.least((name, way)) - fib[way]
                          for way in WAYS), fib["XDP_TX"])
    table.draw("bars", *WAYS)
    yield table
