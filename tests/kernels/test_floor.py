# SPDX-License-Identifier: GPL-2.0-only
"""The oldest supported kernel, Debian's Linux 6.1 in a VM. It has no TCX and none
of the flags that newer kernels have for decapsulation."""
import pytest

import vm
from lab import REPO, TUNLOAD, run
from packets.bpf import with_constant

CLANGS = ["clang-14", "clang-16", "clang-19"]

SCRIPT = r"""
uname -r
tmp=$(mktemp -d) # the machine shares the host's /tmp
mount -t bpf none /sys/fs/bpf
for clang in clang-*.o; do
    clang=${clang%.o}
    bpftool prog loadall $clang.o /sys/fs/bpf/$clang >$tmp/log 2>&1 &&
        echo "$clang loads" || { echo "$clang: $(tail -c 2000 $tmp/log)"; }
done
ip netns add b
b="nsenter --net=/run/netns/b"
ip link add eth0 type veth peer name eth0 netns b
ip addr add 192.0.2.1/24 dev eth0; ip addr add 172.22.2.2/32 dev lo
ip addr add 2001:db8::1/64 dev eth0 nodad; ip addr add fd00:22::2/128 dev lo
$b ip addr add 192.0.2.2/24 dev eth0; $b ip addr add 10.10.0.1/32 dev lo
$b ip addr add 2001:db8::2/64 dev eth0 nodad; $b ip addr add fd00:10::1/128 dev lo
for dev in eth0 lo; do ip link set $dev up; $b ip link set $dev up; done
for n in {1..30}; do ping -c 1 -W 1 2001:db8::2 >$tmp/log 2>&1 && break; done
mkdir $tmp/b; mount -t bpf none $tmp/b
while { ip addr; $b ip addr; } | grep -q tentative; do sleep 0.2; done
traces() {
    for enter in "" "$b"; do
        $enter ip -d link show eth0; $enter ip route show table all
        $enter ip neigh show nud permanent; $enter tc qdisc show dev eth0
        for way in ingress egress; do $enter tc filter show dev eth0 $way; done
    done
    bpftool prog; bpftool map; bpftool link; ls -RA /sys/fs/bpf $tmp/b
}
before=$(traces)
left() { # the kernel frees programs a while after their last use
    for n in {1..60}; do
        after=$(traces)
        [[ $after == "$before" ]] && echo "nothing left" && return
        sleep 0.5
    done
    echo "before: $before"; echo "after: $after"
}
conf() {
    printf "[interface]\nforward = xdp\nsource = %s, %s\n[peer x]\nendpoint = %s\n" $1 $2 $3
    printf "allowed-ips = %s, %s\n" $4 $5
}
unit="setpriv --no-new-privs --bounding-set -all,+bpf,+net_admin,+perfmon,+net_raw"
$unit $tunload attach eth0 && $unit $tunload detach eth0 && echo "unit attaches"
left
for outer in 192.0.2. 2001:db8::; do for mode in tc native; do
    conf 172.22.2.2 fd00:22::2 ${outer}2 10.10.0.0/24 fd00:10::/64 >$tmp/1
    conf 10.10.0.1 fd00:10::1 ${outer}1 172.22.2.0/24 fd00:22::/64 >$tmp/2
    $tunload attach eth0 -c $tmp/1 --mode $mode --no-trigger
    $b $tunload --bpffs $tmp/b attach eth0 -c $tmp/2 --mode $mode --no-trigger
    for to in 10.10.0.1 fd00:10::1; do for size in 56 4000; do
        ping -q -c 2 -i 0.2 -W 30 -s $size $to >$tmp/log &&
            echo "$outer $mode $to $size passes" || cat $tmp/log
    done; done
    $tunload status eth0
    tc qdisc show dev eth0
    $tunload detach eth0
    $b $tunload --bpffs $tmp/b detach eth0
    left
done; done
"""


def build_objects(work):
    """Builds the BPF object with each compiler, as CLANG.o in a directory."""
    for clang in CLANGS:
        build = work / clang
        run("make", "-s", "-C", REPO, f"B={build}", f"CLANG={clang}",
            f"{build}/tunload.bpf.o")
        data = (build / "tunload.bpf.o").read_bytes()
        (work / f"{clang}.o").write_bytes(data)
        (work / f"{clang}-forward.o").write_bytes(
            with_constant(with_constant(data, "forward_xdp", 1),
                          "spread_cpus", 2))


@pytest.fixture(name="console", scope="module")
def fixture_console(tmp_path_factory):
    """The output of the machine."""
    try:
        image = vm.kernel(vm.KERNELS[0])
    except vm.NoKernel as reason:
        pytest.skip(f"expected: no kernel to boot: {reason}")
    work = tmp_path_factory.mktemp("floor")
    build_objects(work)
    script = f"tunload={TUNLOAD}\n{SCRIPT}"
    return vm.Machine(image, script, work).wait(600)[1]


def test_it_is_the_floor(console):
    assert "\n6.1." in "\n" + console, console


@pytest.mark.parametrize("clang", CLANGS)
def test_object_loads(console, clang):
    assert f"{clang} loads" in console, console
    assert f"{clang}-forward loads" in console, console


@pytest.mark.parametrize("outer", ["192.0.2.", "2001:db8::"])
@pytest.mark.parametrize("mode", ["tc", "native"])
def test_tunnels(console, outer, mode):
    for to in "10.10.0.1", "fd00:10::1":
        for size in 56, 4000:
            assert f"{outer} {mode} {to} {size} passes" in console, console


def test_with_the_capabilities_of_the_unit(console):
    """attach works without CAP_SYS_ADMIN, and without a kfunc that newer
    kernels have."""
    assert "unit attaches" in console, console


def test_by_clsact(console):
    assert console.count("qdisc clsact") == 4, console
    assert console.count("clsact (tcx needs Linux 6.6)") == 4, console
    assert "native XDP (driver veth takes native XDP)" in console


def test_nothing_is_left(console):
    assert console.count("eth0: detached") == 9, console
    assert console.count("nothing left\n") == 5, console


def test_forwarding(console):
    """This kernel does not tell which interfaces send redirected frames
    (Linux 6.3): the kernel forwards all."""
    assert console.count("forward  in XDP from eth0 to no interface") == 2, console
