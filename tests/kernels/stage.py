# SPDX-License-Identifier: GPL-2.0-only
"""The stage of test_story.py: the cloud lab, with its packets described in
words. It runs in the virtual machine."""
import contextlib
import json

from cloud import INSTANCE, SITE_INNER, Cloud
from lab import wait_until
from traffic import Packet, packet_of, ping

ANSWERED, SILENT = 30, 2  # seconds to wait if an answer is expected, or none
TIMEOUT = 60
FORGET = 600  # seconds, as on EC2

ECHO = {8: "echo request", 0: "echo reply"}
NUMBER = {4: "protocol", 6: "next header"}
DROPPED = {"options": "Destination Options",
           "unasked": "nobody inside has asked for it",
           "spoofed": "not the instance's own address"}


def in_words(packet):
    """(text that describes an IP packet from the outer header inwards, innermost
    packet)"""
    text = f"{packet.src} > {packet.dst}"
    number, rest = packet.proto, packet.payload
    if packet.version == 4 and number == 1:
        return f"{text} {ECHO.get(rest[0], f'ICMP type {rest[0]}')}", packet
    text += f", {NUMBER[packet.version]} {number}"
    if number == 60:
        end = 8 * (rest[1] + 1)
        text += f" ({rest[:end].hex(' ')})"
        number, rest = rest[0], rest[end:]
    if number not in (4, 41):
        return text, packet
    words, innermost = in_words(Packet(rest))
    return f"{text}, {words}", innermost


def of_interest(packet):
    """True for tunnel packets and for ICMP without neighbour discovery."""
    return packet and (packet.proto in (1, 4, 41, 60) or
                       packet.proto == 58 and packet.payload[0] < 128)


def plain_of(frame):
    """The packet in a frame if it is ICMP without a tunnel, else None."""
    packet = packet_of(frame)
    return packet if packet and packet.proto == 1 else None


class Stage:
    """A Cloud and the scenes that run in it, each a dictionary: `said`, the
    story as lines; `trail`, the packets; `altered`, the packets that changed;
    `dropped`, the drops of the VPC; and results of its own."""

    def __init__(self, lab, scenes):
        self.lab, self.scenes, self.now = lab, scenes, None
        self.cloud = Cloud(lab)
        self.hosts = {"site": self.cloud.site,
                      "instance": self.cloud.instance}
        self.tunload = self.cloud.tunload()
        self.places = {}  # name: capture, dissector, verbs
        self._watch("site eth0", lab.capture(self.cloud.site, "eth0"),
                    "site receives", "site sends")
        self._watch("instance eth0", lab.capture(self.cloud.vpc, "inst"),
                    "instance sends", "instance receives")
        tap = lab.tap(self.cloud.instance, "eth0")
        for capture, verb in ((tap.received(), "decapsulates"),
                              (tap.sent(), "encapsulates")):
            self._watch(f"instance {verb}", capture, None, f"instance {verb}",
                        plain_of)

    def _watch(self, place, capture, arriving, leaving, dissect=packet_of):
        self.places[place] = capture, dissect, (arriving, leaving)

    @contextlib.contextmanager
    def scene(self, name):
        """A context: all that happens within is a scene."""
        for capture, _, _ in self.places.values():
            capture.clear()
        before = {why: self.cloud.dropped(why) for why in DROPPED}
        self.now = self.scenes[name] = {"said": []}
        yield self.now
        self.now["trail"] = self.trail()
        self.now["altered"] = self._altered()
        now = {why: self.cloud.dropped(why) for why in DROPPED}
        self.now["dropped"] = {why: now[why] - before[why] for why in DROPPED
                               if now[why] != before[why]}
        self.say(*(f"    {line}" for line in self.now["trail"]))
        for why, number in self.now["dropped"].items():
            self.say(f"    VPC drops {number}: {DROPPED[why]}")

    def say(self, *lines):
        """Adds lines to the scene."""
        self.now["said"] += lines

    def run(self, host, *commands):
        """Runs commands at "site" or "instance"."""
        for command in commands:
            self.say(f"{host}# {command}")
            self.hosts[host].run(*command.split())

    def tunnel(self, host, command, prefix):
        """Makes the kernel's own tunnel `tun`, with a route into it."""
        source = {"site": SITE_INNER, "instance": INSTANCE}[host][4]
        self.run(host, command, "ip link set tun up",
                 f"ip route add {prefix} dev tun src {source}")
        self._watch(f"{host} tun", self.lab.capture(self.hosts[host], "tun"),
                    f"{host} decapsulates", f"{host} encapsulates", Packet)

    def no_tunnel(self, host):
        """Removes the kernel's own tunnel."""
        del self.places[f"{host} tun"]
        self.hosts[host].ip("link", "del", "tun")

    def attach(self, conf, *options):
        """Attaches tunload to the instance's eth0."""
        self.say(" ".join(["instance# tunload attach eth0", *options]))
        self.tunload.attach(conf, *options)

    def detach(self):
        """Detaches tunload."""
        self.tunload.detach()

    def ping(self, host, wait=ANSWERED):
        """Sends an echo request to the other end; notes if it is answered."""
        source, to = SITE_INNER[4], INSTANCE[4]
        if host == "instance":
            source, to = to, source
        answered = ping(self.hosts[host], to, source, wait=wait)
        self.now["answered"] = answered
        self.say(f"{host}# ping -c 1 -I {source} {to}: " +
                 ("answered" if answered else "no answer"))

    def mtu(self):
        """The largest packet that the instance's kernel sends to the site's
        network."""
        ip = self.cloud.instance.ip
        route, = json.loads(ip("-json", "route", "get", SITE_INNER[4]).stdout)
        link, = json.loads(ip("-json", "link", "show", route["dev"]).stdout)
        metrics = {k: v for m in route.get("metrics", []) for k, v in m.items()}
        mtu = metrics.get("mtu", link["mtu"])
        self.say(f"instance: inner MTU {mtu}")
        return mtu

    def allow_in(self, site):
        """Adds an inbound rule to the security group: IPv4 in IPv6 from the
        site."""
        self.say(f"security group: next header 4 from {site} may come in")
        self.cloud.vpc.nft(f"insert rule inet vpc group ip6 saddr {site} "
                           "ip6 nexthdr 4 accept")

    def tracked(self):
        """The tunnels that the security group tracks."""
        known = []
        for line in self.cloud.tracked():
            words = dict(w.split("=") for w in reversed(line.split())
                         if "=" in w)
            known.append(f"{words['src']} > {words['dst']}, protocol "
                         f"{line.split()[3]}")
        self.say("security group knows: " + ("; ".join(known) or "nothing"))
        return known

    def forget(self):
        """Waits until the security group has forgotten all tunnels."""
        self.cloud.forget_after(1)
        self.cloud.site_ping(wait=ANSWERED)  # its entry takes the new time
        wait_until(lambda: not self.cloud.tracked(),
                   "the conntrack entry expires", TIMEOUT)
        self.cloud.forget_after(FORGET)

    def wait_for(self, verb):
        """Waits until the trail has a line that begins with the verb. If none
        comes, the test's comparison of the trail fails."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: [t for t in self.trail() if t.startswith(verb)],
                       verb, TIMEOUT)

    def _seen(self):
        """Yields time, text and innermost packet of all captured packets."""
        for capture, dissect, verbs in self.places.values():
            for frame in capture.frames():
                packet = dissect(frame.data)
                if of_interest(packet):
                    text, innermost = in_words(packet)
                    yield (frame.ns, f"{verbs[frame.outgoing]}: {text}",
                           innermost)

    def trail(self):
        """The packets of this scene as text, in order. A packet that the kernel
        decapsulates keeps its time stamp; it follows its outer packet, as the
        sort is stable."""
        return [text for _, text, _ in sorted(self._seen(),
                                              key=lambda seen: seen[0])]

    def _altered(self):
        """The inner packets whose bytes were not the same at all places."""
        bytes_of = {}
        for _, _, innermost in self._seen():
            bytes_of.setdefault(in_words(innermost)[0],
                                set()).add(innermost.data)
        return [text for text, same in bytes_of.items() if len(same) > 1]
