# SPDX-License-Identifier: GPL-2.0-only
"""`tunload remote-config`: the whole output of each form, compared with
tests/host/remote_config/FORM.txt; its README says where the commands of each
system are documented. test_remote_config_runs.py and the VM tier run those that
can be run here."""
import os
import re
import shlex
import sys

import pytest

from completion import complete
from lab import REPO, Lab, read

FOLDER = "tests/host/remote_config"
SERVICE = "169.254.169.254"
FORMS = sorted(name.removesuffix(".txt")
               for name in os.listdir(os.path.join(REPO, FOLDER))
               if name.endswith(".txt") and name != "wrong.txt")
# Peers by the inner families and the outer one.
CONF = """\
[interface]
source = 172.22.2.2, fd00:22::2

[peer 4in4]
endpoint = 203.0.113.4
allowed-ips = 10.4.0.0/24, 10.44.0.0/16

[peer 6in4]
endpoint = 203.0.113.6
allowed-ips = fd00:6::/64

[peer both-in4]
endpoint = 203.0.113.46
allowed-ips = 10.46.0.0/24, fd00:46::/64
ttl = 32
dscp = 46

[peer 4in6]
endpoint = 2001:db8:f::4
allowed-ips = 10.64.0.0/24

[peer 6in6]
endpoint = 2001:db8:f::6
allowed-ips = fd00:66::/64
mtu = 1400

[peer both-in6]
endpoint = 2001:db8:f::46
allowed-ips = 10.10.0.0/24, fd00:10::/64
dscp = 0
"""
NAMED = """\
[peer name]
endpoint = does-not-resolve.invalid
allowed-ips = 10.77.0.0/24
"""


@pytest.fixture(scope="module", name="host")
def fixture_host():
    """A Tunload on a host of these addresses; nothing is attached."""
    with Lab() as lab:
        host, other = lab.netns("host"), lab.netns("other")
        lab.veth(host, "eth0", other, "eth0")
        host.addr("eth0", "198.51.100.10/24", "2001:db8:ec2::10/64")
        host.addr("lo", "172.22.2.2/32", "fd00:22::2/128")
        host.ip("route", "add", "default", "via", "198.51.100.1")
        host.ip("route", "add", "default", "via", "2001:db8:ec2::1")
        tl = lab.tunload(host)
        tl.write(CONF)
        yield tl


def cases(form):
    """(what is typed, what is printed) of each case in FORM.txt."""
    parts = re.split(r"^\$ (.*)\n", read(FOLDER, f"{form}.txt"), flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def typed(host, form, command):
    """What the command prints, errors included."""
    done = host.run("remote-config", "eth0", "--for", form, "-c", host.conf,
                    *shlex.split(command))
    assert bool(done.returncode) != bool(done.stdout)
    return done.stderr + done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_form(host, form):
    assert [(command, typed(host, form, command))
            for command, _ in cases(form)] == cases(form)


def test_every_form_is_everywhere(host):
    """In the help, in the error about an unknown one, in the completion and here."""
    text = host.ok("help", "remote-config")
    words = re.search(r"--for FORM +((?:[\w-]+,\s+)+[\w-]+)", text).group(1)
    words = re.split(r",\s+", words)
    assert sorted(words) == FORMS
    assert f"is none of {', '.join(words)}" in dict(cases("wrong"))[
        "4in4 --for ios"]
    assert complete(f"{REPO}/build/dist/completion/tunload", "tunload",
                    "remote-config", "--for", "") == words


@pytest.mark.parametrize("command, printed", cases("wrong"))
def test_wrong_words(host, command, printed):
    done = host.run("remote-config", "eth0", *shlex.split(command), "-c",
                    host.conf)
    assert done.stdout == ""
    assert f"{done.returncode} {done.stderr}" == printed.replace(
        "FILE", str(host.conf))


def test_a_peer_that_waits(host):
    with open(f"{host.dir}/named", "w", encoding="utf-8") as f:
        f.write(CONF + NAMED)
    done = host.run("remote-config", "eth0", "name", "--for", "linux", "-c",
                    f.name)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith(
        'tunload: peer name waits: endpoint "does-not-resolve.invalid" '
        'does not resolve')


PRIVATE = """\
[peer there]
endpoint = 203.0.113.4
allowed-ips = 10.4.0.0/24
local = {}
"""


@pytest.mark.parametrize("address", ["10.0.1.10", "172.31.0.10", "192.168.0.10",
                                     "100.64.0.10"])
def test_a_private_address_is_worth_a_warning(host, address):
    host.ns.addr("eth0", f"{address}/24")
    host.write(PRIVATE.format(address))
    words = "remote-config", "eth0", "there", "--for", "yamaha-rtx", "-c"
    done = host.run(*words, host.conf)
    assert f"endpoint address 203.0.113.4 {address}\n" in done.stdout
    assert done.stderr == (
        f"tunload: warning: our address {address} is private: if the other end "
        "sees another one, give that with --our-address\n")
    done = host.run(*words, host.conf, "--our-address", "192.0.2.99")
    assert "endpoint address 203.0.113.4 192.0.2.99\n" in done.stdout
    assert not done.stderr
    host.write(CONF)


def test_the_public_address_on_ec2(lab):
    """The metadata service is played by the router."""
    host, router = lab.netns("host"), lab.netns("router")
    lab.veth(host, "eth0", router, "eth0")
    host.addr("eth0", "10.0.1.10/24")
    router.addr("eth0", "10.0.1.1/24", f"{SERVICE}/32")
    host.ip("route", "add", "default", "via", "10.0.1.1")
    tl = lab.tunload(host)
    facts = f"{tl.dir}/network/interfaces/macs/{host.mac('eth0')}"
    os.makedirs(f"{facts}/ipv4-associations")
    for name, text in (("interface-id", "eni-0a1b2c3d4e5f60718"),
                       ("local-ipv4s", "10.0.1.10"),
                       ("ipv4-associations/198.51.100.77", "10.0.1.10")):
        with open(f"{facts}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    lab.start(router, sys.executable, f"{REPO}/tests/labs/metadata_service.py",
              SERVICE, tl.dir).wait_output("ready")
    done = tl.run("remote-config", "eth0", "there", "--for", "yamaha-rtx", "-c",
                  tl.write(PRIVATE.format("auto")))
    assert not done.stderr
    assert "endpoint address 203.0.113.4 198.51.100.77\n" in done.stdout


def test_what_runs_is_read(host):
    """Attached, with another MTU than in the file."""
    host.attach(CONF, "--no-trigger", "--mode", "tc")
    host.ok("peer", "set", "eth0", "4in4", "mtu", "1300")
    out = host.ok("remote-config", "eth0", "4in4", "--for", "linux")
    assert "ip link set tunload up mtu 1300\n" in out
    named = host.ok("remote-config", "eth0", "4in4", "--for", "linux", "-c",
                    host.conf)
    assert named == out.replace("1300", "1480")
    host.detach()
