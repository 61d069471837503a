# SPDX-License-Identifier: GPL-2.0-only
"""tunload's main use, compared with a real kernel's own tunnels.

    instance ---- VPC ---- internet ---- site

The cloud lab (cloud.py) runs in a machine with that kernel. The site is a Linux
router with the kernel's own ip6tnl or ipip, which stays as it is. The instance
first has the kernel's tunnel, too, then tunload. For each scene a test compares
all packets at all places, in order and in words. `pytest -s`, and a failure,
print the scenes."""
import functools
import json
import os
import sys

import pytest

import vm
from cloud import (ELASTIC, HEADER, INSTANCE, INSTANCE_PREFIXES, JUMBO,
                   PATH_MTU, SITE, SITE_INNER, SITE_PREFIXES)
from lab import REPO, Lab
from netns import scratch
from stage import SILENT, Stage

pytestmark = pytest.mark.parametrize("kernel", [
    pytest.param(k, marks=pytest.mark.xdist_group(name=f"story {k}"))
    for k in vm.KERNELS])
SHOWS = functools.partial(pytest.mark.feature, "In the cloud")
MODES = "native", "tc"
EACH_MODE = pytest.mark.parametrize("mode", MODES)

SITE_NET = SITE_PREFIXES.split(",", maxsplit=1)[0]
INSTANCE_NET = INSTANCE_PREFIXES[4]
CONF = f"""
[interface]
source = {INSTANCE[4]}
[peer site]
endpoint = %s
allowed-ips = {SITE_NET}
"""

# The outer packets of a request and its reply along their way. Over IPv4 the
# site knows the instance by its Elastic IP.
TO_INSTANCE = {
    4: [f"site sends: {SITE[4]} > {ELASTIC}, protocol 4, ",
        f"instance receives: {SITE[4]} > {INSTANCE[4]}, protocol 4, "],
    6: [f"site sends: {SITE[6]} > {INSTANCE[6]}, next header 4, ",
        f"instance receives: {SITE[6]} > {INSTANCE[6]}, next header 4, "]}
TO_SITE = {
    4: [f"instance sends: {INSTANCE[4]} > {SITE[4]}, protocol 4, ",
        f"site receives: {ELASTIC} > {SITE[4]}, protocol 4, "],
    6: [f"instance sends: {INSTANCE[6]} > {SITE[6]}, next header 4, ",
        f"site receives: {INSTANCE[6]} > {SITE[6]}, next header 4, "]}


def to_instance(outer, kind):
    """The trail of an echo request or reply from the site."""
    inner = f"{SITE_INNER[4]} > {INSTANCE[4]} echo {kind}"
    return [f"site encapsulates: {inner}",
            *(way + inner for way in TO_INSTANCE[outer]),
            f"instance decapsulates: {inner}"]


def to_site(outer, kind):
    """The trail of an echo request or reply from the instance."""
    inner = f"{INSTANCE[4]} > {SITE_INNER[4]} echo {kind}"
    return [f"instance encapsulates: {inner}",
            *(way + inner for way in TO_SITE[outer]),
            f"site decapsulates: {inner}"]


# I. Over IPv6.


def over_ipv6(stage):
    """The scenes over IPv6; the cloud, the site and its tunnel stay the same."""
    with stage.scene("ip6tnl as it comes") as scene:
        stage.allow_in(SITE[6])
        stage.tunnel("site", "ip -6 tunnel add tun mode ipip6 encaplimit none "
                     f"local {SITE[6]} remote {INSTANCE[6]}", INSTANCE_NET)
        stage.tunnel("instance", "ip -6 tunnel add tun mode ipip6 "
                     f"local {INSTANCE[6]} remote {SITE[6]}", SITE_NET)
        scene["mtu"] = stage.mtu()
        stage.ping("site", SILENT)
        stage.wait_for("instance sends")
    with stage.scene("ip6tnl with encaplimit none"):
        stage.run("instance", "ip -6 tunnel change tun encaplimit none")
        stage.ping("site")
    stage.no_tunnel("instance")
    for mode in MODES:
        with stage.scene(f"tunload over IPv6, {mode}") as scene:
            stage.attach(CONF % SITE[6], "--mode", mode, "--no-trigger")
            scene["mtu"] = stage.mtu()
            stage.ping("site")
        stage.forget()
        stage.detach()
    stage.no_tunnel("site")


@SHOWS("ip6tnl as it comes fails: its options are dropped")
def test_ip6tnl_as_it_comes_is_not_heard(story):
    """With ip6tnl's defaults, and an inbound rule in the security group, packets
    from the site arrive and are decapsulated. But every reply carries the
    Destination Options header, and the network drops it."""
    scene = story("ip6tnl as it comes")
    assert scene["mtu"] == 8953 == JUMBO - HEADER[6] - 8
    answer = f"{INSTANCE[4]} > {SITE_INNER[4]} echo reply"
    assert scene["trail"] == to_instance(6, "request") + [
        f"instance encapsulates: {answer}",
        f"instance sends: {INSTANCE[6]} > {SITE[6]}, "
        f"next header 60 (04 00 04 01 04 01 01 00), {answer}"]
    assert scene["dropped"] == {"options": 1}
    assert not scene["answered"]


@SHOWS("ip6tnl with `encaplimit none` works")
def test_ip6tnl_is_heard_without_the_option(story):
    """Without that header the reply arrives: nothing else was wrong."""
    scene = story("ip6tnl with encaplimit none")
    assert scene["trail"] == to_instance(6, "request") + to_site(6, "reply")
    assert scene["dropped"] == {} and scene["answered"]


@SHOWS("tunload in place of ip6tnl works")
@EACH_MODE
def test_tunload_in_its_place_is_heard(story, mode):
    """With tunload instead of ip6tnl the next header is 4, without options. Its
    route has the MTU of the internet, not that of the VPC."""
    scene = story(f"tunload over IPv6, {mode}")
    assert scene["mtu"] == PATH_MTU - HEADER[6]
    assert scene["trail"] == to_instance(6, "request") + to_site(6, "reply")
    assert scene["dropped"] == {} and scene["answered"]


# II. Over IPv4.


def over_ipv4(stage):
    """The scenes over IPv4, in the same cloud. It has no inbound rule for outer
    IPv4, and has seen no such packet yet."""
    with stage.scene("ipip") as scene:
        stage.tunnel("site", "ip tunnel add tun mode ipip "
                     f"local {SITE[4]} remote {ELASTIC}", INSTANCE_NET)
        stage.tunnel("instance", "ip tunnel add tun mode ipip "
                     f"local {INSTANCE[4]} remote {SITE[4]}", SITE_NET)
        stage.ping("site", SILENT)
        stage.wait_for("site sends")
        scene["tracked"] = stage.tracked()
    with stage.scene("ipip, the instance says something"):
        stage.ping("instance")
    with stage.scene("ipip, the site again"):
        stage.ping("site")
    stage.forget()
    stage.no_tunnel("instance")
    for mode in MODES:
        with stage.scene(f"tunload over IPv4, {mode}") as scene:
            scene["before"] = stage.tracked()
            stage.attach(CONF % SITE[4], "--mode", mode)
            stage.wait_for("instance decapsulates")
            scene["tracked"] = stage.tracked()
        with stage.scene(f"tunload over IPv4, {mode}, the site"):
            stage.ping("site")
        stage.forget()
        stage.detach()


@SHOWS("ipip fails until the instance has sent")
def test_ipip_hears_nothing_from_the_site(story):
    """Without an inbound rule, and before a packet from inside, the security
    group is closed: nothing reaches the instance."""
    scene = story("ipip")
    assert scene["tracked"] == []
    assert scene["trail"] == to_instance(4, "request")[:2]
    assert scene["dropped"] == {"unasked": 1}
    assert not scene["answered"]


@SHOWS("ipip works once the instance has sent")
def test_ipip_hears_the_site_after_it_has_sent(story):
    """After a first packet from inside the site's packets arrive."""
    scene = story("ipip, the instance says something")
    assert scene["trail"] == to_site(4, "request") + to_instance(4, "reply")
    assert scene["answered"]
    scene = story("ipip, the site again")
    assert scene["trail"] == to_instance(4, "request") + to_site(4, "reply")
    assert scene["dropped"] == {} and scene["answered"]


@SHOWS("tunload in place of ipip opens the path")
@EACH_MODE
def test_tunload_opens_the_path(story, mode):
    """The security group has forgotten the tunnel. `tunload attach` sends a first
    packet, from the instance's private address, which opens the path: the site
    has sent nothing but the reply."""
    scene = story(f"tunload over IPv4, {mode}")
    assert scene["before"] == []
    assert scene["trail"] == to_site(4, "request") + to_instance(4, "reply")
    assert scene["tracked"] == [f"{INSTANCE[4]} > {SITE[4]}, protocol 4"]
    assert scene["dropped"] == {}


@SHOWS("tunload in place of ipip opens the path")
@EACH_MODE
def test_then_the_site_is_heard(story, mode):
    """An echo request of the site arrives after that."""
    scene = story(f"tunload over IPv4, {mode}, the site")
    assert scene["trail"] == to_instance(4, "request") + to_site(4, "reply")
    assert scene["dropped"] == {} and scene["answered"]


# How the scenes are run and printed.


@pytest.fixture(name="story")
def fixture_story(image):
    """story(name) prints a scene and returns it."""
    scenes, status, output = play(image)

    def scene(name):
        assert "dropped" in scenes.get(name, {}), f"no such scene: {output}"
        print(f"\n\nLinux {vm.release(image)}: {name}\n",
              *(f"    {line}" for line in scenes[name]["said"]), sep="\n")
        assert not scenes[name]["altered"]
        assert status == 0, output
        return scenes[name]
    return scene


@vm.once
def play(image):
    """(scenes that ran in a machine, its exit status, its output)"""
    script = (f"export PYTHONPATH={REPO}/tests/labs\n"
              f"/usr/bin/python3 {os.path.abspath(__file__)} scenes")
    with scratch("vm") as share:
        machine = vm.Machine(image, script, share)
        try:
            status, output = machine.wait(600)
        except AssertionError as hangs:
            status, output = None, str(hangs)
        return json.loads(machine.read("scenes") or "{}"), status, output


def main(path):
    """Runs all scenes; in the machine."""
    scenes = {}
    try:
        with Lab() as lab:
            stage = Stage(lab, scenes)
            over_ipv6(stage)
            over_ipv4(stage)
    finally:
        with open(path, "w", encoding="utf-8") as f:
            json.dump(scenes, f)


if __name__ == "__main__":
    main(sys.argv[1])
