# SPDX-License-Identifier: GPL-2.0-only
"""test_remote_config_linux.py runs these tests in a virtual machine, which has the
drivers: `tunload import` of the kernel's own tunnel devices."""
import pytest

from addresses import INNER, OUTER
from far_end import FarEnd, TUNNELS, bare, tunnel_id
from traffic import ping

A4, B4 = OUTER[4]
A6, B6 = OUTER[6]
DEVICES = [
    f"tunnel add site4 mode ipip local {A4} remote {B4} ttl 64 tos inherit",
    f"tunnel add site6 mode sit local {A4} remote {B4} ttl 64 tos inherit",
    f"-6 tunnel add six mode any local {A6} remote {B6} hoplimit 32 "
    "tclass 0xb8",
    f"tunnel add plain mode ipip local {A4} remote 192.0.2.9 ttl inherit",
    f"tunnel add none mode ipip local {A4} remote 192.0.2.10 ttl 64",
    f"tunnel add ata mode isatap local {A4}",
    "tunnel add rd mode sit local 192.0.2.77 ttl 64",
    "tunnel 6rd dev rd 6rd-prefix 2001:db8::/32",
    f"link add fou1 type ipip local {A4} remote 192.0.2.11 ttl 64 encap fou "
    "encap-sport auto encap-dport 5555",
    "link add dev ext type ip6tnl external",
]
UP = ["site4", "site6", "six", "plain"]
ROUTES = [
    f"addr add {INNER[6][0]}/128 dev lo",
    f"addr add {INNER[4][0]}/24 dev site4",
    "route add 10.10.0.0/24 dev site4",
    "route add 10.66.0.0/24 dev site4 table 100",
    f"route add fd00:10::/64 dev site6 src {INNER[6][0]}",
    "addr add 10.77.0.1/32 dev six",
    "route add 10.20.0.0/24 dev six",
    "route add fd00:20::/64 dev six",
    "route add 10.30.0.0/24 dev plain",
    "route add 10.10.0.0/24 dev plain metric 7",
    "link set plain mtu 1300",
]
IMPORTED = """\
# For /etc/tunload/eth0.conf
# site4: the route to 10.66.0.0/24 in table 100 is not imported
# six: it sends the encapsulation limit option, which tunload never does
# six: 10.77.0.1 not imported: there is one inner address of a family
# plain: it inherits the inner TTL; tunload sends ttl = 64
# plain: 10.10.0.0/24 not imported: it is behind site4
# none: not imported: no networks are routed into it
# ata: not imported: it is an ISATAP tunnel
# rd: not imported: it is a 6rd tunnel
# fou1: not imported: it puts UDP around its packets (FOU or GUE)
# ext: not imported: it is controlled by routes and filters (external)
[interface]
local4 = auto
local6 = auto
mode = auto
source = fd00:22::2
address = 172.22.2.2/32
path-mtu = 1500
routes = yes

[peer site4]
endpoint = 192.0.2.2
allowed-ips = 172.22.2.0/24, 10.10.0.0/24, fd00:10::/64
local = 192.0.2.1
keepalive = 25
ttl = 64

[peer six]
endpoint = 2001:db8::2
allowed-ips = 10.20.0.0/24, fd00:20::/64
local = 2001:db8::1
keepalive = 25
ttl = 32
dscp = 46

[peer plain]
endpoint = 192.0.2.9
allowed-ips = 10.30.0.0/24
local = 192.0.2.1
keepalive = 25
mtu = 1300
ttl = 64
dscp = 0
"""


def sorted_prefixes(text):
    """The text with the lists of prefixes sorted: the kernel lists routes in an
    order of its own."""
    return "\n".join(
        ", ".join(sorted(line.removeprefix("allowed-ips = ").split(", ")))
        if line.startswith("allowed-ips") else line
        for line in text.splitlines())


@pytest.fixture(name="host")
def fixture_host(lab):
    """A Tunload on a host that has the devices."""
    host, other = lab.netns("host"), lab.netns("other")
    lab.veth(host, "eth0", other, "eth0")
    host.addr("eth0", f"{A4}/24", f"{A6}/64")
    for line in (*DEVICES, *(f"link set {name} up" for name in UP), *ROUTES):
        host.ip(*line.split())
    return lab.tunload(host)


def test_all(host):
    out = host.ok("import")
    assert sorted_prefixes(out) == sorted_prefixes(IMPORTED)
    for line in DEVICES:
        for name in set(line.split()) & {"site4", "site6", "six", "plain"}:
            host.ns.ip("link", "del", name, check=False)
    done = host.attach(out, "--no-trigger")
    assert not done.stderr


def test_one(host):
    out = host.ok("import", "plain")
    assert "[peer plain]" in out and out.count("[peer") == 1
    for name, why in (("rd", "it is a 6rd tunnel"),
                      ("none", "no networks are routed into it")):
        done = host.run("import", name)
        assert (done.returncode, done.stdout, done.stderr) == (
            1, "", f"tunload: {name} cannot be imported: {why}\n")


@pytest.mark.parametrize("tunnel", TUNNELS, ids=tunnel_id)
def test_the_mirror(lab, tunnel):
    """What remote-config prints for Linux is imported as what it prints for
    tunload; with that in its place the tunnel works as before."""
    end = FarEnd(lab, tunnel)
    end.build(end.printed("linux"))
    there = lab.tunload(end.site, bpffs=lab.new_bpffs())
    out = there.ok("import")
    assert bare(out) == bare(end.printed("tunload"))
    for name in "tunload", "tunload4", "tunload6":
        end.site.ip("link", "del", name, check=False)
    there.attach(out, "--no-trigger", "--mode", "tc")
    for v in end.inner:
        assert ping(end.site, INNER[v][0])
