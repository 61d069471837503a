# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` on EC2, whose metadata service is played by the next host.
`aws` is a script that changes what the service says."""
import json
import os
import sys

import pytest

from addresses import OUTER
from checked import CONF, Checked
from lab import REPO

SERVICE = {4: "169.254.169.254", 6: "fd00:ec2::254"}
SCRIPT = os.path.join(REPO, "tests/labs/metadata_service.py")
ENI, GROUP = "eni-0a1b2c3d4e5f60718", "sg-0123456789abcdef0"
PUBLIC = "203.0.113.10"
HERE = OUTER[4][0]
FACTS = {
    "interface-id": ENI,
    "security-groups": "default\nother",
    "security-group-ids": f"{GROUP}\nsg-0fedcba9876543210",
    "local-ipv4s": HERE,
    "ipv6s": OUTER[6][0],
    "vpc-ipv4-cidr-blocks": "172.31.0.0/16\n172.30.0.0/16",
    f"ipv4-associations/{PUBLIC}": HERE,
}
# Appends the last word to what is assigned.
AWS = """#!/bin/sh
test "$1 $3 $4" = "ec2 --network-interface-id %s"
case $2-$5 in
assign-private-ip-addresses---private-ip-addresses) printf '\\n%%s' $6 >>%s ;;
assign-ipv6-addresses---ipv6-addresses) printf '\\n%%s' $6 >>%s ;;
*) exit 1 ;;
esac
"""
ADDRESS = {
    "level": "ok", "area": "ec2", "what": "public address", "peer": None,
    "why": f"the other end has to use {PUBLIC} for {HERE}", "command": None}
RULE = {
    "level": "ok", "area": "ec2", "what": "security group", "peer": "b",
    "why": "without an inbound rule for protocol 4 its packets pass only "
           "within 600 s of ours",
    "command": "aws ec2 authorize-security-group-ingress --group-id "
               f"{GROUP} --ip-permissions 'IpProtocol=4,IpRanges="
               "[{CidrIp=192.0.2.2/32}]'"}


class Instance(Checked):
    """The first host as an instance; the second is the service, too."""

    def __init__(self, lab, conf=CONF, facts=None):
        super().__init__(lab, conf)
        self.lab = lab
        self.folder = os.path.join(self.tl.dir, "facts")
        self.mac = os.path.join(self.folder, "network/interfaces/macs",
                                self.a.mac("eth0"))
        for name, text in {**FACTS, **(facts or {})}.items():
            self.fact(name, text)
        self._aws()

    def fact(self, name, text):
        """Sets what the service says of the interface; None: nothing."""
        path = os.path.join(self.mac, name)
        if text is None:
            os.remove(path)
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def _aws(self):
        path = os.path.join(self.tl.dir, "aws")
        with open(path, "w", encoding="utf-8") as f:
            f.write(AWS % (ENI, os.path.join(self.mac, "local-ipv4s"),
                           os.path.join(self.mac, "ipv6s")))
        os.chmod(path, 0o755)

    def serve(self, version=4, *fault):
        """Starts the service; returns its Process."""
        bits = "/32" if version == 4 else "/128"
        self.b.addr("lo", SERVICE[version] + bits)
        self.a.ip("route", "add", SERVICE[version], "via", OUTER[version][1])
        service = self.lab.start(self.b, sys.executable, SCRIPT,
                                 SERVICE[version], self.folder, *fault)
        service.wait_output("ready")
        return service

    def facts(self, **kwargs):
        """The findings of EC2, the ok ones included."""
        done = self.check("--json", **kwargs)
        assert done.stderr == ""
        return [f for f in json.loads(done.stdout) if f["area"] == "ec2"]

    def wrong(self):
        """Those of them that are not ok."""
        return [f for f in self.facts() if f["level"] != "ok"]

    def mend(self, finding):
        """Runs the command of a finding."""
        self.sh(f"PATH={self.tl.dir}:$PATH; {finding['command']}")


@pytest.fixture(name="instance")
def fixture_instance(lab):
    """An instance where nothing is wrong."""
    return Instance(lab)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("attached", [False, True])
def test_what_is_said(instance, version, attached):
    instance.serve(version)
    if attached:
        instance.attach()
    assert instance.facts() == [ADDRESS, RULE]
    assert instance.wrong() == []


def test_the_text(instance):
    instance.serve()
    assert instance.check().stdout.endswith(f"""\
ok       public address       the other end has to use {PUBLIC} for
                              {HERE}
ok       security group       peer b: without an inbound rule for protocol 4 its
                              packets pass only within 600 s of ours
         -> {RULE["command"]}
""")


def test_both_protocols_over_ipv6(lab):
    conf = CONF.replace(OUTER[4][1], OUTER[6][1]).replace(
        "10.10.0.0/24", "10.10.0.0/24, fd00:10::/64")
    instance = Instance(lab, conf)
    instance.serve()
    rule, = instance.facts()
    assert "protocol 4 and 41" in rule["why"]
    assert rule["command"].endswith(
        "--ip-permissions "
        "'IpProtocol=4,Ipv6Ranges=[{CidrIpv6=2001:db8::2/128}]' "
        "'IpProtocol=41,Ipv6Ranges=[{CidrIpv6=2001:db8::2/128}]'")


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_an_assigned_address_is_missing(instance, address):
    name, bits = ("ipv6s", 128) if ":" in address else ("local-ipv4s", 32)
    instance.fact(name, FACTS[name] + "\n" + address)
    instance.serve()
    finding, = instance.wrong()
    assert finding == {
        "level": "warning", "area": "ec2", "what": "address missing",
        "peer": None, "why": f"EC2 has assigned {address} to eth0 ({ENI}), "
                             "which does not have it",
        "command": f"ip addr add {address}/{bits} dev eth0"}
    instance.mend(finding)
    assert instance.wrong() == []


@pytest.mark.parametrize("address", ["192.0.2.77/32", "2001:db8::77/128"])
def test_an_address_is_not_assigned(instance, address):
    instance.serve()
    instance.a.addr("eth0", address)
    finding, = instance.wrong()
    host = address.partition("/")[0]
    assert finding["level"] == "warning"
    assert finding["what"] == "address not assigned"
    assert finding["why"] == (f"EC2 has not assigned {host} to eth0 ({ENI}) "
                              "and drops what it sends")
    instance.mend(finding)
    assert instance.wrong() == []


def test_the_outer_source_is_not_assigned(instance):
    instance.fact("local-ipv4s", "192.0.2.99")
    instance.a.addr("eth0", "192.0.2.99/32")
    instance.serve()
    finding, = instance.wrong()
    assert finding["level"] == "failure"
    assert finding["why"].endswith("nothing from this outer source arrives")
    assert instance.check().returncode == 1
    instance.mend(finding)
    assert instance.wrong() == []


def test_a_delegated_prefix_is_assigned(instance):
    instance.a.addr("eth0", "192.0.2.81/32", "2001:db8::c0:1/128")
    instance.fact("ipv4-prefix", "192.0.2.80/28")
    instance.fact("ipv6-prefix", "2001:db8::c0:0/112")
    instance.serve()
    assert instance.wrong() == []


def test_inner_addresses_are_not_assigned(lab):
    conf = CONF.replace("source = ", "address = ")
    instance = Instance(lab, conf)
    instance.a.ip("addr", "flush", "dev", "lo")
    instance.serve()
    instance.attach()
    assert instance.wrong() == []


@pytest.mark.parametrize("network, level", [
    ("172.31.0.0/16", "warning"), ("192.0.2.0/24", None)])
def test_no_public_address(lab, network, level):
    instance = Instance(lab, facts={"vpc-ipv4-cidr-blocks": network})
    instance.fact(f"ipv4-associations/{PUBLIC}", None)
    instance.serve()
    found = [f for f in instance.facts() if f["what"] == "public address"]
    assert [f["level"] for f in found] == [level] * bool(level)
    if level:
        assert found[0]["why"].startswith(f"{HERE} has none, and 192.0.2.2 is")
        assert found[0]["command"] == (
            "aws ec2 associate-address --network-interface-id "
            f"{ENI} --private-ip-address {HERE} --allocation-id ID")


@pytest.mark.parametrize("sysctl", [
    "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
def test_source_destination_check(instance, sysctl):
    instance.serve()
    instance.a.sysctl(sysctl, 1)
    found = [f for f in instance.facts() if f["what"] == "source/dest. check"]
    assert [f["level"] for f in found] == ["ok"]
    assert found[0]["command"] == (
        "aws ec2 modify-network-interface-attribute --network-interface-id "
        f"{ENI} --no-source-dest-check")


@pytest.mark.parametrize("fault", [
    "hang", "hang-later", "huge", "refuse", "redirect", "stale", "split"])
def test_a_service_that_fails(instance, fault):
    service = instance.serve(4, fault)
    assert instance.facts() == []
    told = service.output()
    assert "/other" not in told
    assert ("PUT" in told) == (fault != "hang")


@pytest.mark.parametrize("facts", [
    {"interface-id": "\x00\xff\r\n"},
    {"interface-id": "eni-0;reboot"},
    {"interface-id": "eni-" + "0" * 100},
    {"interface-id": "<html>eni-0</html>"}])
def test_garbage_is_no_interface(lab, facts):
    instance = Instance(lab, facts=facts)
    instance.serve()
    assert instance.facts() == []


def test_garbage_is_left_out(lab):
    instance = Instance(lab, facts={
        "security-group-ids": "sg-$(reboot)\n\n`sg-0`",
        "local-ipv4s": f"192.0.2.300 x/y {'9' * 1000}\t{HERE}",
        "ipv4-prefix": "192.0.2.0/33\n/\n192.0.2.1/24",
        f"ipv4-associations/{PUBLIC}": f"{HERE};\n{HERE}"})
    instance.serve()
    assert instance.facts() == [ADDRESS]


def test_not_on_ec2(instance):
    """No route; then a route to a host without such a service."""
    assert instance.facts() == []
    instance.a.ip("route", "add", "default", "via", OUTER[4][1])
    instance.a.ip("route", "add", "default", "via", OUTER[6][1])
    instance.b.ip("addr", "add", SERVICE[4] + "/32", "dev", "lo")
    assert instance.facts() == []


def test_another_mac(instance):
    service = instance.serve()
    instance.a.ip("link", "set", "eth0", "address", "02:74:6c:00:ff:ff")
    assert instance.facts() == []
    assert "02:74:6c:00:ff:ff/interface-id" in service.output()


@pytest.mark.parametrize("version", [4, 6])
def test_never_through_a_tunnel(instance, version):
    """The route leads to the gateway of the peer, whose host has the
    service."""
    instance.attach()
    service = instance.serve(version)
    assert instance.facts() == [ADDRESS, RULE]
    before = service.output(), instance.tl.peer("b")["verdicts"]
    instance.a.ip("route", "replace", SERVICE[version], "via",
                  instance.tl.peer("b")[f"gateway{version}"], "dev", "eth0",
                  "onlink")
    assert instance.facts() == []
    assert (service.output(), instance.tl.peer("b")["verdicts"]) == before


def test_never_through_another_tunnel(instance):
    instance.a.ip("tuntap", "add", "tun0", "mode", "tun")
    instance.a.ip("link", "set", "tun0", "up")
    instance.a.ip("route", "add", "default", "dev", "tun0")
    assert instance.facts() == []
    packets = json.loads(instance.a.ip("-json", "-s", "link", "show",
                                       "tun0").stdout)[0]["stats64"]["tx"]
    assert packets["packets"] == packets["dropped"] == 0


def test_without_a_proxy(instance):
    instance.serve()
    proxy = "http://192.0.2.2:9"
    assert instance.facts(prefix=["env", f"http_proxy={proxy}",
                                  f"ALL_PROXY={proxy}"]) == [ADDRESS, RULE]


def test_without_libcurl(instance):
    instance.serve()
    instance.sh("for f in /usr/lib/*/libcurl*.so.4; do "
                "mount --bind /dev/null $f; done")
    assert instance.facts() == []
