# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check --probe`: what gets through, and what a host in the middle
drops.

    host --- middle --- site          tunload at both ends
"""
import json
import re

import jsonschema
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt

from addresses import HEADER, INNER, PREFIX, PREFIXES
from cloud import SITE_SID, Cloud
from lab import read
from traffic import ping

HOST = {4: "192.0.2.2", 6: "2001:db8:1::2"}
SITE = {4: "198.51.100.7", 6: "2001:db8:2::7"}
NUMBER = {4: 4, 6: 41}  # protocols of inner packets
DROP = ("table inet f {{ chain c {{ type filter hook {} priority 0; {} drop; "
        "}}; }}")
OPTION = bytes.fromhex("0400040104010100")


def conf(number, outer, prefixes, lines=""):
    """The configuration of one end; number: 0 is the host, 1 the site."""
    here, there = (HOST, SITE)[number], (SITE, HOST)[number]
    return f"""
[interface]
local4 = {here[4]}
source = {INNER[4][number]}, {INNER[6][number]}
[peer far]
endpoint = {there[outer]}
allowed-ips = {prefixes}
{lines}
"""


class Wire:
    """The namespaces and both ends; the host's prefixes are those of the inner
    families, the first of which is probed."""

    def __init__(self, lab, outer=6, inner=(4,), mode="tc", mtu=1500):
        self.lab, self.outer, self.inner = lab, outer, inner
        self.host, self.middle, self.site = (
            lab.netns(n) for n in ("host", "middle", "site"))
        lab.veth(self.host, "eth0", self.middle, "host", mtu=mtu)
        lab.veth(self.middle, "site", self.site, "eth0", mtu=mtu)
        self._addresses()
        self.tl = lab.tunload(self.host)
        self.far = lab.tunload(self.site, bpffs=lab.new_bpffs())
        self.far.attach(conf(1, outer, PREFIXES[0], "keepalive = 0"),
                        "--no-trigger", "--mode", mode)
        self.mode = mode

    def _addresses(self):
        self.middle.forward()
        for ns, dev, to, ips in ((self.host, "eth0", "host", HOST),
                                 (self.site, "eth0", "site", SITE)):
            router = {v: re.sub("[27]$", "1", ip) for v, ip in ips.items()}
            ns.addr(dev, ips[4] + "/24", ips[6] + "/64")
            self.middle.addr(to, router[4] + "/24", router[6] + "/64")
            for v in 4, 6:
                ns.ip("route", "add", "default", "via", router[v])
        for number, ns in (0, self.host), (1, self.site):
            ns.addr("lo", INNER[4][number] + "/32", INNER[6][number] + "/128")

    def attach(self, lines=""):
        """Attaches the host."""
        prefixes = ", ".join(PREFIX[v][1] for v in self.inner)
        self.tl.attach(conf(0, self.outer, prefixes, lines), "--no-trigger",
                       "--mode", self.mode)

    def drop(self, what, hook="forward", where=None):
        """Lets the middle drop packets silently."""
        (where or self.middle).nft(DROP.format(hook, what))

    def mtu(self, outer_packet):
        """The largest inner packet in such an outer one."""
        return outer_packet - HEADER[self.outer]

    def probe(self, *args):
        """What --probe finds, parsed."""
        return probed(self.tl, *args)


def probed(tl, *args):
    """The findings of the area, as (level, what, why, command)."""
    done = tl.run("check", tl.ifname, "--probe", "--json", *args)
    assert done.stderr == "", done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(read("docs/schema/check.json")))
    assert done.returncode == any(f["level"] == "failure" for f in found)
    found = [f for f in found if f["area"] == "probe"]
    return [(f["level"], f["what"], f["why"], f["command"]) for f in found]


def answer(probe, mtu, more=""):
    """The pattern of the reason for which all is well."""
    return (rf"{probe} answered in \d+\.\d ms, packets up to the mtu of {mtu} "
            "bytes get through" + more)


COMBINATIONS = [(outer, inner) for outer in (4, 6) for inner in (4, 6)]


@pytest.mark.parametrize("outer, inner", COMBINATIONS)
def test_all_gets_through(lab, outer, inner):
    wire = Wire(lab, outer, (inner,))
    wire.attach()
    (level, what, why, command), = wire.probe()
    assert (level, what, command) == ("ok", "answer", None)
    assert re.fullmatch(answer(INNER[inner][1], wire.mtu(1500)), why)


def test_in_native_mode(lab):
    wire = Wire(lab, mode="native")
    wire.attach()
    (level, what, _, _), = wire.probe()
    assert (level, what) == ("ok", "answer")


@pytest.mark.parametrize("outer", [4, 6])
def test_a_path_that_carries_more(lab, outer):
    wire = Wire(lab, outer, mtu=9001)
    wire.attach()
    (level, _, why, _), = wire.probe()
    assert level == "ok"
    assert re.fullmatch(answer(
        INNER[4][1], wire.mtu(1500),
        f"; the path carries {wire.mtu(9001)} at least, see `path-mtu`"), why)


@pytest.mark.parametrize("outer, inner", COMBINATIONS)
@pytest.mark.parametrize("way", ["host", "site"])
def test_the_protocol_is_dropped(lab, outer, inner, way):
    wire = Wire(lab, outer, (inner,))
    wire.attach()
    wire.drop(f'iifname "{way}" meta l4proto {NUMBER[inner]}')
    assert wire.probe() == [(
        "failure", "no answer",
        f"does the path let protocol {NUMBER[inner]} through, does "
        f"{SITE[outer]} send to {HOST[outer]} (its NAT: the public one), does "
        f"{INNER[inner][1]} answer pings, has it a route to "
        f"{INNER[inner][0]}?" + " (A Linux tunnel there needs `encaplimit "
        "none`.)" * (outer == 6), None)]


def test_one_of_two_protocols_is_dropped(lab):
    wire = Wire(lab, inner=(4, 6))
    wire.attach()
    wire.drop("meta l4proto 41")
    silence, fine = wire.probe()
    assert silence[:2] == ("failure", "no answer")
    assert silence[2].startswith("does the path let protocol 41 through")
    assert fine[:2] == ("ok", "answer")


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("most", [1400, 1433])
def test_large_packets_vanish(lab, outer, most):
    """Without an ICMP error; the command mends it."""
    wire = Wire(lab, outer)
    wire.attach()
    wire.drop(f"meta length > {most}")
    mtu = wire.mtu(most)
    found = wire.probe()
    assert found == [(
        "failure", "large packets",
        f"packets up to {mtu} bytes get through, larger ones, or their "
        f"answers, vanish without an ICMP error: set `mtu = {mtu}`",
        f"tunload peer set eth0 far mtu {mtu}")]
    wire.tl.ok(*found[0][3].split()[1:])
    (level, _, why, _), = wire.probe()
    assert level == "ok" and re.fullmatch(answer(INNER[4][1], mtu), why)


@pytest.mark.parametrize("most", [700, 230])
def test_very_small_packets_only(lab, most):
    wire = Wire(lab, 4)
    wire.attach()
    wire.drop(f"meta length > {most}")
    (level, _, why, command), = wire.probe()
    assert level == "failure" and f"set `mtu = {most - 20}`" in why
    # A smaller mtu than 536 is not valid.
    assert command == ("tunload peer set eth0 far mtu 680" if most == 700
                       else None)


def test_too_small_for_ipv6(lab):
    wire = Wire(lab, inner=(4, 6))
    wire.attach()
    wire.drop("meta length > 1300")
    (level, _, why, command), = wire.probe()
    assert (level, command) == ("failure", None)
    assert why == ("packets up to 1260 bytes get through, larger ones, or "
                   "their answers, vanish without an ICMP error: too few for "
                   "IPv6 inside, which needs 1280")


@pytest.mark.parametrize("outer", [4, 6])
def test_a_router_tells_its_mtu(lab, outer):
    wire = Wire(lab, outer)
    wire.attach()
    wire.middle.ip("link", "set", "site", "mtu", "1400")
    mtu = wire.mtu(1400)
    assert wire.probe() == [(
        "ok", "large packets",
        f"packets up to {mtu} bytes get through, as was learned from ICMP "
        f"errors, less than the mtu of {wire.mtu(1500)}", None)]


def test_the_encapsulation_limit_is_dropped(lab):
    wire = Wire(lab)
    wire.attach()
    wire.drop("exthdr dst exists")
    fine, limit = wire.probe()
    assert fine[:2] == ("ok", "answer")
    assert limit == (
        "ok", "encapsulation limit",
        "packets with this option (RFC 2473 4.1.1) do not get through; "
        "tunload never sends it, and the other end must not (Linux: "
        "`encaplimit none`)", None)


def test_the_packets(lab):
    """One of them has the option, with the bytes of the kernel's ip6tnl; the
    others are as the data plane would send them."""
    wire = Wire(lab)
    wire.attach("ttl = 33")
    seen = lab.capture(wire.host, "eth0", lambda f: f.outgoing and
                       f.data[12:14] == b"\x86\xdd" and f.data[20] in (4, 60))
    wire.probe()
    packets = [IPv6(f.data[14:]) for f in seen.wait(11)]
    own = [p for p in packets if p.plen < 100]  # that of the trigger
    limited = [p for p in packets if IPv6ExtHdrDestOpt in p]
    plain = [p for p in packets if p not in own and p not in limited]
    assert len(limited) == 1
    assert bytes(limited[0])[6] == 60
    assert bytes(limited[0])[40:48] == OPTION
    assert bytes(limited[0])[48] == 0x45
    assert sorted(p.plen + 40 for p in plain) == [
        200, 1280, 1400, 1420, 1454, 1460, 1480, 1492, 1500]
    for p in plain + limited:
        check_packet(p)


def check_packet(p):
    """Compares it with what scapy would make of its fields."""
    assert (p.src, p.dst, p.hlim, p.tc) == (HOST[6], SITE[6], 33, 0)
    assert p.fl and len(p) == p.plen + 40
    inner = p[IP]
    assert (inner.src, inner.dst) == (INNER[4][0], INNER[4][1])
    assert inner.flags == "DF" and inner.id == 0 and inner.ttl == 64
    assert inner[ICMP].type == 8
    again = IP(bytes(inner))
    del again.chksum, again.len
    del again[ICMP].chksum
    assert bytes(again) == bytes(inner)


def test_no_ping_but_traffic(lab):
    """The probe is not there, and its router says so, through the tunnel."""
    wire = Wire(lab, 4)
    wire.attach("probe = 10.10.0.9")
    wire.site.addr("lo", "10.10.0.9/32")
    wire.site.nft("table ip f { chain c { type filter hook input priority 0; "
                  "ip daddr 10.10.0.9 reject; }; }")
    assert wire.probe() == [(
        "warning", "no ping", "the tunnel carries packets, but 10.10.0.9 does "
        "not answer pings, so nothing was measured: set another probe", None)]


def test_a_firewall_of_this_host(lab):
    """The tunnel's own packets do not pass it."""
    wire = Wire(lab, 4)
    wire.attach()
    wire.drop("meta l4proto 4", hook="output", where=wire.host)
    assert ping(wire.host, INNER[4][1], INNER[4][0])
    assert wire.probe() == [(
        "warning", "not probed", f"cannot send probes to {SITE[4]}: Operation "
        "not permitted (a firewall of this host sees them, but no other "
        "tunnel packets)", None)]


def test_peers_that_are_not_probed(lab):
    wire = Wire(lab, 4)
    wire.attach("""
[peer waiting]
endpoint = 203.0.113.1
local = 192.0.2.99
allowed-ips = 10.30.0.0/24
[peer all]
endpoint = 203.0.113.2
allowed-ips = 0.0.0.0/0
""")
    fine, waiting, all_ = wire.probe()
    assert fine[:2] == ("ok", "answer")
    assert waiting[:2] == all_[:2] == ("warning", "not probed")
    assert waiting[2].startswith("the peer waits: ")
    assert all_[2].startswith("no probe: set one")


def test_a_route_past_the_tunnel(lab):
    wire = Wire(lab, 4)
    wire.attach()
    wire.host.ip("route", "add", INNER[4][1], "via", "192.0.2.1")
    found, = [f for f in wire.probe() if f[1] == "not probed"]
    assert found[0] == "failure" and "past the tunnel" in found[2]


def many(wire, number):
    """Gives the site so many addresses, and configures a peer for each. Its
    answers take the tunnel by which the request came."""
    site = conf(1, 4, "").partition("[peer")[0] + "routes = no\n"
    host = ""
    for i in range(1, number + 1):
        wire.site.addr("eth0", f"198.51.100.{100 + i}/32")
        wire.site.addr("lo", f"10.{100 + i}.0.1/32")
        site += f"""[peer p{i}]
endpoint = {HOST[4]}
local = 198.51.100.{100 + i}
allowed-ips = {PREFIX[4][0]}
"""
        host += f"""[peer p{i}]
endpoint = 198.51.100.{100 + i}
allowed-ips = 10.{100 + i}.0.0/24
"""
    wire.far.reload(site)
    gateways = {p["name"]: p["gateway4"] for p in wire.far.status()["peers"]}
    wire.site.batch(*(line for i in range(1, number + 1) for line in (
        f"route add {PREFIX[4][0]} via {gateways[f'p{i}']} dev eth0 onlink "
        f"table {i}", f"rule add from 10.{100 + i}.0.1 lookup {i}")))
    wire.attach(host)


def test_many_peers(lab):
    """More than are probed at one time; to one of them only small packets get
    through, another does not answer."""
    wire = Wire(lab, 4)
    many(wire, 40)
    wire.drop("ip daddr 198.51.100.137 meta length > 1400")
    wire.middle.nft("add rule inet f c ip daddr 198.51.100.103 drop")
    found = wire.probe()
    assert [f[1] for f in found] == [
        {0: "no answer", 3: "no answer", 37: "large packets"}.get(i, "answer")
        for i in range(41)]
    assert found[37][3] == "tunload peer set eth0 p37 mtu 1380"


def test_not_attached(lab):
    wire = Wire(lab)
    file = wire.tl.write(conf(0, 6, PREFIX[4][1]))
    done = wire.tl.run("check", "eth0", "--probe", "-c", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("tunload: check: --probe sends through what is "
                           "attached: leave --config out\n")


@pytest.fixture(name="cloud")
def fixture_cloud(lab):
    """EC2, which drops options, with a site that has a tunnel of the
    kernel."""
    cloud = Cloud(lab)
    cloud.site_kernel()
    return cloud


def test_the_cloud(cloud):
    """The articles' third situation: kernel tunnels fail here by their
    encapsulation limit, and no size of a jumbo frame gets out."""
    tl = cloud.tunload()
    tl.attach(cloud.conf(6, SITE_SID).replace(", fd00:10::/64", ""))
    fine, limit = probed(tl)
    assert fine[:2] == ("ok", "answer")
    assert re.fullmatch(answer(INNER[4][1], 1460), fine[2])
    assert limit[:2] == ("ok", "encapsulation limit")


def test_the_cloud_and_an_mtu_of_jumbo_frames(cloud):
    tl = cloud.tunload()
    tl.attach(cloud.conf(6, SITE_SID, "path-mtu = 9001").replace(
        ", fd00:10::/64", ""))
    large, _ = probed(tl)
    assert large[0] == "failure"
    assert large[3] == "tunload peer set eth0 site mtu 1460"
