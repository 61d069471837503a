# SPDX-License-Identifier: GPL-2.0-only
"""bpf(2) through ctypes, as far as the packet tests need it.

It uses neither libbpf nor the loader, so that a mistake there is not repeated
here.
"""

import ctypes
import mmap
import os
import platform
import struct

NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]

LINK_CREATE = 28
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_GET_NEXT_KEY = range(5)
OBJ_PIN, OBJ_GET, PROG_TEST_RUN, MAP_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = \
    6, 7, 10, 14, 15

# Offsets in struct bpf_prog_info.
NR_MAP_IDS, MAP_IDS, VERIFIED_INSNS = 52, 56, 216

PERCPU_TYPES = (5, 6, 10)  # BPF_MAP_TYPE_PERCPU_HASH, _ARRAY, _LRU

libc = ctypes.CDLL(None, use_errno=True)
u32, u64 = ctypes.c_uint32, ctypes.c_uint64


class ElemAttr(ctypes.Structure):
    _fields_ = [("map_fd", u32), ("pad", u32), ("key", u64),
                ("value", u64), ("flags", u64)]


class ObjAttr(ctypes.Structure):
    _fields_ = [("pathname", u64), ("bpf_fd", u32), ("file_flags", u32)]


class CreateAttr(ctypes.Structure):
    _fields_ = [("type", u32), ("key_size", u32), ("value_size", u32),
                ("max_entries", u32), ("flags", u32), ("inner", u32),
                ("node", u32), ("name", ctypes.c_char * 16)]


class InfoAttr(ctypes.Structure):
    _fields_ = [("bpf_fd", u32), ("info_len", u32), ("info", u64)]


class TestRunAttr(ctypes.Structure):
    _fields_ = [("prog_fd", u32), ("retval", u32), ("data_size_in", u32),
                ("data_size_out", u32), ("data_in", u64),
                ("data_out", u64), ("repeat", u32), ("duration", u32),
                ("ctx_size_in", u32), ("ctx_size_out", u32),
                ("ctx_in", u64), ("ctx_out", u64), ("flags", u32),
                ("cpu", u32), ("batch_size", u32)]


class MapInfo(ctypes.Structure):
    _fields_ = [("type", u32), ("id", u32), ("key_size", u32),
                ("value_size", u32), ("max_entries", u32),
                ("map_flags", u32), ("name", ctypes.c_char * 16)]


class LinkAttr(ctypes.Structure):
    """union bpf_attr for BPF_LINK_CREATE."""
    _fields_ = [(name, u32) for name in ("prog_fd", "target_ifindex",
                                         "attach_type", "flags")]


class SkBuff(ctypes.Structure):
    """struct __sk_buff; a test run lets us set the named fields."""
    _fields_ = [("head", u32 * 2), ("mark", u32), ("middle", u32 * 9),
                ("cb", u32 * 5), ("rest", u32 * 23),
                ("wire_len", u32), ("gso_segs", u32), ("sk", u64),
                ("gso_size", u32), ("tail", u32 * 3)]


class XdpMd(ctypes.Structure):
    """struct xdp_md; since Linux 6.18 data_end sets how much of a test run's
    packet is in front of the fragments."""
    _fields_ = [(name, u32) for name in (
        "data", "data_end", "data_meta", "ingress_ifindex", "rx_queue_index",
        "egress_ifindex")]


assert SkBuff.gso_size.offset == 176  # as in linux/bpf.h
assert SkBuff.cb.offset == 48


def with_constant(obj, name, value):
    """Returns a 64-bit little-endian ELF object with another value of one of
    its constants."""
    obj = bytearray(obj)
    shoff, = struct.unpack_from("<Q", obj, 40)
    size, number = struct.unpack_from("<HH", obj, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", obj, shoff + size * i)
                for i in range(number)]
    symtab, = (s for s in sections if s[1] == 2)  # SHT_SYMTAB
    names = sections[symtab[6]][4]
    for at in range(symtab[4], symtab[4] + symtab[5], 24):
        start, _, _, index, offset, length = struct.unpack_from(
            "<IBBHQQ", obj, at)
        start += names
        if obj[start:start + len(name) + 1] == name.encode() + b"\0":
            offset += sections[index][4]
            obj[offset:offset + length] = value.to_bytes(length, "little")
            return bytes(obj)
    raise KeyError(name)


def bpf(cmd, attr):
    result = libc.syscall(NR_BPF, cmd, ctypes.byref(attr),
                          ctypes.sizeof(attr))
    if result < 0:
        err = ctypes.get_errno()
        raise OSError(err, f"bpf({cmd}): {os.strerror(err)}")
    return result


def obj_get(path):
    name = ctypes.create_string_buffer(os.fsencode(path))
    return bpf(OBJ_GET, ObjAttr(ctypes.addressof(name)))


def create_map(kind, key_size, value_size, entries, flags, name):
    """A new Map, without BTF."""
    return Map(bpf(MAP_CREATE, CreateAttr(kind, key_size, value_size, entries,
                                          flags, 0, 0, name.encode())))


def obj_pin(fd, path):
    name = ctypes.create_string_buffer(os.fsencode(path))
    bpf(OBJ_PIN, ObjAttr(ctypes.addressof(name), fd))


def link_create(prog, ifindex, kind):
    """A new link of a program to an interface's hook; its descriptor."""
    return bpf(LINK_CREATE, LinkAttr(prog, ifindex, kind))


def verified_insns(fd):
    """The number of instructions that the verifier processed for a program;
    since Linux 5.16."""
    info = (ctypes.c_char * 220)()
    bpf(OBJ_GET_INFO_BY_FD, InfoAttr(fd, len(info), ctypes.addressof(info)))
    return struct.unpack_from("I", info, VERIFIED_INSNS)[0]


def maps_of(fd):
    """{name: Map} of the maps that a program uses, pinned or not."""
    info, ids = (ctypes.c_char * 220)(), (u32 * 64)()
    struct.pack_into("I", info, NR_MAP_IDS, len(ids))
    struct.pack_into("Q", info, MAP_IDS, ctypes.addressof(ids))
    bpf(OBJ_GET_INFO_BY_FD, InfoAttr(fd, len(info), ctypes.addressof(info)))
    number, = struct.unpack_from("I", info, NR_MAP_IDS)
    found = [Map(bpf(MAP_GET_FD_BY_ID, ElemAttr(ident)))
             for ident in ids[:number]]
    return {one.name: one for one in found}


def possible_cpus():
    """The number of CPUs in a per-CPU value, from "0-3" or "0,2-3"."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as f:
        return int(f.read().strip().split(",")[-1].split("-")[-1]) + 1


class Map:
    """A map by its file descriptor; keys and values are bytes."""

    def __init__(self, fd):
        self.fd = fd
        info = MapInfo()
        bpf(OBJ_GET_INFO_BY_FD, InfoAttr(fd, ctypes.sizeof(info),
                                         ctypes.addressof(info)))
        self.key_size, self.value_size = info.key_size, info.value_size
        self.max_entries = info.max_entries
        self.name = info.name.decode("ascii")
        self.cpus = possible_cpus() if info.type in PERCPU_TYPES else 1
        self.stride = info.value_size
        if info.type in PERCPU_TYPES:
            self.stride = (info.value_size + 7) & ~7
        self.filled = set()  # keys of an array that were written
        self.buffer = ctypes.create_string_buffer(self.stride * self.cpus)

    def lookup(self, key):
        """A list of values, one per CPU (one for a plain map)."""
        key = ctypes.create_string_buffer(key, self.key_size)
        bpf(MAP_LOOKUP, ElemAttr(self.fd, 0, ctypes.addressof(key),
                                 ctypes.addressof(self.buffer), 0))
        raw = self.buffer.raw
        return [raw[i:i + self.value_size]
                for i in range(0, len(raw), self.stride)]

    def update(self, key, value):
        assert len(key) == self.key_size, (len(key), self.key_size)
        assert len(value) == self.value_size, (len(value), self.value_size)
        key = ctypes.create_string_buffer(key, self.key_size)
        every = value.ljust(self.stride, b"\0") * self.cpus
        every = ctypes.create_string_buffer(every, len(every))
        bpf(MAP_UPDATE, ElemAttr(self.fd, 0, ctypes.addressof(key),
                                 ctypes.addressof(every), 0))

    def delete(self, key):
        key = ctypes.create_string_buffer(key, self.key_size)
        bpf(MAP_DELETE, ElemAttr(self.fd, 0, ctypes.addressof(key), 0, 0))

    def next_key(self, key=None):
        """The key after that one, or some key; None after the last."""
        found = ctypes.create_string_buffer(self.key_size)
        if key is not None:
            key = ctypes.create_string_buffer(key, self.key_size)
        try:
            bpf(MAP_GET_NEXT_KEY, ElemAttr(
                self.fd, 0, ctypes.addressof(key) if key else 0,
                ctypes.addressof(found), 0))
        except FileNotFoundError:
            return None
        return found.raw

    def keys(self):
        """All keys of a hash, which must not lose keys meanwhile."""
        key = None
        while (key := self.next_key(key)) is not None:
            yield key

    def clear(self):
        while (key := self.next_key()) is not None:
            self.delete(key)


class Ring:
    """Reader of a ring buffer map (Documentation/bpf/ringbuf.rst)."""

    BUSY, DISCARD = 1 << 31, 1 << 30

    def __init__(self, ring):
        page = mmap.PAGESIZE
        self.size = ring.max_entries
        self.consumer = mmap.mmap(ring.fd, page, mmap.MAP_SHARED,
                                  mmap.PROT_READ | mmap.PROT_WRITE)
        # the producer's position, then the data twice in a row
        self.producer = mmap.mmap(ring.fd, page + 2 * self.size,
                                  mmap.MAP_SHARED, mmap.PROT_READ,
                                  offset=page)

    def read(self):
        """The records since the last call, as bytes."""
        records = []
        at, = struct.unpack_from("Q", self.consumer)
        end, = struct.unpack_from("Q", self.producer)
        while at < end:
            begin = mmap.PAGESIZE + (at & (self.size - 1))
            head, = struct.unpack_from("I", self.producer, begin)
            assert not head & self.BUSY
            size = head & ~self.DISCARD
            if not head & self.DISCARD:
                records.append(self.producer[begin + 8:begin + 8 + size])
            at += (8 + size + 7) & ~7
        struct.pack_into("Q", self.consumer, 0, at)
        return records

    def close(self):
        self.consumer.close()
        self.producer.close()


def test_run(fd, data, ctx=None, after=None):
    """Runs a program once: (return value, packet afterwards). after: a
    structure for the context afterwards."""
    data_in = ctypes.create_string_buffer(data, len(data))
    data_out = ctypes.create_string_buffer(len(data) + 512)
    attr = TestRunAttr(prog_fd=fd, data_size_in=len(data),
                       data_size_out=len(data_out),
                       data_in=ctypes.addressof(data_in),
                       data_out=ctypes.addressof(data_out), repeat=1)
    if ctx is not None:
        attr.ctx_in = ctypes.addressof(ctx)
        attr.ctx_size_in = ctypes.sizeof(ctx)
    if after is not None:
        attr.ctx_out = ctypes.addressof(after)
        attr.ctx_size_out = ctypes.sizeof(after)
    bpf(PROG_TEST_RUN, attr)
    retval = ctypes.c_int32(attr.retval).value
    return retval, data_out.raw[:attr.data_size_out]


test_run.__test__ = False  # not for pytest to collect
