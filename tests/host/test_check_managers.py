# SPDX-License-Identifier: GPL-2.0-only
"""`tunload check` beside systemd, networkd and NetworkManager, played by their
files: what it says, and that the printed command mends it."""
import os

import pytest

from checked import CONF, Case, Checked, check_case
from lab import REPO

# enable without a running systemd, and a restart that has nothing to do.
SYSTEMCTL = """#!/bin/sh
case $1 in
enable) shift; [ "$1" = --now ] && shift
	exec /usr/bin/systemctl --quiet --root=/ enable "$@" ;;
restart) ;;
*) exit 1 ;;
esac
"""
TIMER = ("nothing keeps the paths through security groups and NAT open, nor "
         "follows changes of addresses and routes{}: "
         "tunload-trigger@eth0.timer is not enabled")
NETWORKD = ("mkdir -p /etc/systemd/networkd.conf.d && printf "
            "'[Network]\\nManageForeignRoutes=no\\n"
            "ManageForeignRoutingPolicyRules=no\\n' "
            ">/etc/systemd/networkd.conf.d/tunload.conf && systemctl restart "
            "systemd-networkd")
REMOVES = ("it removes our {} when it starts or configures eth0 anew, until "
           "the timer puts them back: set {}=no")


def booted(host):
    """The host runs systemd, with our units."""
    for folder in "/run", "/etc/systemd", "/usr/local/sbin":
        host.cover(folder)
    host.sh("mkdir -p /run/systemd/system /etc/systemd/system "
            "/run/systemd/netif/links")
    host.fake("/usr/local/sbin/systemctl", SYSTEMCTL)
    host.sh("chmod +x /usr/local/sbin/systemctl")
    units = os.path.join(REPO, "build", "dist")
    host.sh(f"cp {units}/tunload* /etc/systemd/system")


def well(host):
    """Both of our units are enabled."""
    booted(host)
    host.sh("PATH=/usr/local/sbin:$PATH; systemctl enable tunload@eth0.service;"
            "systemctl enable tunload-trigger@eth0.timer")


def networkd(host, **files):
    """networkd manages the interface, with files in its folders."""
    well(host)
    index = host.a.links("eth0")[0]["ifindex"]
    host.sh("mkdir -p /etc/systemd/networkd.conf.d "
            "/run/systemd/networkd.conf.d")
    host.fake(f"/run/systemd/netif/links/{index}",
              "ADMIN_STATE=configured\nOPER_STATE=routable\n")
    for place, text in files.items():
        host.fake(f"/{place.replace('_', '/')}.conf", text)


def network_manager(host):
    """NetworkManager manages the interface."""
    booted(host)
    index = host.a.links("eth0")[0]["ifindex"]
    host.sh("mkdir -p /run/NetworkManager/devices")
    host.fake(f"/run/NetworkManager/devices/{index}",
              "[device]\nmanaged=true\n")


CASES = [
    Case("service", lambda host: (well(host), host.sh(
        "rm -r /etc/systemd/system/multi-user.target.wants "
        "/etc/systemd/system/sys-subsystem-net-devices-*")),
         ("warning", "managers", "service", None,
          "the tunnels are not attached at boot: tunload@eth0.service is not "
          "enabled"), "systemctl enable tunload@eth0.service"),
    Case("timer", lambda host: (well(host), host.sh(
        "rm -r /etc/systemd/system/tunload@eth0.service.wants")),
         ("warning", "managers", "timer", None, TIMER.format("")),
         "systemctl enable --now tunload-trigger@eth0.timer"),
    Case("networkd", networkd,
         ("warning", "managers", "systemd-networkd", None,
          REMOVES.format("routes", "ManageForeignRoutes")), NETWORKD),
    Case("networkd and rules",
         lambda host: networkd(
             host, etc_systemd_networkd="[Network]\nManageForeignRoutes=no\n"),
         ("warning", "managers", "systemd-networkd", None,
          REMOVES.format("rules", "ManageForeignRoutingPolicyRules")),
         NETWORKD, conf=CONF.replace(
             "10.10.0.0/24", "0.0.0.0/0\nprobe = 10.10.0.1\nkeepalive = 0"),
         some=True, left=["configuration"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_printed_command_mends_it(lab, case):
    check_case(lab, case)


def test_the_watch_serves_as_well_as_the_timer(lab):
    host = Checked(lab)
    well(host)
    host.sh("PATH=/usr/local/sbin:$PATH; "
            "rm -r /etc/systemd/system/tunload@eth0.service.wants; "
            "systemctl enable tunload-watch@eth0.service")
    assert host.findings() == []


def test_network_manager(lab):
    host = Checked(lab)
    network_manager(host)
    found = {f["what"]: f for f in host.findings()}
    assert found.keys() == {"service", "timer"}
    assert found["timer"]["why"] == TIMER.format(
        ", as NetworkManager makes them when it activates a connection")
    for finding in found.values():
        host.sh(finding["command"])
    assert host.findings() == []


@pytest.mark.parametrize("files, removes", [
    ({"run_systemd_networkd.conf.d_20": "[Network]\nManageForeignRoutes = no\n",
      "etc_systemd_networkd.conf.d_10":
      "[Network]\nManageForeignRoutes=yes\n"}, False),
    ({"run_systemd_networkd.conf.d_20": "[Network]\nManageForeignRoutes=no\n",
      "etc_systemd_networkd.conf.d_30":
      "[Network]\nManageForeignRoutes=true\n"}, True),
    ({"run_systemd_networkd.conf.d_20": "[Network]\nManageForeignRoutes=yes\n",
      "etc_systemd_networkd.conf.d_20":
      "[Network]\n#ManageForeignRoutes=yes\nManageForeignRoutes=off\n"}, False),
    ({"etc_systemd_networkd": "[Network]\nManageForeignRoutes=0\n"}, False),
    ({"etc_systemd_networkd": "[Network]\nManageForeignRoutesX=0\n"}, True),
], ids=str)
def test_the_files_of_networkd(lab, files, removes):
    host = Checked(lab)
    networkd(host, **files)
    assert [f["what"] for f in host.findings()] == [
        "systemd-networkd"] * removes


def test_an_interface_that_networkd_leaves_alone(lab):
    host = Checked(lab)
    networkd(host)
    host.sh("sed -i s/configured/unmanaged/ /run/systemd/netif/links/*")
    assert host.findings() == []
