# SPDX-License-Identifier: GPL-2.0-only
"""Keys and commands of wg-quick, ip tunnel and systemd-networkd are answered by
what to write instead, in files and on the command line."""
import pytest

from lab import TUNLOAD, run

SECRET = "tunload does not encrypt, remove it (or use WireGuard)"
HOOK = "there are no hooks, order a unit of yours After=tunload@IFACE.service"
MTU = 'here it is "path-mtu", or "mtu" of a peer'
DSCP = 'here it is "dscp" of a peer'
ENDPOINT = 'here it is "endpoint" of a peer'
TYPE = "the addresses say what goes into what, remove it"
OF_PEER = '"{}" belongs to a section [peer NAME]'
OF_INTERFACE = '"{}" belongs to the section [interface]'
# A key, and the answer in [interface] and in [peer x].
KEYS = [
    ("PersistentKeepalive", 'here it is "keepalive"', None),
    ("AllowedIPs", 'here it is "allowed-ips"', None),
    ("Address", 'did you mean "address"?', OF_INTERFACE.format("address")),
    ("Endpoint", OF_PEER.format("endpoint"), 'did you mean "endpoint"?'),
    ("Table", 'here it is "table" of a peer, and "routes = no" for off', None),
    ("FwMark", 'here it is "mark" of a peer', None),
    ("metric", 'here it is "priority" of a peer', None),
    ("table", 'here it is "table" of a peer, and "routes = no" for off', ...),
    ("MTU", MTU, None),
    ("MTUBytes", MTU, None),
    ("PublicKey", SECRET, None),
    ("PrivateKey", SECRET, None),
    ("PresharedKey", SECRET, None),
    ("PreUp", HOOK, None),
    ("PostUp", HOOK, None),
    ("PreDown", HOOK, None),
    ("PostDown", HOOK, None),
    ("ListenPort", "these tunnels have no ports, remove it", None),
    ("DNS", "the host's resolver stays as it is, remove it", None),
    ("SaveConfig", "`tunload showconf` prints what runs, remove it", None),
    ("remote", ENDPOINT, None),
    ("Remote", ENDPOINT, None),
    ("TTL", OF_PEER.format("ttl"), 'did you mean "ttl"?'),
    ("keepalive", OF_PEER.format("keepalive"), ...),
    ("hoplimit", 'here it is "ttl" of a peer', None),
    ("tos", DSCP, None),
    ("tclass", DSCP, None),
    ("TypeOfService", DSCP, None),
    ("CopyDSCP", DSCP, None),
    ("type", TYPE, None),
    ("Kind", TYPE, None),
    ("mode", ..., OF_INTERFACE.format("mode")),
    ("key", "only GRE has keys, remove it", None),
    ("encaplimit", "that header is never sent, remove it", None),
    ("EncapsulationLimit", "that header is never sent, remove it", None),
    ("pmtudisc", "that is always done, remove it", None),
    ("DiscoverPathMTU", "that is always done, remove it", None),
    ("nopmtudisc", "path MTU discovery is always done, remove it", None),
    ("colour", "remove it, or see tunload.conf(5)", None),
]
# The answers in each place; ... is a key that is right there.
IN_INTERFACE = [(key, said) for key, said, _ in KEYS if said is not ...]
IN_PEER = [(key, own or said) for key, said, own in KEYS if own is not ...]


def refused(*argv):
    """The error of a command line that is wrong."""
    done = run(TUNLOAD, *argv, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


@pytest.mark.parametrize("section, name, key, said", [
    *(("interface", "[interface]", *row) for row in IN_INTERFACE),
    *(("peer x", "peer x", *row) for row in IN_PEER)])
def test_key_of_a_file(tmp_path, section, name, key, said):
    conf = tmp_path / "c"
    conf.write_text(f"[{section}]\n{key} = 25\n", encoding="ascii")
    assert refused("attach", "lo", "--dry-run", "-c", conf) == (
        f'tunload: {conf}:2: {name}: unknown key "{key}": {said}\n')


@pytest.mark.parametrize("verb", ["add", "set"])
@pytest.mark.parametrize("key, said", IN_PEER)
def test_key_of_a_command(verb, key, said):
    error = f'tunload: peer x: unknown key "{key}": {said}\n'
    for words in [key, "25"], [f"{key}=25"], [f"{key}=", "25"], [
            "ttl", "9", f"{key}=25"]:
        assert refused("peer", verb, "lo", "x", *words) == error


@pytest.mark.parametrize("words, said", [
    (["endpoint=192.0.2.1"], "endpoint 192.0.2.1"),
    (["allowed-ips=10.0.0.0/8", "ttl"], "allowed-ips 10.0.0.0/8"),
    (["ttl=", "5"], "ttl VALUE"),
])
def test_key_and_value_in_one_word(words, said):
    for before in [], ["local", "192.0.2.9"]:
        assert refused("peer", "add", "lo", "x", *before, *words) == (
            f'tunload: peer x: "{words[0]}": write two words: {said}\n')


COMMANDS = {
    "up": "attach", "start": "attach", "down": "detach", "stop": "detach",
    "show": "status", "Show": "status", "list": "status",
    "restart": "reload", "sync": "reload", "syncconf": "reload",
    "setconf": "reload", "addconf": "peer add", "add": "peer add",
    "set": "peer set", "change": "peer set", "del": "peer del",
    "delete": "peer del", "remove": "peer del", "save": "showconf",
    "ping": "trigger",
}


@pytest.mark.parametrize("word, command", COMMANDS.items())
def test_command(word, command):
    assert refused(word, "lo") == (
        f'tunload: unknown command "{word}": say "{command}"\n')


@pytest.mark.parametrize("word, command", [
    ("remove", "peer del"), ("delete", "peer del"), ("change", "peer set"),
    ("show", "peer list")])
def test_verb_of_peer(word, command):
    assert refused("peer", word, "lo", "x") == (
        f'tunload: peer: "{word}": say "{command}"\n')
