# SPDX-License-Identifier: GPL-2.0-only
"""scripts/demo runs to its end, prints all its parts, and cleans up."""
import os

import pytest

from lab import REPO, run


def traces():
    """The namespaces and mounts that a demo could leave behind."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = {line.split()[4] for line in f if " bpf " in line}
    names = set(os.listdir("/run/netns"))
    return ({n for n in names if n.startswith(("ec2-", "tokyo-"))},
            {m for m in mounts if m.endswith(("/ec2", "/tokyo"))})


@pytest.mark.root
def test_demo():
    assert traces() == (set(), set())
    done = run(os.path.join(REPO, "scripts", "demo"), timeout=120)
    for said in ("eth0: attached", "answered by 10.10.0.1",
                 "IP6 2001:db8::ec2 > 2001:db8::1: IP 172.22.2.2 > 10.10.0.1",
                 "mtu=1460", "rx_borrowed", '"name": "tokyo"',
                 "eth0: detached"):
        assert said in done.stdout
    assert "\x1b" not in done.stdout
    assert traces() == (set(), set())
