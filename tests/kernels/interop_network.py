# SPDX-License-Identifier: GPL-2.0-only
"""The hosts of the interoperability lab and the wires between them:

    lan_a --- a --- r1 --- r2 --- b --- lan_b

without tunnels, see interop_tunnels.py for the addresses. What is between the
routers can be made worse."""
import contextlib

from interop_tunnels import KINDS, SIDES, TUNNELS, inner, outer, prefix

NAMES = ["lan_a", "a", "r1", "r2", "b", "lan_b"]
LEFT, RIGHT = "west", "east"  # the interfaces of each host in that row
TOWARDS = {"a": RIGHT, "b": LEFT}  # from each side to the other one
LINK_MTU, NARROW = 1500, 1400
OFFLOADS = ["tx", "gso", "gro", "tso"]

# A queue with ECN, so slow that the first segments of a connection wait long
# enough to be marked, and a bad path.
QUEUE = """\
qdisc add dev {dev} root handle 1: tbf rate 10mbit burst 2k latency 400ms
qdisc add dev {dev} parent 1: fq_codel ce_threshold 5ms
"""
BAD_PATH = "qdisc add dev {dev} root netem delay 3ms 1ms reorder 20% loss 2%"
NO_QDISC = "qdisc del dev {dev} root"

# The outer ECN field of packets with an outer DSCP from 1 to 4 is rewritten,
# so that each one comes together with each inner one.
MARK = """
table inet codepoints {
	chain forward {
		type filter hook forward priority 0
RULES
	}
}
"""
# Routers that say nothing about packets with too low an inherited TTL, and ends
# that say nothing about what has no tunnel: an ICMP error puts the kernel's
# tunnels into an error state in which they complain about other packets.
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
    """A line for `ip -batch`."""
    if ":" in address:
        return f"addr add {address}/{128 if alone else 64} dev {dev} nodad"
    return f"addr add {address}/{32 if alone else 24} dev {dev}"


def marks():
    """The rules of MARK. For IPv6 version, traffic class and the first bits of
    the flow label at once: Linux 7 does not write the one byte that nft makes
    of `ip6 ecn set`."""
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
        self._between("r1", RIGHT, 1, 2)
        self._between("r2", LEFT, 2, 1)
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
        """Addresses of a host, its LAN and its router."""
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
        """Many lines of ip or tc at once."""
        self.ns[name].run(program, "-batch", "-", input="\n".join(lines))

    def forget(self, *names):
        """New default routes, to which no path MTU is known, on these hosts
        and LANs."""
        for name in names:
            side = name[-1]
            vias = [inner(side, 0, v, 1) if name.startswith("lan")
                    else outer(side, 254, v) for v in (4, 6)]
            self.batch(name, [f"route replace default via {v}" for v in vias])
            self.ns[name].sysctl("net.ipv4.route.flush", 1)

    @contextlib.contextmanager
    def qdiscs(self, lines):
        """Queues between the routers, in both directions."""
        for text in lines, NO_QDISC:
            for name, dev in ("r1", RIGHT), ("r2", LEFT):
                self.batch(name, [text.format(dev=dev)], "tc")
            if text == lines:
                yield

    @contextlib.contextmanager
    def narrow(self):
        """A link between the routers that carries less than the others."""
        for mtu in NARROW, LINK_MTU:
            for name, dev in ("r1", RIGHT), ("r2", LEFT):
                self.ns[name].ip("link", "set", dev, "mtu", mtu)
            if mtu == NARROW:
                yield

    @contextlib.contextmanager
    def offloads_off(self):
        """No super-packets, and checksums are computed."""
        for state in "off", "on":
            for side, name in (("a", "lan_a"), ("a", "a"), ("b", "b"),
                               ("b", "lan_b")):
                self.ns[name].run("ethtool", "-K", TOWARDS[side], *(
                    word for o in OFFLOADS for word in (o, state)))
            if state == "off":
                yield
