# SPDX-License-Identifier: GPL-2.0-only
"""What `tunload remote-config --for tunload` prints is run at the other end, and
the packets of both ends are compared. Linux and systemd-networkd are in the VM
tier (tests/kernels/test_remote_config_linux.py)."""
import pytest

from addresses import INNER
from far_end import TUNNELS, FarEnd, tunnel_id


@pytest.mark.parametrize("tunnel", TUNNELS, ids=tunnel_id)
def test_tunload(lab, tunnel):
    end = FarEnd(lab, tunnel)
    there = lab.tunload(end.site, bpffs=lab.new_bpffs())
    there.attach(end.printed("tunload"), "--no-trigger", "--mode", "tc")
    end.wait()
    end.check()
    end.check_mss()
    # The other end of the other end is this one.
    ours = there.ok("remote-config", "eth0", "tunload", "--for", "tunload",
                    "--device", "site", "--their-source",
                    ",".join(INNER[v][0] for v in end.inner))
    end.tl.reload(ours.replace("mode = auto", "mode = tc"))
    end.wait()
    end.check()
