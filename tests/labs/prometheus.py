# SPDX-License-Identifier: GPL-2.0-only
"""The real Prometheus, promtool and node_exporter, downloaded from Debian and
unpacked, as their packages would start daemons."""
import json
import os
import platform
import urllib.error
import urllib.parse
import urllib.request

import pytest

from debs import Apt, NoKernel, cached
from lab import TIMEOUT, wait_until

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
PACKAGES = ["prometheus", "prometheus-node-exporter"]


def unpack(root):
    """Downloads them into a directory: 23 MB, 110 MB unpacked."""
    apt = Apt(ARCH)
    apt.get("update")
    apt.download(PACKAGES, root)


def program(name):
    """The path of a program of these packages; skips if there are none."""
    try:
        root = cached(f"prometheus-{ARCH}", unpack)
    except NoKernel as reason:
        pytest.skip(f"no Prometheus: {reason}")
    return os.path.join(root, "usr/bin", name)


def get(ns, url, **headers):
    """(status, headers, body) of a GET in a namespace."""
    def inside():
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read().decode()
        except urllib.error.URLError as reason:
            return 0, {}, str(reason)
    return ns.call(inside)


class Prometheus:
    """A Prometheus in a namespace that scrapes {job: port} every second."""

    def __init__(self, lab, ns, path, jobs):
        self.ns = ns
        config = path / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{
                "job_name": job,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for job, port in jobs.items()]}), encoding="utf-8")
        self.process = lab.start(
            ns, program("prometheus"), f"--config.file={config}",
            f"--storage.tsdb.path={path}/data",
            "--web.listen-address=127.0.0.1:9090")
        wait_until(lambda: get(ns, "http://127.0.0.1:9090/-/ready")[0] == 200,
                   "Prometheus is ready")

    def api(self, path, **query):
        """The data of an API call; fails with its error."""
        url = f"http://127.0.0.1:9090/api/v1/{path}"
        _, _, body = get(self.ns, f"{url}?{urllib.parse.urlencode(query)}")
        answer = json.loads(body)
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    def query(self, expression):
        """[(labels, value)] of an expression, now."""
        return [(row["metric"], float(row["value"][1])) for row in
                self.api("query", query=expression)["result"]]
