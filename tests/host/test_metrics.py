# SPDX-License-Identifier: GPL-2.0-only
"""`tunload metrics`: OpenMetrics by the reference parser, the textfile by the
real promtool and node_exporter, the socket unit by a real Prometheus."""
import json
import os
import re
import socket
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lab import read, run, wait_until
from lifecycle import A, B, Pair, conf_a
from prometheus import Prometheus, get, program
from traffic import ping

PORT = 9743
URL = f"http://127.0.0.1:{PORT}/metrics"
PEERS = """
[peer quiet]
endpoint = 198.51.100.9
allowed-ips = 10.60.0.0/24
keepalive = 0
[peer name]
endpoint = router.invalid
allowed-ips = 10.70.0.0/24
"""


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair; of the first host's peers b is up, quiet was never sent to, and
    name waits."""
    pair = Pair(lab)
    pair.a.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.2")
    pair.tl.attach(conf_a(peers=PEERS), "--no-trigger")
    assert ping(pair.a, B, A)
    return pair


def samples(text):
    """{(name, labels): value} of OpenMetrics, by the reference parser, which
    refuses whatever is not right."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def key(name, **more):
    """The key of a sample of eth0."""
    return name, frozenset({"interface": "eth0", **more}.items())


def of_peers(found, name, **more):
    """{peer: value} of a metric."""
    return {peer: found[key(name, peer=peer, **more)]
            for peer in ("b", "quiet", "name")
            if key(name, peer=peer, **more) in found}


def test_openmetrics(pair):
    text = pair.tl.ok("metrics", "eth0")
    assert text.endswith("\n# EOF\n") and text == pair.tl.ok("metrics")
    found = samples(text)
    assert found["tunload_build_info", frozenset(
        {("version", read("VERSION").strip())})] == 1
    assert found[key("tunload_interface_info", mode="tc",
                     tc_hook=pair.tl.status()["tc_hook"])] == 1
    assert found[key("tunload_peers")] == 3
    assert of_peers(found, "tunload_peer_up") == {
        "b": 1, "quiet": 0, "name": 0}
    for state, peer in ("up", "b"), ("idle", "quiet"), ("waiting", "name"):
        assert [name for name, value in of_peers(
            found, "tunload_peer_state", tunload_peer_state=state).items()
            if value] == [peer]
    assert of_peers(found, "tunload_peer_receive_bytes_total") == {
        "b": 84, "quiet": 0, "name": 0}
    assert of_peers(found, "tunload_peer_transmit_packets_total") == {
        "b": 1, "quiet": 0, "name": 0}
    assert of_peers(found, "tunload_peer_mtu_bytes")["b"] == 1480
    assert found[key("tunload_peer_info", peer="name", endpoint="", local="",
                     hostname="router.invalid")] == 1


def test_never_is_told_from_zero(pair):
    found = samples(pair.tl.ok("metrics", "eth0"))
    for name in "receive", "transmit":
        times = of_peers(found, f"tunload_peer_last_{name}_timestamp_seconds")
        assert list(times) == ["b"] and time.time() - 60 < times["b"] <= \
            time.time() + 1
    assert of_peers(found, "tunload_peer_learned_mtu_bytes") == {}


def test_every_verdict(pair):
    """Those of the interface are there from the beginning."""
    found = samples(pair.tl.ok("metrics", "eth0"))
    names = re.findall(r"^\tVERDICT\((\w+), (\w+),",
                       read("bpf", "verdicts.h"), re.M)
    fates = {"TUNNEL": "tunnelled", "PASS": "passed", "DROP": "dropped",
             "ANSWER": "answered"}
    status = pair.tl.status()["verdicts"]
    assert len(names) > 30
    for verdict, fate in names:
        for unit in "packets", "bytes":
            value = found[key(f"tunload_verdict_{unit}_total", verdict=verdict,
                              fate=fates[fate])]
            assert value == status.get(verdict, {unit: 0})[unit] or \
                verdict in ("rx_plain", "tx_plain", "tx_answered")


def test_odd_interface_names(lab):
    """Quotes and backslashes are escaped in labels."""
    name = 'a"b\\c'
    a, b = lab.netns("a"), lab.netns("b")
    lab.veth(a, name, b, "eth0")
    a.addr(name, "192.0.2.1/24")
    tl = lab.tunload(a, name)
    tl.attach("[interface]\nmode = tc\n")
    found = samples(tl.ok("metrics"))
    assert found["tunload_peers", frozenset({("interface", name)})] == 0


def test_nothing_attached(lab):
    tl = lab.tunload(lab.netns("a"))
    assert [name for name, _ in samples(tl.ok("metrics"))] == [
        "tunload_build_info"]


def write_file(pair, directory):
    """metrics -o into a directory; returns the path."""
    path = directory / "tunload.prom"
    assert pair.tl.ok("metrics", "-o", path) == ""
    return path


def test_textfile(pair, tmp_path):
    """promtool's linter has no complaint; the file is replaced as a whole."""
    path = write_file(pair, tmp_path)
    first = os.stat(path)
    assert first.st_mode & 0o777 == 0o644
    with open(path, encoding="utf-8") as f:
        done = run(program("promtool"), "check", "metrics", stdin=f,
                   check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with open(path, encoding="utf-8") as former:
        write_file(pair, tmp_path)
        assert former.read().endswith("\n") and os.stat(path) != first
    assert os.listdir(tmp_path) == ["tunload.prom"]


def test_textfile_fails_whole(pair, tmp_path):
    """What cannot be written, or read, leaves the former file alone."""
    path = write_file(pair, tmp_path)
    before = path.read_text(encoding="utf-8")
    done = pair.tl.run("metrics", "eth9", "-o", path)
    assert done.returncode == 1
    assert path.read_text(encoding="utf-8") == before
    assert os.listdir(tmp_path) == ["tunload.prom"]
    done = pair.tl.run("metrics", "-o", tmp_path / "no" / "file")
    assert (done.returncode, done.stderr) == (
        1, f"tunload: {tmp_path}/no/file: cannot write: No such file or "
        "directory; name a file in another directory with -o\n")


def test_node_exporter_reads_it(pair, tmp_path):
    """With types; it would refuse OpenMetrics."""
    write_file(pair, tmp_path)
    pair.lab.start(
        pair.a, program("prometheus-node-exporter"),
        "--collector.disable-defaults", "--collector.textfile",
        f"--collector.textfile.directory={tmp_path}",
        "--web.listen-address=127.0.0.1:9100")
    text = wait_until(lambda: get(pair.a, "http://127.0.0.1:9100/metrics")[2]
                      if get(pair.a, "http://127.0.0.1:9100/metrics")[0] == 200
                      else None, "node_exporter answers")
    assert 'tunload_peer_up{interface="eth0",peer="b"} 1\n' in text
    assert "# TYPE tunload_peer_receive_bytes_total counter\n" in text
    assert "node_textfile_scrape_error 0\n" in text


@pytest.fixture(name="served")
def fixture_served(pair):
    """The pair, with metrics on a port as the socket unit has them."""
    pair.server = pair.lab.start(
        pair.a, "systemd-socket-activate", "--accept", "--inetd", "-l",
        f"127.0.0.1:{PORT}", pair.tl.program, "--bpffs", pair.tl.bpffs,
        "metrics", "--http")
    wait_until(lambda: get(pair.a, URL)[0] == 200, "the port answers")
    return pair


def test_http(served):
    status, headers, body = get(served.a, URL)
    assert status == 200 and samples(body)[key("tunload_peers")] == 3
    assert headers["Content-Type"] == (
        "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Connection"] == "close"


def talk(ns, request):
    """The answer to a request, in bytes."""
    with ns.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.connect(("127.0.0.1", PORT))
        for part in request:
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while data := sock.recv(65536):
            answer += data
        return answer


def refused(status, more=""):
    """An answer without metrics."""
    return (f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: 13\r\n{more}Connection: close\r\n\r\n"
            "GET /metrics\n").encode()


HOST = b"Host: a\r\n\r\n"
REQUESTS = {
    "elsewhere": ([b"GET / HTTP/1.1\r\n" + HOST], refused("404 Not Found")),
    "below": ([b"GET /metrics/x HTTP/1.1\r\n" + HOST],
              refused("404 Not Found")),
    "post": ([b"POST /metrics HTTP/1.1\r\n" + HOST],
             refused("405 Method Not Allowed", "Allow: GET, HEAD\r\n")),
    "no version": ([b"GET /metrics\r\n\r\n"], refused("400 Bad Request")),
    "two blanks": ([b"GET  /metrics HTTP/1.1\r\n" + HOST],
                   refused("400 Bad Request")),
    "four words": ([b"GET /metrics HTTP/1.1 x\r\n" + HOST],
                   refused("400 Bad Request")),
    "HTTP/2": ([b"PRI * HTTP/2.0\r\n\r\n"], refused("400 Bad Request")),
    "NUL": ([b"GET /metrics HTTP/1.1\0\r\n" + HOST],
            refused("400 Bad Request")),
    "too long": ([b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 8000, b"y" * 165],
                 refused("400 Bad Request")),
    "nothing": ([], b""),
    "half": ([b"GET /metrics HTTP/1.1\r\n"], b""),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_http_refuses(served, name):
    request, answer = REQUESTS[name]
    assert talk(served.a, request) == answer
    assert get(served.a, URL)[0] == 200


def test_http_accepts(served):
    """A request in pieces, of HTTP/1.0, with a query; HEAD has no body."""
    pieces = b"GET /metrics?x=1 HTTP/1.0\r\n", b"Accept: */*\r\n", b"\r\n"
    head, body = talk(served.a, pieces).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert samples(body.decode())[key("tunload_peers")] == 3
    only = talk(served.a, [b"HEAD /metrics HTTP/1.1\r\n" + HOST])
    assert only.startswith(b"HTTP/1.1 200 OK\r\n") and only.endswith(
        b"Connection: close\r\n\r\n")
    assert re.search(rb"Content-Length: [1-9]\d\d\d", only)


def test_http_when_nothing_can_be_read(served):
    """One interface whose state is broken: no metrics, and no success."""
    os.unlink(os.path.join(served.tl.pins, "peers"))
    status, _, body = get(served.a, URL)
    assert (status, body) == (503, "see the journal\n")


def expressions():
    """The expressions of the dashboard, with its variables filled in."""
    dashboard = json.loads(read("dist", "grafana.json"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield (target["expr"].replace("$interface", ".*")
                   .replace("$peer", ".*").replace("$__rate_interval", "10s"))


def test_prometheus_scrapes_it(served, tmp_path):
    """A real Prometheus: values, types, and all the dashboard asks for."""
    prometheus = Prometheus(served.lab, served.a, tmp_path, {"tunload": PORT})
    wait_until(lambda: prometheus.query('up{job="tunload"} == 1'), "a scrape")
    found = {labels["peer"]: value for labels, value in
             prometheus.query("tunload_peer_up")}
    assert found == {"b": 1, "quiet": 0, "name": 0}
    never = prometheus.query(
        "tunload_peer_up unless on(interface, peer) "
        "tunload_peer_last_receive_timestamp_seconds")
    assert {labels["peer"] for labels, _ in never} == {"quiet", "name"}
    types = {row["metric"]: row["type"] for row in
             prometheus.api("targets/metadata", match_target="{}")}
    assert types["tunload_peer_receive_bytes"] == "counter"
    assert types["tunload_peer_state"] == "stateset"
    assert types["tunload_build"] == "info"
    served.a.ip("route", "del", "10.10.0.0/24")
    wait_until(lambda: prometheus.query("tunload_changes_pending == 1"),
               "a change is seen")
    for expression in expressions():
        prometheus.query(expression)


def test_dashboard_asks_for_what_there_is(pair):
    """Each metric and label of an expression, and of the variables, exists."""
    text = pair.tl.ok("metrics")
    metrics = set(re.findall(r"^(tunload_\w+)\{", text, re.M))
    # Samples of these come only later.
    metrics |= set(re.findall(r"^# TYPE (\w+) gauge$", text, re.M))
    labels = set(re.findall(r'[{,](\w+)="', text))
    asked = read("dist", "grafana.json")
    names = set(re.findall(r"tunload_\w+", " ".join(expressions()))) | set(
        re.findall(r"label_values\((tunload_\w+)", asked))
    assert len(names) > 10
    assert names - labels <= metrics
    for expression in expressions():
        for clause in re.findall(r"\{(.*?)\}", expression):
            assert set(re.findall(r"(\w+)[=!]", clause)) <= labels


def test_wrong_words(pair):
    done = pair.tl.run("metrics", "-o", "x", "--http")
    assert (done.returncode, done.stderr) == (
        2, "tunload: metrics: --http answers on standard output: leave it or "
        "-o out\n")
