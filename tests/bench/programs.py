# SPDX-License-Identifier: GPL-2.0-only
"""Compiles and loads BPF programs, and times single ones by test runs."""
import ctypes
import glob
import os
import struct
import subprocess

from lab import REPO, run
from packets import bpf
from packets.runner import TC_ACT_SHOT, TC_ACT_UNSPEC

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ["-std=gnu11", "-O2", "-g", "-fno-strict-aliasing", "-target", "bpf",
         "-mcpu=v3", "-w"]
HEAD = 96  # bytes that xdp.bpf.c restores
KEY = bytes(4)


def compiled(source, obj, *include):
    """Compiles a BPF source; returns the object."""
    subprocess.run(["clang", *FLAGS, *(f"-I{path}" for path in include),
                    "-c", "-o", obj, source], check=True)
    return obj


def built(work, source):
    """The object of a source of this directory, compiled once."""
    obj = os.path.join(work, f"{source}.bpf.o")
    if not os.path.exists(obj):
        compiled(os.path.join(HERE, f"{source}.bpf.c"), obj, REPO,
                 os.path.join(REPO, "bpf"))
    return obj


class Programs:
    """A source of this directory, compiled and loaded: .progs and .maps by
    name. Its constants may have other values."""

    def __init__(self, work, source, **constants):
        with open(built(work, source), "rb") as f:
            data = f.read()
        obj = os.path.join(work, f"{source}{len(os.listdir(work))}.o")
        for name, value in constants.items():
            data = bpf.with_constant(data, name, value)
        with open(obj, "wb") as f:
            f.write(data)
        top = obj[:-2]
        os.mkdir(top)
        subprocess.run(["mount", "-t", "bpf", "bpf", top], check=True)
        try:
            run("bpftool", "prog", "loadall", obj, f"{top}/p", "pinmaps",
                f"{top}/m")
            self.progs = {os.path.basename(path): bpf.obj_get(path)
                          for path in glob.glob(f"{top}/p/*")}
            self.maps = {os.path.basename(path): bpf.Map(bpf.obj_get(path))
                         for path in glob.glob(f"{top}/m/*")}
        finally:
            subprocess.run(["umount", top], check=True)


def timed(fd, data, repeat, ctx=None):
    """Nanoseconds of one run of a program, of `repeat`, and what it
    returned; ctx: its struct xdp_md."""
    data_in = ctypes.create_string_buffer(data, len(data))
    attr = bpf.TestRunAttr(prog_fd=fd, data_size_in=len(data),
                           data_in=ctypes.addressof(data_in), repeat=repeat)
    if ctx:
        attr.ctx_in = ctypes.addressof(ctx)
        attr.ctx_size_in = ctypes.sizeof(ctx)
    bpf.bpf(bpf.PROG_TEST_RUN, attr)
    action = ctypes.c_int32(attr.retval).value
    return attr.duration, action


def timed_tc(fd, data, repeat):
    """Nanoseconds of a tc program that leaves the packet as it is."""
    took, action = timed(fd, data, repeat)
    assert action in (TC_ACT_UNSPEC, TC_ACT_SHOT), action
    return took


class Wrapper:
    """Times XDP programs behind one that restores the packet (`restore`) or,
    too, takes the next of many sources (`pick`)."""

    def __init__(self, work):
        loaded = Programs(work, "xdp")
        self.progs, self.maps = loaded.progs, loaded.maps

    def time(self, prog, data, repeat, front="restore", family=4, ctx=None):
        """Nanoseconds of prog for that packet, with the program in front."""
        self.maps["frames"].update(
            KEY, struct.pack("IIQ", len(data), family, 0) + data[:HEAD])
        self.maps["next"].update(KEY, prog.to_bytes(4, "little"))
        took, action = timed(self.progs[front], data, repeat, ctx)
        assert action, "aborted"
        return took
