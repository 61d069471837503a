# SPDX-License-Identifier: GPL-2.0-only
"""`status --json` has everything that `status -v` has: the text is made here of
the JSON alone, and of the list of verdicts, and compared word by word."""
import re

from lab import read, wait_until
from test_status import Host, ages
from traffic import ping

STATES = {"no_answer": "no answer"}
TABLE = "PEER STATE ENDPOINT ALLOWED IPS MTU LAST IN IN OUT"
FATES = {"TUNNEL": "tunnelled", "PASS": "passed", "DROP": "dropped",
         "ANSWER": "answered"}


def verdict_list():
    """{name: (fate, who it is from, text)} of verdicts.h."""
    found = re.findall(r"^\tVERDICT\((\w+), (\w+), \w+, (\w+),\s*"
                       r"((?:\"[^\"]*\"\s*)+)\)",
                       read("bpf", "verdicts.h").replace("\\\n", "\n"), re.M)
    return {name: (FATES[fate], whose, "".join(re.findall(r'"([^"]*)"', text)))
            for name, fate, whose, text in found}


def count(n):
    """A number for people, below a million."""
    if n < 1000:
        return str(n)
    return f"{n / 1000:.{1 if n < 9950 else 0}f}k"


def age(seconds):
    """The age of a packet."""
    return "never" if seconds is None else f"{int(seconds)} s"


def packets(counter):
    """A counter for people."""
    plural = "s" * (counter["packets"] != 1)
    return f"{counter['packets']} packet{plural}, {count(counter['bytes'])}B"


def settings(s):
    """What is above the table."""
    needy = sum(p["needs_attention"] for p in s["peers"])
    kind = {"native": "native XDP", "tc": "tc"}[s["mode"]]
    yield (f"{s['interface']} {kind} {'+' if kind != 'tc' else 'by'} "
           f"{s['tc_hook']} {needy} of {len(s['peers'])} peers need attention")
    yield f"mode {kind}: {s['mode_reason']}"
    on = ["off", "on"]
    yield (f"local {s['local4']} {s['local6']} forwarding: "
           f"IPv4 {on[s['forwarding']['ipv4']]}, "
           f"IPv6 {on[s['forwarding']['ipv6']]}")
    if s["xdp_reads_linear_only"]:
        yield ("xdp no headers behind a frame's linear part "
               "(bpf_xdp_pull_data needs Linux 6.18)")
    for hint in s["hints"]:
        yield f"hint {hint}"


def row(p):
    """A peer's line of the table."""
    first, *more = p["allowed_ips"]
    return " ".join([p["peer"], STATES.get(p["state"], p["state"]),
                     p["endpoint"], first, *([f"+{len(more)}"] * bool(more)),
                     str(p["mtu"]), age(p["last_rx_seconds"]),
                     f"{count(p['rx']['bytes'])}B",
                     f"{count(p['tx']['bytes'])}B"])


def paragraph(p):
    """What is known of a peer that needs attention, and what to do."""
    hints = [f"-> {hint}" for hint in p["hints"]]
    if p["state"] == "waiting":
        return [f"{p['peer']} {p['waiting']}"]
    if p["state"] == "no_answer":
        return [f"{p['peer']} {p['tx']['packets']} sent, the last one "
                f"{age(p['last_tx_seconds'])} ago, none back", *hints]
    return [f"{p['peer']} {hints[0]}", *hints[1:]]


def verdicts(counters, *fates):
    """The lines of verdicts."""
    known = verdict_list()
    for fate in fates:
        for name in known:
            if known[name][0] == fate and name in counters:
                yield (f"{fate} {packets(counters[name])}, {name}: "
                       f"{known[name][2]}")


def details(p):
    """All about a peer."""
    forms = f"({', '.join(p['forms'])})"
    yield (f"peer {p['peer']}: {p['endpoint']} <- {p['local']}"
           f"{', waits' if p['waiting'] else ' ' + forms}")
    yield f"allowed ips {', '.join(p['allowed_ips'])}"
    yield f"gateway {', '.join(filter(None, (p['gateway4'], p['gateway6'])))}"
    yield f"mtu {p['mtu']}"
    for word, way in ("received", "rx"), ("sent", "tx"):
        last = age(p[f"last_{way}_seconds"])
        ago = " ago" * (last != "never")
        yield f"{word} {packets(p[way])}, last {last}{ago}"
    yield from verdicts(p["verdicts"], "dropped", "passed")


def text_of(s):
    """The text of `status -v`, without wrapping and alignment."""
    order = sorted(s["peers"], key=lambda p: not p["needs_attention"])
    yield from settings(s)
    yield TABLE
    yield from map(row, order)
    for p in order:
        if p["needs_attention"]:
            yield from paragraph(p)
    for p in s["peers"]:
        yield from details(p)
    yield f"all packets of {s['interface']}"
    yield from verdicts(s["verdicts"], "dropped", "tunnelled", "answered",
                        "passed")


def test_the_text_can_be_made_of_the_json(lab):
    host = Host(lab)
    host.talk()
    host.b.addr("lo", "10.66.0.1/32")
    ping(host.b, "172.22.2.2", "10.66.0.1", wait=0.01)
    wait_until(lambda: host.tl.verdict("rx_not_allowed"), "a packet is refused")

    def both():
        before = host.tl.status()
        text = host.text("eth0", "-v", COLUMNS="2000")
        same = host.tl.status()["verdicts"] == before["verdicts"]
        return same and (before, text)
    told, text = wait_until(both, "nothing is counted between the two")
    assert text.split() == ages("\n".join(text_of(told))).split()
