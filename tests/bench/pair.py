# SPDX-License-Identifier: GPL-2.0-only
"""Two namespaces with a tunnel between them, and the same without one."""
import ctypes
import operator
import os
import socket
import struct
import subprocess

from addresses import OUTER
from lab import REPO, Lab, run
from packets import bpf

HERE = os.path.dirname(os.path.abspath(__file__))
COMBINATIONS = [(inner, outer) for outer in OUTER for inner in (4, 6)]
PLAIN = {4: ("198.51.100.1", "198.51.100.2"),
         6: ("2001:db8:5::1", "2001:db8:5::2")}
PORT = 5201
ENABLE_STATS, RUN_TIME = 32, 192  # bpf(2); in struct bpf_prog_info


def named(inner, outer):
    """4in6 and the like."""
    return f"{inner}in{outer}"


def address(inner, outer, side):
    """The inner address of side 0 or 1 in the tunnel of that family."""
    if inner == 4:
        return f"10.{side + 1}.{outer}.1"
    return f"fd00:{side + 1}:{outer}::1"


def conf(side, mode="tc"):
    """Two peers: the other side over IPv4 and over IPv6."""
    return f"[interface]\nmode = {mode}\n" + "".join(
        f"[peer over{f}]\nendpoint = {OUTER[f][1 - side]}\n"
        f"allowed-ips = {address(4, f, 1 - side)}/32, "
        f"{address(6, f, 1 - side)}/128\n" for f in OUTER)


def quiet_lab():
    """A Lab whose interfaces nobody watches."""
    lab = Lab()
    lab.watch = False
    return lab


class Pair:
    """A sender and a receiver; eth0 has tunload at both ends, eth1 nothing."""

    def __init__(self, lab, program=None):
        self.ends = [lab.netns("send"), lab.netns("recv")]
        self.send, self.recv = self.ends
        self.tunload = []
        for ifname in "eth0", "eth1":
            lab.veth(self.send, ifname, self.recv, ifname)
        for side, ns in enumerate(self.ends):
            ns.addr("eth0", f"{OUTER[4][side]}/24", f"{OUTER[6][side]}/64")
            ns.addr("eth1", f"{PLAIN[4][side]}/24", f"{PLAIN[6][side]}/64")
            ns.addr("lo", *(f"{address(i, o, side)}/{32 if i == 4 else 128}"
                            for i, o in COMBINATIONS))
        for side, ns in enumerate(self.ends):
            tl = lab.tunload(ns, "eth0", lab.new_bpffs())
            tl.program = program or tl.program
            tl.attach(conf(side))
            self.tunload.append(tl)

    @staticmethod
    def paths():
        """{name: (source, destination)} of what is to be compared."""
        return {**{f"plain IPv{v}": PLAIN[v] for v in PLAIN},
                **{named(i, o): (address(i, o, 0), address(i, o, 1))
                   for i, o in COMBINATIONS}}

    def listen(self, lab):
        """Sockets of the receiver, by family, that take what is sent until
        they are full."""
        sockets = {}
        for kind, address_of in ((socket.AF_INET, "0.0.0.0"),
                                 (socket.AF_INET6, "::")):
            sock = lab.keep(self.recv.socket(kind, socket.SOCK_DGRAM))
            if kind == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address_of, PORT))
            sockets[kind] = sock
        return sockets

    def prog(self, side, name):
        """The program of one end."""
        return bpf.obj_get(os.path.join(self.tunload[side].pins,
                                        f"prog_{name}"))


class RunTime:
    """Lets the kernel measure each run of a program while it exists, without
    a sysctl: it ends with us."""

    def __init__(self):
        self.fd = bpf.bpf(ENABLE_STATS, bpf.u32(0))

    def close(self):
        """Ends that."""
        os.close(self.fd)

    @staticmethod
    def read(prog):
        """(nanoseconds, runs) of a program so far."""
        info = (ctypes.c_char * 220)()
        bpf.bpf(bpf.OBJ_GET_INFO_BY_FD,
                bpf.InfoAttr(prog, len(info), ctypes.addressof(info)))
        return struct.unpack_from("QQ", info, RUN_TIME)


def run_times(progs, number, send):
    """{name: ns a run} of {name: program}, each of which send() makes run that
    often at least."""
    before = {name: RunTime.read(prog) for name, prog in progs.items()}
    send()
    took = {}
    for name, prog in progs.items():
        ns, runs = map(operator.sub, RunTime.read(prog), before[name])
        assert runs >= number, f"{name}: {runs} of {number} runs"
        took[name] = ns / runs
    return took


def former(work, commit):
    """The program tunload as of a commit."""
    tree = f"{work}/{commit}"
    subprocess.run(f"mkdir {tree} && git -C {REPO} archive {commit} | "
                   f"tar x -C {tree} && make -s -j2 -C {tree} all",
                   shell=True, check=True, stdout=subprocess.DEVNULL)
    return f"{tree}/build/tunload"


def udp_tool(work):
    """The program udp.c, compiled."""
    tool = os.path.join(work, "udp")
    run("cc", "-O2", "-o", tool, os.path.join(HERE, "udp.c"))
    return tool
