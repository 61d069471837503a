# SPDX-License-Identifier: GPL-2.0-only
"""Hosts that not every kernel can provide: an interface in a VRF, tunnels of the
kernel, or no IPv6 at all. Runs inside/vrf.py, inside/peer_vrf.py,
inside/check.py and inside/no_ipv6.py on the oldest kernel only, inside/beside.py also on the
newest, as XDP forwards there, and so inside/routed.py, as bpf_fib_lookup() changes; they are no rows of
the table."""
import pytest

import vm
from guest import run_tests

HOSTS = {"vrf": {"modules": ["vrf"]},
         "peer_vrf": {"modules": ["vrf", "bridge"]},
         "routed": {"modules": ["vrf", "bridge", "ipip", "sit", "ip6_tunnel"]},
         "check": {"modules": ["vrf", "ipip", "sit", "ip6_tunnel"]},
         "no_ipv6": {"append": "ipv6.disable=1"},
         "beside": {"modules": ["8021q", "bonding", "vrf"]}}
RUNS = [(vm.KERNELS[0], host) for host in HOSTS] + [
    (vm.KERNELS[-1], host) for host in ("beside", "routed")]


@pytest.mark.parametrize("kernel, host", RUNS)
def test_host(kernel, image, host):
    del kernel
    results = run_tests(image, [f"tests/kernels/inside/{host}.py"],
                        **HOSTS[host])
    assert results.passed and not results.failed, "\n\n".join(
        f"{name}:\n{reason}" for name, reason in results.failed.items())
    assert not results.skipped
