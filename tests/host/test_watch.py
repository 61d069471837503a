# SPDX-License-Identifier: GPL-2.0-only
"""`tunload watch`: which peers are up, and what it says and does when that
changes."""
import os
import re

import pytest

from lab import wait_until
from lifecycle import A, B, CONF_B, Pair, conf_a
from traffic import ping


def conf(more="", peers="", keepalive=1):
    """A configuration of the first host whose peer b has that keepalive."""
    return conf_a(peers=f"keepalive = {keepalive}\n{more}{peers}")


@pytest.fixture(name="pair")
def fixture_pair(lab):
    """A Pair whose first host is attached, with a keepalive of a second."""
    pair = Pair(lab)
    pair.tl.attach(conf(), "--no-trigger")
    return pair


def watch(pair, *args, **kwargs):
    """Starts `tunload watch eth0` on the first host."""
    return pair.lab.keep(pair.tl.start("watch", "eth0", *args, **kwargs))


def test_down_and_up(pair):
    watching = watch(pair)
    watching.wait_output("eth0: b: up in ")
    pair.tl_b.detach()
    watching.wait_output("eth0: b: silent: 3 keepalives to 10.10.0.1 "
                         "unanswered (was up)")
    pair.tl_b.attach(CONF_B, "--mode", "tc")
    watching.wait_output("(was silent)")
    watching.close()
    assert watching.popen.returncode == 0
