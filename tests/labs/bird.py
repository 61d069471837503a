# SPDX-License-Identifier: GPL-2.0-only
"""BIRD 2 in a namespace, with all that it leaves in a directory of the lab."""
import os
import signal

from netns import TIMEOUT, run, wait_until

# BFD's tenths of seconds hold on a busy machine, too.
URGENT = ["nice", "-n", "-15"]


class Bird:
    """One daemon. `directory` has its configuration, socket and pid file."""

    def __init__(self, lab, ns, directory):
        self.lab, self.ns, self.directory = lab, ns, directory
        self.conf = os.path.join(directory, "bird.conf")
        self.socket = os.path.join(directory, "bird.ctl")
        self.process = None

    def write(self, text, **files):
        """Writes the configuration, and the files that it includes."""
        for name, content in {"bird.conf": text, **files}.items():
            with open(os.path.join(self.directory, name), "w",
                      encoding="utf-8") as f:
                f.write(content)

    def start(self, *options):
        """Starts the daemon; options: -R recovers from a restart."""
        self.process = self.lab.start(
            self.ns, *URGENT, "bird", "-f", "-c", self.conf, "-s", self.socket, "-P",
            os.path.join(self.directory, "bird.pid"), *options)
        wait_until(self._answers, "BIRD answers")

    def _answers(self):
        ended = self.process.popen.poll() is not None
        assert not ended, f"BIRD ended:\n{self.process.output()}"
        return self.ask("show status", check=False).returncode == 0

    def ask(self, command, check=True):
        """`birdc command`; the CompletedProcess."""
        return run("birdc", "-s", self.socket, command, check=check)

    def show(self, command):
        """The output of `birdc show command`."""
        return self.ask(f"show {command}").stdout

    def configure(self, text):
        """Another configuration, without a restart."""
        self.write(text)
        assert "econfigur" in self.ask("configure").stdout

    def established(self, *protocols):
        """True if those BGP sessions are up."""
        lines = {line.split()[0]: line for line in
                 self.show("protocols").splitlines()[2:] if line}
        return all("Established" in lines[name] for name in protocols)

    def kill(self):
        """Ends the daemon at once, as a crash does: nobody is told."""
        self.process.signal(signal.SIGKILL)
        self.process.wait(TIMEOUT)

    def stop(self):
        """Ends the daemon in order."""
        self.ask("down")
        self.process.wait(TIMEOUT)
