# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch --exec`: a command at each change of a peer's state."""
import os
import re
import signal

import pytest

from lab import wait_until
from watched import Watched, changes_told, conf, tell, wait_told

C = """
[peer c]
endpoint = 192.0.2.3
allowed-ips = 10.30.0.0/24
keepalive = 1
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Watched pair of hosts."""
    return Watched(lab)


@pytest.fixture(name="told")
def fixture_told(tmp_path):
    """Where tell() writes."""
    return str(tmp_path / "told")


def sleeps(seconds):
    """True if a process `sleep SECONDS` runs."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if f.read() == f"sleep\0{seconds}\0".encode():
                    return True
        except OSError:
            pass
    return False


def test_the_environment(pair, told):
    pair.up("--exec", tell(told))
    up, = wait_told(told, 1)
    assert re.fullmatch(r"\d+\.\d", up.pop("TUNLOAD_RTT_MS"))
    assert up == {"TUNLOAD_INTERFACE": "eth0", "TUNLOAD_PEER": "b",
                  "TUNLOAD_STATE": "up", "TUNLOAD_OLD_STATE": "idle",
                  "TUNLOAD_ENDPOINT": "192.0.2.2",
                  "TUNLOAD_LOCAL": "192.0.2.1", "TUNLOAD_LOSS": "0",
                  "TUNLOAD_REASON": ""}
    pair.kill_b()
    silent = wait_told(told, 2)[1]
    assert (silent["TUNLOAD_STATE"], silent["TUNLOAD_OLD_STATE"],
            silent["TUNLOAD_REASON"]) == (
                "silent", "up", "3 keepalives to 10.10.0.1 unanswered")
    assert int(silent["TUNLOAD_LOSS"]) > 0
    pair.a.ip("addr", "del", "192.0.2.1/24", "dev", "eth0")
    waiting = wait_told(told, 3)[2]
    assert waiting["TUNLOAD_STATE"] == "waiting"
    assert waiting["TUNLOAD_REASON"] == pair.tl.peer("b")["waiting"]
    assert waiting["TUNLOAD_LOCAL"] == ""


def test_one_after_the_other(pair, told):
    """Changes that happen at once are told in their order, never two at a
    time: a second command would find the first one's mark."""
    mark = told + ".mark"
    pair.tl.reload(conf(peers=C))
    pair.kill_b()
    pair.watch("--exec", f"mkdir {mark} && sleep 0.5 && {tell(told)}; "
               f"rmdir {mark}")
    assert sorted(t["TUNLOAD_PEER"] for t in wait_told(told, 2)) == ["b", "c"]
    wait_until(lambda: not os.path.exists(mark), "the end of the last")
    pair.revive_b()
    pair.tl_b.ok("trigger", "eth0")
    assert wait_told(told, 3)[2]["TUNLOAD_STATE"] == "up"


def test_a_failure_is_told(pair):
    watch = pair.up("--exec", "exit 3")
    watch.wait_output("tunload: eth0: --exec ended with status 3")


def test_a_hung_command_is_ended(pair, told):
    """It holds up nothing, and is ended with its children."""
    token = f"31{os.getpid()}"
    watch = pair.up("--exec", f"[ $TUNLOAD_STATE = up ] && sleep {token} & "
                    f"wait; {tell(told)}")
    wait_until(lambda: sleeps(token), "the command")
    pair.kill_b()
    watch.wait_output("eth0: b: silent")
    assert not changes_told(told)
    watch.wait_output("--exec took more than 30 s and was ended", timeout=90)
    wait_until(lambda: not sleeps(token), "no command")
    assert wait_told(told, 1)[0]["TUNLOAD_STATE"] == "silent"


def test_it_ends_with_the_watch(pair):
    token = f"32{os.getpid()}"
    watch = pair.up("--exec", f"trap '' TERM; sleep {token}; true")
    wait_until(lambda: sleeps(token), "the command")
    watch.signal(signal.SIGTERM)
    assert watch.wait() == 0
    wait_until(lambda: not sleeps(token), "no command")
