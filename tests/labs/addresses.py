# SPDX-License-Identifier: GPL-2.0-only
"""The addresses of most labs: two hosts, or a host in the cloud and a site.
[version][0] is that of the first, [1] of the other. Addresses of a single lab
(routers, an Elastic IP, strangers) are defined there."""

# The addresses of their interfaces if both are on one wire.
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
# A third host on that wire, for another peer.
THIRD = {4: "192.0.2.3", 6: "2001:db8::3"}
INNER = {4: ("172.22.2.2", "10.10.0.1"), 6: ("fd00:22::2", "fd00:10::1")}
PREFIX = {4: ("172.22.2.0/24", "10.10.0.0/24"),
          6: ("fd00:22::/64", "fd00:10::/64")}
# The same as the values of allowed-ips.
PREFIXES = tuple(f"{PREFIX[4][i]}, {PREFIX[6][i]}" for i in (0, 1))
HEADER = {4: 20, 6: 40}  # bytes of an outer header
