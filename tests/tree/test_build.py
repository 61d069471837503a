# SPDX-License-Identifier: GPL-2.0-only
"""The build: edits rebuild the right objects, both compilers work, pages follow
the lists; and the scripts that check includes, names and vmlinux.h."""
import glob
import json
import os
import re
import shutil

import pytest

from lab import REPO, Bpffs, read, run


@pytest.fixture(scope="module", name="tree")
def built_tree(tmp_path_factory):
    """A copy of the tree, built."""
    tree = str(tmp_path_factory.mktemp("copy") / "tunload")
    shutil.copytree(REPO, tree, ignore=shutil.ignore_patterns(
        "build", ".git", "__pycache__"))
    run("make", "-s", "-j2", "-C", tree, timeout=300)
    return tree


def would_run(tree, *args):
    """The commands that `make` would run now."""
    return run("make", "-n", "-C", tree, *args).stdout


def stale(tree, *args):
    """The objects that `make` would compile now, as paths below build/."""
    return set(re.findall(r" -c -o build/(\S+)", would_run(tree, *args)))


def users(tree, header):
    """The objects whose sources include the header, by a search of our own."""
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


@pytest.mark.parametrize("header", ["bpf/keys.h", "bpf/layout.h",
                                    "bpf/verdicts.h", "vmlinux.h"])
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
    # Even make -n writes the commands to *.flags; restore the usual ones.
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


def test_settings_of_the_environment(tmp_path):
    """As Debian and Fedora give them to a build."""
    out = run("make", "-n", "-C", REPO, f"B={tmp_path}", "all", env={
        **os.environ, "CC": "some-cc", "CPPFLAGS": "-DONE", "CFLAGS": "-O3",
        "LDFLAGS": "-Wl,-two", "WERROR": ""}).stdout
    assert "-Werror" not in out
    linked, = re.findall(rf"^some-cc .* -o {tmp_path}/tunload .*$", out, re.M)
    assert linked.startswith("some-cc -O3 -Wl,-two -o ")
    compiled = re.findall(
        rf"^some-cc .* -DONE -O3 .* -c -o {tmp_path}/(loader/\S+)\.o ", out,
        re.M)
    assert sorted(f"{REPO}/{path}.c" for path in compiled) == sorted(
        glob.glob(f"{REPO}/loader/*/*.c"))


def test_compile_commands(tree):
    """The file has a command for each compiled file, and the commands work."""
    run("make", "-s", "-C", tree, "compile_commands.json")
    with open(f"{tree}/compile_commands.json", encoding="utf-8") as f:
        commands = {c["file"]: c for c in json.load(f)}
    assert set(commands) == {os.path.relpath(path, tree) for path in [
        *glob.glob(f"{tree}/bpf/*.c"), *glob.glob(f"{tree}/loader/*/*.c"),
        *glob.glob(f"{tree}/tests/unit/*.c"),
        *glob.glob(f"{tree}/tests/fuzz/*.c")]}
    for path in ("bpf/tunload.bpf.c", "loader/cmd/main.c",
                 "tests/unit/test_ecn.c"):
        one = commands[path]
        run("bash", "-c", f"{one['command']} -o /dev/null",
            cwd=one["directory"])


def test_help_names_every_target():
    told = run("make", "-s", "-C", REPO, "help").stdout
    for target in ("install", "uninstall", "t T=", "check", "check-unit",
                   "check-vm", "check-mutants", "bench", "lint", "format",
                   "compile_commands.json", "clean"):
        assert f"\nmake {target}" in told


INSTALL_DEPS = os.path.join(REPO, "scripts", "install-deps")


def test_a_builder_installs_one_compiler_and_no_emulator():
    sets = {name: set(run(INSTALL_DEPS, "--print", name).stdout.split())
            for name in ("build", "demo", "check", "vm", "bench", "lint", "bare")}
    assert sets["build"] < sets["demo"] < sets["check"] < sets["vm"]
    assert [p for p in sets["demo"] if "clang" in p] == ["clang"]
    assert not [p for p in sets["demo"] if "qemu" in p or "pytest" in p]
    both = run(INSTALL_DEPS, "--print").stdout.split()
    assert set(both) == sets["check"] | sets["lint"]
    assert run(INSTALL_DEPS, "nothing", check=False).returncode == 2


@pytest.mark.root
@pytest.mark.parametrize("clang", ["clang-14", "clang-19"])
def test_both_compilers_make_an_object_that_loads(clang, tmp_path):
    obj = f"{tmp_path}/tunload.bpf.o"
    run("make", "-s", "-C", REPO, f"B={tmp_path}", f"CLANG={clang}", obj)
    bpffs = Bpffs()
    try:
        run("bpftool", "prog", "loadall", obj, f"{bpffs.path}/programs")
        assert len(os.listdir(f"{bpffs.path}/programs")) == 5
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
    """The columns fit each verdict's name, and every drop is reported."""
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
    for page in PAGES:
        done = run("man", "--warnings=w", "-l", f"{tree}/build/dist/{page}",
                   env={**os.environ, "LC_ALL": "C"})
        assert done.stderr == ""
        assert "@" not in done.stdout.replace("tunload@", "").replace(
            "trigger@", "").replace("watch@", "")


PAGES = "tunload.8", "tunload.conf.5"


def shown(tree, page, width):
    """A man page as it is shown, a list of lines."""
    return run("man", "-l", f"{tree}/build/dist/{page}", env={
        **os.environ, "MANWIDTH": str(width), "LC_ALL": "C"}
        ).stdout.splitlines()


def sections(lines):
    """{heading: text} of a man page."""
    parts = re.split(r"^([A-Z][A-Z ]+)\n", "\n".join(lines[1:-1]), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("page", PAGES)
def test_man_pages_fit_80_columns(tree, page):
    lines = shown(tree, page, 80)
    assert len(lines) > 100
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("page", PAGES)
def test_man_pages_have_limits_and_a_warning(tree, page):
    found = sections(shown(tree, page, 80))
    assert list(found)[-3:] == ["LIMITS", "SECURITY", "SEE ALSO"]
    assert "not encrypt and does not authenticate" in " ".join(
        found["SECURITY"].split())
    limits = read("README.md").split("## Limits\n")[1].split("\n## ")[0]
    assert len(re.findall(r"^ +o ", found["LIMITS"], re.M)) == len(
        re.findall(r"^\* ", limits, re.M))


def usages(tree):
    """How the help says that each command is called, a line a way."""
    program = f"{tree}/build/tunload"
    names = re.findall(r"^  ([a-z][a-z-]*) +\S", run(program, "help").stdout,
                       re.M)
    assert len(names) >= 10
    for name in names:
        usage = run(program, "help", name).stdout.splitlines()[0]
        ways = re.split(r" \| (?![^\[]*\])", usage)
        yield from [ways[0], *(f"tunload {name} {way}" for way in ways[1:])]


def test_the_man_page_has_the_usage_of_every_command(tree):
    found = sections(shown(tree, "tunload.8", 400))["SYNOPSIS"]
    lines = [line.strip() for line in found.splitlines() if line]
    assert lines == ["tunload [--bpffs DIR] COMMAND ...", *usages(tree)]


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
def test_line_against_the_order_of_folders_is_found(tmp_path, file, line,
                                                    said):
    for name in "loader", "bpf":
        shutil.copytree(os.path.join(REPO, name), f"{tmp_path}/{name}")
    with open(f"{tmp_path}/{file}", "a", encoding="utf-8") as f:
        f.write(f"{line}\n")
    done = run(INCLUDES, str(tmp_path), check=False)
    assert done.returncode == 1 and said in done.stdout
    assert len(done.stdout.splitlines()) == 1


NAMES = os.path.join(REPO, "scripts", "check-names")


def test_every_function_has_a_name_of_its_own():
    run(NAMES)


@pytest.mark.parametrize("file, old, new, said", [
    ("loader/show/json.c", None, "static int\nconf_read(void)\n{\n}\n",
     "conf_read() is in loader/conf/read.c"),
    ("loader/show/json.c", None,
     "__attribute__((format(printf, 1, 2))) static void report_line(int s,\n"
     "\t\t...)\n{\n}\n", "report_line() is in loader/base/error.c"),
    ("loader/show/json.c", None, "int conf_read(void);\n", None),
    ("bpf/layout.h", None, "static __always_inline bool conf_read(void)\n{\n}\n",
     "conf_read() is in loader/conf/read.c"),
    ("loader/show/json.c", "/* ", "#include <a.h>\n/* ",
     "json.c:2: does not say in a sentence what it is for"),
    ("bpf/layout.h", "/* SPDX", "/* LICENCE", "has no SPDX"),
])
def test_a_name_or_a_first_line_that_breaks_the_rule_is_found(
        tmp_path, file, old, new, said):
    for top in "loader", "bpf":
        shutil.copytree(os.path.join(REPO, top), f"{tmp_path}/{top}")
    path = tmp_path / file
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1) if old else text + new,
                    encoding="utf-8")
    done = run(NAMES, str(tmp_path), check=False)
    assert done.stdout.count("\n") == bool(said)
    assert done.returncode == bool(said)
    assert not said or said in done.stdout


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
