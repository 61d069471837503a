# SPDX-License-Identifier: GPL-2.0-only
"""FRR's daemons in a namespace, each started by itself, with all that they
leave in a directory of the lab."""
import json
import os
import shutil
import signal

from bird import URGENT
from netns import TIMEOUT, run, wait_until

FOLDER = "/usr/lib/frr"
ALWAYS = ["zebra", "staticd"]
# Daemons that change their user outlive a killed test run (prctl(2),
# PR_SET_PDEATHSIG), so they begin as that user; but ospfd wants to begin as root.
CAPS = "-all,+net_admin,+net_raw,+net_bind_service,+sys_admin"
AS_FRR = ["setpriv", "--reuid", "frr", "--regid", "frr", "--init-groups",
          "--inh-caps", CAPS, "--ambient-caps", CAPS, "--pdeathsig", "KILL"]


class Frr:
    """The daemons of one host. `directory` has their configuration, sockets
    and pid files."""

    def __init__(self, lab, ns, directory, daemons=("bfdd", "bgpd")):
        self.lab, self.ns, self.directory = lab, ns, directory
        self.daemons = [*ALWAYS, *daemons]
        self.conf = os.path.join(directory, "frr.conf")
        self.processes = {}

    def write(self, text):
        """Writes the configuration of all daemons."""
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        """Starts the daemons, and gives them the configuration."""
        for daemon in self.daemons:
            self.start_one(daemon)
        self.load()

    def start_one(self, daemon, *options):
        """Starts one daemon, without a configuration."""
        path = os.path.join(self.directory, daemon)
        if daemon == "bfdd":
            options += ("--bfdctl", f"{path}.ctl")
        self.processes[daemon] = self.lab.start(
            self.ns, *URGENT, *([] if daemon == "ospfd" else AS_FRR), os.path.join(FOLDER, daemon),
            "--vty_socket", self.directory, "-i", f"{path}.pid", "-z",
            os.path.join(self.directory, "zserv.api"), "-f", "/dev/null",
            "-P", "0", "--log", "stdout", *options)
        wait_until(lambda: self._answers(daemon), f"{daemon} answers")

    def restart(self, daemon):
        """Starts a daemon that ended, with its configuration."""
        self.start_one(daemon)
        self.load()

    def _answers(self, daemon):
        process = self.processes[daemon]
        ended = process.popen.poll() is not None
        assert not ended, f"{daemon} ended:\n{process.output()}"
        return self.ask("show version", daemon).returncode == 0

    def load(self):
        """Gives the daemons the configuration."""
        run("vtysh", "--vty_socket", self.directory, "-f", self.conf)

    def ask(self, command, daemon=None, check=False):
        """`vtysh -c command`; the CompletedProcess."""
        only = ["-d", daemon] if daemon else []
        return run("vtysh", "--vty_socket", self.directory, *only, "-c",
                   command, check=check)

    def show(self, command):
        """`show command json`, parsed."""
        return json.loads(self.ask(f"show {command} json", check=True).stdout)

    def established(self, *neighbours):
        """True if those BGP sessions are up."""
        families = self.show("bgp summary").values()
        up = {n for family in families for n, peer in family["peers"].items()
              if peer["state"] == "Established"}
        return up >= set(neighbours)

    def kill(self, *daemons):
        """Ends daemons (all) at once, as a crash does."""
        for daemon in daemons or self.processes:
            process = self.processes[daemon]
            process.signal(signal.SIGKILL)
            process.wait(TIMEOUT)
            # What a daemon removes when it ends.
            shutil.rmtree(f"/var/tmp/frr/{daemon}.{process.popen.pid}",
                          ignore_errors=True)
