# SPDX-License-Identifier: GPL-2.0-only
"""test_remote_config_linux.py runs these tests in a virtual machine, which has the
drivers: what `tunload remote-config` prints for Linux and for systemd-networkd is
run at the other end."""
import os

import pytest

from far_end import TUNNELS, FarEnd, tunnel_id

NETWORKD = "/lib/systemd/systemd-networkd"
FILES = "/etc/systemd/network"
# Without udev networkd waits for it, unless /sys is read-only, as in a container.
START = f"mount -t sysfs -o ro sysfs /sys && exec {NETWORKD}"


@pytest.fixture(name="end", params=TUNNELS, ids=tunnel_id)
def fixture_end(lab, request):
    """A FarEnd without a tunnel at the site."""
    return FarEnd(lab, request.param)


def test_linux(end):
    end.build(end.printed("linux"))
    end.wait()
    end.check()
    end.check_mss()


def test_networkd(lab, end):
    os.makedirs(FILES, exist_ok=True)
    os.makedirs("/run/systemd", exist_ok=True)
    for name in os.listdir(FILES):
        os.unlink(os.path.join(FILES, name))
    # There is no bus in the machine; networkd starts with the files there.
    end.build(end.printed("networkd").replace("networkctl reload\n", ""))
    lab.start(end.site, "unshare", "-m", "sh", "-c", START)
    end.wait()
    # networkd sets no DSCP, see the comments that it prints.
    end.check(far_copies=False)
    end.check_mss()
