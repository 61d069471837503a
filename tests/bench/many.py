# SPDX-License-Identifier: GPL-2.0-only
"""What xdp_ingress costs with many peers and prefixes, when packets come from
all of them alike (uniform) or mostly from some (Zipf).

The loader attaches with the peers; the program that it pins is test-run behind
one that takes the next of a million sources (`pick` in xdp.bpf.c), less the
time of an empty program there. The minimum of the runs counts, and the median
of several attachments of a small size (Samples.typical()). Two peers with a
prefix each take turns with each size, for the ratio. Each run of a small size
follows one that is not measured: what CPUs remember is renewed once a second,
not in each run."""
import ipaddress
import itertools
import mmap
import os
import random
import struct

from packets import bpf

from .harness import Table, interleave, say
from .packet import packets
from .pair import quiet_lab
from .programs import Wrapper

RUNS = 3
SMALL = 1000  # prefixes; up to these, differences are of a few ns ...
SMALL_RUNS = 5  # ... and there are so many times the runs,
SMALL_COPIES = 5  # of so many attachments
SOURCES = 1 << 20  # of xdp.bpf.c
SIZES = [(1, 1), (2, 2), (1, 1000), (1, 100000), (1, 1000000), (1000, 1000),
         (1000, 1000000), (100000, 100000), (100000, 1000000)]
FAMILIES = {4: "4in4", 6: "6in6"}
LOCAL = {4: "192.0.2.9/24", 6: "2001:db8::9/64"}  # of packets()
ROUTER = {4: "192.0.2.1", 6: "2001:db8::1"}
ROUTER_MAC = "02:00:00:00:00:99"
FIRST_ENDPOINT = {4: "198.18.0.0", 6: "2001:db8:1::"}
FIRST_PREFIX = {4: "11.0.0.0", 6: "fd00:1000::"}
PREFIX_LEN = {4: 24, 6: 64}
SHAPES = {"uniform": "many", "Zipf": "many_zipf"}  # {shape: table}
OTHERS = {"empty": "empty", "floor": "floor_decap", "lines": "two_lines"}
A_LINE = 1000  # prefixes


def with_checksum(header):
    """An IPv4 header with its checksum."""
    words = [int.from_bytes(header[i:i + 2], "big") for i in range(0, 20, 2)]
    total = sum(words) - words[5]
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return header[:10] + (total ^ 0xffff).to_bytes(2, "big") + header[12:]


def mask(number):
    """The next power of two, less one."""
    return (1 << (number - 1).bit_length()) - 1


class Population:
    """Peers of one family with prefixes of the same, all the same number of
    them."""

    def __init__(self, family, peers, prefixes):
        self.family, self.peers = family, peers
        self.each = prefixes // max(peers, 1)
        self.frame = packets()[FAMILIES[family]]

    def is_small(self):
        """True if differences are small."""
        return self.peers * self.each <= SMALL

    def endpoint(self, peer):
        """The outer address of a peer."""
        return ipaddress.ip_address(FIRST_ENDPOINT[self.family]) + peer

    def prefix(self, number):
        """The first address of a prefix."""
        first = ipaddress.ip_address(FIRST_PREFIX[self.family])
        return first + (number << first.max_prefixlen
                        - PREFIX_LEN[self.family])

    def of(self, peer):
        """The numbers of its prefixes."""
        return range(peer * self.each, (peer + 1) * self.each)

    def allowed(self, numbers):
        """The value of allowed-ips."""
        return ", ".join(f"{self.prefix(n)}/{PREFIX_LEN[self.family]}"
                         for n in numbers)

    def conf(self, settings="routes = no", ttl=64):
        """The configuration; ttl: of the last peer."""
        parts = [f"[interface]\nmode = tc\n{settings}"]
        for peer in range(self.peers):
            parts.append(f"[peer p{peer}]\nendpoint = {self.endpoint(peer)}\n"
                         "keepalive = 0")
            numbers = iter(self.of(peer))
            while some := list(itertools.islice(numbers, A_LINE)):
                parts.append(f"allowed-ips = {self.allowed(some)}")
        if self.peers:
            parts.append(f"ttl = {ttl}")
        return "\n".join(parts) + "\n"

    def sources(self):
        """What `pick` writes into the frame, for each prefix."""
        found, frame = [], self.frame
        for peer in range(self.peers):
            outer = self.endpoint(peer).packed
            if self.family == 4:
                outer = with_checksum(frame[14:26] + outer
                                      + frame[30:34])[10:] + frame[34:40]
            for number in self.of(peer):
                inner = (self.prefix(number) + 1).packed
                if self.family == 4:
                    inner = frame[44:46] + inner + frame[50:60]
                found.append(outer + inner)
        return found


def drawn(sources):
    """{distribution: SOURCES of them, in a row}."""
    dice = random.Random(1)
    dice.shuffle(sources)
    zipf = list(itertools.accumulate(
        1 / rank for rank in range(1, len(sources) + 1)))
    return {"uniform": b"".join(dice.choices(sources, k=SOURCES)),
            "Zipf": b"".join(dice.choices(sources, cum_weights=zipf,
                                          k=SOURCES))}


class Attached:
    """A population that is attached."""

    def __init__(self, lab, population, settings="routes = no"):
        self.population = population
        ns, self.router = lab.netns("many"), lab.netns("router")
        lab.veth(ns, "eth0", self.router, "eth0")
        ns.addr("eth0", *LOCAL.values())
        for address in ROUTER.values():
            ns.ip("route", "add", "default", "via", address)
            ns.ip("neigh", "replace", address, "lladdr", ROUTER_MAC, "dev",
                  "eth0", "nud", "permanent")
        self.tl = lab.tunload(ns, "eth0", lab.new_bpffs())
        self.tl.attach(population.conf(settings), "--no-trigger", timeout=600)

    def close(self):
        """Detaches."""
        self.tl.close()


class Tested(Attached):
    """The same, with drawn sources for test runs of the program."""

    def __init__(self, lab, wrapper, population):
        super().__init__(lab, population)
        self.wrapper = wrapper
        self.prog = bpf.obj_get(f"{self.tl.pins}/prog_xdp_ingress")
        self.drawn = drawn(population.sources())
        self.window = mmap.mmap(wrapper.maps["sources"].fd, 32 * SOURCES)
        self.fill_floor()

    def fill_floor(self):
        """Tells the floor of all peers."""
        family = self.population.family.to_bytes(4, "little")
        for peer in range(self.population.peers):
            source = self.population.endpoint(peer).packed
            self.wrapper.maps["floor_peers"].update(
                family + source.ljust(16, b"\0"), peer.to_bytes(4, "little"))

    def time(self, distribution, repeat, prog=None):
        """Nanoseconds of the program, or of another, for those sources."""
        self.window[:] = self.drawn[distribution]
        peers = self.population.peers
        self.wrapper.maps["line_masks"].update(
            bytes(4), struct.pack("=II", mask(peers * self.population.each),
                                  mask(peers)))
        return self.wrapper.time(prog or self.prog, self.population.frame,
                                 repeat, "pick", self.population.family)

    def warm(self, distribution, repeat):
        """The same of the program; of few prefixes, after a first run."""
        if self.population.is_small():
            self.time(distribution, repeat)
        return self.time(distribution, repeat)

    def check(self):
        """Fails unless all packets are decapsulated."""
        before = self.tl.verdict("rx_decap")
        self.time("uniform", 1000)
        assert self.tl.verdict("rx_decap") == before + 1000

    def close(self):
        """Detaches."""
        self.window.close()
        os.close(self.prog)
        super().close()


def attached(lab, kind, work, population):
    """kind(lab, work, population), of a small population several."""
    hosts = [lab.keep(kind(lab, work, population))
             for _ in range(SMALL_COPIES if population.is_small() else 1)]
    for host in hosts:
        host.check()
    return hosts


def measured(wrapper, two, many, runs, repeat):
    """Samples of the attachments of both, and of other programs."""
    measures = {}
    for way in SHAPES:
        for which, hosts in ("two", two), ("many", many):
            for name, prog in OTHERS.items():
                measures[which, name, way, 0] = (
                    lambda h=hosts[0], w=way, p=wrapper.progs[prog]:
                    h.time(w, repeat, p))
            for copy, host in enumerate(hosts):
                measures[which, "ours", way, copy] = (
                    lambda h=host, w=way: h.warm(w, repeat))
    return interleave(runs, measures)


def took(samples, which, name, way):
    """ns of a program, less those of the empty one."""
    return samples.typical(which, name, way) \
        - samples.typical(which, "empty", way)


def cells(samples, way):
    """ns and the ratio to two peers, of the program and of the floor; ns of the
    least that tables of prefixes and peers can take."""
    for name in "ours", "floor", "lines":
        many, two = (took(samples, which, name, way)
                     for which in ("many", "two"))
        yield many
        if name != "lines":
            yield round(many / max(two, 1), 2)


def short(number):
    """1000 as 1k, and so on."""
    for size, letter in (10 ** 6, "M"), (1000, "k"):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)


def run(args):
    """The tables."""
    runs, repeat = args.runs or RUNS, args.repeat or SOURCES
    rows = {(way, size): [] for way in SHAPES for size in SIZES}
    # One CPU: the counters of each are made at its first packet of a peer.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for family, combination in FAMILIES.items():
        wrapper = Wrapper(args.work)
        with quiet_lab() as lab:
            two = attached(lab, Tested, wrapper, Population(family, 2, 2))
            for size in SIZES:
                say(f"{combination}, {size[0]:,} peers x {size[1]:,}")
                with quiet_lab() as inside:
                    population = Population(family, *size)
                    many = attached(inside, Tested, wrapper, population)
                    samples = measured(
                        wrapper, two, many,
                        runs * (SMALL_RUNS if population.is_small() else 1),
                        repeat)
                    for way in SHAPES:
                        rows[way, size] += cells(samples, way)
    head = ["peers / prefixes"] + [
        what.format(combination) for combination in FAMILIES.values()
        for what in ("{}", "{}, times two", "floor {}", "floor {}, times two",
                     "two lines {}")]
    for way, name in SHAPES.items():
        table = Table(name, "ns a packet", head, digits=2)
        for size in SIZES:
            table.row(" / ".join(map(short, size)), *rows[way, size])
        table.draw("lines", *(f"{name}{combination}"
                              for combination in FAMILIES.values()
                              for name in ("", "floor ")))
        yield table
