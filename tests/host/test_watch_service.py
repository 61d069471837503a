# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch` as a service of systemd, which the tests play; how much it
needs."""
import os
import re
import signal

import pytest

from lab import Process, wait_until
from lifecycle import conf_a
from netns import TIMEOUT
from service import Journal, Notified
from watched import Watched, lines

PEERS = 100
LIMIT_KB = 8 * 1024


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Watched pair of hosts."""
    return Watched(lab)


def notified(pair, path, **env):
    """(Notified, the watch that tells it)."""
    sock = pair.lab.keep(Notified(path))
    return sock, pair.watch(env={**os.environ, **sock.env, **env})


def test_systemd_is_told(pair, tmp_path):
    sock, watch = notified(pair, tmp_path / "notify")
    sock.wait("STATUS=1 peer, 1 up")
    assert sock.states == ["READY=1", "STATUS=1 peer, 0 up",
                           "STATUS=1 peer, 1 up"]
    pair.kill_b()
    sock.wait("STATUS=1 peer, 0 up")
    pair.tl.detach()
    sock.wait("STATUS=waiting for eth0")
    watch.signal(signal.SIGTERM)
    sock.wait("STOPPING=1")
    assert watch.wait() == 0
    assert "WATCHDOG=1" not in sock.states


def test_ready_before_attach(pair, tmp_path):
    """The service waits; systemd must not."""
    pair.tl.detach()
    sock, _ = notified(pair, tmp_path / "notify")
    sock.wait("STATUS=waiting for eth0")
    assert sock.states[0] == "READY=1"


def test_the_watchdog_is_fed(pair, tmp_path):
    sock, watch = notified(pair, tmp_path / "notify", WATCHDOG_USEC="1000000")
    for _ in range(4):
        sock.wait("WATCHDOG=1")
    watch.wait_output("eth0: b: up")


def test_a_watchdog_of_another_process(pair, tmp_path):
    """systemd's settings are inherited by children, which they do not concern."""
    sock, watch = notified(pair, tmp_path / "notify", WATCHDOG_USEC="100000",
                           WATCHDOG_PID="1")
    watch.wait_output("eth0: b: up")
    watch.signal(signal.SIGTERM)
    sock.wait("STOPPING=1")
    assert "WATCHDOG=1" not in sock.states


def test_the_journal_has_fields(pair, tmp_path):
    journal = pair.lab.keep(Journal(str(tmp_path)))
    argv = pair.tl.argv("watch", "eth0")
    at = argv.index("--") + 1
    watch = pair.lab.keep(Process(
        [*argv[:at], "sh", "-c", 'exec "$@" 2>>"$0"',
         os.path.join(str(tmp_path), "stderr"), *journal.argv(argv[at:])],
        env={**os.environ, **journal.env}))
    up = journal.wait(r"eth0: b: up in [0-9.]+ ms \(was idle\)")
    assert re.fullmatch(r"\d+\.\d", up.pop("TUNLOAD_RTT_MS"))
    del up["MESSAGE"]
    assert up == {"PRIORITY": "5", "SYSLOG_IDENTIFIER": "tunload",
                  "TUNLOAD_INTERFACE": "eth0", "TUNLOAD_PEER": "b",
                  "TUNLOAD_STATE": "up", "TUNLOAD_OLD_STATE": "idle",
                  "TUNLOAD_ENDPOINT": "192.0.2.2",
                  "TUNLOAD_LOCAL": "192.0.2.1", "TUNLOAD_LOSS": "0",
                  "TUNLOAD_REASON": ""}
    pair.kill_b()
    silent = journal.wait(r"eth0: b: silent: .*")
    assert (silent["PRIORITY"], silent["TUNLOAD_STATE"]) == ("4", "silent")
    watch.signal(signal.SIGTERM)
    assert watch.wait() == 0
    assert watch.output() == "" and os.path.getsize(tmp_path / "stderr") == 0


def test_a_redirected_output_is_no_journal(pair):
    """JOURNAL_STREAM is of another file than standard error."""
    watch = pair.watch(env={**os.environ, "JOURNAL_STREAM": "1:2"})
    watch.wait_output("tunload: eth0: b: up")


def many_peers():
    """A configuration of that many peers, who share b's wire."""
    return conf_a() + "".join(
        f"[peer p{i}]\nendpoint = 192.0.2.{i + 10}\n"
        f"allowed-ips = 10.{i}.1.0/24\nkeepalive = 1\n"
        for i in range(100, 100 + PEERS))


def peak_kb(pid):
    """The most memory that a process ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))


def test_memory_with_many_peers(pair, tmp_path):
    pair.tl.reload(many_peers())
    sock, watch = notified(pair, tmp_path / "notify", WATCHDOG_USEC="1000000")
    wait_until(lambda: watch.output().count("silent: ") == PEERS, "silence")
    pair.a.ip("route", "del", "10.150.1.0/24")
    watch.wait_output("mended: put 1 routes")
    sock.wait("WATCHDOG=1")
    with open(f"/proc/{watch.popen.pid}/comm", encoding="ascii") as f:
        assert f.read() == "tunload\n"
    assert peak_kb(watch.popen.pid) < LIMIT_KB


def test_status_has_what_it_knows(pair):
    assert pair.tl.peer("b")["watch"] is None
    watch = pair.up()
    told = pair.tl.peer("b")["watch"]
    assert told.pop("rtt_ms") > 0 and told.pop("since_seconds") < TIMEOUT
    assert told == {"state": "up", "loss_percent": 0, "reason": None}
    pair.kill_b()
    watch.wait_output("eth0: b: silent")
    told = pair.tl.peer("b")["watch"]
    assert (told["state"], told["reason"]) == (
        "silent", "3 keepalives to 10.10.0.1 unanswered")
    watch.popen.kill()
    watch.wait()
    assert pair.tl.peer("b")["watch"] is None


def test_two_watches(pair):
    first = pair.up()
    second = pair.up()
    assert lines(second)[0] == (
        "tunload: eth0: `status` is not told: Address already in use; is "
        "another watch running?")
    first.close()


def test_only_root_is_told(pair):
    """A stranger may connect, and hears nothing."""
    pair.up()
    ask = ("import socket; s = socket.socket(socket.AF_UNIX); "
           "s.connect('\\0tunload-watch/eth0'); print(s.recv(99))")
    for user, told in ("0", "b'{"), ("65534", "b''"):
        done = pair.a.run("setpriv", "--reuid", user, "--clear-groups",
                          "/usr/bin/python3", "-c", ask)
        assert done.stdout.startswith(told)
