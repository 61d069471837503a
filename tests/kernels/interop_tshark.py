# SPDX-License-Identifier: GPL-2.0-only
"""Runs tshark on captures of the wire, for test_interop.py."""
from lab import run

# The headers of a frame as tshark lists them: an outer header, perhaps with the
# encapsulation limit, an inner header and its payload. Or a frame of the routers
# themselves, or an outer fragment.
ORDER = ("eth:ethertype:(?:arp|ipv6:icmpv6|ip:data|((?:ip|ipv6(?::ipv6.dstopts)?):"
         "(?:ip|ipv6(?::ipv6.fraghdr)?):(?:tcp|udp|icmp|icmpv6|data)).*)")
# The status of a checksum. Only that of a packet in an ICMP error is UNVERIFIED.
BAD, GOOD, UNVERIFIED = "0", "1", "2"
CHECKSUMS = ["ip", "tcp", "udp", "icmp", "icmpv6"]
# Expert information: none, or the group "Sequence" (for a SYN, a FIN).
TCP_ANALYSIS = {"", str(0x02000000)}
BAD_CHECKSUM = str(0x01000000)  # the group "Checksum"
# Linux writes 0xffff instead of a TCP checksum of 0, as UDP requires; both are
# equal in one's complement arithmetic (RFC 1624 3).
SAME_AS_ZERO = "0xffff", "0x0000"
FIELDS = ["frame.protocols", "_ws.malformed", "_ws.expert.group",
          "tcp.checksum", "tcp.checksum_calculated",
          *(f"{proto}.checksum.status" for proto in CHECKSUMS)]


def judged(row):
    """(set of expert groups, [(protocol, status of its checksum)]) of a packet,
    with a TCP checksum that is SAME_AS_ZERO taken as good."""
    groups = set(row["_ws.expert.group"].split(","))
    checksums = [(proto, status) for proto in CHECKSUMS
                 for status in row[f"{proto}.checksum.status"].split(",")
                 if status]
    if (row["tcp.checksum"], row["tcp.checksum_calculated"]) == SAME_AS_ZERO \
            and ("tcp", BAD) in checksums:
        checksums[checksums.index(("tcp", BAD))] = "tcp", GOOD
        groups.discard(BAD_CHECKSUM)
    return groups, checksums


def tshark(path):
    """{field: values} of every packet of a capture file."""
    options = [word for proto in ("ip", "tcp", "udp")
               for word in ("-o", f"{proto}.check_checksum:TRUE")]
    # Payloads are plain data, whatever the ports are.
    options += [word for proto in ("tcp", "udp")
                for word in ("-d", f"{proto}.port==1-65535,data")]
    out = run("tshark", "-r", path, *options,
              "-T", "fields", *(word for f in FIELDS for word in ("-e", f)),
              timeout=300).stdout
    return [dict(zip(FIELDS, line.split("\t"))) for line in out.splitlines()]
