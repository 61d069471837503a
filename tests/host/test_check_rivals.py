# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` on hosts where others take the same packets, or the driver
does not suit: what it says, and that the printed command mends it."""
import os
import struct

import pytest

from checked import CONF, Case, Checked, check_case
from lab import run
from lifecycle import HOOKS, conf_a, hook_env
from packets import bpf

FOREIGN = """
struct xdp_md;
struct __sk_buff;
__attribute__((section("xdp"), used))
int foreign_xdp(struct xdp_md *ctx) { return 2; }
__attribute__((section("tc"), used))
int foreign_tc(struct __sk_buff *skb) { return -1; }
char text[] __attribute__((section("license"), used)) = "GPL";
"""
AUTO, NATIVE = conf_a("auto"), conf_a("native")
XDP = ("\"foreign_xdp\" (id {}) has the XDP hook of eth0, so that tunload takes "
       "packets in tc only, and only those that it lets pass")
TC = ("\"{}\" at tc {} of eth0 sees packets before our program, and may change "
      "them or take them away")
TCX = {"ingress": 46, "egress": 47}  # attach types
COUNTER = 16  # bytes: packets, bytes


@pytest.fixture(name="foreign", scope="module")
def fixture_foreign(tmp_path_factory):
    """The path of a BPF object with an XDP and a tc program of another tool."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "foreign.c").write_text(FOREIGN)
    run(os.environ.get("CLANG", "clang"), "-O2", "-g", "-target", "bpf", "-c",
        folder / "foreign.c", "-o", folder / "foreign.o")
    return folder / "foreign.o"


def xdp_id(host):
    """The id of the XDP program on the first host's interface."""
    return host.a.links("eth0")[0]["xdp"]["prog"]["id"]


@pytest.mark.parametrize("flag", ["xdpdrv", "xdpgeneric"])
@pytest.mark.parametrize("conf", [AUTO, NATIVE], ids=["auto", "native"])
def test_a_foreign_xdp_program(lab, foreign, conf, flag):
    host = Checked(lab, conf)
    host.a.ip("link", "set", "eth0", flag, "obj", foreign, "sec", "xdp")
    finding, = host.findings()
    assert finding["level"] == "warning" if conf == AUTO else "failure"
    assert finding["command"] == f"ip link set dev eth0 {flag} off"
    if conf == AUTO:
        assert finding["why"] == XDP.format(xdp_id(host))
    host.sh(finding["command"])
    assert host.findings() == []


def test_auto_fell_back_to_tc(lab, foreign):
    """With the other program gone, the printed command goes native."""
    host = Checked(lab, AUTO)
    host.a.ip("link", "set", "eth0", "xdpdrv", "obj", foreign, "sec", "xdp")
    host.run_well()
    found = {f["what"]: f for f in host.findings()}
    assert found.keys() == {"XDP program", "tc mode"}
    assert found["tc mode"]["why"].startswith(
        "packets are taken in tc, which costs more than native XDP: XDP hook is "
        "taken by program \"foreign_xdp\"")
    host.sh(found["XDP program"]["command"])
    host.sh(found["tc mode"]["command"])
    assert host.tl.status()["mode"] == "native"
    finding, = host.findings()
    assert (finding["what"], finding["command"]) == (
        "GSO", "tunload attach eth0 --mode tc")
    host.sh(finding["command"])
    assert host.findings() == []


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_tc_filter_in_front(lab, foreign, hook, way):
    """With TCX ours come before any filter."""
    host = Checked(lab)
    host.a.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    host.a.run("tc", "filter", "add", "dev", "eth0", way, "pref", "7", "bpf",
               "da", "obj", foreign, "sec", "tc")
    host.a.run("tc", "filter", "add", "dev", "eth0", way, "pref", "95", "bpf",
               "da", "obj", foreign, "sec", "tc")
    host.tl.attach(CONF, env=hook_env(hook))
    host.run("trigger", "eth0", "--wait", 30, check=True)
    found = host.findings()
    if hook == "tcx":
        assert found == []
        return
    assert [(f["why"], f["command"]) for f in found] == [
        (TC.format("bpf", way), f"tc filter del dev eth0 {way} pref 7")]
    host.sh(found[0]["command"])
    assert host.findings() == []


@pytest.mark.skipif("tcx" not in HOOKS, reason="expected: no TCX")
@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_tcx_program_in_front(lab, foreign, way):
    host = Checked(lab)
    pin = os.path.join(host.tl.bpffs, "foreign")
    run("bpftool", "prog", "loadall", foreign, pin)
    prog = bpf.obj_get(os.path.join(pin, "foreign_tc"))
    index = host.a.links("eth0")[0]["ifindex"]
    host.a.call(bpf.link_create, prog, index, TCX[way])
    finding, = host.findings()
    assert finding["why"] == TC.format("foreign_tc", way)
    host.sh(finding["command"])
    assert host.findings() == []


POLICY = "src {} dst {} dir {}"
CASES = [
    Case("block", lambda host: host.a.ip(
        "xfrm", "policy", "add", *POLICY.format(
            "0.0.0.0/0", "10.10.0.0/16", "out").split(), "action", "block"),
         ("failure", "rivals", "IPsec", "b",
          "a policy drops packets to 10.10.0.0/24"),
         "ip xfrm policy del src 0.0.0.0/0 dst 10.10.0.0/16 dir out"),
    Case("block in", lambda host: host.a.ip(
        "xfrm", "policy", "add", *POLICY.format(
            "10.10.0.0/24", "172.22.2.2/32", "in").split(), "action", "block"),
         ("failure", "rivals", "IPsec", "b",
          "a policy drops packets from 10.10.0.0/24"),
         "ip xfrm policy del src 10.10.0.0/24 dst 172.22.2.2/32 dir in"),
    Case("in clear", lambda host: host.a.ip(
        "xfrm", "policy", "add", *POLICY.format(
            "192.0.2.1/32", "192.0.2.2/32", "out").split(), "tmpl", "proto",
        "esp", "mode", "transport"),
         ("warning", "rivals", "IPsec", "b",
          "a policy encrypts packets to 192.0.2.2, but not those of the tunnel, "
          "which are made behind it: they leave in clear; encrypt the inner "
          "packets instead"),
         "ip xfrm policy del src 192.0.2.1/32 dst 192.0.2.2/32 dir out"),
    Case("hook", lambda host: run(
        "bpftool", "link", "detach", "pinned",
        os.path.join(host.tl.pins, "link_tcx_egress")),
         ("failure", "rivals", "hook", None,
          "somebody took our program off the hook tc_egress of eth0"),
         "tunload attach eth0", attached=True),
    Case("GSO", lambda host: host.run("attach", "eth0", "--mode", "native",
                                      check=True),
         ("warning", "driver", "GSO", None,
          "native XDP on veth switches GSO off, which costs more than it saves: "
          "mode = tc is faster there"),
         "tunload attach eth0 --mode tc", attached=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_printed_command_mends_it(lab, case):
    check_case(lab, case)


def test_policies_about_other_packets(lab):
    host = Checked(lab)
    for src, dst, way, *more in (
            ("10.10.0.0/24", "10.10.0.7/32", "out", "action", "block"),
            ("172.22.2.2/32", "10.10.0.0/25", "out", "action", "block"),
            ("172.22.2.2/32", "10.10.0.0/24", "fwd", "action", "block"),
            ("192.0.2.1/32", "192.0.2.3/32", "out", "tmpl", "proto", "esp"),
            ("172.22.2.2/32", "10.10.0.0/24", "out", "tmpl", "proto", "esp")):
        host.a.ip("xfrm", "policy", "add", *POLICY.format(src, dst, way).split(),
                  *more)
    assert host.findings() == []


@pytest.mark.skipif(os.cpu_count() < 2, reason="expected: one CPU")
def test_one_cpu_does_the_work(lab):
    host = Checked(lab)
    host.run_well()
    names = list(host.tl.map("verdicts")[0]["values"][0]["value"])
    counters = bpf.Map(bpf.obj_get(f"{host.tl.pins}/verdicts"))
    value = bytearray(counters.value_size)
    struct.pack_into("Q", value, COUNTER * names.index("rx_decap"), 1_000_000)
    counters.update(bytes(4), bytes(value))
    finding, = host.findings()
    assert finding["why"] == (
        "a tunnel is one flow for the network card, so one CPU does its work: "
        "RPS spreads it by inner flow")
    host.sh(finding["command"])
    assert host.findings() == []
