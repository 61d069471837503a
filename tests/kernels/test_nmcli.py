# SPDX-License-Identifier: GPL-2.0-only
"""NetworkManager's own nmcli takes what `tunload remote-config --for networkmanager`
prints. It runs offline, from packages that are unpacked, not installed; no virtual
machine is needed, but the cache of the VM tier."""
import configparser
import glob
import os
import re

import pytest

from debs import Apt, NoKernel, cached
from lab import read, run

PACKAGES = """network-manager libnm0 libndp0 libpsl5 libteamdctl0 libjansson4
    libnewt0.52 libslang2 libreadline8 libmm-glib0 libbluetooth3
    libpolkit-agent-1-0 libpolkit-gobject-1-0 libglib2.0-0 libudev1
    libcurl3-gnutls libnss3 libnspr4""".split()
GOLDEN = "tests/host/remote_config/networkmanager.txt"
COMMANDS = re.findall(r"^nmcli (.*?[^\\])\n", read(GOLDEN), re.M | re.S)
MODES = {"ipip": "1", "sit": "3", "ip6ip6": "6", "ipip6": "7"}


def unpack(path):
    """Fills the directory with the packages."""
    apt = Apt(run("dpkg", "--print-architecture").stdout.strip())
    apt.get("update")
    apt.download(PACKAGES, path)


@pytest.fixture(scope="module", name="env")
def fixture_env():
    """The environment in which nmcli is found."""
    try:
        root = cached("nmcli", unpack)
    except NoKernel as reason:
        pytest.skip(f"no packages: {reason}")
    libraries = glob.glob(f"{root}/usr/lib/*-linux-gnu") + glob.glob(
        f"{root}/lib/*-linux-gnu")
    return {"PATH": f"{root}/usr/bin:{os.environ['PATH']}", "LC_ALL": "C",
            "LD_LIBRARY_PATH": ":".join(libraries)}


def word(command, name):
    """The word behind another one."""
    return re.search(rf" {re.escape(name)} (\S+)", command).group(1)


@pytest.mark.parametrize("command", COMMANDS)
def test_nmcli(env, command):
    done = run("sh", "-c", f"nmcli --offline {command}", env=env)
    assert done.stderr == ""
    made = configparser.ConfigParser()
    made.read_string(done.stdout)
    tunnel = dict(made["ip-tunnel"])
    assert tunnel.pop("mode") == MODES[word(command, "mode")]
    for key in "local", "remote":
        assert tunnel.pop(key) == word(command, key)
    assert tunnel == {key.removeprefix("ip-tunnel."): value for key, value in
                      re.findall(r" (ip-tunnel\.\S+) (\S+)", command)}
    inner = re.search(r"(ipv[46])\.method manual", command).group(1)
    routes = re.search(rf'{inner}\.routes "(.*)"', command).group(1)
    assert [made[inner][f"route{i}"] for i, _ in enumerate(
        routes.split(", "), 1)] == routes.split(", ")
    assert made[inner]["address1"].split("/")[0] == word(
        command, f"{inner}.addresses")
