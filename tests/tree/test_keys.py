# SPDX-License-Identifier: GPL-2.0-only
"""A row of bpf/keys.h is enough for a new key: with more rows for both kinds of
section, a copy of the tree has the new keys everywhere."""
import json
import os
import re
import shutil

import pytest

from completion import complete
from lab import REPO, Lab, Tunload, run

pytestmark = pytest.mark.root

ROWS = {
    "TL_INTERFACE_KEYS": r"""
    KEY(BIRD_SONG, "bird-song", bird_song, CHOICE, ADDED,
        "what a waiting peer hums", .words = {"robin", "wren", "owl"},
        .initial = 1)""",
    "TL_PEER_KEYS": r"""
    KEY(WEIGHT, "weight", weight, NUMBER, ADDED,
        "share of the traffic", .min = 1, .max = 100, .initial = 10,
        .word = "even", .meaning = 0)
    KEY(COLLECTOR, "collector", collector, ADDRESS, ADDED,
        "host that wants to know", .family = 6)""",
}
PEERS = """\
[peer tokyo]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
[peer osaka]
endpoint = 192.0.2.3
allowed-ips = 10.20.0.0/24
"""
SET = ("[interface]\nmode = tc\nbird-song = owl\n" + PEERS +
       "weight = 20\ncollector = 2001:db8::7\n")


def with_rows(text):
    """keys.h with ROWS at the ends of its lists."""
    for name, row in ROWS.items():
        lists = re.search(rf"#define {name}\(KEY\).*(?:\n.*\\)*\n.*\)\n", text)
        more = row.replace("\n", "\\\n")
        text = text[:lists.end() - 1] + more + text[lists.end() - 1:]
    return text


@pytest.fixture(scope="module", name="tree")
def tree_with_more_keys(tmp_path_factory):
    """A copy of the tree with the rows, built."""
    tree = str(tmp_path_factory.mktemp("copy") / "tunload")
    shutil.copytree(REPO, tree, ignore=shutil.ignore_patterns(
        "build", ".git", "__pycache__"))
    path = f"{tree}/bpf/keys.h"
    with open(path, encoding="utf-8") as f:
        text = with_rows(f.read())
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    run("make", "-s", "-j2", "-C", tree, timeout=600)
    return tree


@pytest.fixture(scope="module", name="tl")
def built_tunload(tree):
    """The program of that tree, on eth0 of a namespace."""
    with Lab() as lab:
        a, b = lab.netns("keys"), lab.netns("peer")
        lab.veth(a, "eth0", b, "eth0")
        a.addr("eth0", "192.0.2.1/24")
        tl = lab.tunload(a)
        tl.program = f"{tree}/build/tunload"
        yield tl
        tl.detach(check=False)
        tl.program = Tunload.program


@pytest.fixture(name="running")
def attached(tl):
    """The same Tunload, attached with the new keys in the file."""
    tl.detach(check=False)
    tl.attach(SET, "--no-trigger")
    return tl


def weights(tl):
    """The peers' weights by name, from `peer list`."""
    peers = json.loads(tl.ok("peer", "list", "eth0", "--json"))
    return {p["name"]: p["weight"] for p in peers}


def test_from_a_file_into_json_and_maps(running):
    assert weights(running) == {"tokyo": 10, "osaka": 20}
    assert running.peer("osaka")["weight"] == 20
    assert running.peer("osaka")["collector"] == "2001:db8::7"
    assert running.peer("tokyo")["collector"] is None
    assert running.status()["bird_song"] == "owl"
    assert [e["value"]["weight"] for e in sorted(
        running.map("peers"), key=lambda e: e["key"])] == [10, 20]
    assert running.map("interface")[0]["value"]["bird_song"] == 2


def test_showconf(running):
    shown = running.ok("showconf", "eth0")
    assert re.findall(r"bird-song.*|weight.*|collector.*|^\[.*", shown, re.M) == [
        "[interface]", "bird-song = owl", "[peer tokyo]", "[peer osaka]",
        "weight = 20", "collector = 2001:db8::7"]


def test_defaults(running):
    running.reload(PEERS)
    assert weights(running) == {"tokyo": 10, "osaka": 10}
    assert running.status()["bird_song"] == "wren"
    shown = running.ok("showconf", "eth0")
    assert not re.search("weight|bird-song|collector", shown)


def test_changes(running):
    assert "nothing changed" in running.reload(SET).stdout
    said = running.reload(SET.replace("20\n", "21\n")).stdout
    assert said == "eth0: reloaded: changed osaka\n"
    said = running.reload(SET.replace("20\n", "21\n").replace(
        "::7", "::8")).stdout
    assert said == "eth0: reloaded: changed osaka\n"
    running.reload(SET.replace("20\n", "21\n"))
    said = running.reload(SET.replace("owl", "robin").replace(
        "20\n", "21\n")).stdout
    assert said == "eth0: reloaded: settings of the interface changed\n"
    assert running.status()["bird_song"] == "robin"


def test_an_upgrade_in_place_keeps_them(running):
    running.ok("attach", "eth0", "--no-trigger")
    assert weights(running) == {"tokyo": 10, "osaka": 20}
    assert running.status()["bird_song"] == "owl"
    assert running.peer("osaka")["collector"] == "2001:db8::7"


@pytest.mark.parametrize("text, line, error", [
    (PEERS + "weight = 101\n", 7, 'peer osaka: weight "101" is not a number '
     "from 1 to 100, or even"),
    (PEERS + "weight = 1\nweight = 2\n", 8, 'peer osaka: key "weight" again, '
     "first in line 7: remove one"),
    (PEERS + "wieght = 1\n", 7, 'peer osaka: unknown key "wieght": did you '
     'mean "weight"?'),
    (PEERS + "collector = 192.0.2.7\n", 7, 'peer osaka: collector '
     '"192.0.2.7" is not an IPv6 address: give one, or auto'),
    ("[interface]\nbird-song = crow\n", 2, 'bird-song "crow" is none of '
     "robin, wren, owl"),
])
def test_a_bad_value(running, text, line, error):
    done = running.reload(text, check=False)
    assert done.returncode == 2
    assert done.stderr == f"tunload: {running.conf}:{line}: {error}\n"


def test_peer_add_and_set(running):
    running.ok("peer", "set", "eth0", "tokyo", "weight", "even")
    running.ok("peer", "add", "eth0", "kobe", "endpoint", "192.0.2.4",
               "allowed-ips", "10.40.0.0/24", "weight", "3")
    assert weights(running) == {"tokyo": "even", "osaka": 20, "kobe": 3}
    done = running.run("peer", "set", "eth0", "tokyo", "weight", "0")
    assert (done.returncode, done.stderr) == (
        2, 'tunload: peer tokyo: weight "0" is not a number from 1 to 100, '
        "or even\n")


def test_invalid_value_in_a_map(running):
    """showconf leaves out a value that no configuration can have."""
    entry, = (e for e in json.loads(run(
        "bpftool", "-j", "map", "dump", "pinned",
        f"{running.pins}/peers").stdout)
        if e["formatted"]["value"]["name"] == "osaka")
    text = " ".join(entry["value"])
    weight = "0x14 0x00 0x00 0x00"
    assert text.count(weight) == 1
    value = text.replace(weight, "0xff 0xff 0xff 0xff").split()
    run("bpftool", "map", "update", "pinned", f"{running.pins}/peers",
        "key", *entry["key"], "value", *value)
    done = running.run("showconf", "eth0")
    assert done.stderr == ('tunload: warning: map "peers": weight 4294967295 '
                           "is not from 1-100|even: taken as 10\n")
    assert "weight" not in done.stdout


def test_completion(tree):
    script = f"{tree}/build/dist/completion/tunload"
    words = "tunload", "peer", "set", "eth0", "tokyo"
    assert complete(script, *words, "we") == ["weight"]
    assert complete(script, *words, "weight", "") == ["even"]
    assert complete(script, *words, "collector", "a") == ["auto"]


def test_help(tree):
    program = f"{tree}/build/tunload"
    assert re.search(r"^  weight 1-100\|even *share of the traffic \(10\)$",
                     run(program, "help", "peer").stdout, re.M)
    assert re.search(
        r"^  bird-song robin\|wren\|owl\n *what a waiting peer hums \(wren\)$",
        run(program, "help", "attach").stdout, re.M)


@pytest.mark.parametrize("page, row", [
    ("tunload.8", "weight 1-100|even 10 share of the traffic"),
    ("tunload.conf.5", "weight 1-100|even 10 share of the traffic"),
    ("tunload.conf.5", "bird-song robin|wren|owl wren what a waiting peer "
     "hums"),
])
def test_man_pages(tree, page, row):
    text = run("man", "-l", f"{tree}/build/dist/{page}",
               env={**os.environ, "MANWIDTH": "400", "LC_ALL": "C"}).stdout
    assert row in re.sub(r"[ \t]+", " ", text)


def test_dictionary_of_the_fuzzer(tree):
    run("make", "-s", "-C", tree, "build/fuzz/conf.dict")
    with open(f"{tree}/build/fuzz/conf.dict", encoding="utf-8") as f:
        words = f.read().splitlines()
    assert {'"weight = "', '"even"', '"collector = "', '"bird-song = "',
            '"robin"', '"owl"', '"[interface]"'} <= set(words)
    assert len(words) == len(set(words))


def without_prose(tree):
    """The keys without a paragraph of their own in tunload.conf(5)."""
    with open(f"{tree}/dist/tunload.conf.5.in", encoding="utf-8") as f:
        entries = re.findall(r"^\.TP\n\.BR? (.*)$", f.read(), re.M)
    told = {word for entry in entries
            for word in re.findall(r"[\w-]+", entry.replace("\\-", "-"))}
    with open(f"{tree}/bpf/keys.h", encoding="utf-8") as f:
        names = re.findall(r'KEY\(\w+, "([\w-]+)"', f.read())
    assert len(names) >= 17
    return set(names) - told


def test_every_key_has_a_paragraph(tree):
    assert without_prose(REPO) == set()
    assert without_prose(tree) == {"weight", "collector", "bird-song"}
