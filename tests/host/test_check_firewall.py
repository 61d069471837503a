# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` and rules of nftables and iptables: which drop inner packets
for certain, which only may, and that none sees an outer packet."""
import pytest

from checked import CONF, Case, Checked, check_case
from lifecycle import A, B, conf_a
from traffic import ping

SIX = CONF.replace("source = 172.22.2.2\n", "").replace(
    "10.10.0.0/24", "fd00:10::/64")
ALL = "the chain {} (hook {}) drops packets, answers too, {} 10.10.0.0/24"
OUT, INTO = "out of the tunnel from", "into the tunnel to"
IN_RULE = "nft insert rule {} iifname eth0 ip saddr 10.10.0.0/24 accept"
OUT_RULE = "nft insert rule {} oifname eth0 ip daddr 10.10.0.0/24 accept"


def chain(hook, rules="", policy="drop"):
    """The function that loads a base chain with these rules."""
    text = (f"table inet t {{\nchain c {{\ntype filter hook {hook} priority 0; "
            f"policy {policy};\n{rules}\n}}\n}}\n")
    return lambda host: host.a.nft(text)


def netdev(hook, rules="", policy="accept", device="device eth0", family="netdev"):
    """The function that loads a base chain of a device with these rules."""
    text = (f"table {family} n {{\nchain c {{\ntype filter hook {hook} "
            f"{device} priority 0; policy {policy};\n{rules}\n}}\n}}\n")
    return lambda host: host.a.nft(text)


def iptables(*lines):
    """The function that runs these commands."""
    return lambda host: host.sh("\n".join(f"iptables-nft {a}" for a in lines))


def forwarding(make):
    """The same on a host that forwards."""
    def both(host):
        host.a.sysctl("net.ipv4.ip_forward", 1)
        make(host)
    return both


def dropped(place, hook, way, level="failure", words=ALL):
    """The finding about the first prefix."""
    return (level, "firewall", "firewall", "b", words.format(place, hook, way))


NEW = ("the chain {} (hook {}) drops pings and maybe more, but answers come "
       "in, {} 10.10.0.0/24")
FORWARD = ("the chain {} (hook {}) drops pings and maybe more, but answers "
           "leave, {} 10.10.0.0/24")
ASKS = ("the chain {} (hook {}) drops pings and other packets that conntrack "
        "does not let through {} 10.10.0.0/24")

CASES = [
    Case("input", chain("input", "iif lo accept\ntcp dport 22 accept"),
         dropped("inet t c", "input", OUT), IN_RULE.format("inet t c")),
    Case("answers", chain("input", "ct state established,related accept"),
         dropped("inet t c", "input", OUT, "warning", NEW),
         IN_RULE.format("inet t c")),
    Case("map", chain("input", "ct state vmap { established : accept, "
                               "invalid : drop }"),
         dropped("inet t c", "input", OUT, "warning", NEW),
         IN_RULE.format("inet t c")),
    Case("output", chain("output", "ct state established accept"),
         dropped("inet t c", "output", INTO, words=(
             "the chain {} (hook {}) drops pings and maybe more, but answers "
             "leave, {} 10.10.0.0/24")), OUT_RULE.format("inet t c")),
    Case("bogons", chain("prerouting", "iifname \"eth*\" ip saddr { 10.0.0.0/8,"
                         " 192.168.0.0/16 } drop", "accept"),
         dropped("inet t c", "prerouting", OUT), IN_RULE.format("inet t c")),
    Case("in another chain",
         lambda host: host.a.nft(
             "table ip t {\nchain d {\nip daddr 10.10.0.0/16 reject\n}\n"
             "chain c {\ntype filter hook output priority 0;\n"
             "meta l4proto icmp jump d\n}\n}\n"),
         dropped("ip t c", "output", INTO), OUT_RULE.format("ip t c")),
    Case("postrouting", chain("postrouting", "oifname != \"eth1\" drop",
                              "accept"),
         dropped("inet t c", "postrouting", INTO), OUT_RULE.format("inet t c")),
    Case("iptables", iptables("-A INPUT -i eth0 -s 10.0.0.0/8 -j REJECT"),
         dropped("ip filter INPUT", "input", OUT),
         IN_RULE.format("ip filter INPUT")),
    Case("iptables and conntrack", iptables(
        "-P INPUT DROP",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
         dropped("ip filter INPUT", "input", OUT, "warning", ASKS),
         IN_RULE.format("ip filter INPUT")),
    Case("forward", forwarding(chain(
        "forward", "iifname \"eth0\" ct state established accept\n"
        "iifname \"eth1\" accept")),
         dropped("inet t c", "forward", OUT, "warning", NEW),
         IN_RULE.format("inet t c")),
    Case("ingress of the device", netdev("ingress", "ip saddr 10.0.0.0/8 drop"),
         dropped("netdev n c", "ingress", OUT), IN_RULE.format("netdev n c")),
    Case("ingress, inet", netdev("ingress", "ip saddr 10.0.0.0/8 drop",
                                 family="inet"),
         dropped("inet n c", "ingress", OUT), IN_RULE.format("inet n c")),
    Case("egress of devices", netdev(
        "egress", "ip daddr 10.10.0.0/24 drop",
        device="devices = { lo, eth0 }"),
         dropped("netdev n c", "egress", INTO), OUT_RULE.format("netdev n c")),
    Case("IPv6", chain("input", "meta nfproto ipv4 accept\n"
                       "icmpv6 type nd-neighbor-solicit accept"),
         ("failure", "firewall", "firewall", "b",
          "the chain inet t c (hook input) drops packets, answers too, out of "
          "the tunnel from fd00:10::/64"),
         "nft insert rule inet t c iifname eth0 ip6 saddr fd00:10::/64 accept",
         conf=SIX),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_printed_command_mends_it(lab, case):
    check_case(lab, case)


UNSURE = [
    chain("input", policy="accept"),
    chain("forward"),  # this host does not forward
    netdev("ingress", "drop", device="device lo"),
    netdev("ingress", "drop", device="device lo", family="inet"),
    netdev("egress", "drop", device="devices = { lo }"),
    netdev("ingress", "ip protocol 4 drop"),  # no outer packet comes here
    netdev("ingress", "ip saddr 10.10.0.1 drop"),
    chain("input", "icmp type echo-request limit rate 5/second accept\n"
          "icmp type echo-reply accept"),
    chain("input", "ip saddr 10.10.0.1 accept"),  # a part of the prefix
    chain("input", "ip saddr 10.10.0.1 drop", "accept"),
    chain("input", "ip protocol != icmp drop", "accept"),
    chain("input", "meta mark 7 accept"),
    chain("input", "ip saddr @s drop\n}\nset s {\ntype ipv4_addr", "accept"),
    chain("input", "iifname { \"eth0\", \"eth1\" } accept"),
    chain("input", "iifname vmap { \"eth0\" : accept }"),
    chain("input", "ip saddr vmap { 10.10.0.7 : drop }", "accept"),
    chain("input", "tcp dport 22 drop", "accept"),
    chain("input", "jump d\ndrop\n}\nchain d {\nmeta mark 7 return\naccept"),
    chain("output", "oifname \"eth1\" drop", "accept"),
    iptables("-P INPUT DROP", "-A INPUT -m comment --comment x -j ACCEPT"),
    iptables("-A INPUT -m mark --mark 7 -j DROP"),
]


def test_what_is_not_certain_is_no_finding(lab):
    host = Checked(lab)
    for make in UNSURE:
        make(host)
        rules = host.sh("nft list ruleset").stdout
        assert "hook" in rules and host.findings() == [], rules
        host.sh("nft flush ruleset")


def test_rules_of_iptables_legacy(lab):
    """They are not read, and that is said."""
    host = Checked(lab)
    host.run_well()
    host.sh("iptables-legacy -A INPUT -s 10.0.0.0/8 -j DROP\n"
            "iptables-legacy -t mangle -L")
    names = sorted(host.sh("cat /proc/net/ip_tables_names").stdout.split())
    assert names == ["filter", "mangle"]
    finding, = host.findings()
    why = finding.pop("why")
    assert finding == {"level": "warning", "area": "firewall",
                       "what": "legacy firewall", "peer": None,
                       "command": None}
    assert why in [
        f"iptables-legacy has rules, or had, in its own tables ({both}), which "
        "are not read: `iptables-legacy-save` shows them"
        for both in ("filter, mangle", "mangle, filter")]
    host.sh("ip6tables-legacy -L")
    assert [f["why"].split()[0] for f in host.findings()] == [
        "iptables-legacy", "ip6tables-legacy"]


HOOKS = ["prerouting", "input", "forward", "output", "postrouting"]


@pytest.mark.parametrize("mode", ["tc", "native"])
def test_no_rule_sees_outer_packets(lab, mode):
    """What `check` relies on: rules about protocol 4 have no effect."""
    host = Checked(lab, conf_a(mode))
    drop = "ip protocol 4 drop"
    host.a.nft("".join(
        f"table inet {hook} {{\nchain c {{\ntype filter hook {hook} priority "
        f"-400;\n{drop}\n}}\n}}\n" for hook in HOOKS))
    host.a.nft("table netdev n {\n" + "".join(
        f"chain {hook} {{\ntype filter hook {hook} device eth0 priority "
        f"-400;\n{drop}\n}}\n" for hook in ("ingress", "egress")) + "}\n")
    host.run_well()
    assert ping(host.a, B, A) and ping(host.b, A, B)
    assert [f["what"] for f in host.findings()
            if f["area"] == "firewall"] == []
