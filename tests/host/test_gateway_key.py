# SPDX-License-Identifier: GPL-2.0-only
"""The key gateway and allowed-ips = routed on a host: what is made for them, and
that it goes with them."""
import re

import pytest

from gateways import GATEWAY, OUTER, OWN, Gateways, peer_text
from lab import wait_until
from lifecycle import traces
from netns import PATIENCE
from traffic import ping
from watched import MOMENT


@pytest.fixture(name="g")
def fixture_g(lab):
    """A host that is attached to two routed peers."""
    return Gateways(lab)


def made(ns):
    """(addresses towards gateways, neighbours, routes) on the host."""
    addresses = re.findall(r"inet (\S+) peer (\S+)/32", ns.ip(
        "-4", "addr", "show", "dev", "eth0").stdout)
    neighbours = re.findall(r"^(\S+) lladdr 02:74:6e:00:00:0(\d)", "".join(
        ns.ip(f"-{family}", "neigh", "show", "dev", "eth0", "nud",
              "permanent").stdout for family in (4, 6)), re.M)
    routes = [line.split()[0] for family in (4, 6) for line in ns.ip(
        f"-{family}", "route", "show", "dev", "eth0",
        "proto", "94").stdout.splitlines()]
    return addresses, {ip: int(n) for ip, n in neighbours}, routes


def test_what_is_made(g):
    addresses, neighbours, routes = made(g.host)
    assert sorted(addresses) == [(OWN[4], GATEWAY[name][4]) for name in "ab"]
    assert neighbours == {ip: n for n, name in enumerate("ab", 1)
                          for ip in (*GATEWAY[name].values(), f"240.0.0.{n}",
                                     f"fe80::74:6e:0:{n}")}
    # The networks of the addresses lead there.
    assert routes == []
    assert "fd00:30::/64" in g.host.ip("-6", "route", "show", "dev",
                                       "eth0").stdout
    for name in "ab":
        for family in 4, 6:
            assert re.search(
                rf"{GATEWAY[name][family]} .*dev eth0 .*src {OWN[family]} ",
                g.host.ip("route", "get", GATEWAY[name][family]).stdout)


def test_detach_leaves_nothing(lab):
    g = Gateways(lab)
    g.tl.ok("detach", "eth0")
    before = traces(g.host)
    g.tl.ok("attach", "eth0", "-c", g.tl.conf, "--no-trigger")
    assert traces(g.host) != before
    g.tl.ok("detach", "eth0")
    assert traces(g.host) == before and "172.30" not in before[0]


def test_showconf_status_and_reload(g):
    text = g.tl.ok("showconf", "eth0")
    for name in "ab":
        assert (f"gateway = {GATEWAY[name][4]}, {GATEWAY[name][6]}\n" in text)
    assert text.count("allowed-ips = routed\n") == 2
    assert text.count("allowed-ips") == 2
    for text in g.text, text:
        with open(g.tl.conf, "w", encoding="utf-8") as f:
            f.write(text)
        assert "nothing" in g.tl.ok("reload", "eth0", "-c", g.tl.conf)
    peer = g.tl.peer("a")
    assert peer["allowed_ips"] == ["routed", f"{GATEWAY['a'][4]}/32",
                                   f"{GATEWAY['a'][6]}/128"]
    assert (peer["gateway4"], peer["gateway6"]) == tuple(GATEWAY["a"].values())
    assert peer["probe"] == GATEWAY["a"][4]
    shown = g.tl.ok("status", "eth0", "-v")
    assert f"{GATEWAY['a'][4]}, {GATEWAY['a'][6]}" in shown
    assert re.search("allowed ips *routed, 172.30.0.2/32", shown)


def test_reload_takes_routed_away(g):
    """And leaves the prefixes beside it."""
    for word, has in (", routed", True), ("", False):
        with open(g.tl.conf, "w", encoding="utf-8") as f:
            f.write(g.text.replace("= routed", f"= 10.9.0.0/24{word}", 1))
        g.tl.ok("reload", "eth0", "-c", g.tl.conf)
        allowed = g.tl.peer("a")["allowed_ips"]
        assert "10.9.0.0/24" in allowed and ("routed" in allowed) == has


def test_upgrade_keeps_them(g):
    before = made(g.host), g.tl.ok("showconf", "eth0")
    g.route(4, "a")
    assert g.send("a", 4) == (1, 0)
    g.tl.ok("attach", "eth0", "-c", g.tl.conf, "--no-trigger")
    assert (made(g.host), g.tl.ok("showconf", "eth0")) == before
    assert g.send("a", 4) == (1, 0)
    assert g.send("b", 4) == (0, 1)


def test_keys_change(g):
    g.route(4, "a")
    assert g.send("a", 4) == (1, 0)
    g.tl.ok("peer", "set", "eth0", "a", "allowed-ips", "10.9.0.0/24")
    assert g.tl.peer("a")["allowed_ips"][0] == "10.9.0.0/24"
    assert g.send("a", 4) == (0, 1)
    # The gateway is allowed all the same.
    assert ping(g.host, GATEWAY["a"][4])
    g.tl.ok("peer", "set", "eth0", "a", "allowed-ips", "routed")
    assert g.send("a", 4) == (1, 0)
    g.tl.ok("peer", "set", "eth0", "a", "gateway", "172.30.0.9")
    addresses, neighbours, _ = made(g.host)
    assert (OWN[4], "172.30.0.9") in addresses
    assert neighbours["172.30.0.9"] == 1 and GATEWAY["a"][4] not in neighbours
    assert g.tl.peer("a")["allowed_ips"] == ["routed", "172.30.0.9/32"]
    g.tl.ok("peer", "set", "eth0", "a", "gateway", "no")
    assert g.tl.peer("a")["allowed_ips"] == ["routed"]
    assert g.tl.peer("a")["gateway4"] == "240.0.0.1"
    assert "172.30.0.9" not in made(g.host)[1]
    g.tl.ok("peer", "del", "eth0", "b")
    assert made(g.host)[0] == []


def test_a_peer_without_a_gateway_of_its_own(g):
    """Routes then name 240.0.0.1."""
    g.tl.ok("peer", "set", "eth0", "a", "gateway", "no")
    g.host.ip("route", "add", "10.5.0.0/16", "via", "240.0.0.1", "dev", "eth0")
    assert g.send("a", 4) == (1, 0)
    assert g.send("b", 4) == (0, 1)


@pytest.mark.parametrize("own", [
    "172.30.0.200/24", "172.31.0.200 peer 172.30.0.0/24"])
def test_in_a_network_of_the_interface(g, own):
    """Then there is nothing to make but the neighbour."""
    g.host.ip("addr", "add", *own.split(), "dev", "eth0")
    g.tl.ok("trigger", "eth0", "--due")
    addresses, neighbours, routes = made(g.host)
    assert routes == [] and GATEWAY["a"][4] in neighbours
    assert OWN[4] not in dict(addresses)
    assert ping(g.host, GATEWAY["a"][4], source=OWN[4])
    g.host.ip("addr", "del", *own.split(), "dev", "eth0")
    g.tl.ok("trigger", "eth0", "--due")
    assert len(made(g.host)[0]) == 2


def test_in_no_network(lab):
    """An own route leads there, without a source or in another table."""
    g = Gateways(lab)
    text = re.sub("address = .*", "", g.text).replace(
        "[peer b]", "[peer b]\ntable = 77")
    g.tl.ok("detach", "eth0")
    g.tl.attach(text, "--no-trigger")
    assert made(g.host)[2] == [GATEWAY["a"][4], GATEWAY["a"][6]]
    for family in 4, 6:
        line = g.host.ip(f"-{family}", "route", "show", "table", "77").stdout
        assert re.match(rf"{GATEWAY['b'][family]} dev eth0 proto 94 .*mtu 1480",
                        line)


def attach(g, text):
    """Attaches anew, with that configuration."""
    g.tl.ok("detach", "eth0")
    g.tl.attach(text, "--no-trigger")


def test_in_a_table_of_its_own(g):
    """The route is there although a network of the interface leads there."""
    attach(g, g.text.replace("[peer b]", "[peer b]\ntable = 77"))
    assert made(g.host)[0] == [(OWN[4], GATEWAY["a"][4])]
    for family in 4, 6:
        line = g.host.ip(f"-{family}", "route", "show", "table", "77").stdout
        assert re.match(rf"{GATEWAY['b'][family]} dev eth0 proto 94 .*"
                        rf"src {OWN[family]} ", line), line


def test_while_there_is_no_vrf(g):
    """Its table is unknown, and main is another one."""
    attach(g, g.text.replace("[peer b]", "[peer b]\nvrf = red"))
    assert 'vrf "red"' in g.tl.peer("b")["waiting"]
    addresses, neighbours, routes = made(g.host)
    assert (addresses, routes) == ([(OWN[4], GATEWAY["a"][4])], [])
    assert neighbours[GATEWAY["b"][4]] == 2


def test_without_ipv6(g):
    g.tl.ok("detach", "eth0")
    g.host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
    # No network that an IPv6 gateway could be in.
    g.tl.attach(g.text.replace(f", {OWN[6]}/64", ""), "--no-trigger")
    assert not [ip for ip in made(g.host)[1] if ":" in ip]
    assert ping(g.host, GATEWAY["a"][4])


def test_prefixes_beside_routed(g):
    """They are allowed wherever routes lead."""
    g.tl.ok("peer", "set", "eth0", "a", "allowed-ips",
            "10.5.0.0/16,fd00:5::/32,routed")
    for family, net in (4, "10.5.0.0/17"), (6, "fd00:5::/48"):
        g.host.ip(f"-{family}", "route", "add", net, "via",
                  GATEWAY["b"][family], "dev", "eth0")
    g.tl.ok("trigger", "eth0", "--due")
    for family in 4, 6:
        for name in "ab":
            assert g.send(name, family) == (1, 0)


def test_flushed_neighbours_come_back(g):
    """The data plane answers for gateways, before anything else does."""
    for family in 4, 6:
        g.host.ip(f"-{family}", "neigh", "flush", "dev", "eth0", "nud",
                  "permanent")
        assert GATEWAY["a"][family] not in made(g.host)[1]
        assert ping(g.host, GATEWAY["a"][family])
    assert g.tl.verdict("tx_answered", "a") >= 2


def test_a_gateway_without_its_tunnel_is_refused(g):
    """Somebody on the wire has the address of a gateway."""
    g.far_tl["b"].ok("detach", "eth0")
    g.far["b"].addr("lo", f"{GATEWAY['a'][4]}/32")
    ping(g.far["b"], OUTER[4].format(1), source=GATEWAY["a"][4], wait=1)
    assert g.tl.verdict("rx_borrowed", "a") == 1


def forwarding(ns, setting, value):
    """Sets it for both families."""
    for family in "ipv4", "ipv6":
        ns.sysctl(f"net.{family}.conf.{setting}.forwarding", value)


def test_without_forwarding(g):
    """The kernel is asked for lo; if it may not be, status and check say so."""
    g.route(4, "a")
    g.route(6, "a")
    assert g.tl.status()["hints"] == []
    forwarding(g.host, "all", 0)
    for family in 4, 6:
        assert g.send("a", family, first=1) == (0, 1)
    hints = g.tl.status()["hints"]
    assert len(hints) == 2 and all("routed" in hint for hint in hints)
    checked = " ".join(g.tl.run("check", "eth0").stdout.split())
    assert checked.count("tells the programs no routes") == 2
    forwarding(g.host, "lo", 1)
    for family in 4, 6:
        assert g.send("a", family, first=2) == (1, 0)
        assert g.send("b", family, first=2) == (0, 1)
    assert g.tl.status()["hints"] == []


@pytest.mark.parametrize("line,error", [
    ("gateway = 172.30.0.1", 'gateway "172.30.0.1" is an address of this host'),
    ("gateway = 172.30.0.2, 172.30.0.3", "is a second IPv4 address"),
    ("gateway = 172.30.0.2/32", "is not an IP address"),
    ("gateway = 127.0.0.1", "is a loopback"),
    ("gateway =", 'key "gateway" has no value'),
    ("gateway = 172.30.0.3", 'peer b: gateway "172.30.0.3" belongs to peer a'),
    ("allowed-ips = routed", 'allowed-ips "routed" is given twice'),
])
def test_errors(lab, line, error):
    g = Gateways(lab)
    g.tl.ok("detach", "eth0")
    before = traces(g.host)
    text = g.text.replace(f"gateway = {GATEWAY['a'][4]}, {GATEWAY['a'][6]}",
                          line, 1)
    with open(g.tl.conf, "w", encoding="utf-8") as f:
        f.write(text)
    done = g.tl.run("attach", "eth0", "-c", g.tl.conf)
    assert done.returncode == 2 and error in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and traces(g.host) == before


def test_the_order_of_keys_is_free(g):
    """The gateway may be listed in allowed-ips, too."""
    text = g.text.replace(peer_text("a"), f"""
[peer a]
allowed-ips = {GATEWAY['a'][4]}/32
allowed-ips = routed
gateway = {GATEWAY['a'][4]}, {GATEWAY['a'][6]}
allowed-ips = {GATEWAY['a'][6]}/128
endpoint = {OUTER[4].format(2)}
""")
    assert text != g.text
    with open(g.tl.conf, "w", encoding="utf-8") as f:
        f.write(text)
    assert "nothing" in g.tl.ok("reload", "eth0", "-c", g.tl.conf)


def test_a_route_of_somebody_else_makes_the_peer_wait(lab):
    g = Gateways(lab)
    g.tl.ok("detach", "eth0")
    text = re.sub("address = .*", "", g.text)
    g.host.ip("route", "add", GATEWAY["a"][4], "dev", "lo")
    g.tl.attach(text, "--no-trigger")
    assert f'route "{GATEWAY["a"][4]}/32" already exists' in g.tl.peer(
        "a")["waiting"]
    g.host.ip("route", "del", GATEWAY["a"][4], "dev", "lo")
    g.tl.ok("trigger", "eth0", "--due")
    wait_until(lambda: not g.tl.peer("a")["waiting"], "it works")


def test_trigger_and_check_know_the_gateway(g):
    """The route to it has no gateway itself."""
    done = g.tl.run("trigger", "eth0", "--wait", "30")
    assert done.returncode == 0 and done.stdout.count("answered") == 4, done
    checked = g.tl.ok("check", "eth0", "--json")
    assert '"inner route"' not in checked and "longer prefix" not in checked
    g.host.ip("route", "add", "10.5.0.0/24", "via", GATEWAY["a"][4])
    g.tl.ok("peer", "set", "eth0", "b", "allowed-ips", "10.5.0.0/16,routed")
    assert "longer prefix" not in g.tl.run("check", "eth0", "--json").stdout


def test_watch_brings_a_gateway_back(g):
    """At once, not at the next look at the host in 25 s."""
    watch = g.lab.keep(g.tl.start("watch", "eth0"))
    watch.wait_output("eth0: a: up")
    for family in 4, 6, 4, 6:
        g.host.ip("neigh", "del", GATEWAY["a"][family], "dev", "eth0")
        wait_until(lambda f=family: GATEWAY["a"][f] in made(g.host)[1],
                   "the neighbour is back", timeout=MOMENT * PATIENCE)


@pytest.mark.parametrize("via", [["a"], ["a", "b"]], ids=["one", "multipath"])
@pytest.mark.parametrize("routed", ["routed, ", ""])
def test_a_daemons_route_is_no_exception(lab, via, routed):
    """A longer route via a gateway leads into the tunnel, too: what the static
    prefix allows stays allowed."""
    g = Gateways(lab, allowed="routed")
    for family, net in (4, "10.5.0.0/17"), (6, "fd00:5::/48"):
        hops = [word for name in via for word in
                ("nexthop", "via", GATEWAY[name][family], "dev", "eth0")]
        g.host.ip(f"-{family}", "route", "add", net, *hops)
    g.tl.ok("peer", "set", "eth0", "a", "allowed-ips",
            f"{routed}10.5.0.0/16,fd00:5::/32")
    for family in 4, 6:
        assert g.send("a", family, 4) == (4, 0)
    rows = g.tl.map("prefixes4") + g.tl.map("prefixes6")
    assert not [r for r in rows if r["value"]["peer"] == 0
                and r["key"]["prefixlen"] in (17, 48)]


def test_what_is_an_exception(lab):
    """A route via a gateway by its form is none, one via the same address on
    another interface is, and so is one via an address that a peer only has in
    allowed-ips."""
    g = Gateways(lab)
    lab.veth(g.host, "eth1", lab.netns("beside"), "eth0")
    g.tl.ok("peer", "set", "eth0", "a", "allowed-ips", "10.5.0.0/16,10.6.0.1/32")
    for net, *hop in (("10.5.0.0/24", "240.0.0.1", "dev", "eth0"),
                      ("10.5.1.0/24", GATEWAY["a"][4], "dev", "eth1"),
                      ("10.5.2.0/24", "10.6.0.1", "dev", "eth0")):
        g.host.ip("route", "add", net, "via", *hop, "onlink")
    g.tl.ok("trigger", "eth0", "--due")
    for third, expected in (0, (1, 0)), (1, (0, 1)), (2, (0, 1)):
        assert g.send("a", 4, sources=[f"10.5.{third}.1"]) == expected, third


def test_the_other_end_is_told_its_gateway(g):
    """remote-config: with tunload there, each end is the other's gateway; a
    Linux gets the address."""
    far = g.far_tl["a"]
    far.ok("detach", "eth0")
    far.attach(g.tl.ok("remote-config", "eth0", "a", "--for", "tunload"),
               "--no-trigger", "--mode", "tc")
    for family in 4, 6:
        assert ping(g.host, GATEWAY["a"][family], source=OWN[family])
        assert ping(g.far["a"], OWN[family], source=GATEWAY["a"][family])
    linux = g.tl.ok("remote-config", "eth0", "a", "--for", "linux")
    for family in 4, 6:
        assert (f"ip addr add {GATEWAY['a'][family]} peer {OWN[family]} dev "
                f"tunload{family}\n") in linux
