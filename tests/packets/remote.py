# SPDX-License-Identifier: GPL-2.0-only
"""A Runner in a virtual machine, for tests that run outside of it: scapy and
pytest take minutes on an emulated processor.

In the machine: python3 -m packets.remote DEVICE, at one end of a virtio port.
Outside: TUNLOAD_RUNNER=SOCKET, the other end. A message is a pickle behind its
length."""

import functools
import os
import pickle
import socket
import struct
import sys
import time
import traceback

from .runner import Runner

SOCKET = os.environ.get("TUNLOAD_RUNNER")
PATIENCE = 300  # seconds for one answer of a machine that may still boot


def new_runner():
    """The Runner or Remote for this test run."""
    return remote(SOCKET) if SOCKET else Runner()


@functools.cache
def remote(path):
    """The Remote at path; a machine serves only one."""
    return Remote(path)


def packed(message):
    """A message as it is sent."""
    data = pickle.dumps(message)
    return struct.pack("I", len(data)) + data


def received(read):
    """The next message, of read(size); EOFError when nothing is left."""
    def exactly(size):
        data = b""
        while len(data) < size:
            more = read(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data
    return pickle.loads(exactly(*struct.unpack("I", exactly(4))))


class Remote:
    """The methods of a Runner that tests use."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.world, self.listen, self.runs = None, False, 0

    def _call(self, name, *args, **named):
        self.socket.sendall(packed((name, args, named)))
        error, value = received(self.socket.recv)
        if error:
            raise error
        return value

    def enter(self, world, listen=False):
        """See Runner."""
        if world is not self.world or listen != self.listen:
            self._call("enter", world, listen)
            self.world, self.listen = world, listen

    def quick(self, *args):
        """See Runner."""
        self.runs += 1
        return self._call("quick", *args)

    def run(self, *args, **named):
        """See Runner."""
        return self._call("run", *args, **named)

    def forget(self):
        """See Runner."""
        self._call("forget")

    def next_hop(self, *args):
        """See Runner."""
        self._call("next_hop", *args)

    def linux(self):
        """See Runner."""
        return self._call("linux")

    def events(self):
        """See Runner."""
        return self._call("events")

    def close(self):
        """serve() at the other end ends when this process does."""


def serve(runner, port):
    """Executes requests until the other end is closed."""
    def wait_and_read(size):
        """Also waits while the other end is not open yet."""
        while not (data := os.read(port, size)):
            time.sleep(0.1)
        return data

    read = wait_and_read
    while True:
        try:
            name, args, named = received(read)
        except EOFError:
            return
        read = functools.partial(os.read, port)
        try:
            answer = None, getattr(runner, name)(*args, **named)
        except Exception as error:  # returned to the caller
            error.add_note(traceback.format_exc())
            answer = error, None
        data = packed(answer)
        while data:
            data = data[os.write(port, data):]


if __name__ == "__main__":
    serve(Runner(), os.open(sys.argv[1], os.O_RDWR))
