#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Plays the metadata service of Amazon EC2, version 2: what is below
/latest/meta-data/ are the files of a folder. It prints each request.

    metadata_service.py ADDRESS FOLDER [FAULT]

FAULT is how it goes wrong: hang (no answer), hang-later (none behind the
token), huge, refuse (no tokens), redirect, stale (the token is of no use),
split (a token of two lines)."""
import http.server
import os
import socket
import sys
import time

PORT = 80
TOKEN = "AQAEALvKpwXBVbZ4Zp_sLzYd=="
ROOT = "/latest/meta-data/"


class Service(http.server.ThreadingHTTPServer):
    """At that address, of either family."""

    def __init__(self, address, folder, fault):
        if ":" in address:
            self.address_family = socket.AF_INET6
        self.folder, self.fault = folder, fault
        super().__init__((address, PORT), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, text=b"", **headers):
        """Sends an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def do_PUT(self):
        """Gives a token."""
        self.hang("hang")
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        if self.path != "/latest/api/token" or not ttl:
            self.answer(400)
        elif self.server.fault == "refuse":
            self.answer(403)
        elif self.server.fault == "split":
            self.answer(200, b"a\r\nX-Other: b")
        else:
            self.answer(200, TOKEN.encode())

    def do_GET(self):
        """Gives a file, or the names in a folder."""
        self.hang("hang-later")
        token = self.headers.get("X-aws-ec2-metadata-token")
        if token != TOKEN or self.server.fault == "stale":
            self.answer(401)
        elif self.server.fault == "redirect":
            self.answer(302, Location=f"http://{self.headers['Host']}/other")
        elif self.server.fault == "huge":
            self.answer(200, b"eni-0123\n" * 1000000)
        else:
            self.file(self.path.removeprefix(ROOT))

    def file(self, path):
        """Answers with what is in the folder."""
        path = os.path.join(self.server.folder, path)
        if os.path.isdir(path) and path.endswith("/"):
            self.answer(200, "\n".join(sorted(os.listdir(path))).encode())
        elif os.path.isfile(path):
            with open(path, "rb") as f:
                self.answer(200, f.read())
        else:
            self.answer(404, b"<html>Not Found</html>")

    def hang(self, fault):
        """Never answers, if that is the fault."""
        if self.server.fault == fault:
            time.sleep(1e6)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        print(self.command, self.path, flush=True)


if __name__ == "__main__":
    with Service(*sys.argv[1:3], (sys.argv[3:] or [None])[0]) as service:
        print("ready", flush=True)
        service.serve_forever()
