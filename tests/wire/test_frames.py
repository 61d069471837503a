# SPDX-License-Identifier: GPL-2.0-only
"""The packet cases over a wire in tc mode, as skbs with only the Ethernet
header in their linear part. Some drivers receive such frames; sendfile(),
containers and virtual machines send them."""
import os
from copy import copy
from dataclasses import replace

import pytest

from capture import RingSender
from lab import Lab, wait_until
from packets import bpf, case, egress, wire
from packets.case import HOOKS
from packets.compare import (READABLE, compare, compare_counters,
                             headers_len, masked)
from packets.ingress import NOP4
from packets.runner import Runner
from packets.tables import all_cases
from packets.world import FrozenPrefixes

CASES = all_cases()
MTU = 9200
PAGE = 4096

TAGS = (b"\x81\0", b"\x88\xa8")


class Host(Runner):
    """A host with tunload attached to eth0, and no address, so that only the
    frames of a test pass. The test writes the maps: they name another interface
    than the one attached to, or the programs would refuse frames of a packet
    socket; and they have all next hops, since the kernel has none."""

    def __init__(self, lab):
        far, near = lab.netns("far"), lab.netns("near")
        lab.veth(far, "eth0", near, "eth0", mtu=MTU, offload=False)
        for ns in far, near:
            ns.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
        self.near = near
        tunload = lab.tunload(near)
        tunload.attach("[interface]\n", "--mode", "tc")
        self.progs = {}
        self.maps = {}
        for prog in "prog_tc_ingress", "prog_tc_egress":
            self.maps |= bpf.maps_of(bpf.obj_get(os.path.join(tunload.pins,
                                                              prog)))
        self.maps["generations"] = bpf.Map(bpf.obj_get(
            os.path.join(tunload.pins, "generations")))
        writer = bpf.obj_get(os.path.join(tunload.pins, "prog_write_prefixes"))
        for name in "prefixes4", "prefixes6":
            self.maps[name] = FrozenPrefixes(self.maps[name], writer)
        self.maps.pop("lengths")
        self.world, self.listen, self.runs = None, False, 0
        self.ring = lab.keep(bpf.Ring(self.maps["events"]))
        self.senders = {
            "tc_ingress": lab.keep(RingSender(far, "eth0")),
            "tc_egress": lab.keep(RingSender(near, "eth0"))}
        self.outcomes = {
            "tc_ingress": lab.tap(near, "eth0").received(),
            "tc_egress": lab.capture(far, "eth0",
                                     lambda frame: not frame.outgoing)}
        self.last = self._verdicts()

    def enter(self, world, listen=False):
        """As in Runner; all next hops are known unless the case sets them."""
        if not world.next_hops:
            world = copy(world)
            world.next_hops = dict.fromkeys(world.peers, (2 ** 62, wire.ETH))
        world.write(self.maps, listen)
        self.world, self.listen = world, listen

    def quick(self, prog, data, ctx=None):
        """As in Runner; the packet is empty if its verdict drops it."""
        self.outcomes[prog].clear()
        self.senders[prog].send(data)
        counted = {}
        wait_until(lambda: counted.update(self.counted()) or counted,
                   "the frame is counted")
        self.runs += 1
        if case.FATES[next(iter(counted))] == "DROP":
            return None, b"", counted
        frames = self.outcomes[prog].wait(1)
        assert len(frames) == 1, [f.data.hex() for f in frames]
        frame, = frames
        return None, frame.data, counted


@pytest.fixture(name="host", scope="module")
def fixture_host():
    with Lab() as lab:
        lab.watch = False  # some cases have a gateway's addresses
        yield Host(lab)


def hooks(one):
    """The tc programs that a case can run in over a wire: its result is seen
    there, and its headers are not too long to be made readable, or do not
    matter. XDP's cases over a page, which are too long for a test run in tc,
    run in tc here; so do XDP's cases of tagged frames."""
    if one.gso or one.answer or len(one.data) > MTU or (
            headers_len(one) > READABLE and one.verdict != "rx_borrowed"):
        return []
    if one.verdict in ("tx_tunnelled", "tx_answered") or (
            one.redirect and (one.world.next_hops or one.hook == "tc")):
        return []  # the kernel decides where these frames go
    if one.data[12:14] in TAGS:
        return ["tc_ingress"] * (one.hook == "xdp" and len(one.data) > 18)
    if one.hook == "xdp" and len(one.data) > PAGE:
        return ["tc_ingress"]
    return [prog for prog in HOOKS[one.hook] if prog != "xdp_ingress"]


@pytest.mark.parametrize("one,prog", [
    pytest.param(one, prog, id=f"{prog}: {one.name}") for one in CASES
    for prog in hooks(one)])
def test_case(host, one, prog):
    host.enter(one.world)
    if one.verdict == "tx_encap" and not one.world.next_hops:
        one = replace(one, out=wire.ETH + one.out[12:])
    result = host.run(prog, one.data)
    compare_counters(one, result)
    compare(one, result.data)
    if one.check:
        one.check(result.data)


def test_largest_packet_of_the_device(host):
    """An outer packet that routers may fragment, as the inner one has IP
    options (RFC 2003 5.1), must fit the device, since the kernel does not
    fragment behind tc."""
    host.enter(egress.VARIANTS)
    peer, dst = egress.VARIANT_PEERS[4, 64, 1280]
    fitting, longer = (wire.eth(wire.udp(
        4, case.US[4], dst[4], size - 32, options=NOP4), to=peer.mac)
        for size in (MTU - 20, MTU - 19))
    _, out, counted = host.quick("tc_egress", fitting)
    assert counted == {"tx_encap": (1, MTU - 20)}
    egress.check_fragmentable(out)
    want = wire.eth(wire.to_peer(peer, fitting[14:], df=False))
    loose = 18, 19, 24, 25
    assert masked(out, loose) == masked(want, loose)
    assert host.quick("tc_egress", longer)[2]["tx_too_big"] == (1, MTU - 19)
