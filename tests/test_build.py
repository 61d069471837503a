# SPDX-License-Identifier: GPL-2.0-only
"""The build: what an edit rebuilds, both compilers, what comes from one list,
and the script that compares vmlinux.h with the kernel."""
import glob
import os
import re
import shutil

import pytest

from lab import REPO, Bpffs, run


def read(*path):
    """The text of a file of the tree."""
    with open(os.path.join(REPO, *path), encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module", name="tree")
def built_tree(tmp_path_factory):
    """A copy of the tree, built."""
    tree = str(tmp_path_factory.mktemp("copy") / "tunload")
    shutil.copytree(REPO, tree, ignore=shutil.ignore_patterns(
        "build", ".git", "__pycache__"))
    run("make", "-s", "-j2", "-C", tree, timeout=300)
    return tree


def would_run(tree, *args):
    """What `make` would run now."""
    return run("make", "-n", "-C", tree, *args).stdout


def stale(tree, *args):
    """The objects that `make` would compile now, as paths below build/."""
    return set(re.findall(r" -c -o build/(\S+)", would_run(tree, *args)))


def users(tree, header):
    """The objects whose sources name the header, by our own search."""
    folder, name = header.split("/")
    found = set()
    for path in glob.glob(f"{tree}/loader/*/*.c"):
        here = os.path.relpath(path, tree)
        want = name if here.split("/")[1] == folder else header
        with open(path, encoding="utf-8") as f:
            if f'#include "{want}"' in f.read():
                found.add(here[:-1] + "o")
    return found


def test_nothing_to_do_after_a_build(tree):
    assert stale(tree) == set()


@pytest.mark.parametrize("header", ["base/base.h", "maps/rows.h",
                                    "conf/conf.h"])
def test_a_loader_header_rebuilds_its_users(tree, header):
    path = f"{tree}/loader/{header}"
    before = os.stat(path).st_mtime
    newest = os.stat(f"{tree}/build/tunload").st_mtime
    os.utime(path, (newest + 1, newest + 1))
    objects = stale(tree)
    os.utime(path, (before, before))
    assert users(tree, header) and users(tree, header) <= objects
    assert "tunload.bpf.o" not in objects


@pytest.mark.parametrize("header", ["bpf/layout.h", "bpf/verdicts.h",
                                    "vmlinux.h"])
def test_a_bpf_header_rebuilds_the_object_and_the_loader(tree, header):
    path = f"{tree}/{header}"
    before = os.stat(path).st_mtime
    newest = os.stat(f"{tree}/build/tunload").st_mtime
    os.utime(path, (newest + 1, newest + 1))
    objects = stale(tree)
    os.utime(path, (before, before))
    assert "tunload.bpf.o" in objects
    assert any(o.startswith("loader/") for o in objects)


def test_another_compiler_or_flag_rebuilds(tree):
    changed = stale(tree, "SYSCONFDIR=/usr/local/etc")
    assert any(o.startswith("loader/") for o in changed)
    assert "tunload.bpf.o" not in changed
    assert "tunload.bpf.o" in stale(tree, "CLANG=clang-14")
    # Even make -n notes the commands down; back to the usual ones.
    run("make", "-s", "-j2", "-C", tree, timeout=300)


def test_a_warning_stops_the_build(tree):
    for path in "bpf/tunload.bpf.c", "loader/base/text.c":
        with open(f"{tree}/{path}", encoding="utf-8") as f:
            text = f.read()
        with open(f"{tree}/{path}", "a", encoding="utf-8") as f:
            f.write("\nstatic int never_used(void)\n{\n\treturn 0;\n}\n")
        target = ("build/tunload.bpf.o" if path.startswith("bpf")
                  else "build/loader/base/text.o")
        done = run("make", "-s", "-C", tree, target, check=False)
        with open(f"{tree}/{path}", "w", encoding="utf-8") as f:
            f.write(text)
        assert done.returncode and "never_used" in done.stderr


@pytest.mark.parametrize("clang", ["clang-14", "clang-19"])
def test_both_compilers_make_an_object_that_loads(clang, tmp_path):
    obj = f"{tmp_path}/tunload.bpf.o"
    run("make", "-s", "-C", REPO, f"B={tmp_path}", f"CLANG={clang}", obj)
    bpffs = Bpffs()
    try:
        run("bpftool", "prog", "loadall", obj, f"{bpffs.path}/programs")
        assert len(os.listdir(f"{bpffs.path}/programs")) == 3
    finally:
        bpffs.close()


def verdict_list():
    """(name, fate, text) of every verdict in verdicts.h."""
    body = read("bpf", "verdicts.h").split("#define TL_VERDICTS", 1)[1]
    body = body.split("/* clang-format on */")[0].replace("\\\n", " ")
    found = re.findall(r'VERDICT\((\w+), (\w+), \w+, \w+,\s*'
                       r'((?:"[^"]*"\s*)+)\)', body)
    return [(n, f.lower(), "".join(re.findall(r'"([^"]*)"', t)))
            for n, f, t in found]


def test_columns_of_the_verdicts_fit_their_names():
    """A peer that sends only packets that are dropped is not silent."""
    rows = re.findall(r"\tVERDICT\((\w+), (\w+), (\w+), (\w+),",
                      read("bpf", "verdicts.h"))
    assert len(rows) == len(verdict_list())
    for name, fate, report, whose in rows:
        assert fate in ("TUNNEL", "PASS", "DROP", "ANSWER"), name
        assert report == "REPORT" or fate != "DROP", name
        assert (whose == "HOST") == name.startswith("tx_"), name
        assert (whose == "ICMP") == name.startswith("rx_icmp_"), name


def test_the_man_page_has_every_verdict(tree):
    page = run("man", "-l", f"{tree}/build/dist/tunload.8",
               env={**os.environ, "MANWIDTH": "400", "LC_ALL": "C"}).stdout
    page = re.sub(r"[ \t]+", " ", page)
    verdicts = verdict_list()
    assert len(verdicts) == read("bpf", "verdicts.h").count("VERDICT(") - 1
    for name, fate, text in verdicts:
        assert f"{name} {fate} {text}" in page, name


def test_the_man_pages_have_no_warnings(tree):
    for page in "tunload.8", "tunload.conf.5":
        done = run("man", "--warnings=w", "-l", f"{tree}/build/dist/{page}",
                   env={**os.environ, "LC_ALL": "C"})
        assert done.stderr == ""
        assert "@" not in done.stdout.replace("tunload@", "").replace(
            "trigger@", "")


def test_the_man_page_names_every_command(tree):
    table = read("loader/cmd", "cmd.h")
    with open(f"{tree}/build/dist/tunload.8", encoding="utf-8") as f:
        page = f.read()
    commands = re.findall(r"^int cmd_(\w+)\(", table, re.M)
    assert len(commands) >= 10
    for command in commands:
        assert re.search(rf"^\\fBtunload {command}\b", page, re.M), command


def test_the_man_page_names_every_key(tree):
    with open(f"{tree}/build/dist/tunload.conf.5", encoding="utf-8") as f:
        page = f.read()
    named = {word.replace("\\-", "-") for line in
             re.findall(r"^\.BR? (.*)$", page, re.M)
             for word in line.replace('"', " ").split()}
    for source in "keys_interface.c", "keys_peer.c":
        keys = re.findall(r'\{\.name = "([\w-]+)"', read("loader/conf", source))
        assert keys and set(keys) <= named


def test_the_documented_defaults_are_the_programs(tree):
    header = read("loader/conf", "conf.h")
    with open(f"{tree}/build/dist/tunload.conf.5", encoding="utf-8") as f:
        page = f.read()

    def constant(name):
        return re.search(rf"#define {name}\s+(\d+)", header).group(1)

    for key, name in (("keepalive", "KEEPALIVE_DEFAULT"),
                      ("ttl", "TTL_DEFAULT"),
                      ("path\\-mtu", "PATH_MTU_DEFAULT"),
                      ("pmtu\\-expiry", "PMTU_EXPIRY_DEFAULT")):
        entry = page.split(f".B {key}\n", 1)[1].split(".TP", 1)[0]
        assert f"Default: {constant(name)}." in entry


INCLUDES = os.path.join(REPO, "scripts", "check-includes")


def test_includes_go_one_way():
    run(INCLUDES)


@pytest.mark.parametrize("file, line, said", [
    ("loader/conf/model.c", '#include "host/host.h"',
     "goes up: conf comes before host"),
    ("loader/show/json.c", '#include "maps/rows.h"',
     "is inside of maps: include maps/maps.h"),
    ("loader/base/text.c", '#include "nothing.h"', "is not there"),
    ("bpf/core/mss.h", '#include "record/maps.h"',
     "goes up: core comes before record"),
    ("bpf/decide/rx.h", '#include "nothing/rx.h"', "is not there"),
    ("bpf/core/ecn.h", "#define NOW bpf_ktime_get_ns()",
     "bpf_ktime_get_ns: the core has no maps and no helpers"),
    ("bpf/decide/egress.h", "int mark(struct __sk_buff *skb);",
     "__sk_buff: no packet is changed here"),
    ("bpf/packet/clamp.h", "#define MARK(skb) skb->mark",
     "skb->mark: only in bpf/packet/marks.h"),
])
def test_what_breaks_the_order_of_folders_is_found(tmp_path, file, line, said):
    for name in "loader", "bpf":
        shutil.copytree(os.path.join(REPO, name), f"{tmp_path}/{name}")
    with open(f"{tmp_path}/{file}", "a", encoding="utf-8") as f:
        f.write(f"{line}\n")
    done = run(INCLUDES, str(tmp_path), check=False)
    assert done.returncode == 1 and said in done.stdout
    assert len(done.stdout.splitlines()) == 1


CHECK = os.path.join(REPO, "scripts", "check-vmlinux")


def test_vmlinux_h_agrees_with_the_kernel():
    done = run(CHECK)
    assert "structs" in done.stdout


@pytest.mark.parametrize("old, new, said", [
    ("\t__be16 tot_len;\n", "", "struct iphdr: check is 16 bits at 8 bytes"),
    ("\t__u8 ttl;\n\t__u8 protocol;\n", "\t__u8 protocol;\n\t__u8 ttl;\n",
     "struct iphdr: ttl is 8 bits at 9 bytes"),
    ("\t__u32 wire_len;\n", "", "struct __sk_buff: gso_segs"),
    ("XDP_PASS = 2", "XDP_PASS = 1", "XDP_PASS is 1, in the kernel 2"),
    ("BPF_F_NO_PREALLOC = 1,", "BPF_F_NO_PREALLOC = 2,",
     "BPF_F_NO_PREALLOC is 2"),
    ("typedef unsigned short __u16;", "typedef unsigned int __u16;",
     "typedef __u16: 4 bytes, in the kernel 2"),
    ("\t__u8 hop_limit;\n", "\t__u8 hops;\n", "no member hops"),
    ("struct vlan_hdr {", "struct vlan_header {",
     "struct vlan_header: not in the kernel"),
])
def test_check_vmlinux_sees_a_mistake(tmp_path, old, new, said):
    text = read("vmlinux.h")
    assert old in text
    wrong = tmp_path / "vmlinux.h"
    wrong.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = run(CHECK, wrong, check=False)
    assert done.returncode == 1
    assert said in done.stderr
