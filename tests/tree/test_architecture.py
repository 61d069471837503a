# SPDX-License-Identifier: GPL-2.0-only
"""Documents agree with the tree: docs/architecture.md has every file, and the
paths and names of files in all documents exist."""
import glob
import os
import re
import subprocess

import pytest

from lab import REPO, read

ARCHITECTURE = "docs/architecture.md"
# Folders of which the document has every file; of tests/ it has the folders.
WHOLE = ("bpf", "loader", "scripts", "dist")
DOCUMENTS = [os.path.relpath(path, REPO) for path in sorted(
    glob.glob(f"{REPO}/*.md") + glob.glob(f"{REPO}/docs/*.md"))] + [
        "tests/packets/README", "tests/host/remote_config/README"]
PLACEHOLDER = r"\b(FOLDER|NAME|IFACE|WORD)\b"
TOPS = r"bpf|loader|tests|scripts|docs|dist|\.ci"


def tree_of(text):
    """The paths in the document's tree, in the order of its lines; a folder ends
    with a slash."""
    block, = re.findall(r"^```\n(bpf/.*?)^```$", text, re.M | re.S)
    folders, paths = [], []
    for indent, name in re.findall(r"^((?:  ){0,3})(\S+)(?:  |$)", block, re.M):
        depth = len(indent) // 2
        paths.append("".join(folders[:depth]) + name)
        if name.endswith("/"):
            folders[depth:] = [name]
    return paths


def commands(tree):
    """The files of loader/cmd/ that the document's `NAME.c` stands for."""
    with open(f"{tree}/loader/cmd/cmd.h", encoding="utf-8") as f:
        words = re.findall(r"^\tX\((\w+)\)", f.read(), re.M)
    assert words
    return {f"loader/cmd/{word}.c" for word in words}


def files_of(tree):
    """Yields the paths that the document must have."""
    for top in WHOLE:
        for folder, folders, files in os.walk(f"{tree}/{top}"):
            folders[:] = [f for f in folders if f != "__pycache__"]
            place = os.path.relpath(folder, tree)
            yield f"{place}/"
            yield from (f"{place}/{file}" for file in files)
    for entry in os.scandir(f"{tree}/tests"):
        if entry.is_dir() and entry.name[0] not in "._":
            yield f"tests/{entry.name}/"


def wrong(tree, text):
    """(paths that the document lacks, paths in it that do not exist)"""
    named, there = tree_of(text), set(files_of(tree))
    assert len(named) == len(set(named))
    if "loader/cmd/NAME.c" in named:
        named.remove("loader/cmd/NAME.c")
        there -= commands(tree)
    return there - set(named), {
        path for path in set(named) - there
        if not os.path.exists(f"{tree}/{path}")
        or path.endswith("/") != os.path.isdir(f"{tree}/{path}")}


def test_the_tree_has_every_file():
    assert wrong(REPO, read(ARCHITECTURE)) == (set(), set())


@pytest.mark.parametrize("path", [
    "bpf/core/ecn.h", "bpf/tunload.bpf.c", "loader/maps/want.c",
    "loader/cmd/args.c", "scripts/demo", "dist/completion/tunload.in",
    "tests/wire/"])
def test_a_missing_line_is_found(path):
    text = read(ARCHITECTURE)
    name = path.rstrip("/").rsplit("/", 1)[1] + "/" * path.endswith("/")
    lines = re.findall(rf"^ +{re.escape(name)} .*\n", text, re.M)
    assert lines
    for line in lines:
        text = text.replace(line, "")
    assert path in wrong(REPO, text)[0]


def test_a_line_too_many_is_found():
    text = read(ARCHITECTURE).replace(
        "    ecn.h  ", "    gone.h              nothing\n    ecn.h  ", 1)
    assert wrong(REPO, text) == (set(), {"bpf/core/gone.h"})


def test_a_file_too_many_is_found(tmp_path):
    for top in (*WHOLE, "tests"):
        os.symlink(os.path.join(REPO, top), tmp_path / top)
    os.unlink(tmp_path / "scripts")
    os.makedirs(tmp_path / "scripts")
    for name in os.listdir(os.path.join(REPO, "scripts")):
        (tmp_path / "scripts" / name).touch()
    (tmp_path / "scripts" / "new").touch()
    assert "scripts/new" in wrong(str(tmp_path), read(ARCHITECTURE))[0]


def paths_in(text):
    """Words that look like paths of the tree, perhaps with a *, but without a
    placeholder such as NAME."""
    found = {path for path in re.findall(
        rf"(?<![\w./@-])(?:{TOPS})/[\w./@*-]*", text)
        if not re.search(PLACEHOLDER, path)}
    return {path.rstrip(".") for path in found}


def names_in(text):
    """Words in backticks that end like names of files."""
    return {name for name in re.findall(r"`([\w@./-]+\.(?:c|h|py|md))`", text)
            if not re.search(PLACEHOLDER, name)}


def all_files():
    """Every file of the tree."""
    done = subprocess.run(
        ["find", ".", "-name", ".git", "-prune", "-o", "-path", "./build",
         "-prune", "-o", "-type", "f", "-print"],
        cwd=REPO, check=True, capture_output=True, text=True)
    return [path[1:] for path in done.stdout.split()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_documents_exist(document):
    text = read(document)
    gone = {path for path in paths_in(text)
            if not glob.glob(os.path.join(REPO, path))}
    assert gone == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_names_of_files_in_documents_exist(document):
    files = all_files()
    gone = {name for name in names_in(read(document))
            if not any(path.endswith(f"/{name}") for path in files)}
    assert gone == set()
