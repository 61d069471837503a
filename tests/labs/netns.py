# SPDX-License-Identifier: GPL-2.0-only
"""Commands, background processes and network namespaces."""
import ctypes
import fcntl
import ipaddress
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

# How many times longer things may take than on a quick machine.
PATIENCE = int(os.environ.get("TUNLOAD_TEST_PATIENCE", "1"))
# Seconds: a deadline for things that take milliseconds.
TIMEOUT = 30 * PATIENCE

# True if the kernel has IPv6 (not with ipv6.disable=1 on its command line).
IPV6 = os.path.exists("/proc/sys/net/ipv6")

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)
_names = itertools.count()


def kernel_version():
    """(major, minor) of the kernel that this runs on."""
    return tuple(int(n) for n in os.uname().release.split(".")[:2])


def jiffies():
    """The kernel's jiffies64, at least."""
    with open("/proc/timer_list", encoding="ascii") as f:
        return max(int(line.split()[1]) for line in f
                   if line.startswith("jiffies:"))


def run(*argv, check=True, timeout=60, **kwargs):
    """Runs argv to its end and returns the CompletedProcess, in text. A
    status other than 0 is an AssertionError that shows the output."""
    done = subprocess.run([str(a) for a in argv], capture_output=True,
                          text=True, timeout=timeout * PATIENCE, check=False,
                          **kwargs)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(done.args)}: exit status {done.returncode}\n"
            f"{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, timeout=TIMEOUT, interval=0.01):
    """Polls condition() until it is true and returns its value; an
    AssertionError that names `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not in {timeout} s"
        time.sleep(interval)


def scratch(label):
    """A temporary directory, as a context; sweep() knows whose it was."""
    return tempfile.TemporaryDirectory(prefix=f"tunload-{os.getpid()}-{label}-")


class Process:
    """A background process with its output in a file; close() ends it. It is
    also ended when the thread that made it does, so that a killed test run
    leaves none behind."""

    def __init__(self, argv, **kwargs):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *(str(a) for a in argv)],
            stdout=self.log,
            stderr=subprocess.STDOUT, text=True, **kwargs)

    def output(self):
        """Returns all output so far. The process writes at the offset that
        both share, so reading must not move it."""
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode(errors="replace")

    def wait_output(self, text, timeout=TIMEOUT):
        """Waits until it has printed text; fails if it ends before."""
        def seen():
            ended = self.popen.poll() is not None
            out = self.output()
            assert text in out or not ended, f"ended early:\n{out}"
            return text in out
        wait_until(seen, f"output {text!r}", timeout)

    def signal(self, number):
        """Sends a signal, if it still runs."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)

    def wait(self, timeout=TIMEOUT):
        """Waits for its end; returns the exit status."""
        return self.popen.wait(timeout)

    def close(self):
        """Ends it by SIGTERM, or else by SIGKILL."""
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.log.close()


def own_mounts():
    """Moves this process and its children to come into a mount namespace of
    their own: whatever they mount, bpffs and network namespaces included, is
    seen by nobody else and ends with them."""
    if _libc.unshare(CLONE_NEWNS) or _libc.mount(
            None, b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "own mount namespace")


def running(ifname):
    """True if the interface is up, with a carrier."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        reply = fcntl.ioctl(sock, SIOCGIFFLAGS,
                            struct.pack("16s16x", ifname.encode()))
    return bool(struct.unpack_from("H", reply, 16)[0] & IFF_RUNNING)


def routes6():
    """The addresses that have an IPv6 host route, in hex."""
    with open("/proc/thread-self/net/ipv6_route", encoding="ascii") as f:
        return {line[:32] for line in f if line[33:35] == "80"}


class Netns:
    """A network namespace with a unique name (tl<pid>x<n>-<label>), loopback
    up, IPv6 without duplicate address detection. Commands do not enter it by
    `ip netns exec`, which would remount /sys and hide pins."""

    def __init__(self, label="ns"):
        self.label = label
        self.name = f"tl{os.getpid()}x{next(_names)}-{label}"
        self.path = f"/run/netns/{self.name}"
        run("ip", "netns", "add", self.name)
        # Answers about errors are part of what is tested: no rate limits.
        self.sysctl("net.ipv4.icmp_ratelimit", 0)
        if IPV6:
            self.sysctl("net.ipv6.icmp.ratelimit", 0)
            self.sysctl("net.ipv6.conf.all.accept_dad", 0)
            self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.ip("link", "set", "lo", "up")

    def argv(self, *argv):
        """The command line that runs argv in here."""
        return ["nsenter", f"--net={self.path}", "--",
                *(str(a) for a in argv)]

    def run(self, *argv, **kwargs):
        """run() in here, without the cost of nsenter."""
        return self.call(run, *argv, **kwargs)

    def start(self, *argv, **kwargs):
        """A Process in here; the caller closes it (or see Lab.start)."""
        return Process(self.argv(*argv), **kwargs)

    def ip(self, *args, **kwargs):
        """`ip args` in here."""
        return self.run("ip", *args, **kwargs)

    def batch(self, *lines, program="ip", options=()):
        """Runs many lines of ip or tc in one process, which is much faster in
        an emulated machine; returns their output."""
        return self.run(program, *options, "-batch", "-",
                        input="\n".join(lines)).stdout

    def sysctl(self, key, value):
        """Sets a sysctl of this namespace."""
        def write():
            path = key.replace(".", "/")
            with open(f"/proc/sys/{path}", "w", encoding="ascii") as f:
                f.write(str(value))
        self.call(write)

    def nft(self, rules):
        """Loads nftables rules."""
        self.run("nft", "-f", "-", input=rules)

    def addr(self, ifname, *addresses):
        """Adds addresses (ADDRESS/LEN), usable at once."""
        self.batch(*(f"addr add {a} dev {ifname}" + " nodad" * (":" in a)
                     for a in addresses))
        six = {ipaddress.ip_interface(a).ip.packed.hex() for a in addresses
               if ":" in a}
        if six and self.call(running, ifname):
            # The kernel adds the routes of IPv6 addresses a moment later.
            wait_until(lambda: six <= self.call(routes6),
                       f"local routes of {', '.join(addresses)}")

    def report(self):
        """What its interfaces and its stack have counted, losses included."""
        return "\n".join([self.name, self.ip("-s", "link").stdout,
                          self.run("nstat", "-as").stdout])

    def forward(self):
        """Enables forwarding."""
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def mac(self, ifname):
        """The MAC address of an interface, as text."""
        return self.links(ifname)[0]["address"]

    def links(self, *ifname):
        """`ip -json -details link show`, parsed."""
        return json.loads(self.ip("-json", "-details", "link", "show",
                                  *ifname).stdout)

    def link_local(self, ifname):
        """The fe80:: address of an interface."""
        out = self.ip("-6", "-json", "addr", "show", "dev", ifname).stdout
        return next(a["local"] for a in json.loads(out)[0]["addr_info"]
                    if a["scope"] == "link")

    def call(self, function, *args, **kwargs):
        """Calls a Python function in here, in a thread of its own (setns(2)
        of a network namespace is per thread), and returns its value."""
        result = []

        def inside():
            try:
                with open(self.path, "rb") as f:
                    if _libc.setns(f.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                result.append((function(*args, **kwargs), None))
            except BaseException as e:  # handed to the caller
                result.append((None, e))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        value, error = result[0]
        if error:
            raise error
        return value

    def socket(self, family, kind, proto=0):
        """A socket of this namespace; usable from any thread. It times out
        after TIMEOUT seconds."""
        sock = self.call(socket.socket, family, kind, proto)
        sock.settimeout(TIMEOUT)
        return sock

    def close(self):
        """Removes the namespace with its interfaces."""
        run("ip", "netns", "del", self.name, check=False)
