# SPDX-License-Identifier: GPL-2.0-only
"""Every command of the table takes the options that it knows anywhere on its
line, and answers alike what it does not know: an interface, a peer."""
import contextlib
import json
import os
import re
import subprocess
import tempfile

import pytest

from lab import TIMEOUT, TUNLOAD, Lab, run, wait_until

CONF = """\
[peer tokyo]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
[peer osaka]
endpoint = 192.0.2.3
allowed-ips = 10.20.0.0/24
"""
# How each command is called, with the names of an interface and of a peer.
LINES = """\
attach IFACE --dry-run
detach IFACE
reload IFACE --dry-run -c FILE
status IFACE PEER
peer list IFACE
peer add IFACE kobe endpoint 192.0.2.4 allowed-ips 10.30.0.0/24
peer set IFACE PEER ttl 64
peer del IFACE PEER
showconf IFACE
monitor IFACE
trigger IFACE PEER
watch IFACE
capture IFACE PEER -w /dev/null
metrics IFACE
check IFACE
remote-config IFACE PEER --for linux
import IFACE
version
help
""".splitlines()
OF = {line: line.split()[0] for line in LINES}
# Ages and counters, and which verdicts there are.
VOLATILE = re.compile(
    r"\d+ s\b|\d+B\b|^.*(timestamp|verdict).*\n?|^ +(tunnelled|passed|answered|"
    r"dropped) +\d.*\n?|^     .*\n?", re.M)


def stable(out):
    """What does not change from one call to the next: of JSON the names of the
    members."""
    try:
        told = json.loads(out)
    except ValueError:
        return VOLATILE.sub("", out)
    return [sorted(row) for row in (told if isinstance(told, list) else [told])]


def commands():
    """The names of the table, as `tunload help` prints them."""
    return re.findall(r"^  ([a-z][a-z-]*) +\S", run(TUNLOAD, "help").stdout,
                      re.M)


def knows(line, option):
    """Does the help of the line's command have the option?"""
    text = run(TUNLOAD, "help", OF[line]).stdout
    found = re.search(rf"(^|[\[ ]){option}\b", text, re.M)
    return found and (OF[line] != "peer" or line.startswith("peer list"))


class Host:
    """eth0, attached, with the peers tokyo and osaka."""

    def __init__(self, lab):
        self.ns, other = lab.netns("main"), lab.netns("peer")
        lab.veth(self.ns, "eth0", other, "eth0")
        self.ns.addr("eth0", "192.0.2.1/24")
        self.tl = lab.tunload(self.ns, "eth0")
        self.tl.attach(CONF, "--no-trigger")
        self.bpffs = self.tl.bpffs

    def words(self, line, iface="eth0", peer="tokyo"):
        """The words of a line of LINES."""
        names = {"IFACE": iface, "PEER": peer, "FILE": self.tl.conf}
        return [names.get(word, word) for word in line.split()]

    def run(self, *words, **env):
        """(status, what is stable of standard output, standard error) of
        tunload; without --bpffs it looks for pins where there are none."""
        env = {**os.environ, "TUNLOAD_BPFFS": "/proc", **env}
        if {"monitor", "watch", "capture"} & set(words):
            return self.endless(words, env)
        done = self.ns.run(TUNLOAD, *words, check=False, env=env)
        return done.returncode, stable(done.stdout), done.stderr

    def endless(self, words, env):
        """The same of a command that is ended once it has begun; of standard
        error only the errors."""
        with tempfile.TemporaryFile() as err:
            p = subprocess.Popen(self.ns.argv(TUNLOAD, *words), env=env,
                                 stdout=subprocess.PIPE, stderr=err)
            wait_until(lambda: os.fstat(err.fileno()).st_size
                       or p.poll() is not None, "it begins or ends")
            err.seek(0)
            if b"tunload: " in err.read():  # after an error it ends by itself
                with contextlib.suppress(subprocess.TimeoutExpired):
                    p.wait(5)
            p.terminate()
            out = p.communicate(timeout=TIMEOUT)[0].decode()
            err.seek(0)
            said = err.read().decode()
        return p.returncode, out, "".join(
            line for line in said.splitlines(True)
            if line.startswith("tunload: "))


@pytest.fixture(scope="module", name="host")
def make_host():
    with Lab() as lab:
        yield Host(lab)


def places(words, option):
    """The line with the option before the command, between any two words, and
    behind the last one."""
    return [[*words[:i], *option, *words[i:]] for i in range(len(words) + 1)]


def test_every_command_is_in_the_table():
    assert set(OF.values()) == set(commands())


@pytest.mark.parametrize("option", ["--json", "-v", "--verbose"])
@pytest.mark.parametrize("line", LINES)
def test_options_of_commands(host, line, option):
    words = host.words(line)
    if not knows(line, option):
        if OF[line] not in ("peer", "version", "help"):
            assert host.run(option, *words) == (2, "", (
                f'tunload: {words[0]}: unknown option "{option}": see '
                f"`tunload help {words[0]}`\n"))
        return
    here = {"TUNLOAD_BPFFS": host.bpffs}
    plain = host.run(*words, **here)
    wanted = host.run(*words, option, **here)
    assert wanted[0] == plain[0] and wanted[1] != plain[1]
    values = [i for i, word in enumerate(words) if word in ("--for", "-c", "-w")]
    for i, there in enumerate(places(words, [option])):
        if i - 1 not in values:
            assert host.run(*there, **here) == wanted, there


@pytest.mark.parametrize("line", LINES)
def test_bpffs(host, line):
    words = host.words(line)
    if OF[line] in ("detach", "peer") and "list" not in words:
        words = ["status", "eth0"]  # what changes nothing is as good
    wanted = host.run(*words, TUNLOAD_BPFFS=host.bpffs)
    for option in ["--bpffs", host.bpffs], [f"--bpffs={host.bpffs}"]:
        for there in places(words, option)[::len(words)]:
            assert host.run(*there) == wanted, there
        middle = [words[0], *option, *words[1:]]
        assert host.run(*middle) == wanted, middle


@pytest.mark.parametrize("option", ["-V", "--version", "-h", "--help"])
@pytest.mark.parametrize("line", LINES)
def test_version_and_help(host, line, option):
    words = host.words(line)
    wanted = host.run(*(["version"] if option in ("-V", "--version") else
                        ["help", words[0]]))
    for there in places(words, [option]):
        assert host.run(*there) == wanted, there


# The watch waits for its interface, as at boot.
@pytest.mark.parametrize("line", [x for x in LINES if "IFACE" in x
                                  and not x.startswith("watch")])
def test_unknown_interface(host, line):
    assert host.run(*host.words(line, iface="eht0")) == (
        1, "", 'tunload: no such interface "eht0": did you mean "eth0"?\n')
    assert host.run(*host.words(line, iface="wlan7")) == (
        1, "", 'tunload: no such interface "wlan7": `ip link` lists those of '
        "this host\n")


@pytest.mark.parametrize("line", [x for x in LINES if "PEER" in x])
def test_unknown_peer(host, line):
    here = {"TUNLOAD_BPFFS": host.bpffs}
    assert host.run(*host.words(line, peer="tokio"), **here) == (
        1, "", 'tunload: no such peer "tokio" on eth0: did you mean '
        '"tokyo"?\n')
    assert host.run(*host.words(line, peer="nagoya"), **here) == (
        1, "", 'tunload: no such peer "nagoya" on eth0: `tunload peer list '
        "eth0` lists its peers\n")
