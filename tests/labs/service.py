# SPDX-License-Identifier: GPL-2.0-only
"""Plays systemd for a service: the socket that it notifies, and the journal."""
import os
import re
import socket
import struct
import threading

from lab import wait_until
from netns import TIMEOUT


def datagrams(path):
    """A Unix datagram socket at path."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(TIMEOUT)
    return sock


class Notified:
    """A notify socket; .states is what was sent, in order. It is read all the
    time, as systemd does: a full one would hold up the service."""

    def __init__(self, path):
        self.sock = datagrams(path)
        self.env = {"NOTIFY_SOCKET": str(path)}
        self.states, self.seen = [], 0
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            try:
                self.states.append(self.sock.recv(4096).decode())
            except TimeoutError:
                continue
            except OSError:
                return

    def wait(self, state):
        """Waits until `state` has come since the last one waited for."""
        wait_until(lambda: state in self.states[self.seen:], state)
        self.seen += self.states[self.seen:].index(state) + 1

    def close(self):
        """Closes it."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def entry(data):
    """The fields of an entry in the journal's own protocol
    (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    fields = {}
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, size = line, struct.unpack("<Q", data[:8])[0]
            value, data = data[8:8 + size], data[9 + size:]
        fields[name.decode()] = value.decode()
    return fields


class Journal:
    """A journal: its socket in a directory, to be mounted over
    /run/systemd/journal, and a file that is standard error there."""

    def __init__(self, directory):
        self.directory = directory
        self.sock = datagrams(os.path.join(directory, "socket"))
        self.stderr = open(os.path.join(directory, "stderr"), "w+b")
        stat = os.fstat(self.stderr.fileno())
        self.env = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}

    def argv(self, argv):
        """argv where this is the journal."""
        script = ("mount -t tmpfs tmpfs /run && "
                  "mkdir -p /run/systemd/journal && "
                  'mount --bind "$0" /run/systemd/journal && exec "$@"')
        return ["unshare", "-m", "sh", "-c", script, self.directory, *argv]

    def wait(self, message):
        """The next entry whose MESSAGE matches; those before it are lost."""
        found = {}

        def matches():
            found.update(entry(self.sock.recv(65536)))
            return re.fullmatch(message, found["MESSAGE"])

        wait_until(matches, message)
        return found

    def close(self):
        """Closes it."""
        self.sock.close()
        self.stderr.close()
