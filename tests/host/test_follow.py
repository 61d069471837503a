# SPDX-License-Identifier: GPL-2.0-only
"""The timer's command, and every other one, adapts an attachment to changes of
the host; until then the status says what is wrong."""
import json
import os
import signal
import time

import pytest

from lab import TUNLOAD, run, wait_until
from lifecycle import A, B, HOOKS, Pair, conf_a, hook_env
from netns import Process
from traffic import is_tunnel, packet_of, ping


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair with nothing attached on its first host."""
    return Pair(lab)


def due(pair):
    """Runs `trigger --due`; returns the repairs it reports, None for none."""
    done = pair.tl.run("trigger", "eth0", "--due", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)["mended"]


def hints(pair, peer=None):
    """The hints about the peer, or about the interface, in one text."""
    told = pair.tl.peer(peer) if peer else pair.tl.status()
    return "\n".join(told["hints"])


def tunnelled(frame):
    """True for a frame with a tunnel packet."""
    return is_tunnel(packet_of(frame.data))


def renumber(pair, old, new):
    """Replaces an address of the first host, as DHCP may do."""
    pair.a.ip("addr", "del", old, "dev", "eth0")
    pair.a.addr("eth0", new)


def test_nothing_to_mend_takes_no_lock(pair):
    pair.tl.attach(conf_a())
    assert due(pair) is None
    trace = os.path.join(pair.tl.dir, "trace")
    pair.a.run("strace", "-f", "-e", "trace=flock", "-o", trace, TUNLOAD,
               "--bpffs", pair.tl.bpffs, "trigger", "eth0", "--due")
    with open(trace, encoding="utf-8") as f:
        assert "flock" not in f.read()


@pytest.mark.parametrize("command", ["due", "reload", "attach", "peer"])
def test_another_address(pair, command):
    pair.tl.attach(conf_a())
    pair.tl_b.ok("peer", "set", "eth0", "a", "endpoint", "192.0.2.77")
    renumber(pair, "192.0.2.1/24", "192.0.2.77/24")
    assert "192.0.2.1 is not an address" in hints(pair, "b")
    time.sleep(1.1)  # the data plane keeps a learnt next hop for a second
    capture = pair.lab.capture(pair.b, "eth0", tunnelled)
    assert not ping(pair.a, B, A, wait=0.5)
    assert not [f for f in capture.frames()
                if packet_of(f.data).src == "192.0.2.1"]
    if command == "due":
        assert "local 192.0.2.77 instead of 192.0.2.1" in due(pair)
    elif command == "reload":
        assert "changed b" in pair.tl.reload(conf_a()).stdout
    elif command == "attach":
        assert "192.0.2.77 instead" in pair.tl.ok("attach", "eth0")
    else:
        pair.tl.ok("peer", "set", "eth0", "b", "ttl", "63")
    assert pair.tl.peer("b")["local"] == "192.0.2.77"
    assert ping(pair.a, B, A)
    assert "192.0.2.1 " not in hints(pair)


def test_a_deprecated_address_is_left(pair):
    conf = conf_a().replace("192.0.2.2", "2001:db8::2")
    pair.tl.attach(conf, "--no-trigger")
    pair.a.ip("addr", "add", "2001:db8::77/64", "dev", "eth0", "nodad")
    pair.a.ip("addr", "change", "2001:db8::1/64", "dev", "eth0",
              "preferred_lft", "0", "valid_lft", "600")
    assert "local 2001:db8::77 instead of 2001:db8::1" in due(pair)
    assert due(pair) is None


def test_an_address_that_is_gone_for_good(pair):
    pair.tl.attach(conf_a())
    pair.a.ip("addr", "del", "192.0.2.1/24", "dev", "eth0")
    assert "waits" in due(pair)
    assert "no usable IPv4 address" in pair.tl.peer("b")["waiting"]
    assert pair.tl.peer("b")["local"] is None
    assert due(pair) is None
    pair.a.addr("eth0", "192.0.2.1/24")
    assert "peer b" in due(pair)
    wait_until(lambda: ping(pair.a, B, A, wait=1), "ping through the tunnel")


def test_the_mtu_of_the_interface(pair):
    pair.tl.attach(conf_a())
    assert pair.tl.peer("b")["mtu"] == 1480
    pair.a.ip("link", "set", "eth0", "mtu", "1400")
    assert "more than the MTU 1400" in hints(pair, "b")
    assert "mtu 1380 instead of 1480" in due(pair)
    assert "mtu 1380" in pair.a.ip("route", "get", B).stdout
    pair.a.ip("link", "set", "eth0", "mtu", "1500")
    assert "mtu 1480 instead of 1380" in due(pair)
    assert due(pair) is None and ping(pair.a, B, A)


@pytest.mark.parametrize("change", [
    ["route", "del", "10.10.0.0/24"],
    ["route", "change", "10.10.0.0/24", "via", "192.0.2.2", "dev", "eth0",
     "proto", "94"],
    ["addr", "flush", "to", A, "dev", "eth0"],
    ["neigh", "flush", "dev", "eth0", "nud", "permanent"],
])
def test_routes_and_gateways(pair, change):
    pair.tl.attach(conf_a())
    before = pair.traces()
    assert pair.tl.status()["changes_pending"] == 0
    pair.a.ip(*change)
    if pair.traces() == before:
        pytest.skip("changes nothing here")
    assert pair.tl.status()["changes_pending"] > 0
    assert "`tunload reload eth0`" in hints(pair)
    assert "routes or addresses" in due(pair)
    assert pair.tl.status()["changes_pending"] == 0
    assert ping(pair.a, B, A)
    assert pair.traces() == before


def take_off(pair, hook, name):
    """Removes our program from a hook, as another tool might."""
    if hook == "clsact" and name != "xdp":
        way = name.removeprefix("tcx_")
        pair.a.run("tc", "filter", "del", "dev", "eth0", way, "pref", "94")
    else:
        run("bpftool", "link", "detach", "pinned",
            os.path.join(pair.tl.pins, f"link_{name}"))


@pytest.mark.parametrize("mode, hook, name, told", [
    ("native", "tcx", "xdp", "XDP"),
    *(("tc", hook, way, f"tc {way[4:]}") for hook in HOOKS
      for way in ("tcx_ingress", "tcx_egress")),
])
@pytest.mark.parametrize("command", ["due", "reload", "attach"])
def test_removed_hooks_are_put_back(pair, mode, hook, name, told, command):
    pair.tl.attach(conf_a(mode), env=hook_env(hook))
    take_off(pair, hook, name)
    missing = pair.tl.status()["hooks_missing"]
    assert missing == [name.replace("tcx_", "tc_")]
    assert missing[0] in hints(pair)
    said = {"due": lambda: due(pair),
            "reload": lambda: pair.tl.reload(conf_a(mode)).stdout,
            "attach": lambda: pair.tl.ok("attach", "eth0")}[command]()
    assert f"put the program back on {told}" in said
    assert pair.tl.status()["hooks_missing"] == []
    assert ping(pair.a, B, A)


def test_the_hosts_own_networks(pair):
    """A host that is renumbered into a tunnelled prefix keeps its network."""
    pair.tl.attach(conf_a().replace("10.10.0.0/24", "10.0.0.0/8"))
    pair.a.addr("eth0", "10.99.0.1/24")
    pair.b.addr("eth0", "10.99.0.2/24")
    assert not ping(pair.a, "10.99.0.2", wait=0.5)
    assert "stay outside" in due(pair)
    assert ping(pair.a, "10.99.0.2") and ping(pair.a, B, A)


def test_a_link_that_is_down_is_waited_for(pair):
    pair.tl.attach(conf_a())
    before = pair.a.ip("route").stdout
    pair.a.ip("link", "set", "eth0", "down")
    assert "the interface is down" in hints(pair)
    assert due(pair) is None
    pair.a.ip("link", "set", "eth0", "up")
    assert "routes or addresses" in due(pair)
    assert pair.a.ip("route").stdout == before
    wait_until(lambda: ping(pair.a, B, A, wait=1), "ping through the tunnel")


def test_a_source_that_is_gone(pair):
    pair.tl.attach(conf_a())
    pair.a.ip("addr", "del", f"{A}/32", "dev", "lo")
    pair.a.ip("addr", "flush", "to", A, "dev", "eth0")
    assert f"source {A} is not an address" in hints(pair)


def test_first_packets_to_what_is_new(pair):
    capture = pair.lab.capture(pair.b, "eth0", tunnelled)
    pair.tl.attach(conf_a(), "--no-trigger")
    pair.tl.ok("peer", "add", "eth0", "c", "endpoint", "192.0.2.3",
               "allowed-ips", "10.30.0.0/24")
    pair.b.addr("eth0", "192.0.2.3/24", "192.0.2.4/24")
    wait_until(lambda: pair.tl.peer("c")["tx"]["packets"],
               "first packet after peer add")
    pair.tl.ok("peer", "set", "eth0", "c", "endpoint", "192.0.2.4")
    wait_until(lambda: [f for f in capture.frames()
                        if packet_of(f.data).dst == "192.0.2.4"],
               "first packet after peer set")
    assert pair.tl.peer("b")["tx"]["packets"] == 0
    pair.tl.reload(conf_a().replace("endpoint = 192.0.2.2",
                                    "endpoint = 192.0.2.3"))
    wait_until(lambda: pair.tl.peer("b")["tx"]["packets"],
               "first packet after reload")


def test_counters_begin_with_the_endpoint(pair):
    pair.tl.attach(conf_a())
    assert ping(pair.a, B, A)
    pair.tl.ok("peer", "set", "eth0", "b", "ttl", "63")
    assert pair.tl.peer("b")["rx"]["packets"]
    pair.tl.ok("peer", "set", "eth0", "b", "endpoint", "192.0.2.9")
    assert pair.tl.peer("b")["rx"]["packets"] == 0


def test_attach_tells_of_a_file_that_is_not_what_runs(pair, tmp_path):
    tunload = tmp_path / "build" / "tunload"
    etc = tmp_path / "etc"
    run("make", "-s", "-j2", "-C", os.path.dirname(os.path.dirname(TUNLOAD)),
        f"B={tmp_path}/build", f"SYSCONFDIR={etc}", timeout=300)
    (etc / "tunload").mkdir(parents=True)
    (etc / "tunload/eth0.conf").write_text(conf_a(), encoding="utf-8")

    def attach():
        return pair.a.run(tunload, "--bpffs", pair.tl.bpffs, "attach",
                          "eth0").stdout

    attach()
    assert "differs from what runs" not in attach()
    (etc / "tunload/eth0.conf").write_text(
        conf_a(more="\nttl = 9"), encoding="utf-8")
    assert "`tunload reload eth0` applies it" in attach()


@pytest.mark.parametrize("answers", [["4", "6"], ["4"], ["6"]])
def test_an_answer_counts_for_its_family(pair, answers):
    pair.a.addr("lo", "fd00:22::2/128")
    pair.b.addr("lo", "fd00:10::1/128")
    for version in "4", "6":
        if version not in answers:
            what = "icmp" if version == "4" else "icmpv6"
            pair.b.nft(f"table inet f{version} {{ chain in {{ type filter hook "
                       f"input priority 0; {what} type echo-request drop; }}; "
                       "}")
    pair.tl_b.attach("[interface]\nsource = 10.10.0.1, fd00:10::1\n"
                     "[peer a]\nendpoint = 192.0.2.1\n"
                     "allowed-ips = 172.22.2.0/24, fd00:22::/64\n",
                     "--no-trigger")
    pair.tl.attach(conf_a(more=", fd00:10::/64").replace(
        "source = 172.22.2.2", "source = 172.22.2.2, fd00:22::2"),
                   "--no-trigger")

    def trigger():
        done = pair.tl.run("trigger", "eth0", "--wait", "1", "--json")
        told = json.loads(done.stdout)["peers"][0]
        assert told["other_family"]["probe"] == "fd00:10::1"
        return done.returncode, told["answered"], \
            told["other_family"]["answered"]

    # Repeated, as an answer can take longer than the second that it has here.
    wanted = (int(len(answers) < 2), "4" in answers, "6" in answers)
    wait_until(lambda: trigger() == wanted, f"answers of {answers}")
    text = pair.tl.run("trigger", "eth0", "--wait", "1").stdout
    assert len(text.splitlines()) == 2
    assert text.count("no answer") >= 2 - len(answers)


def test_a_peer_of_default_routes_has_no_probe(pair):
    done = pair.tl.attach(conf_a().replace("10.10.0.0/24", "0.0.0.0/0"))
    assert "no first packet sent: no probe" in done.stderr
    assert "no probe" in hints(pair, "b")


@pytest.mark.parametrize("old, new, words", [
    ("10.10.0.0/24", "0.0.0.0/0", "all traffic but"),
    ("10.10.0.0/24", "172.22.0.0/16", "our own inner source"),
    ("10.10.0.0/24", "10.99.0.0/16", "a network of this host"),
    ("[peer b]", "path-mtu = 9000\n[peer b]", "more than the MTU 1500"),
    ("[peer b]", "[peer b]\nmtu = 1481", "more than the MTU 1500"),
])
def test_risky_files(pair, old, new, words):
    pair.a.addr("eth0", "10.99.3.1/24")
    text = conf_a().replace(old, new)
    for command in (["attach", "--dry-run"], ["attach", "--no-trigger"],
                    ["reload"], ["reload", "--dry-run"]):
        done = pair.tl.run(command[0], "eth0", "-c", pair.tl.write(text),
                           *command[1:])
        assert done.returncode == 0, done.stderr
        assert words in done.stderr, command


def test_dry_run_of_reload_changes_nothing(pair):
    pair.tl.attach(conf_a(), "--no-trigger")
    before = pair.traces(), pair.tl.ok("showconf", "eth0")
    out = pair.tl.reload(conf_a().replace("10.10.0.0/24", "10.11.0.0/24"),
                         "--dry-run").stdout
    assert "+ 10.11.0.0/24" in out and "- 10.10.0.0/24" in out
    assert (pair.traces(), pair.tl.ok("showconf", "eth0")) == before


def test_output_to_a_full_disk(pair):
    path = pair.tl.write(conf_a())
    argv = pair.tl.argv("attach", "eth0", "-c", path)
    done = run("sh", "-c", '"$@" > /dev/full', "sh", *argv, check=False)
    assert done.returncode == 0 and "standard output" in done.stderr
    assert pair.tl.status()["peers"]
    argv = pair.tl.argv("status", "eth0")
    done = run("sh", "-c", '"$@" > /dev/full', "sh", *argv, check=False)
    assert done.returncode == 1


def test_a_private_bpffs_is_refused(pair):
    """`ip netns exec` mounts a /sys of its own; pins in it would be lost."""
    pair.tl.write(conf_a())
    before = pair.traces()
    done = run("ip", "netns", "exec", pair.a.name, TUNLOAD, "attach", "eth0",
               "-c", pair.tl.conf, check=False)
    assert done.returncode == 1 and "nsenter --net=" in done.stderr
    assert pair.traces() == before


def test_status_from_the_wrong_bpffs(pair):
    pair.tl.attach(conf_a(), "--no-trigger")
    other = pair.lab.new_bpffs()
    done = pair.a.run(TUNLOAD, "--bpffs", other, "status", "eth0", check=False)
    assert done.returncode == 1
    assert "use the --bpffs it was attached with" in done.stderr
    assert "attach eth0" not in done.stderr


def test_a_lock_on_the_mount_point(pair, tmp_path):
    """Any process can hold one: attach names the holder and gives up."""
    directory = tmp_path / "bpffs"
    directory.mkdir()
    holder = pair.lab.keep(Process(["flock", directory, "sleep", "300"]))
    wait_until(lambda: run("flock", "-n", directory, "true",
                           check=False).returncode, "flock holds its lock")
    done = pair.a.run(TUNLOAD, "--bpffs", directory, "attach", "eth0", "-c",
                      pair.tl.write(conf_a()), check=False)
    assert done.returncode == 1 and "flock)" in done.stderr
    holder.signal(signal.SIGTERM)


def test_a_peer_that_only_sends_what_is_dropped(pair):
    pair.tl.attach(conf_a().replace("10.10.0.0/24", "10.66.0.0/24"),
                   "--no-trigger")
    assert not ping(pair.b, A, B, wait=0.5)
    assert "all are dropped" in hints(pair, "b")


@pytest.mark.parametrize("number, more", [(4, ""), (6, ", fd00:10::/64")])
def test_hint_if_packets_come_and_forwarding_is_off(pair, number, more):
    source, target = {4: (B, "172.22.2.99"),
                      6: ("fd00:10::1", "fd00:22::99")}[number]
    pair.b.addr("lo", "fd00:10::1/128")
    pair.lab.veth(pair.a, "lan", pair.lab.netns("lan"), "eth0")
    pair.a.addr("lan", "172.22.2.1/24", "fd00:22::1/64")
    pair.tl.attach(conf_a().replace("10.10.0.0/24", "10.10.0.0/24" + more),
                   "--no-trigger")
    pair.tl_b.ok("peer", "set", "eth0", "a", "allowed-ips",
                 "172.22.2.0/24,fd00:22::/64")
    words = "packets for other hosts were discarded"
    assert ping(pair.b, A, B)
    assert words not in hints(pair)
    ping(pair.b, target, source, wait=0.3)
    told = hints(pair)
    assert words in told and f" IPv{number} " in told
    assert "/forwarding is 0" in told
    assert words in " ".join(pair.tl.ok("status", "eth0").split())
    pair.a.forward()
    assert words not in hints(pair)


@pytest.mark.parametrize("number, outer, prefix, probe", [
    (4, "192.0.2.1", "10.10.0.0/24", B),
    (6, "2001:db8::1", "fd00:10::/64", "fd00:10::1"),
    (6, "fe80::", "fd00:10::/64", "fd00:10::1")])
def test_hint_if_a_source_is_needed(pair, number, outer, prefix, probe):
    """Hints about inner packets whose source is an outer address: the other end
    drops them, as its allowed-ips do not have it; and a link-local source
    cannot leave its link."""
    if outer == "fe80::":
        pair.a.ip("addr", "del", "2001:db8::1/64", "dev", "eth0")
        outer = pair.a.link_local("eth0")
    pair.tl.attach(f"[interface]\nmode = tc\n[peer b]\n"
                   f"endpoint = 192.0.2.2\nallowed-ips = {prefix}\n",
                   "--no-trigger")
    assert "no source" not in hints(pair, "b")
    done = pair.tl.run("trigger", "eth0", "--wait", "0.3", "--json")
    told = json.loads(done.stdout)["peers"][0]
    assert done.returncode == 1 and "no source is set" in told["hint"]
    assert f"inner source {outer}, " in told["hint"]
    told = hints(pair, "b")
    assert f"packets of this host to {probe} carry {outer} as inner" in told

    # The hint goes away if a route sets a source, as administrators who set
    # `routes = no` may do.
    gateway = pair.tl.peer("b")["gateway6"]
    inner = {4: f"{A}/32", 6: "fd00:22::1/128"}[number]
    if number == 6:
        pair.a.addr("lo", inner)
    via = ("via", "inet6", gateway) if number == 4 else ("via", gateway)
    pair.a.ip(f"-{number}", "route", "add", probe, *via, "dev", "eth0", "src",
              inner.partition("/")[0])
    assert "no source" not in hints(pair, "b")
