# SPDX-License-Identifier: GPL-2.0-only
"""Two hosts of which the first one runs `tunload watch`."""
import os
import re

from lab import wait_until
from lifecycle import CONF_B, Pair, conf_a

# A moment is over long before the watch looks at everything again (25 s), also
# on a busy machine.
MOMENT = 12


def conf(keys="keepalive = 1", peers=""):
    """The first host's configuration: its peer b has those keys."""
    return conf_a(peers=f"{keys}\n{peers}")


class Watched(Pair):
    """A Pair; the first host is attached with conf(), and not watched yet."""

    def __init__(self, lab, text=None):
        super().__init__(lab)
        self.tl.attach(text or conf(), "--no-trigger")

    def watch(self, *args, **kwargs):
        """Starts `tunload watch eth0`, without the settings of this run of
        tests; returns the Process."""
        kwargs.setdefault("env", {k: v for k, v in os.environ.items()
                                  if not k.startswith("TUNLOAD_")})
        return self.lab.keep(self.tl.start("watch", "eth0", *args, **kwargs))

    def up(self, *args, **kwargs):
        """The same, and waits until b is up."""
        process = self.watch(*args, **kwargs)
        process.wait_output("eth0: b: up")
        return process

    def kill_b(self):
        """b answers no more."""
        self.tl_b.detach()

    def revive_b(self):
        """It does again."""
        self.tl_b.attach(CONF_B, "--mode", "tc", "--no-trigger")


def lines(process):
    """What a watch has said, with every number of milliseconds as N."""
    return re.sub(r"[0-9.]+ ms", "N ms", process.output()).splitlines()


def changes_told(path):
    """The environments that --exec of tell() has written, as dicts."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [dict(line.split("=", 1) for line in block.splitlines())
                for block in f.read().split("\n\n")[:-1]]


def tell(path):
    """A command for --exec that appends its environment to a file."""
    return f"{{ env | grep ^TUNLOAD_ | sort; echo; }} >>{path}"


def wait_told(path, count):
    """Waits until that many changes were told; returns them."""
    return wait_until(lambda: len(changes_told(path)) >= count and
                      changes_told(path), f"{count} changes told")
