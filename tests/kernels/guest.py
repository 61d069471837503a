# SPDX-License-Identifier: GPL-2.0-only
"""Runs tests on the kernel of a virtual machine: pytest in the machine, on this
tree; or pytest here with only its packets in the machine, which is faster."""
import collections
import os
import sys
import xml.etree.ElementTree as ElementTree

import vm
from lab import REPO, run
from netns import scratch, wait_until

SCRIPT = """
mount -t bpf bpf /sys/fs/bpf
modprobe tun
cd {repo} || exit
exec {python} -m pytest -q -p no:cacheprovider --tb=short \\
    --junitxml=/run/share/report.xml {args}
"""


class Results:
    """The results of a pytest run, or of one file of it: .passed, names;
    .skipped and .failed, {name: reason}; .notes, {name: its property "note"}."""

    def __init__(self, cases):
        self.cases = list(cases)
        self.passed, self.skipped, self.failed = [], {}, {}
        self.notes = {}
        for case in self.cases:
            self._add(case)

    @classmethod
    def read(cls, report):
        """The results in a JUnit report."""
        return cls(ElementTree.parse(report).iter("testcase"))

    def of(self, name):
        """The results of test_NAME.py."""
        return Results(case for case in self.cases if
                       case.get("classname").split(".")[-1] == f"test_{name}")

    def _add(self, case):
        name, skip = case.get("name"), case.find("skipped")
        for said in case.iter("property"):
            self.notes[name] = said.get("value")
        bad = [case.find("failure"), case.find("error")]
        bad = [one for one in bad if one is not None]
        if bad:
            self.failed[name] = bad[0].text or bad[0].get("message")
        elif skip is not None:
            self.skipped[name] = skip.get("message")
        else:
            self.passed.append(name)

    def check(self, name):
        """Asserts that the test passed."""
        assert name not in self.failed, f"{name}:\n{self.failed[name]}"
        assert name in self.passed, f"{name} did not run"

    def check_all(self, record_property):
        """Asserts that all tests passed, except for expected skips; writes the
        number of tests and the skips into the table."""
        assert not self.failed, "\n\n".join(
            f"{name}:\n{reason}" for name, reason in self.failed.items())
        assert self.passed
        record_property("note", f"({len(self.passed)})")
        for reason, n in collections.Counter(self.skipped.values()).items():
            assert reason.startswith("expected: "), reason
            record_property("left out",
                            f"{n} of them: {reason.removeprefix('expected: ')}")


# packets/remote.py serves test runs of programs over a serial port of the
# machine. SERVE is the command that runs it there.
PORT_MODULES = ["virtio_console"]
SERVE = f"""
PYTHONPATH={REPO}/tests:{REPO}/tests/labs TUNLOAD_OBJECT={{}} \\
    python3 -m packets.remote /dev/vport*p1
"""


def port(socket):
    """QEMU's options for that port, with a Unix socket on this side."""
    return ["-device", "virtio-serial-pci", "-chardev",
            f"socket,id=runner,path={socket},server=on,wait=off",
            "-device", "virtserialport,chardev=runner"]


def run_packets(machine, socket, timeout=600):
    """Runs the packet cases and the random packets here, with the BPF programs
    in the machine; returns the Results."""
    wait_until(lambda: os.path.exists(socket) or machine.ended(),
               "the machine's port")
    report = os.path.join(machine.share, "report.xml")
    done = run(sys.executable, "-m", "pytest", "-q", "--maxfail=20",
               "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}",
               *(os.path.join(REPO, f"tests/packets/test_{name}.py")
                 for name in ("packets", "properties")), check=False,
               env={**os.environ, "TUNLOAD_RUNNER": str(socket)},
               timeout=timeout)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return Results.read(report)


def packet_table(image):
    """Boots a kernel for run_packets(); returns the Results."""
    with scratch("vm") as share:
        socket = os.path.join(share, "runner")
        machine = vm.Machine(
            image, SERVE.format(f"{REPO}/build/tunload.bpf.o"), share,
            modules=PORT_MODULES, devices=port(socket))
        try:
            return run_packets(machine, socket)
        finally:
            machine.stop()


def run_tests(image, args, timeout=900, **options):
    """Boots a kernel and runs pytest there with the arguments; returns the
    Results."""
    script = SCRIPT.format(repo=REPO, python=sys.executable,
                           args=" ".join(args))
    with scratch("vm") as share:
        machine = vm.Machine(image, script, share, **options)
        status, output = machine.wait(timeout)
        report = os.path.join(share, "report.xml")
        assert status in (0, 1) and os.path.exists(report), output[-20000:]
        return Results.read(report)
