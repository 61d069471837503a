# SPDX-License-Identifier: GPL-2.0-only
"""A name server in a namespace, and two hosts of which the first one watches
peers that have names there."""
import ipaddress
import os
import socket
import struct
import threading

from lifecycle import A, with_hosts
from netns import PATIENCE, Process, wait_until
from watched import Watched

TYPES = {1: 4, 28: 6}  # A and AAAA: of IPv4 and IPv6
NXDOMAIN = 3
TC = 0x200  # truncated: ask again by TCP
CNAME = 5


def packed(name):
    """A name as in a message."""
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


def resource(name, kind, ttl, data):
    """A resource record."""
    return packed(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


class NameServer:
    """Answers from .records, {name: (ttl, addresses)}, and .aliases, {name:
    (ttl, name in records)}, and knows no other name; or not at all while .dead,
    or only by TCP. It keeps the .questions that it got, as (name, version of
    IP)."""

    def __init__(self, ns, address="127.0.0.1"):
        self.records, self.aliases, self.questions = {}, {}, []
        self.dead, self.by_tcp = False, False
        self.udp = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        for sock in self.udp, self.tcp:
            sock.settimeout(None)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, 53))
        self.tcp.listen()
        for serve in self._serve_udp, self._serve_tcp:
            threading.Thread(target=serve, daemon=True).start()

    def names(self):
        """The names of the questions."""
        return [name for name, _ in self.questions]

    def _answer(self, message, tcp):
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]].decode())
            at += 1 + message[at]
        name, version = ".".join(labels), TYPES[message[at + 2]]
        self.questions.append((name, version))
        found = self._found(name, version)
        flags = 0x8180 | (NXDOMAIN if found is None else 0)
        if self.by_tcp and not tcp:
            found, flags = [], flags | TC
        return (message[:2] + struct.pack("!5H", flags, 1, len(found or []), 0,
                                          0) +
                message[12:at + 5] + b"".join(found or []))

    def _found(self, name, version):
        found = []
        if name in self.aliases:
            ttl, real = self.aliases[name]
            found.append(resource(name, CNAME, ttl, packed(real)))
            name = real
        if name not in self.records:
            return None
        ttl, addresses = self.records[name]
        kind = next(k for k, v in TYPES.items() if v == version)
        return found + [resource(name, kind, ttl, ip.packed)
                        for ip in map(ipaddress.ip_address, addresses)
                        if ip.version == version]

    def _serve_udp(self):
        while True:
            try:
                message, sender = self.udp.recvfrom(512)
            except OSError:
                return
            answer = self._answer(message, False)
            if not self.dead and sender:
                self.udp.sendto(answer, sender)

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            with sock:
                answer = self._answer(sock.recv(512)[2:], True)
                sock.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self):
        """Ends it."""
        for sock in self.udp, self.tcp:
            sock.shutdown(socket.SHUT_RDWR) if sock is self.tcp else None
            sock.close()


def peer(name, host, allowed, *more):
    """The section of a peer."""
    return "\n".join([f"[peer {name}]", f"endpoint = {host}",
                      f"allowed-ips = {allowed}", *more, ""])


# What a watch says of b.example's addresses.
MOVED = "eth0: mended: peer b: endpoint b.example: 192.0.2.2 -> 192.0.2.9"
FAILS = ("tunload: eth0: b.example does not resolve ({}): 192.0.2.2 stays in "
         "use")
# The time to live of the records is 5 s, and a change is followed within 30 s
# more.
IN_TIME = 35 * PATIENCE


def said_of_names(watch):
    """What it has said of names that do not resolve."""
    return [line for line in watch.output().splitlines()
            if "resolve" in line]


CONF = f"[interface]\nmode = tc\nsource = {A}\n"
PEER_B = peer("b", "b.example", "10.10.0.0/24", "keepalive = 1")


class Named(Watched):
    """A Watched pair; the endpoint of the first host's peer b is b.example,
    which is 192.0.2.2, and the second host has 192.0.2.9, too."""

    def __init__(self, lab, ttl=5):
        super().__init__(lab)
        self.tl.detach()
        self.b.addr("eth0", "192.0.2.9/24")
        self.server = lab.keep(NameServer(self.a))
        self.server.records["b.example"] = (ttl, ["192.0.2.2"])
        self.attach_named(CONF + PEER_B)

    def attach_named(self, text):
        """Attaches the first host."""
        done = with_hosts(self, "", "attach", "eth0", "-c",
                          self.tl.write(text), "--no-trigger")
        assert done.returncode == 0 and not done.stderr, done.stderr
        self.server.questions.clear()

    def resolv_conf(self, text):
        """Writes the resolv.conf of watches, also of running ones."""
        with open(self.tl.conf + ".resolv", "w", encoding="utf-8") as f:
            f.write(text)

    def hosts(self, text):
        """The same for /etc/hosts."""
        with open(self.tl.conf + ".hosts", "w", encoding="utf-8") as f:
            f.write(text)

    def watch(self, *args, setup="true", **kwargs):
        """Starts it where these files are, behind a command."""
        self.resolv_conf("nameserver 127.0.0.1\n")
        self.hosts("127.0.0.1 localhost\n")
        script = (f"mount --bind {self.tl.conf}.hosts /etc/hosts && "
                  f"mount --bind {self.tl.conf}.resolv /etc/resolv.conf && "
                  f"{setup} && exec \"$@\"")
        argv = self.tl.argv("watch", "eth0", *args)
        at = argv.index("--") + 1
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("TUNLOAD_")}
        return self.lab.keep(Process(
            [*argv[:at], "unshare", "-m", "sh", "-c", script, "sh",
             *argv[at:]], env=env, **kwargs))

    def move_b(self):
        """The second host's address is another one now."""
        self.tl_b.ok("peer", "set", "eth0", "a", "local", "192.0.2.9")

    def rename(self, *addresses, ttl=5):
        """b.example has these addresses now."""
        self.server.records["b.example"] = (ttl, list(addresses))

    def wait_asked(self, times):
        """Waits until the name server was asked so often, from now on."""
        questions = self.server.questions
        wanted = len(questions) + times
        wait_until(lambda: len(questions) >= wanted, f"{times} questions",
                   timeout=40 * PATIENCE + 30 * times)

    def endpoint(self):
        """That of the peer b."""
        return self.tl.peer("b")["endpoint"]
