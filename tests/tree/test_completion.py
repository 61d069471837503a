# SPDX-License-Identifier: GPL-2.0-only
"""The completions of bash and zsh offer what the help and the keys have."""
import re

import pytest

from completion import complete, complete_zsh
from lab import REPO, read

BASH = f"{REPO}/build/dist/completion/tunload"
ZSH = f"{REPO}/build/dist/completion/_tunload"


@pytest.fixture(name="offers", params=["bash", "zsh"])
def shell(request):
    """offers(*words): what a shell offers for the last of the words."""
    if request.param == "bash":
        return lambda *words: complete(BASH, "tunload", *words)
    return lambda *words: complete_zsh(ZSH, "tunload", *words)


@pytest.mark.parametrize("words, wanted", [
    (("de",), ["detach"]),
    (("attach", "l"), ["lo"]),
    (("check", "l"), ["lo"]),
    (("check", "lo", "--p"), ["--probe"]),
    (("--json", "ch"), ["check"]),
    (("--bpffs", "/tmp", "--json", "status", "--j"), ["--json"]),
    (("remote-config", "l"), ["lo"]),
    (("remote-config", "lo", "x", "--dev"), ["--device"]),
    (("import", "l"), ["lo"]),
    (("metrics", "--h"), ["--http"]),
    (("attach", "lo", "--mode", ""), ["auto", "native", "tc"]),
    (("--bpffs", "/tmp", "tr"), ["trigger"]),
    (("trigger", "eth0", "--w"), ["--wait"]),
    (("trigger", "eth0", "--wait", ""), []),
    (("import", "--from", ""), ["iproute2", "networkd"]),
    (("remote-config", "eth0", "x", "--for", "ya"), ["yamaha-rtx"]),
    (("peer", ""), ["list", "add", "set", "del"]),
    (("peer", "add", "eth0", "x", "all"), ["allowed-ips"]),
    (("peer", "set", "eth0", "x", "guard", ""), ["yes", "no", "auto"]),
    (("peer", "set", "eth0", "x", "guard", "no", "tt"), ["ttl"]),
])
def test_words(offers, words, wanted):
    assert offers(*words) == wanted


@pytest.mark.parametrize("words", [
    ("metrics", "-o"), ("metrics", "--output"), ("check", "lo", "-c"),
    ("check", "lo", "--config"), ("attach", "lo", "-c"),
    ("remote-config", "lo", "x", "-c"), ("import", "--from", "networkd")])
def test_files(offers, words):
    found = offers(*words, "/etc/hostn")
    assert found[-1].removeprefix("/etc/") == "hostname"


@pytest.mark.parametrize("words", [
    ("status",), ("metrics",), ("detach",), ("peer", "list"),
    ("peer", "set"), ("monitor",)])
def test_attached_interfaces(offers, tmp_path, words):
    for name in "eth0", "eth0:7":
        (tmp_path / "tunload" / name).mkdir(parents=True)
    for line in ("--bpffs", str(tmp_path), *words), (
            *words, "--bpffs", str(tmp_path)):
        assert sorted(offers(*line, "")) == ["eth0", "eth0.7"]


def test_peers_of_a_file(offers, tmp_path):
    conf = tmp_path / "conf"
    conf.write_text("[interface]\n  [peer tokyo] # one\n[peer osaka]\n",
                    encoding="ascii")
    line = "remote-config", "-c", str(conf), "lo"
    assert offers(*line, "") == ["tokyo", "osaka"]
    assert offers(*line, "os") == ["osaka"]


def test_every_command(offers):
    words = re.findall(r"^\tX\((\w+)\)", read("loader", "cmd", "cmd.h"), re.M)
    commands = [word.replace("_", "-") for word in words]
    assert len(commands) > 9
    assert set(offers("")) == {*commands, "--bpffs", "--json", "--verbose",
                               "--version"}
    assert set(offers("help", "")) == set(commands)


def test_options(offers):
    assert set(offers("attach", "eth0", "-")) == {
        "-c", "--config", "--mode", "--no-routes", "--no-trigger",
        "--dry-run", "--all"}
    assert set(offers("peer", "list", "-")) == {"--json"}
    assert set(offers("status", "eth0", "-")) == {
        "-v", "--verbose", "--watch", "--json"}
