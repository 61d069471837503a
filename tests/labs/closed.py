# SPDX-License-Identifier: GPL-2.0-only
"""A host with a tunnel, and the other end of its wire, for attacks from that
wire or by a guest of the host."""
from addresses import OUTER
from lab import wait_until
from netns import jiffies
from traffic import ping

GATEWAY = "02:74:6e:00:00:01"
GATEWAY4, GATEWAY6 = "240.0.0.1", "fe80::74:6e:0:1"
US, SITE = OUTER[4]
INNER_US, INNER_SITE = "10.1.0.1", "10.2.0.1"
EVIL = "02:66:66:66:66:66"
CONF = f"""
[interface]
source = {INNER_US}, fd00:1::1
[peer site]
endpoint = {SITE}
allowed-ips = 10.2.0.0/24, fd00:2::/64
"""


class Wire:
    """A host with a tunnel, and the other end of its wire."""

    def __init__(self, lab, mode="tc"):
        self.lab = lab
        self.host, self.site = lab.netns("host"), lab.netns("site")
        lab.veth(self.host, "eth0", self.site, "eth0")
        self.host.addr("eth0", f"{US}/24", f"{OUTER[6][0]}/64")
        self.site.addr("eth0", f"{SITE}/24", f"{OUTER[6][1]}/64")
        self.host.addr("lo", f"{INNER_US}/32", "fd00:1::1/128")
        self.site.addr("lo", f"{INNER_SITE}/32", "fd00:2::1/128")
        self.tl = lab.tunload(self.host, bpffs=lab.new_bpffs())
        self.tl.attach(CONF, "--mode", mode, "--no-trigger")
        self.far = lab.tunload(self.site, bpffs=lab.new_bpffs())
        self.join()
        assert self.works(), "the tunnel works before"

    def join(self):
        """Attaches the other end."""
        self.far.attach(f"""
[interface]
source = {INNER_SITE}, fd00:2::1
[peer host]
endpoint = {US}
allowed-ips = 10.1.0.0/16, fd00:1::/64
""", "--mode", "tc", "--no-trigger")

    def works(self):
        """True if pings through the tunnel are answered, in both families."""
        return ping(self.host, INNER_SITE) and ping(self.host, "fd00:2::1")

    def tunnelled(self):
        """The number of packets that went into the tunnel."""
        return self.tl.verdict("tx_encap")

    def refused(self, verdict, number, send):
        """Asserts that send() makes so many packets of that verdict, none of
        which is tunnelled."""
        before = self.tl.verdict(verdict)
        encap = self.tunnelled()
        send()
        wait_until(lambda: self.tl.verdict(verdict) >= before + number,
                   f"{number} {verdict}")
        assert self.tl.verdict(verdict) == before + number
        assert self.tunnelled() == encap

    def next_hops(self):
        """The MACs that any CPU has learned and still uses."""
        now = jiffies()
        return {":".join(f"{b:02x}" for b in row["value"]["macs"][:6])
                for cpu_rows in self.tl.map("next_hops")
                for row in cpu_rows.get("values", [])
                if row["value"]["until"] > now}
