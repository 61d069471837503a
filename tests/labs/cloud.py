# SPDX-License-Identifier: GPL-2.0-only
"""The cloud lab: an instance in a VPC, the internet, a site.

    instance --9001-- vpc --1500-- internet --1500-- site

The namespace `vpc` treats tunnels as Amazon EC2 does:
* IPv4 is 1:1 NAT: the instance has 172.22.2.2, the world knows ELASTIC;
* stateful filter, nothing allowed in; other protocols than TCP, UDP and ICMP
  are tracked by address pair and protocol number;
* outer sources that were not assigned are dropped, for IPv6 to the /128;
* IPv6 packets with a Destination Options header are dropped, outbound and
  (unless Cloud(options_in=True)) inbound;
* multicast and broadcast pings are dropped, neighbour discovery works, the
  default router is a link-local address;
* no ICMP "too big" is ever sent or let in: whoever sends more than fits
  loses it without notice.
"""
import json

import addresses
from addresses import HEADER
from traffic import ping

# The instance's own outer addresses; the IPv4 one is its inner address too.
INSTANCE = {4: addresses.INNER[4][0], 6: "2001:db8:1::10"}
ELASTIC = "203.0.113.10"
WORLD = {4: ELASTIC, 6: INSTANCE[6]}  # the instance's addresses for the site
SITE = {4: "198.51.100.7", 6: "2001:db8:2::7"}
SITE_SID = "2001:db8:2::d4"  # the site's outer address with a seg6 tunnel
INNER = {v: addresses.INNER[v][0] for v in (4, 6)}  # of the instance
SITE_INNER = {v: addresses.INNER[v][1] for v in (4, 6)}
SITE_PREFIXES = addresses.PREFIXES[1]
INSTANCE_PREFIXES = {v: addresses.PREFIX[v][0] for v in (4, 6)}
PATH_MTU = 1500
JUMBO = 9001

RULES = f"""
table inet vpc {{
	counter spoofed {{ }}
	counter options {{ }}
	counter multicast {{ }}
	counter unasked {{ }}

	chain assigned {{
		type filter hook prerouting priority raw - 10;
		iifname != "inst" return
		ip6 saddr {{ ::, fe80::/10 }} accept
		ip saddr != {INSTANCE[4]} counter name spoofed drop
		ip6 saddr != {INSTANCE[6]} counter name spoofed drop
	}}
	chain pings {{
		type filter hook prerouting priority raw - 20;
		icmpv6 type echo-request ip6 daddr ff00::/8 \\
			counter name multicast drop
		icmp type echo-request fib daddr type {{ multicast, broadcast }} \\
			counter name multicast drop
	}}
	chain group {{
		type filter hook forward priority filter; policy drop;
		OPTIONS
		icmp type destination-unreachable icmp code 4 drop
		icmpv6 type packet-too-big drop
		iifname "inst" accept
		ct state established accept
		counter name unasked drop
	}}
	chain blackhole {{
		type filter hook output priority filter;
		icmp type destination-unreachable icmp code 4 drop
		icmpv6 type packet-too-big drop
	}}
}}
table ip elastic {{
	chain prerouting {{
		type nat hook prerouting priority dstnat;
		ip daddr {ELASTIC} dnat to {INSTANCE[4]}
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat;
		ip saddr {INSTANCE[4]} oifname "net" snat to {ELASTIC}
	}}
}}
"""
DROP_OPTIONS = 'exthdr dst exists counter name options drop'


def inner_mtu(outer, options=()):
    """The largest inner packet. The option's header has 8 bytes, which the
    kernel counts twice for raw sockets."""
    return PATH_MTU - HEADER[outer] - 16 * ("--encap-limit" in options)


class Cloud:
    """The namespaces .instance, .vpc, .net and .site, wired and filtered,
    without any tunnel. options_in: the VPC lets Destination Options in."""

    def __init__(self, lab, options_in=False):
        self.lab = lab
        self.instance, self.vpc, self.net, self.site = (
            lab.netns(n) for n in ("instance", "vpc", "net", "site"))
        # Like ENA, which offloads nothing for encapsulated packets.
        lab.veth(self.instance, "eth0", self.vpc, "inst", mtu=JUMBO,
                 offload=False)
        lab.veth(self.vpc, "net", self.net, "vpc", offload=False)
        lab.veth(self.net, "site", self.site, "eth0", offload=False)
        self._routers()
        self._instance()
        self._site()
        rule = 'iifname "inst" ' * options_in + DROP_OPTIONS
        self.vpc.nft(RULES.replace("OPTIONS", rule))

    def _instance(self):
        ns = self.instance
        ns.addr("eth0", f"{INSTANCE[4]}/24", f"{INSTANCE[6]}/128")
        ns.addr("lo", f"{INNER[6]}/128")
        ns.ip("route", "add", "default", "via", "172.22.2.1")
        ns.ip("route", "add", "default", "via", "fe80::1", "dev", "eth0")

    def _routers(self):
        vpc, net = self.vpc, self.net
        vpc.forward()
        net.forward()
        vpc.addr("inst", "172.22.2.1/24", "fe80::1/64")
        vpc.addr("net", "198.18.0.2/24", "2001:db8:ffff::2/64")
        vpc.ip("route", "add", "2001:db8:1::/64", "dev", "inst")
        vpc.ip("route", "add", "default", "via", "198.18.0.1")
        vpc.ip("route", "add", "default", "via", "2001:db8:ffff::1")
        net.addr("vpc", "198.18.0.1/24", "2001:db8:ffff::1/64")
        net.addr("site", "198.51.100.1/24", "2001:db8:2::1/64")
        net.ip("route", "add", "203.0.113.0/24", "via", "198.18.0.2")
        net.ip("route", "add", "2001:db8:1::/64", "via", "2001:db8:ffff::2")
        net.ip("route", "add", SITE_SID, "via", SITE[6])

    def _site(self):
        ns = self.site
        ns.addr("eth0", f"{SITE[4]}/24", f"{SITE[6]}/64")
        ns.addr("lo", f"{SITE_INNER[4]}/24", f"{SITE_INNER[6]}/64")
        ns.ip("route", "add", "default", "via", "198.51.100.1")
        ns.ip("route", "add", "default", "via", "2001:db8:2::1")

    def dropped(self, why):
        """The number of packets that the VPC has dropped as spoofed, options,
        multicast or unasked."""
        out = self.vpc.run("nft", "-j", "list", "counter", "inet", "vpc",
                           why).stdout
        return next(e["counter"]["packets"]
                    for e in json.loads(out)["nftables"] if "counter" in e)

    def site_ping(self, version=4, **kwargs):
        """True if an echo request from the site passes the tunnel to the
        instance, and the answer returns."""
        return ping(self.site, INNER[version], SITE_INNER[version], **kwargs)

    def instance_ping(self, version=4, **kwargs):
        """The same from the instance to the site."""
        return ping(self.instance, SITE_INNER[version], INNER[version],
                    **kwargs)

    def tracked(self):
        """Tunnels (protocols 4 and 41) that the security group remembers."""
        table = self.vpc.run("cat", "/proc/net/nf_conntrack").stdout
        return [line for line in table.splitlines()
                if line.split()[3] in ("4", "41")]

    def forget_after(self, seconds):
        """Sets how long the security group remembers an idle tunnel."""
        self.vpc.sysctl("net.netfilter.nf_conntrack_generic_timeout",
                        seconds)

    def site_end(self, outer, *options):
        """A tunnel at the site: site_tun.py over `outer` (4 or 6)."""
        return self.lab.site_tun(
            self.site, SITE[outer], WORLD[outer], inner_mtu(outer, options),
            {INSTANCE_PREFIXES[v]: SITE_INNER[v] for v in (4, 6)}, *options)

    def site_kernel(self):
        """A 4in6 tunnel at the site by the kernel: seg6 with one segment is
        plain IPv6 with next header 4. Its outer address is SITE_SID."""
        ns = self.site
        ns.forward()
        for dev in "all", "eth0":
            ns.sysctl(f"net.ipv6.conf.{dev}.seg6_enabled", 1)
        ns.ip("sr", "tunsrc", "set", SITE_SID)
        ns.ip("route", "add", INSTANCE_PREFIXES[4], "src", SITE_INNER[4],
              "encap", "seg6", "mode", "encap.red", "segs", INSTANCE[6],
              "dev", "eth0", "mtu", PATH_MTU - HEADER[6])
        ns.ip("-6", "route", "add", f"{SITE_SID}/128", "encap", "seg6local",
              "action", "End.DX4", "nh4", "0.0.0.0", "dev", "eth0")

    def instance_end(self, outer, *options, local=None):
        """A tunnel at the instance that is not tunload."""
        prefixes = SITE_PREFIXES.split(", ")
        return self.lab.site_tun(
            self.instance, local or INSTANCE[outer], SITE[outer],
            inner_mtu(outer, options), dict(zip(prefixes, INNER.values())),
            *options)

    def tunload(self):
        """A Tunload on the instance's eth0."""
        return self.lab.tunload(self.instance)

    @staticmethod
    def conf(outer, endpoint=None, interface="", peer="", first=4):
        """A configuration for the instance, with lines added. first: family
        of the first allowed prefix, so of what the trigger sends."""
        prefixes = SITE_PREFIXES.split(", ")
        if first == 6:
            prefixes.reverse()
        return f"""
[interface]
source = {INNER[4]}, {INNER[6]}
{interface}
[peer site]
endpoint = {endpoint or SITE[outer]}
allowed-ips = {', '.join(prefixes)}
{peer}
"""
