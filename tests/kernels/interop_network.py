# SPDX-License-Identifier: GPL-2.0-only
"""The hosts of the interoperability lab and the wires between them:

    lan_a --- a --- r1 --- r2 --- b --- lan_b

without tunnels; interop_tunnels.py has the addresses. The link between the
routers can be slow, narrow or lossy."""
import contextlib
import itertools
import json

from interop_tunnels import (KINDS, OTHER, SIDES, TUNNELS, inner, outer,
                             prefix)

NAMES = ["lan_a", "a", "r1", "r2", "b", "lan_b"]
LEFT, RIGHT = "west", "east"  # the two interfaces of a host in that row
TOWARDS = {"a": RIGHT, "b": LEFT}  # each side's interface towards the other
BETWEEN = [("r1", RIGHT), ("r2", LEFT)]  # the ends of the link in the middle
EDGES = {"a": ("r1", LEFT), "b": ("r2", RIGHT)}  # the routers' ends towards a, b
LINK_MTU, NARROW = 1500, 1400
ETHERNET = 14
OFFLOADS = ["tx", "gso", "gro", "tso"]
# A link-local address of b's interface, and a port on which b listens for
# packets to itself.
LINK_LOCAL, LISTEN = "fe80::b", 7778
# b routes these destinations, which no host has, to its LAN, where packets to
# them are captured.
STRANGE = ["169.254.0.0/16", "240.0.0.0/4", "::/96", "::ffff:0:0/96"]

# A queue with ECN, slow enough that it marks the first segments of a connection,
# and a path with delay, reordering and loss.
QUEUE = """\
qdisc add dev {dev} root handle 1: tbf rate 10mbit burst 2k latency 400ms
qdisc add dev {dev} parent 1: fq_codel ce_threshold 5ms
"""
BAD_PATH = "qdisc add dev {dev} root netem delay 3ms 1ms reorder 20% loss 2%"
NO_QDISC = "qdisc del dev {dev} root"

# Rewrites the outer ECN field of packets with an outer DSCP from 1 to 4, so that
# each outer codepoint meets each inner one.
MARK = """
table inet codepoints {
	chain forward {
		type filter hook forward priority 0
RULES
	}
}
"""
# Keeps routers from answering packets with too low an inherited TTL, and ends
# from answering packets without a tunnel: ICMP errors put the kernel's tunnels
# into an error state in which they send errors about other packets.
SILENT = """
table inet silent {
	chain output {
		type filter hook output priority 0
		ip daddr { 192.0.2.0/24, 198.51.100.0/24 } \\
			icmp type time-exceeded drop
		ip6 daddr { 2001:db8:a::/64, 2001:db8:b::/64 } \\
			icmpv6 type time-exceeded drop
		ip daddr 192.0.2.0/24 icmp type destination-unreachable \\
			icmp code != 4 drop
		ip6 daddr 2001:db8:a::/64 \\
			icmpv6 type { destination-unreachable, parameter-problem } drop
	}
}
"""


def address_line(address, dev, alone=False):
    """A line for `ip -batch` that adds an address; alone: a host address."""
    if ":" in address:
        return f"addr add {address}/{128 if alone else 64} dev {dev} nodad"
    return f"addr add {address}/{32 if alone else 24} dev {dev}"


def marks():
    """The rules of MARK. For IPv6 they set version, traffic class and the first
    bits of the flow label at once, as Linux 7 does not write the single byte of
    nft's `ip6 ecn set`."""
    for ecn in range(4):
        dscp = ecn + 1
        yield f"\t\tip dscp {dscp} ip ecn set {ecn}"
        yield (f"\t\tip6 dscp {dscp} @nh,0,16 set "
               f"{0x6000 | dscp << 6 | ecn << 4:#x}")


class Network:
    """The namespaces, .ns by name."""

    def __init__(self, lab):
        self.lab = lab
        self.ns = {name: lab.netns(name) for name in NAMES}
        for ns in self.ns.values():
            self._sysctls(ns)
        for left, right in zip(NAMES, NAMES[1:]):
            lab.veth(self.ns[left], RIGHT, self.ns[right], LEFT)
        for side, router in zip(SIDES, ("r1", "r2")):
            self._side(side, router)
        for (router, dev), own in zip(BETWEEN, (1, 2)):
            self._between(router, dev, own, 3 - own)
        # The routers split super-packets, as a network card does; else veth
        # would leave the receiver nothing to merge (GRO).
        for router, dev in EDGES.values():
            self._offload(router, dev, "off", ["gso", "tso"])
        self.batch("b", [f"addr add {LINK_LOCAL}/64 dev {LEFT} nodad"] + [
            f"route add {net} via {inner('b', 0, 6 if ':' in net else 4, 2)}"
            for net in STRANGE])
        for name in "r1", "r2", "b":
            self.ns[name].nft(SILENT)
        self.ns["r1"].nft(MARK.replace("RULES", "\n".join(marks())))

    @staticmethod
    def _sysctls(ns):
        for dev in "all", "default":
            ns.sysctl(f"net.ipv4.conf.{dev}.rp_filter", 0)
        ns.sysctl("net.ipv4.ping_group_range", "0 0")
        ns.sysctl("net.ipv4.tcp_ecn", 1)
        if not ns.label.startswith("lan"):
            ns.forward()

    def _side(self, side, router):
        """Sets the addresses of a host, its LAN and its router."""
        there = TOWARDS[side]
        back = LEFT if there == RIGHT else RIGHT
        lines = [address_line(outer(side, n, v), there)
                 for n in range(1, len(KINDS) + 1) for v in (4, 6)]
        lines += [address_line(inner(side, 0, v, 1), back) for v in (4, 6)]
        lan = [address_line(inner(side, 0, v, 2), there) for v in (4, 6)]
        for n, _, v in TUNNELS:
            lines += [address_line(inner(side, n, v, 1), "lo", True),
                      f"route add {prefix(side, n, v)} via "
                      f"{inner(side, 0, v, 2)}"]
            lan.append(address_line(inner(side, n, v, 2), "lo", True))
        self.batch(side, lines)
        self.batch(f"lan_{side}", lan)
        self.batch(router, [address_line(outer(side, 254, v), back)
                            for v in (4, 6)])

    def _between(self, router, dev, own, other):
        self.batch(router, [
            line for net in ("203.0.113.", "2001:db8:c::")
            for line in (address_line(f"{net}{own}", dev),
                         f"route add default via {net}{other}")])

    def batch(self, name, lines, program="ip"):
        """Runs lines of ip or tc on a host, all at once."""
        self.ns[name].batch(*lines, program=program)

    def forget(self, *names):
        """Makes hosts and LANs forget path MTUs: replaces their default routes
        and flushes what was learnt."""
        for name in names:
            side = name[-1]
            vias = [inner(side, 0, v, 1) if name.startswith("lan")
                    else outer(side, 254, v) for v in (4, 6)]
            self.batch(name, [f"route replace default via {v}" for v in vias])
            self.ns[name].sysctl("net.ipv4.route.flush", 1)

    @contextlib.contextmanager
    def qdiscs(self, lines):
        """Adds qdiscs between the routers, in both directions. Yields a list that
        has the statistics of the root qdiscs at the end."""
        counted = []
        for name, dev in BETWEEN:
            self.batch(name, [lines.format(dev=dev)], "tc")
        yield counted
        for name, dev in BETWEEN:
            counted.append(json.loads(self.ns[name].run(
                "tc", "-s", "-j", "qdisc", "show", "dev", dev).stdout)[0])
            self.batch(name, [NO_QDISC.format(dev=dev)], "tc")

    @contextlib.contextmanager
    def narrow(self):
        """Makes the link between the routers narrower than the others."""
        for mtu in NARROW, LINK_MTU:
            for name, dev in BETWEEN:
                self.ns[name].ip("link", "set", dev, "mtu", mtu)
            if mtu == NARROW:
                yield

    def _offload(self, name, dev, state, offloads):
        self.ns[name].run("ethtool", "-K", dev, *(
            word for o in offloads for word in (o, state)))

    def offloads(self, state, ends):
        """Switches offloads "on" or "off": super-packets and unfinished
        checksums of hosts and LANs, and GRO of the tunnel devices of the sides
        `ends`. GRO of veth is off by default."""
        for side in SIDES:
            for name in side, f"lan_{side}":
                self._offload(name, TOWARDS[side], state, OFFLOADS)
        for side, n in itertools.product(ends, range(1, len(KINDS) + 1)):
            self._offload(side, f"t{n}", state, ["gro"])

    @contextlib.contextmanager
    def offloads_off(self, ends):
        """Switches all offloads off as a context."""
        self.offloads("off", ends)
        yield
        self.offloads("on", ends)

    @contextlib.contextmanager
    def frame_sizes(self, side):
        """Yields a list that has two average frame sizes at the end: of frames
        that a side's host sent (GSO), and of those that the other side's LAN
        received (GRO)."""
        router, edge = EDGES[side]
        there = OTHER[side]
        devices = (router, edge), (f"lan_{there}", TOWARDS[there])
        before = [self._received(*device) for device in devices]
        sizes = []
        yield sizes
        for device, (octets, packets) in zip(devices, before):
            after = self._received(*device)
            sizes.append((after[0] - octets) / (after[1] - packets))

    def _received(self, name, dev):
        """(bytes, packets) that an interface has received."""
        def read():
            with open("/proc/thread-self/net/dev", encoding="ascii") as f:
                line = next(line for line in f
                            if line.strip().startswith(dev + ":"))
            return [int(n) for n in line.split()[1:3]]
        return self.ns[name].call(read)
