# SPDX-License-Identifier: GPL-2.0-only
"""The packages: what is in them, what lintian and rpmlint say, and the life of
the Debian package in a bare Debian: installed, attached, upgraded, removed."""
import glob
import os
import re
import shutil
from email.utils import formataddr, parseaddr

import pytest

from debs import NoKernel
from lab import REPO, read, run
from rootfs import Chroot, bare_debian

CONF = """\
[peer b]
endpoint = 192.0.2.2
allowed-ips = 10.10.0.0/24
"""
UNITS = "/usr/lib/systemd/system/"
# What only one of them has, and where the same file is elsewhere.
ONLY_DEB = {f"/usr/share/doc/tunload/{name}"
            for name in ("changelog", "copyright")} | {
                "/usr/share/lintian/overrides/tunload"}
# Fedora's folder has no version in its name.
ONLY_RPM = {"/usr/share/licenses/tunload-{}/COPYING".format(
    read("VERSION").strip())}
MOVED = {"/usr/share/zsh/vendor-completions/": "/usr/share/zsh/site-functions/"}


def build(goal, folder):
    """make GOAL with a build directory below folder; returns the packages."""
    run("make", "-s", "-C", REPO, goal, f"B={folder}/build", timeout=600)
    return sorted(glob.glob(f"{folder}/build/package/**/*.{goal}",
                            recursive=True))


def deb_of(folder):
    """The package proper, of those that make deb made."""
    deb, = glob.glob(f"{folder}/build/package/tunload_*.deb")
    return deb


@pytest.fixture(scope="module", name="deb")
def build_deb(tmp_path_factory):
    """The path of the Debian package."""
    folder = tmp_path_factory.mktemp("deb")
    assert len(build("deb", folder)) == 2  # and tunload-dbgsym
    return deb_of(folder)


@pytest.fixture(scope="module", name="rpm")
def build_rpm(tmp_path_factory):
    """The path of the RPM package."""
    rpm, = build("rpm", tmp_path_factory.mktemp("rpm"))
    return rpm


def test_one_version(deb, rpm):
    version = read("VERSION").strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert run("dpkg-deb", "-f", deb, "Version").stdout.strip() == version
    assert run("rpm", "-qp", "--qf", "%{VERSION}", rpm).stdout == version
    for option in "version", "--version", "-V":
        out = run(f"{REPO}/build/tunload", option).stdout
        assert out.startswith(f"tunload {version} (map layout ")


def test_what_a_build_needs():
    """The packages ask for what the Makefile does. libelf and zlib come with
    libbpf."""
    names = " ".join(re.findall(r"^(?:PKGS|HEADERS) := (.*)$",
                                read("Makefile"), re.M)).split()
    spec = read("dist", "tunload.spec.in")
    assert names == [n for n in names if f"pkgconfig({n})" in spec]
    wanted = run(f"{REPO}/scripts/install-deps", "--print", "build").stdout
    control = re.search(r"Build-Depends: (.*(?:\n .*)*)",
                        read("dist", "debian", "control")).group(1)
    needs = set(re.findall(r"\blib\S+-dev", wanted)) - {
        "libc6-dev", "libelf-dev"}
    assert needs == set(re.findall(r"\blib\S+-dev", control))


@pytest.mark.parametrize("form, line", [
    ("debian", "tunload ({}) unstable; urgency=medium"),
    ("rpm", r"* Sat Nov 28 2026 The tunload maintainers "
            r"<maintainers@users.noreply.r-seed-68232946.example> - {}-1")])
def test_changelog(form, line):
    out = run(f"{REPO}/scripts/changelog", form).stdout
    assert out.splitlines()[0] == line.format(read("VERSION").strip())


def test_one_maintainer(deb, rpm):
    """Of both packages and of every entry of their changelogs."""
    line = re.search("^Maintainer: (.*)$", read("dist/debian/control"),
                     re.M).group(1)
    name, address = parseaddr(line)
    assert formataddr((name, address)) == line and "@" in address
    assert run("dpkg-deb", "-f", deb, "Maintainer").stdout.strip() == line
    written = run("rpm", "-qp", "--qf", "[%{CHANGELOGNAME}\n]", rpm).stdout
    for entry in written.splitlines():
        assert entry.startswith(f"{line} - ")
    debian = run(f"{REPO}/scripts/changelog", "debian").stdout
    signed = re.findall(r"^ -- (.*>)  ", debian, re.M)
    assert set(signed) == {line} and written


def test_lintian_is_content(deb):
    changes, = glob.glob(f"{os.path.dirname(deb)}/*.changes")
    done = run("lintian", "-I", "--allow-root", changes, timeout=300,
               check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_rpmlint_is_content(rpm):
    spec = os.path.join(rpm.split("/package/")[0], "package/tunload.spec")
    done = run("rpmlint", "-c", f"{REPO}/dist/rpmlint.toml", spec, rpm,
               check=False, timeout=300)
    assert re.search(r"\b0 errors, 0 warnings", done.stdout), done.stdout


def test_the_same_bytes_elsewhere(deb, tmp_path):
    build("deb", tmp_path)
    with open(deb, "rb") as one, open(deb_of(tmp_path), "rb") as other:
        assert one.read() == other.read()


def deb_files(deb):
    """The files of a Debian package, as the other one has them."""
    names = set()
    for line in run("dpkg-deb", "-c", deb).stdout.splitlines():
        name = line.split()[5][1:].removesuffix(".gz")
        name = re.sub("^/lib/", "/usr/lib/", name)
        for here, there in MOVED.items():
            name = name.replace(here, there)
        if not line.startswith("d"):
            names.add(name)
    return names


def test_both_packages_have_the_same_files(deb, rpm):
    out = run("rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILENAMES}\n]", rpm)
    rpms = {line.split()[1].removesuffix(".gz")
            for line in out.stdout.splitlines()
            if line[0] != "d" and "/.build-id/" not in line}
    assert deb_files(deb) - ONLY_DEB == rpms - ONLY_RPM
    assert ONLY_DEB < deb_files(deb) and ONLY_RPM < rpms
    assert "/usr/sbin/tunload" in rpms and f"{UNITS}tunload@.service" in rpms


def test_both_detach_before_they_are_removed(deb, rpm, tmp_path):
    run("dpkg-deb", "-e", deb, tmp_path / "deb")
    prerm = (tmp_path / "deb/prerm").read_text(encoding="utf-8")
    preun = run("rpm", "-qp", "--qf", "%{PREUN}", rpm).stdout
    for script in prerm, preun:
        assert "tunload detach --all" in script
        run("sh", "-n", "-c", script)


@pytest.fixture(name="host")
def make_host(deb, lab, tmp_path):
    """A bare Debian with what the package depends on, and an eth0 in a
    namespace of its own."""
    ns, other = lab.netns("deb"), lab.netns("other")
    lab.veth(ns, "eth0", other, "eth0")
    ns.addr("eth0", "192.0.2.1/24")
    other.addr("eth0", "192.0.2.2/24")
    try:
        root = bare_debian(depends(deb))
    except NoKernel as reason:
        pytest.skip(str(reason))
    chroot = Chroot(root, ns, tmp_path)
    yield chroot
    chroot.close()


def depends(deb):
    """The packages that the package depends on."""
    line = run("dpkg-deb", "-f", deb, "Depends").stdout
    return sorted(word.split()[0] for word in line.split(","))


def newer(deb, folder):
    """The same package with a later version."""
    run("dpkg-deb", "-R", deb, folder / "newer")
    control = folder / "newer/DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 99.0.0",
                              control.read_text(encoding="utf-8")),
                       encoding="utf-8")
    run("dpkg-deb", "-b", folder / "newer", folder / "newer.deb")
    return folder / "newer.deb"


def install(host, deb):
    """dpkg -i; returns what its scripts print of tunnels."""
    shutil.copy(deb, f"{host.root}/tmp/tunload.deb")
    out = host.run("dpkg", "-i", "/tmp/tunload.deb").stdout
    os.unlink(f"{host.root}/tmp/tunload.deb")
    return [line for line in out.splitlines() if line.startswith("eth0:")]


def running(host):
    """(program, map) ids of what runs on eth0, and its routes."""
    out = host.ns.run("bpftool", "-j", "net", "list", "dev", "eth0").stdout
    names = host.run("tunload", "showconf", "eth0").stdout
    return out, names, host.ns.ip("route", "show", "proto", "94").stdout


@pytest.mark.root
def test_life_of_a_package(deb, host, tmp_path):
    before = host.files()
    assert install(host, deb) == []
    assert not glob.glob(f"{host.root}/etc/systemd/system/**/*tunload*",
                         recursive=True)
    with open(f"{host.root}/etc/tunload/eth0.conf", "w", encoding="utf-8") as f:
        f.write(CONF)
    assert "eth0: attached" in host.run("tunload", "attach", "eth0").stdout
    host.run("tunload", "peer", "set", "eth0", "b", "ttl", "7")
    programs, conf, routes = running(host)
    assert "ttl = 7" in conf and "10.10.0.0/24" in routes

    line, *more = install(host, newer(deb, tmp_path))
    assert line.startswith("eth0: upgraded in place")
    new, *same = running(host)
    assert new != programs and same == [conf, routes]

    out = host.run("dpkg", "-r", "tunload").stdout
    assert "eth0: detached" in out
    assert host.ns.ip("route", "show", "proto", "94").stdout == ""
    assert "tunload" not in os.listdir(f"{host.root}/sys/fs/bpf")
    host.run("dpkg", "-P", "tunload")
    assert host.files() - before == {"/etc/tunload", "/etc/tunload/eth0.conf"}


@pytest.mark.root
def test_purge_leaves_nothing(deb, host):
    """Not even links of instances that were enabled, and pins of interfaces
    that are gone."""
    before = host.files()
    install(host, deb)
    wants = f"{host.root}/etc/systemd/system/multi-user.target.wants"
    os.makedirs(wants, exist_ok=True)
    for unit in ("tunload@eth0.service", "tunload-watch@eth0.service",
                 "tunload-trigger@eth0.timer"):
        os.symlink(UNITS + unit.replace("eth0", ""), f"{wants}/{unit}")
    os.makedirs(f"{host.root}/sys/fs/bpf/tunload/eth9")
    host.run("dpkg", "-P", "tunload")
    assert "tunload" not in os.listdir(f"{host.root}/sys/fs/bpf")
    assert host.files() == before
