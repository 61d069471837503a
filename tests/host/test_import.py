# SPDX-License-Identifier: GPL-2.0-only
"""`tunload import --from networkd`: what it makes of each directory in
tests/host/import/networkd.txt, whole, and that tunload takes it. Devices of the
kernel are imported in the VM tier (tests/kernels/inside/import_devices.py)."""
import os
import re

import pytest

from far_end import bare
from lab import TUNLOAD, Lab, read, run
from test_remote_config import cases as remote_cases


def cases():
    """A parameter (files, status, printed) for each case."""
    parts = re.split(r"^== (.*)\n", read("tests/host/import/networkd.txt"),
                     flags=re.M)[1:]
    for title, body in zip(parts[::2], parts[1::2]):
        blocks = re.split(r"^-- (.*)\n", body, flags=re.M)[1:]
        *files, (status, printed) = zip(blocks[::2], blocks[1::2])
        yield pytest.param(files, int(status.split()[1]),
                           printed.rstrip("\n") + "\n",
                           id=title.replace(" ", "-"))


def imported(directory):
    """The exit status and all that the command prints."""
    done = run(TUNLOAD, "import", "--from", "networkd", directory, check=False)
    assert bool(done.returncode) == bool(done.stderr)
    return done.returncode, (done.stdout + done.stderr).replace(
        str(directory), "DIR")


@pytest.mark.parametrize("files, status, printed", cases())
def test_networkd(tmp_path, files, status, printed):
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert imported(tmp_path) == (status, printed)


@pytest.fixture(scope="module", name="host")
def fixture_host():
    """A Tunload on a host with the local addresses of the cases."""
    with Lab() as lab:
        host, other = lab.netns("host"), lab.netns("other")
        lab.veth(host, "eth0", other, "eth0")
        host.addr("eth0", "203.0.113.4/24", "2001:db8:f::4/64")
        host.addr("lo", "fd00:4::1/128")
        yield lab.tunload(host)


@pytest.mark.parametrize("files, status, printed", [
    case for case in cases() if not case.values[1]])
def test_tunload_takes_it(host, files, status, printed):
    done = host.attach(printed, "--dry-run")
    assert done.stdout.count("\npeer ") == printed.count("[peer ")


def like_networkd(text):
    """A configuration as networkd's files have it: without the DSCP of an IPv6
    tunnel, and the inner source is on the tunnel's device."""
    text = bare(text)
    if re.search(r"^endpoint = .*:", text, re.M):
        text = re.sub(r"\ndscp = \d+$", "", text)
    source = re.search(r"^source = (.*)\n", text, re.M)
    if not source:
        return text
    return text.replace(source.group(), "address = " + ", ".join(
        f"{a}/{128 if ':' in a else 32}"
        for a in source.group(1).split(", ")) + "\n")


@pytest.mark.parametrize(
    "command", [command for command, _ in remote_cases("networkd")])
def test_it_is_the_mirror(tmp_path, command):
    """networkd's files as remote-config prints them become the same
    configuration as remote-config prints for tunload."""
    printed = dict(remote_cases("networkd"))[command]
    for name, text in re.findall(
            r"^cat >/etc/systemd/network/(\S+) <<'END'\n(.*?)^END$", printed,
            re.M | re.S):
        (tmp_path / name).write_text(text, encoding="utf-8")
    status, text = imported(tmp_path)
    assert status == 0
    wanted = dict(remote_cases("tunload"))[command]
    assert like_networkd(text) == like_networkd(wanted)


@pytest.mark.parametrize("args, error", [
    (["--from", "netplan"],
     'import: --from "netplan" is neither iproute2 nor networkd'),
    (["--from", "networkd", "/nonexistent"],
     "/nonexistent: cannot read the directory: No such file or directory; "
     "name another"),
    (["a", "b"], 'import: one argument too many "b": see `tunload help '
     "import`"),
    (["wlan9"], 'no such interface "wlan9": `ip link` lists those of this host'),
    (["lo"], "lo cannot be imported: it is no ipip, sit or ip6tnl device"),
])
def test_wrong_words(args, error):
    done = run(TUNLOAD, "import", *args, check=False)
    assert done.stdout == "" and done.returncode
    assert done.stderr == f"tunload: {error}\n"
