# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` on hosts that drop inner packets, where packets do not fit,
or where nothing comes back: what it says, and that the printed command mends
it."""
import pytest

from aged import age
from checked import CONF, Case, Checked, check_case
from lab import TIMEOUT
from lifecycle import conf_a
from traffic import ping

NO_ROUTES = CONF.replace("mode", "routes = no\nmode")
SIX = CONF.replace("192.0.2.2", "2001:db8::2")
XDP = conf_a("native").replace("mode", "forward = xdp\nmode")
JUMBO = (
    "packets of up to 9001 bytes leave, and the internet carries 1500: where "
    "the network drops larger ones without an ICMP error, large transfers "
    "hang; set `mtu` or `path-mtu`")


def strict(host):
    """Strict reverse path filtering, and a default route elsewhere."""
    host.a.ip("link", "add", "eth1", "type", "veth", "peer", "eth2")
    host.a.ip("link", "set", "eth1", "up")
    host.a.ip("link", "set", "eth2", "up")
    host.a.ip("route", "add", "default", "dev", "eth1")
    host.a.sysctl("net.ipv4.conf.all.rp_filter", 1)


def jumbo(host):
    """An interface of a cloud."""
    host.a.ip("link", "set", "eth0", "mtu", 9001)


CASES = [
    Case("strict rp_filter", strict,
         ("failure", "sysctls", "rp_filter", None,
          "packets from 10.10.0.0/24 come out of the tunnel on eth0, but the "
          "route back leads elsewhere, so the reverse path filter drops them"),
         "sysctl -w net/ipv4/conf/eth0/rp_filter=2", conf=NO_ROUTES),
    Case("loose rp_filter",
         lambda host: host.a.sysctl("net.ipv4.conf.all.rp_filter", 2),
         ("failure", "sysctls", "rp_filter", None,
          "packets from 10.10.0.0/24 come out of the tunnel on eth0, but there "
          "is no route back, so the reverse path filter drops them"),
         "sysctl -w net/ipv4/conf/all/rp_filter=0 "
         "net/ipv4/conf/eth0/rp_filter=0", conf=NO_ROUTES),
    Case("forward = xdp", lambda host: None,
         ("failure", "sysctls", "forwarding", None,
          "forward = xdp, but this host does not forward IPv4"),
         "sysctl -w net/ipv4/ip_forward=1", conf=XDP),
    Case("forward = xdp, IPv6", lambda host: host.a.sysctl(
        "net.ipv4.ip_forward", 1),
         ("failure", "sysctls", "forwarding", None,
          "forward = xdp, but this host does not forward IPv6"),
         "sysctl -w net/ipv6/conf/all/forwarding=1",
         conf=XDP.replace("10.10.0.0/24", "10.10.0.0/24, fd00:10::/64")),
    Case("jumbo frames",
         lambda host: (jumbo(host), host.tl.ok("peer", "set", "eth0", "b",
                                               "mtu", "8981")),
         ("warning", "mtus", "jumbo frames", "b", JUMBO),
         "tunload peer set eth0 b mtu 1480", attached=True),
    Case("route MTU", lambda host: host.a.ip(
        "route", "add", "192.0.2.2/32", "dev", "eth0", "mtu", "1400"),
         ("warning", "mtus", "route MTU", "b",
          "the host's route to 192.0.2.2 carries 1400 bytes, and packets of up "
          "to 1500 leave"),
         "tunload peer set eth0 b mtu 1380", attached=True),
    Case("interface MTU",
         lambda host: host.a.ip("link", "set", "eth0", "mtu", 1400),
         ("failure", "mtus", "interface MTU", "b",
          "packets of up to 1500 bytes are made, and eth0 carries 1400"),
         "tunload trigger eth0 --due", attached=True, some=True),
    Case("no first packet",
         lambda host: host.attach(),
         ("warning", "traffic", "first packet", "b",
          "nothing was sent to 192.0.2.2 yet: security groups and NAT let "
          "nothing in before that, and forget it after some minutes of silence"),
         "tunload trigger eth0 b",
         after=lambda host: host.run("trigger", "eth0", "--wait", "30",
                                     check=True)),
    Case("no peers", lambda host: None,
         ("warning", "risks", "configuration", None, "there are no peers"),
         None, conf="[interface]\nmode = tc\n"),
    Case("no probe", lambda host: None,
         ("warning", "risks", "probe", "b",
          "no address is known that answers pings, so the timer cannot keep "
          "the path open: set `probe`"),
         None, conf=CONF.replace("10.10.0.0/24", "0.0.0.0/0"), some=True),
    Case("a default route", lambda host: None,
         ("warning", "risks", "configuration", None,
          "peer b: allowed-ips \"0.0.0.0/0\": all traffic but that of the "
          "host's own networks and outer addresses goes into this tunnel"),
         None, conf=CONF.replace("10.10.0.0/24", "0.0.0.0/0"), some=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_printed_command_mends_it(lab, case):
    check_case(lab, case)


@pytest.mark.parametrize("conf, more", [
    (CONF, ""),
    (SIX, " (a Linux ip6tnl needs encaplimit none: many networks drop its "
          "Destination Options header)")], ids=["IPv4", "IPv6"])
def test_nothing_comes_back(lab, conf, more):
    """IPv4: protocol 4; IPv6: also the header of Linux's ip6tnl."""
    host = Checked(lab, conf)
    host.pair.tl_b.detach()
    host.b.nft("table inet t { chain c { type filter hook input priority "
               "0; meta l4proto 4 drop\n}\n}\n")
    host.attach()
    host.sh("tunload trigger eth0")
    finding, = host.findings()
    why = finding.pop("why")
    assert finding == {"level": "failure", "area": "traffic",
                       "what": "no answer", "peer": "b", "command": None}
    assert why.endswith(
        "look whether security groups and firewalls let protocol 4 through to "
        f"and from {'2001:db8::2' if more else '192.0.2.2'}, and whether the "
        f"other end has this tunnel{more}")


def test_a_peer_that_fell_silent(lab):
    host = Checked(lab)
    host.run_well()
    age(host.tl, "b", rx=126, tx=200)  # nobody knows: nothing was sent since
    assert host.findings() == []
    age(host.tl, "b", rx=126, tx=3)
    assert host.findings() == [{
        "level": "failure", "area": "traffic", "what": "no answer",
        "peer": "b", "command": None,
        "why": "nothing comes from 192.0.2.2 any more: look whether it is up, "
        "and whether protocol 4 still gets through both ways"}]
    host.sh(f"tunload trigger eth0 --wait {TIMEOUT}")
    assert host.findings() == []


def test_a_name_with_another_address(lab):
    host = Checked(lab, CONF.replace("192.0.2.2", "site.example"))
    host.bind("/etc/hosts", "192.0.2.2 site.example\n")
    host.run_well()
    assert host.findings() == []
    host.sh("umount /etc/hosts")
    host.bind("/etc/hosts", "192.0.2.9 site.example\n")
    finding, = host.findings()
    assert finding["why"] == (
        "site.example has another address now than 192.0.2.2, where packets "
        "are sent to: names are looked up at attach and reload only")
    host.sh(finding["command"])
    assert host.tl.peer("b")["endpoint"] == "192.0.2.9"
    assert "endpoint" not in [f["what"] for f in host.findings()]


def test_the_host_does_not_forward(lab):
    host = Checked(lab)
    host.run_well()
    host.b.ip("route", "add", "172.22.2.99/32", "via", "240.0.0.1", "dev",
              "eth0", "onlink", "src", "10.10.0.1")
    ping(host.b, "172.22.2.99", "10.10.0.1", wait=0.5)
    finding, = host.findings()
    assert (finding["level"], finding["what"]) == ("warning", "forwarding")
    assert "IPv4 packets for other hosts were discarded" in finding["why"]
    host.sh(finding["command"])
    assert host.findings() == []


def test_the_counters_of_limits(lab):
    """Inner sources that are not allowed."""
    host = Checked(lab)
    host.run_well()
    host.b.addr("lo", "10.99.0.1/32")
    ping(host.b, "172.22.2.2", "10.99.0.1", wait=0.5)
    finding, = host.findings()
    assert finding["level"] == "warning" and finding["peer"] == "b"
    assert finding["why"] == (
        "1 packets were not tunnelled (rx_not_allowed): their inner source is "
        "not in allowed-ips: add it there or, if it is an outer address, make "
        "the other end use its inner one")
