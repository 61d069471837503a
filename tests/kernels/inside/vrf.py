# SPDX-License-Identifier: GPL-2.0-only
"""test_host.py runs these tests in a virtual machine, as not every host has the
driver: the interface belongs to a VRF."""
import json
import os

import pytest

from lifecycle import traces
from netns import TIMEOUT, wait_until
from traffic import ping

TABLE = "10"
OURS, SITE = {4: "172.22.2.2", 6: "fd00:22::2"}, {4: "10.10.0.1",
                                                  6: "fd00:10::1"}
ALLOWED = {4: "10.10.0.0/24", 6: "fd00:10::/64"}
# By outer version. The endpoint is an address of the site behind a route that
# only the VRF's table has.
WIRE = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
ENDPOINT = {4: "198.51.100.1", 6: "2001:db8:2::1"}
CONF = """[interface]
mode = {mode}
{more}
[peer site]
endpoint = {endpoint}
allowed-ips = {allowed}
"""


class Vrf:
    """A host whose eth0 is in the VRF "blue", and a site without one."""

    def __init__(self, lab, outer):
        self.ours, self.theirs = WIRE[outer][0], ENDPOINT[outer]
        self.host, self.site = lab.netns("host"), lab.netns("site")
        lab.veth(self.host, "eth0", self.site, "eth0")
        self.host.batch(f"link add blue type vrf table {TABLE}",
                        "link set blue up", "link set eth0 master blue")
        for ns, dev, i, inner in ((self.host, "blue", 0, OURS),
                                  (self.site, "lo", 1, SITE)):
            ns.addr("eth0", f"{WIRE[4][i]}/24", f"{WIRE[6][i]}/64")
            ns.addr(dev, f"{inner[4]}/32", f"{inner[6]}/128")
        for v, address in ENDPOINT.items():
            self.site.addr("eth0", f"{address}/{32 if v == 4 else 128}")
            self.host.ip("route", "add", address, "via", WIRE[v][1], "vrf",
                         "blue")
            wait_until(lambda to=address: self.ping(to, wait=1),
                       "ping over the wire")
        self.tl = lab.tunload(self.host)
        self.tl_site = lab.tunload(self.site, bpffs=lab.new_bpffs())

    def attach(self, mode, source=""):
        """Attaches both ends."""
        self.tl_site.attach(CONF.format(
            mode="tc", endpoint=self.ours, allowed=f"{OURS[4]}, {OURS[6]}",
            more=f"source = {SITE[4]}, {SITE[6]}\n"
            f"local4 = {ENDPOINT[4]}\nlocal6 = {ENDPOINT[6]}"),
            "--no-trigger")
        return self.tl.attach(CONF.format(
            mode=mode, more=source, endpoint=self.theirs,
            allowed=", ".join(ALLOWED.values())))

    def ping(self, to, *source, wait=TIMEOUT):
        """True if a ping from a socket in the VRF is answered."""
        options = [word for one in source for word in ("-I", one)]
        return self.host.run("ping", "-n", "-c", 1, "-W", wait, "-I",
                             "blue", *options, to, check=False).returncode == 0

    def routes(self, table):
        """The site's prefixes that have a route in a table."""
        return {route["dst"] for family in ("-4", "-6") for route in json.loads(
            self.host.ip("-json", family, "route", "show", "table",
                         table).stdout)} & set(ALLOWED.values())

    def traces(self):
        """All that tunload can leave on the host."""
        return traces(self.host), sorted(os.listdir(self.tl.bpffs))


@pytest.fixture(name="vrf", params=ENDPOINT, ids=["outer4", "outer6"])
def fixture_vrf(lab, request):
    """A Vrf with nothing attached."""
    return Vrf(lab, request.param)


@pytest.mark.parametrize("mode", ["tc", "native"])
def test_routes_are_in_the_vrf(vrf, mode):
    before = vrf.traces()
    done = vrf.attach(mode, f"source = {OURS[4]}, {OURS[6]}")
    assert not done.stderr
    assert vrf.routes(TABLE) == set(ALLOWED.values())
    assert not vrf.routes("main")
    for v in OURS:
        assert vrf.ping(SITE[v])
        assert ping(vrf.site, OURS[v], SITE[v])
    assert vrf.tl.verdict("tx_encap") == vrf.tl.verdict("rx_decap") > 0
    assert vrf.tl.peer("site")["waiting"] is None
    vrf.tl.detach()
    assert vrf.traces() == before


def test_no_source(vrf):
    before = vrf.traces()
    vrf.attach("tc")
    assert vrf.routes(TABLE) == set(ALLOWED.values())
    assert not vrf.routes("main")
    for v in OURS:
        assert vrf.ping(SITE[v], OURS[v])
    vrf.tl.detach()
    assert vrf.traces() == before


def test_default_route_waits(vrf):
    before = vrf.traces()
    vrf.tl.attach(CONF.format(mode="tc", more="", endpoint=vrf.theirs,
                              allowed="0.0.0.0/0"), "--no-trigger")
    assert "is in a VRF: allow smaller prefixes" in vrf.tl.peer("site")[
        "waiting"]
    assert vrf.ping(vrf.theirs)
    vrf.tl.detach()
    assert vrf.traces() == before
