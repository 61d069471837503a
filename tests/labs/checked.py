# SPDX-License-Identifier: GPL-2.0-only
"""A host for the tests of `tunload check`: the first one of a Pair, in a mount
namespace of its own, where files of the system can be replaced."""
import dataclasses
import json
import os
import shlex
import typing

from lab import TIMEOUT, TUNLOAD
from lifecycle import Pair, conf_a

CONF = conf_a()


class Checked:
    """A Pair, and commands on its first host."""

    def __init__(self, lab, conf=CONF):
        self.pair = Pair(lab)
        self.a, self.b, self.tl = self.pair.a, self.pair.b, self.pair.tl
        self.file = self.tl.write(conf)
        self.inside = lab.start(
            self.a, "unshare", "-m", "sh", "-c",
            "mount -t sysfs sysfs /sys && echo ready && exec sleep infinity")
        self.inside.wait_output("ready")

    def argv(self, *argv):
        """The command line that runs argv there."""
        return ["nsenter", f"--target={self.inside.popen.pid}", "--mount",
                "--net", "--", *(str(a) for a in argv)]

    def sh(self, script, check=True):
        """Runs a shell script there, which may call tunload."""
        env = dict(os.environ, TUNLOAD_BPFFS=self.tl.bpffs,
                   PATH=":".join((os.path.dirname(TUNLOAD),
                                      "/usr/local/sbin", os.environ["PATH"])))
        return self.a.run(*self.argv("sh", "-ec", script), check=check,
                          env=env)

    def fake(self, path, text):
        """Puts a file there in the place of one, or of none."""
        folder = os.path.dirname(path)
        if not os.path.isdir(folder) or folder.startswith("/proc"):
            self.cover(folder)
        self.sh(f"printf %s {shlex.quote(text)} >{path}")

    def bind(self, path, text):
        """Puts a file there in the place of an existing one."""
        source = os.path.join(self.tl.dir, os.path.basename(path))
        with open(source, "w", encoding="utf-8") as f:
            f.write(text)
        self.sh(f"mount --bind {source} {path}")

    def cover(self, folder):
        """Hides what is in a folder there."""
        self.sh(f"mount -t tmpfs tmpfs {folder}")

    def run(self, *args, prefix=(), check=False):
        """Runs `tunload args` there, behind the words of prefix."""
        return self.a.run(*self.argv(*prefix, TUNLOAD, "--bpffs",
                                     self.tl.bpffs, *args), check=check)

    def attach(self, *args):
        """Attaches the configuration, without a first packet."""
        self.run("attach", "eth0", "-c", self.file, "--no-trigger", *args,
                 check=True)

    def run_well(self):
        """Attaches the configuration; the other end answers."""
        self.attach()
        self.run("trigger", "eth0", "--wait", TIMEOUT, check=True)

    def check(self, *args, prefix=()):
        """The CompletedProcess of `check`, of what runs or of the file."""
        if not os.path.isdir(self.tl.pins):
            args = ("-c", self.file, *args)
        return self.run("check", "eth0", *args, prefix=prefix)

    def findings(self, **kwargs):
        """What `check --json` finds, parsed, without what is ok; its exit
        status must fit."""
        done = self.check("--json", **kwargs)
        assert done.stderr == "", done.stderr
        found = json.loads(done.stdout)
        assert done.returncode == any(f["level"] == "failure" for f in found)
        return [f for f in found if f["level"] != "ok"]


@dataclasses.dataclass
class Case:
    """A condition, what `check` says about it, and the command that mends it."""
    name: str
    make: typing.Callable  # (host)
    finding: tuple  # level, area, what, peer, why
    command: str | None
    conf: str = CONF
    attached: bool = False
    some: bool = False  # it may have other consequences, which end with it
    before: typing.Callable = None  # (host): before the command is run
    after: typing.Callable = None  # (host): behind the command
    left: list = ()  # other conditions, which the command does not mend


def check_case(lab, case):
    """Makes the condition, compares the finding, runs its command."""
    host = Checked(lab, case.conf)
    if case.attached:
        host.run_well()
        assert host.findings() == []
    case.make(host)
    want = dict(zip(("level", "area", "what", "peer", "why"), case.finding),
                command=case.command)
    found = host.findings()
    assert want in found if case.some else [want] == found, found
    text = host.check().stdout.splitlines()
    assert all(len(line) <= 80 for line in text if "-> " not in line), text
    assert (f"         -> {case.command}" in text) == bool(case.command)
    if case.command:
        if case.before:
            case.before(host)
        host.sh(case.command)
        if case.after:
            case.after(host)
        assert [f["what"] for f in host.findings()] == [*case.left]
    return host
