# SPDX-License-Identifier: GPL-2.0-only
"""What forward = xdp costs for each packet that XDP sends into a tunnel, back by
the interface that it came by (XDP_TX) or from another one, when the CPU
remembers the packet's way; beside it a program that only asks the kernel for the
way (bpf_fib_lookup), as the first packet of a flow does. Test runs, less those
of an empty program. The minimum of the runs counts."""
from packets import bpf
from packets.forward_host import OUT, WORLD, Host, abroad, from_lan, plain

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
            for other in "empty", f"fib{name[0]}":
                measures[name, way, other] = one(wrapper.progs[other], device,
                                                 data)
        assert WORLD.ifindex == host.index["in0"]
        samples = interleave(args.runs or RUNS, measures)
    finally:
        host.close()
    table = Table("forward", "ns a packet",
                  ["packet", *WAYS, "bpf_fib_lookup alone"])
    table.samples = samples
    for name in dict.fromkeys(name for name, _ in frames()):
        empty = {way: samples.least((name, way, "empty")) for way in WAYS}
        fib = samples.least((name, "XDP_TX", f"fib{name[0]}"))
        table.row(name, *(samples.least((name, way)) - empty[way]
                          for way in WAYS), fib - empty["XDP_TX"])
    table.draw("bars", *WAYS)
    yield table
