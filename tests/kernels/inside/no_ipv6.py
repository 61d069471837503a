# SPDX-License-Identifier: GPL-2.0-only
"""test_host.py runs these tests in a virtual machine booted with ipv6.disable=1:
the kernel has no IPv6 at all."""
import os

import pytest

from lifecycle import A, B, CONF_B, traces
from netns import IPV6
from traffic import ping, tcp_transfer

CONF = """[interface]
mode = {mode}
{source}
[peer b]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24{more}
"""


class Hosts:
    """Two hosts on a wire."""

    def __init__(self, lab):
        self.a, self.b = lab.netns("a"), lab.netns("b")
        lab.veth(self.a, "eth0", self.b, "eth0")
        for ns, outer, inner in (self.a, "192.0.2.1", A), (self.b, "192.0.2.2",
                                                           B):
            ns.addr("eth0", f"{outer}/24")
            ns.addr("lo", f"{inner}/32")
        self.tl = lab.tunload(self.a)
        tl_b = lab.tunload(self.b, bpffs=lab.new_bpffs())
        tl_b.attach(CONF_B, "--mode", "tc", "--no-trigger")

    def traces(self):
        """All that tunload can leave on the first host."""
        return traces(self.a), sorted(os.listdir(self.tl.bpffs))


@pytest.fixture(name="hosts")
def fixture_hosts(lab):
    """Hosts with nothing attached on the first one."""
    assert not IPV6
    return Hosts(lab)


@pytest.mark.parametrize("source", ["", "source = 172.22.2.2"],
                         ids=["no_source", "source"])
@pytest.mark.parametrize("mode", ["tc", "native"])
def test_tunnel(hosts, mode, source):
    before = hosts.traces()
    done = hosts.tl.attach(CONF.format(mode=mode, source=source, more=""))
    assert not done.stderr
    assert ping(hosts.a, B, None if source else A)
    assert ping(hosts.b, A, B)
    assert ping(hosts.a, B, A, size=4000)
    tcp_transfer(hosts.a, A, hosts.b, B, 100_000)
    assert hosts.tl.peer("b")["waiting"] is None
    assert set(hosts.tl.peer("b")["verdicts"]) == {"tx_encap", "rx_decap"}
    done = hosts.tl.run("status", "eth0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "IPv6 off" in done.stdout
    assert "nothing changed" in hosts.tl.ok("reload", "eth0", "-c",
                                            hosts.tl.conf)
    hosts.tl.detach()
    assert hosts.traces() == before


def test_inner_ipv6_waits(hosts):
    before = hosts.traces()
    hosts.tl.attach(CONF.format(mode="tc", source="", more=", fd00:10::/64"))
    assert "IPv6" in hosts.tl.peer("b")["waiting"]
    hosts.tl.detach()
    assert hosts.traces() == before
