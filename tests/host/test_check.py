# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check`: its output, as text and as JSON, and the conditions of the
kernel. The other areas have files of their own."""
import json

import jsonschema
import pytest

from checked import Checked
from lab import read


@pytest.fixture(name="host")
def fixture_host(lab):
    """A host where nothing is wrong."""
    return Checked(lab)


def lines(done):
    """The levels and conditions of the text's lines."""
    return [(line[:9].strip(), line[9:30].strip())
            for line in done.stdout.splitlines() if line[:9].strip()]


@pytest.mark.parametrize("attached", [False, True])
def test_all_is_well(host, attached):
    if attached:
        host.run_well()
    done = host.check()
    assert (done.returncode, done.stderr) == (0, "")
    assert {level for level, _ in lines(done)} == {"ok"}
    found = json.loads(host.check("--json").stdout)
    jsonschema.validate(found, json.loads(read("docs/schema/check.json")))
    assert [(f["level"], f["what"]) for f in found] == lines(done)
    assert all(f["peer"] is None and f["command"] is None for f in found)


def test_the_jit_is_off(host):
    host.fake("/proc/sys/net/core/bpf_jit_enable", "0")
    assert host.findings() == [{
        "level": "warning", "area": "kernel", "what": "BPF JIT", "peer": None,
        "why": "the kernel interprets the programs, which is several times "
               "slower",
        "command": "sysctl -w net.core.bpf_jit_enable=1"}]
    done = host.check()
    assert done.stdout.startswith("""\
warning  BPF JIT              the kernel interprets the programs, which is
                              several times slower
         -> sysctl -w net.core.bpf_jit_enable=1
""")
    host.sh(host.findings()[0]["command"])
    assert host.findings() == []


def test_no_bpffs(host):
    host.sh(f"umount {host.tl.bpffs}")
    finding, = host.findings()
    assert (finding["level"], finding["what"]) == ("warning", "bpffs")
    host.sh(finding["command"])
    assert host.findings() == []


@pytest.mark.parametrize("prefix, what, why", [
    (["setpriv", "--bounding-set", "-all,+net_admin"], "rights",
     "not permitted to use BPF: run as root, or with CAP_BPF, CAP_PERFMON and "
     "CAP_NET_ADMIN"),
    (["setarch", "--uname-2.6"], "kernel version", "is too old: tunload needs"),
    (["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /sys/kernel/btf; "
      "exec \"$@\"", "sh"], "BTF", "CONFIG_DEBUG_INFO_BTF=y"),
])
def test_the_kernel_does_not_serve(host, prefix, what, why):
    finding, = host.findings(prefix=prefix)
    assert (finding["level"], finding["what"]) == ("failure", what)
    assert why in finding["why"] and finding["command"] is None


def test_without_a_file(host):
    """As an ordinary user, too: what cannot be read is passed over."""
    done = host.run("check", "eth0", "--json")
    found = [f for f in json.loads(done.stdout) if f["level"] != "ok"]
    assert (done.returncode, [f["why"] for f in found]) == (
        0, ["there is no file /etc/tunload/eth0.conf, and so no peers"])
    done = host.run("check", "eth0", "--json", prefix=[
        "setpriv", "--reuid=65534", "--clear-groups"])
    found = [f["what"] for f in json.loads(done.stdout) if f["level"] != "ok"]
    assert (done.returncode, done.stderr, found) == (
        1, "", ["rights", "configuration"])
