# SPDX-License-Identifier: GPL-2.0-only
"""Wrong command lines, configuration files and hosts: each case has its exit
status and its one line on standard error, word for word. The tables are in
tests/host/bad_input/."""
import os
import re
import shlex
import shutil

import pytest

from lab import REPO, TUNLOAD, Lab, run

TABLES = os.path.join(REPO, "tests/host/bad_input")
PEER = """\
[peer tokyo]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
"""
OTHERS = """\
[peer kyoto]
endpoint = 192.0.2.5
allowed-ips = 10.50.0.0/24
[peer kobe]
endpoint = 192.0.2.6
allowed-ips = 10.60.0.0/24
"""


class Case:
    """One case of a table: .name, .text (the file) or .argv, .status and
    .error."""

    def __init__(self, name, lines):
        self.name = name
        text = "".join(line[4:] for line in lines if line[:4] == "    ")
        self.text = text.replace("\\0", "\0").replace("\\x1b", "\x1b")
        self.argv = [shlex.split(line)[2:] for line in lines
                     if line.startswith("$ ")]
        self.status, self.error = lines[-1].rstrip("\n").split(" ", 1)


def table(name):
    """The cases of tests/host/bad_input/NAME.txt."""
    with open(os.path.join(TABLES, name + ".txt"), encoding="utf-8") as f:
        parts = re.split(r"^== (.*)\n", f.read(), flags=re.M)[1:]
    for title, body in zip(parts[::2], parts[1::2]):
        case = Case(title, body.rstrip("\n").splitlines(keepends=True))
        yield pytest.param(case, id=title.replace(" ", "-"))


class Host:
    """A namespace with eth0, eth1 and tun0; run() runs tunload in it."""

    def __init__(self, lab):
        self.ns, other = lab.netns("bad"), lab.netns("peer")
        for ifname in "eth0", "eth1":
            lab.veth(self.ns, ifname, other, ifname)
            other.ip("link", "set", ifname, "up")
        self.ns.addr("eth0", "192.0.2.1/24", "2001:db8::1/64")
        self.ns.ip("tuntap", "add", "tun0", "mode", "tun")
        self.tunload = lab.tunload(self.ns, "eth0")
        self.bpffs = self.tunload.bpffs

    def run(self, *args, **kwargs):
        """Runs tunload ARGS with this lab's bpffs as the default, in a mount
        namespace, so that a mount made in error does not stay."""
        env = {**os.environ, "TUNLOAD_BPFFS": self.bpffs}
        return self.ns.run("unshare", "-m", TUNLOAD, *args, check=False,
                           env=env, **kwargs)

    def state(self):
        """All state of the host that a failed command must not change."""
        routes = self.ns.ip("-N", "route").stdout
        routes += self.ns.ip("-N", "-6", "route").stdout
        pins = sorted(os.path.join(d, n) for d, dirs, files in
                      os.walk(self.bpffs) for n in dirs + files)
        filters = self.ns.run("tc", "qdisc").stdout
        return routes, pins, filters, self.ns.links()


@pytest.fixture(scope="module", name="fresh")
def fresh_host():
    """A host with nothing attached."""
    with Lab() as lab:
        yield Host(lab)


@pytest.fixture(scope="module", name="running")
def running_host():
    """A host with eth0 attached, and a route that tunload did not make."""
    with Lab() as lab:
        host = Host(lab)
        host.tunload.attach(PEER + OTHERS, "--no-trigger")
        host.ns.ip("route", "add", "10.99.0.0/24", "via", "192.0.2.9",
                   "dev", "eth0", "proto", "static")
        yield host


def check(done, status, error):
    """Checks that a command printed the error line only and set the status."""
    assert (done.stderr, done.returncode) == (
        f"tunload: {error}\n", int(status))
    assert done.stdout == ""


@pytest.mark.parametrize("case", table("configuration"))
def test_configuration(fresh, case):
    path = fresh.tunload.write(case.text)
    done = fresh.run("attach", "eth0", "-c", path)
    check(done, case.status, case.error.replace("FILE", path))


@pytest.mark.parametrize("case", table("commands"))
def test_command(running, case):
    argv, = case.argv
    check(running.run(*argv), case.status,
          case.error.replace("BPFFS", running.bpffs))


def test_bad_input_left_nothing(fresh, running):
    assert not os.path.exists(f"{fresh.bpffs}/tunload/eth0")
    assert "proto 94" not in fresh.ns.ip("-N", "route").stdout
    assert [(p["name"], p["endpoint"], p["allowed_ips"])
            for p in running.tunload.status()["peers"]] == [
                ("tokyo", "192.0.2.2", ["10.10.0.0/24"]),
                ("kyoto", "192.0.2.5", ["10.50.0.0/24"]),
                ("kobe", "192.0.2.6", ["10.60.0.0/24"])]


@pytest.mark.parametrize("text", [
    "", "\n\n", "# nothing\n; either\n", "\ufeff[interface]\r\nmode = tc\r\n",
    "[interface]\n", PEER, "    " + PEER.replace("\n", "\n    "),
    PEER.replace("=", " =\t") + "ttl=7 # seven\nkeepalive = 0 ; never\n",
    PEER + "allowed-ips = fd00:10::/64\n", PEER.rstrip("\n"),
], ids=range(10))
def test_unusual_but_right(fresh, text):
    path = fresh.tunload.write(text)
    done = fresh.run("attach", "eth0", "-c", path, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_of_a_megabyte(fresh):
    path = fresh.tunload.write(PEER + "probe = " + "1" * (1 << 20) + "\n")
    done = fresh.run("attach", "eth0", "-c", path)
    check(done, 2, f"{path}:4: "
          "line longer than 65536 characters: split the list over several "
          "lines")


def test_a_file_that_may_not_be_read(fresh):
    path = fresh.tunload.write(PEER)
    os.chmod(path, 0)
    done = fresh.ns.run("setpriv", "--bounding-set=-dac_override,"
                        "-dac_read_search", TUNLOAD, "--bpffs", fresh.bpffs,
                        "attach", "eth0", "-c", path, check=False)
    os.chmod(path, 0o600)
    check(done, 2,
          f"{path}: cannot read the configuration: Permission denied; name "
          "another with -c")


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
NO_BPF = ("setpriv", "--bounding-set=-bpf,-sys_admin")
NO_BTF = ("unshare", "-m", "sh", "-c",
          'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"')
NOT_PERMITTED = ("not permitted to use BPF: run as root, or with CAP_BPF, "
                 "CAP_PERFMON and CAP_NET_ADMIN")
BTF_MISSING = ("cannot read /sys/kernel/btf/vmlinux: No such file or "
               "directory; tunload needs a kernel built with "
               "CONFIG_DEBUG_INFO_BTF=y")


@pytest.fixture(name="public")
def public_copy(tmp_path):
    """A copy of the program where every user may run it."""
    program = tmp_path / "tunload"
    shutil.copy(TUNLOAD, program)
    program.chmod(0o755)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        parent.chmod(0o755)
    return program


@pytest.mark.parametrize("prefix, args, error", [
    (NOBODY, ("attach", "eth1"), NOT_PERMITTED),
    (NOBODY, ("status", "eth0"), NOT_PERMITTED),
    (NOBODY, ("status",), NOT_PERMITTED),
    (NOBODY, ("detach", "eth0"), NOT_PERMITTED),
    (NO_BPF, ("attach", "eth1"), NOT_PERMITTED),
    (NO_BTF, ("attach", "eth1"), BTF_MISSING),
], ids=["attach-nobody", "status-nobody", "status-of-all-nobody",
        "detach-nobody", "attach-without-CAP_BPF", "attach-without-BTF"])
def test_host_or_user_that_cannot(running, public, prefix, args, error):
    before = running.state()
    done = running.ns.run(*prefix, public, "--bpffs", running.bpffs, *args,
                          check=False)
    check(done, 1, error)
    assert running.state() == before


@pytest.mark.parametrize("args", [("help",), ("version",), ("help", "peer")],
                         ids=" ".join)
def test_everybody_gets_help(public, args):
    done = run(*NOBODY, public, *args)
    assert done.stdout and not done.stderr


@pytest.mark.parametrize("args", [
    ("attach", "eth0"), ("reload", "eth0", "-c", "/dev/null"),
    ("detach", "eth0"), ("status", "eth0"), ("showconf", "eth0"),
    ("peer", "del", "eth0", "tokyo"), ("trigger", "eth0")], ids=" ".join)
def test_pins_of_another_namespace_are_refused(running, fresh, args):
    before = running.state()
    done = fresh.ns.run(TUNLOAD, "--bpffs", running.bpffs, *args, check=False)
    pins = f"{running.bpffs}/tunload/eth0"
    check(done, 1, f"{pins} belongs to the eth0 of another network namespace: "
          "use --bpffs DIR with a bpffs of this one; if that namespace is "
          f"gone, `rm -r {pins}`")
    assert running.state() == before


def test_a_failed_attach_leaves_the_host_as_it_was(fresh):
    """attach fails late, as the driver has no native XDP."""
    fresh.ns.ip("link", "add", "br0", "type", "bridge")
    fresh.ns.ip("link", "set", "br0", "up")
    fresh.ns.addr("br0", "198.51.100.1/24")
    before = fresh.state()[:3]
    path = fresh.tunload.write("[interface]\nmode = native\n" + PEER)
    done = fresh.run("attach", "br0", "-c", path)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert fresh.state()[:3] == before
    fresh.ns.ip("link", "del", "br0")


@pytest.mark.parametrize("name", [b"\xffth0", b"e\nth0", b"e\x1b[2J",
                                  "e\u0085".encode(), b"\xc3\x28"])
def test_interface_names_that_are_no_text(fresh, name):
    done = fresh.ns.run(TUNLOAD, "status", os.fsdecode(name), check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "is not an interface name" in done.stderr
    assert done.stderr.rstrip("\n").isprintable()


def test_a_dry_run_needs_no_rights(fresh, public):
    path = fresh.tunload.write(PEER)
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o644)
    done = fresh.ns.run(*NOBODY, public, "--bpffs", fresh.bpffs, "attach",
                        "eth0", "-c", path, "--dry-run", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "peer tokyo: endpoint 192.0.2.2" in done.stdout
