# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` on hosts whose outer addresses, next hops or routes towards
the endpoints are wrong: what it says, and that the printed command mends it."""
import ipaddress
import re

import pytest
from scapy.layers.inet6 import (ICMPv6ND_RA, ICMPv6ND_RS,
                                ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import Ether

from checked import CONF, Checked, Case, check_case
from lab import wait_until

SIX = CONF.replace("192.0.2.2", "2001:db8::2")
FIXED = CONF.replace("mode", "local4 = 192.0.2.55\nmode")
FIXED6 = SIX.replace("mode", "local6 = 2001:db8::55\nmode")


def duplicate(host):
    """Our address is at the other host, too."""
    host.b.addr("eth0", "2001:db8::55/64")
    host.a.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
    host.a.sysctl("net.ipv6.conf.all.accept_dad", 1)
    host.a.ip("addr", "add", "2001:db8::55/64", "dev", "eth0")
    wait_until(lambda: "dadfailed" in host.a.ip("-6", "addr").stdout,
               "duplicate address found")


def tentative(host):
    """Our address is checked for long."""
    host.a.sysctl("net.ipv6.conf.eth0.dad_transmits", 1000)
    host.a.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
    host.a.sysctl("net.ipv6.conf.all.accept_dad", 1)
    host.a.ip("addr", "add", "2001:db8::55/64", "dev", "eth0")


def deprecated(host):
    """Our address goes away."""
    host.a.ip("addr", "add", "2001:db8::55/64", "dev", "eth0", "nodad",
              "preferred_lft", "0", "valid_lft", "3600")


def no_source(host):
    """The inner source is taken from all interfaces; tunload has put it on
    eth0, too."""
    for dev in "lo", "eth0":
        host.a.ip("addr", "flush", "to", "172.22.2.2", "dev", dev)


def no_neighbour(host):
    """The next hop was asked, and has not answered."""
    host.b.ip("link", "set", "eth0", "arp", "off")
    host.a.ip("neigh", "flush", "dev", "eth0")
    host.a.run("ping", "-c1", "-W1", "192.0.2.2", check=False)
    wait_until(lambda: "FAILED" in host.a.ip("neigh").stdout, "no answer")
    host.b.ip("link", "set", "eth0", "arp", "on")


def elsewhere(host):
    """The endpoint is behind another interface, as the host sees it."""
    host.a.ip("link", "add", "eth1", "type", "veth", "peer", "eth2")
    host.a.ip("link", "set", "eth1", "up")
    host.a.ip("link", "set", "eth2", "up")
    host.a.ip("route", "add", "192.0.2.2/32", "dev", "eth1", "metric", "5")


CASES = [
    Case("down", lambda host: host.a.ip("link", "set", "eth0", "down"),
         ("failure", "addresses", "interface", None, "eth0 is down"),
         "ip link set eth0 up", some=True),
    Case("no IPv6",
         lambda host: host.a.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1),
         ("failure", "addresses", "IPv6", None,
          "eth0 has no IPv6, and there are IPv6 endpoints"),
         "sysctl -w net/ipv6/conf/eth0/disable_ipv6=0", conf=SIX, some=True,
         after=lambda host: host.a.addr("eth0", "2001:db8::1/64")),
    Case("local4", lambda host: None,
         ("failure", "addresses", "local address", None,
          "192.0.2.55, our outer address, is not on eth0: nothing is sent, as "
          "clouds and providers drop what comes from other addresses"),
         "ip addr add 192.0.2.55/32 dev eth0", conf=FIXED),
    Case("local6", lambda host: None,
         ("failure", "addresses", "local address", None,
          "2001:db8::55, our outer address, is not on eth0: nothing is sent, as "
          "clouds and providers drop what comes from other addresses"),
         "ip addr add 2001:db8::55/128 dev eth0", conf=FIXED6),
    Case("source", lambda host: host.a.ip("addr", "del", "172.22.2.2/32",
                                          "dev", "lo"),
         ("failure", "addresses", "inner source", None,
          "source 172.22.2.2 is not an address of this host, so its packets "
          "cannot carry it"),
         "ip addr add 172.22.2.2/32 dev lo"),
    Case("source, attached", no_source,
         ("failure", "addresses", "inner source", None,
          "source 172.22.2.2 is not an address of this host, so its packets "
          "cannot carry it"),
         "ip addr add 172.22.2.2/32 dev lo", attached=True, some=True,
         after=lambda host: host.sh("tunload trigger eth0 --due")),
    Case("address", no_source,
         ("failure", "addresses", "inner source", None,
          "address 172.22.2.2 was taken from eth0"),
         "tunload trigger eth0 --due", attached=True, some=True,
         conf=CONF.replace("source = 172.22.2.2", "address = 172.22.2.2/32")),
    Case("duplicate", duplicate,
         ("failure", "addresses", "duplicate address", None,
          "2001:db8::55 of eth0: another host has it too (RFC 4862 5.4): take "
          "it from one of the two"),
         "ip addr del 2001:db8::55/64 dev eth0 && ip addr add 2001:db8::55/64 "
         "dev eth0", conf=FIXED6,
         before=lambda host: host.b.ip("addr", "del", "2001:db8::55/64", "dev",
                                       "eth0")),
    Case("tentative", tentative,
         ("failure", "addresses", "tentative address", None,
          "2001:db8::55 of eth0: it is still being checked for duplicates (RFC "
          "4862 5.4), and nothing leaves from it before that is over"),
         "ip addr del 2001:db8::55/64 dev eth0 && ip addr add 2001:db8::55/64 "
         "dev eth0 nodad", conf=FIXED6),
    Case("deprecated", deprecated,
         ("warning", "addresses", "deprecated address", None,
          "2001:db8::55 of eth0: its preferred lifetime is over (RFC 4862 "
          "5.5.4): the router or the cloud is taking it away"),
         "ip addr del 2001:db8::55/64 dev eth0 && ip addr add 2001:db8::55/64 "
         "dev eth0", conf=FIXED6),
    Case("no route", lambda host: host.a.ip("route", "del", "192.0.2.0/24",
                                            "dev", "eth0"),
         ("failure", "endpoints", "outer route", "b",
          "endpoint 192.0.2.2: the host has no route to it"), None),
    Case("refused", lambda host: host.a.ip("route", "add", "unreachable",
                                           "192.0.2.2"),
         ("failure", "endpoints", "outer route", "b",
          "endpoint 192.0.2.2: the host has no route to it: a route refuses it"),
         "ip route del unreachable 192.0.2.2/32"),
    Case("next hop", no_neighbour,
         ("failure", "endpoints", "next hop", "b",
          "next hop 192.0.2.2 does not answer (neighbour FAILED): look whether "
          "it is up; the command asks it again"),
         "ip neigh flush to 192.0.2.2 dev eth0 nud failed"),
    Case("elsewhere", elsewhere,
         ("warning", "endpoints", "outer interface", "b",
          "the host's route to 192.0.2.2 leads to eth1, the tunnel's packets "
          "leave by eth0: answers may come in where nobody expects them"),
         "ip route add 192.0.2.2 dev eth0"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_printed_command_mends_it(lab, case):
    check_case(lab, case)


def test_no_address_of_the_family(lab):
    host = Checked(lab, SIX)
    host.a.ip("-6", "addr", "flush", "dev", "eth0", "scope", "global")
    finding, = host.findings()
    assert finding["why"] == (
        "eth0 has no IPv6 address to reach the IPv6 endpoints from: assign "
        "one, in a cloud also to its network interface")


def test_a_temporary_address(lab):
    host = Checked(lab, SIX)
    host.a.sysctl("net.ipv6.conf.eth0.use_tempaddr", 2)
    host.a.ip("addr", "add", "2001:db8:5::1/64", "dev", "eth0", "nodad",
              "mngtmpaddr")
    line = wait_until(
        lambda: host.a.ip("-6", "-o", "addr", "show", "temporary").stdout,
        "temporary address")
    address = str(ipaddress.ip_interface(line.split()[3]).ip)
    host.file = host.tl.write(SIX.replace("mode", f"local6 = {address}\nmode"))
    finding, = host.findings()
    assert (finding["level"], finding["what"]) == ("warning",
                                                   "temporary address")
    assert address in finding["why"]


def test_the_local_address_was_renumbered(lab):
    host = Checked(lab)
    host.attach()
    host.a.ip("addr", "del", "192.0.2.1/24", "dev", "eth0")
    host.a.addr("eth0", "192.0.2.77/24")
    finding, = [f for f in host.findings() if f["what"] == "local address"]
    assert finding["command"] == "tunload trigger eth0 --due"
    host.sh(finding["command"])
    assert [f["area"] for f in host.findings()] == ["traffic"]


@pytest.mark.parametrize("attached", [False, True])
def test_a_name_that_does_not_resolve(lab, attached):
    host = Checked(lab, CONF.replace("192.0.2.2", "nowhere.invalid"))
    host.bind("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    if attached:
        host.attach()
    finding, = host.findings()
    assert (finding["what"], finding["peer"]) == ("endpoint", "b")
    assert 'endpoint "nowhere.invalid" does not resolve' in finding["why"]


class Router:
    """The other host as a router that announces itself for so long."""

    def __init__(self, host, lifetime):
        self.lifetime = lifetime
        self.mac = host.b.mac("eth0")
        self.link_local = host.b.link_local("eth0")
        self.sender = host.pair.lab.sender(host.b, "eth0")

    def announce(self):
        """Sends a router advertisement (RFC 4861 4.2)."""
        self.sender.send(
            Ether(src=self.mac, dst="33:33:00:00:00:01") /
            IPv6(src=self.link_local, dst="ff02::1", hlim=255) /
            ICMPv6ND_RA(routerlifetime=self.lifetime) /
            ICMPv6NDOptSrcLLAddr(lladdr=self.mac))


def learnt(host, lifetime):
    """A Router that the first host has learnt."""
    router = Router(host, lifetime)
    router.announce()
    wait_until(lambda: "proto ra" in host.a.ip("-6", "route").stdout,
               "default router")
    return router


def test_a_router_that_is_about_to_vanish(lab):
    """The printed command asks it, and it answers."""
    host = Checked(lab, SIX)
    router = learnt(host, 60)
    finding, = host.findings()
    assert (finding["level"], finding["what"]) == ("warning", "default router")
    assert re.fullmatch(
        f"{router.link_local} is the default router for (60|5[0-9]) s more "
        r"only, if it does not announce itself again \(the command asks it; "
        r"package ndisc6\)", finding["why"])
    router.lifetime = 1800
    asked = lab.capture(host.b, "eth0", lambda frame: (
        ICMPv6ND_RS in Ether(frame.data)))
    ask = host.pair.lab.start(host.a, *finding["command"].split())
    wait_until(asked.frames, "router solicitation")
    router.announce()
    assert ask.wait() == 0, ask.output()
    assert host.findings() == []


def test_a_host_that_forwards_ignores_routers(lab):
    host = Checked(lab, SIX)
    router = learnt(host, 1800)
    assert host.findings() == []
    host.a.sysctl("net.ipv6.conf.eth0.forwarding", 1)
    router.announce()
    host.a.ip("-6", "route", "add", "default", "via", router.link_local, "dev",
              "eth0", "proto", "ra", "metric", "2048")
    finding, = host.findings()
    assert finding == {
        "level": "warning", "area": "endpoints",
        "what": "router advertisements", "peer": None,
        "why": "eth0 forwards IPv6 and so ignores them, and the default router "
               "that it has learnt from one expires",
        "command": "sysctl -w net/ipv6/conf/eth0/accept_ra=2"}
    host.sh(finding["command"])
    assert host.findings() == []
