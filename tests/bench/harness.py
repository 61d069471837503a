# SPDX-License-Identifier: GPL-2.0-only
"""What all parts share: runs that take turns, tables, the facts of the
machine, and the files that are written (JSON, Markdown, plots)."""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

from lab import REPO

from . import svg

NAME = "performance"


def short(cell):
    """Without digits that say nothing."""
    return round(cell, 3) if isinstance(cell, float) else cell


class Samples(dict):
    """{key: [figure of each run]}."""

    def least(self, key):
        """The least disturbed run."""
        return min(self[key])

    def typical(self, *start):
        """The median of a program's attachments, whose keys begin with that:
        of each the least disturbed run. The same program takes up to a third
        longer in some places of the memory; the best of several says how lucky
        it was, and short programs are lucky more often."""
        return statistics.median(self.least(key) for key in self
                                 if key[:len(start)] == start)

    def most(self, key):
        """The same of figures of which more is better."""
        return max(self[key])

    def median(self, key):
        """The median of the runs."""
        return statistics.median(self[key])

    def ratio(self, key, to):
        """The median of the rounds' own ratios."""
        return statistics.median(a / b for a, b in zip(self[key], self[to]))

    def spread(self):
        """For the JSON file."""
        return {" ".join(map(str, key)) if isinstance(key, tuple) else key:
                {"min": short(min(runs)),
                 "median": short(statistics.median(runs)),
                 "max": short(max(runs)), "runs": len(runs)}
                for key, runs in self.items()}


def interleave(runs, measures):
    """Samples of {key: function}, which take turns, so that what else happens
    on the machine hits all alike. A function may return {name: figure}, whose
    key is (key, name)."""
    samples = Samples()
    for done in range(runs):
        for key, measure in measures.items():
            found = measure()
            if not isinstance(found, dict):
                found = {None: found}
            for name, figure in found.items():
                samples.setdefault((key, name) if name else key,
                                   []).append(figure)
        say(f"run {done + 1} of {runs}")
    return samples


def say(text):
    """Progress, for a person who waits."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Table:
    """A result. `head` has the titles of the columns, that of the rows first;
    `rows` is {title: [cells]}, a cell a number, a text or None. `plot`: the
    columns to draw ("bars" or "lines" of them is its first word)."""

    def __init__(self, name, unit, head, digits=0):
        self.name, self.unit, self.head, self.digits = name, unit, head, digits
        self.rows, self.samples = {}, None
        self.plot, self.plotted = None, []

    def row(self, title, *cells):
        """Appends a row."""
        assert len(cells) == len(self.head) - 1, (title, cells)
        self.rows[title] = list(cells)

    def draw(self, kind, *columns):
        """Asks for a plot of these columns."""
        self.plot, self.plotted = kind, [self.head.index(c) - 1
                                         for c in columns]

    def text(self, cell):
        """A cell as it is printed."""
        if cell is None:
            return ""
        if isinstance(cell, str):
            return cell
        if isinstance(cell, int) or not self.digits:
            return f"{cell:,.0f}"
        return f"{cell:,.{self.digits}f}"

    def markdown(self):
        """The table in Markdown."""
        lines = [self.head, ["---"] + ["---:"] * (len(self.head) - 1)]
        lines += [[title, *map(self.text, cells)]
                  for title, cells in self.rows.items()]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def json(self):
        """The same for JSON."""
        return {"unit": self.unit,
                "rows": {title: dict(zip(self.head[1:], map(short, cells)))
                         for title, cells in self.rows.items()},
                **({"samples": self.samples.spread()} if self.samples else {})}

    def picture(self):
        """The plot, as SVG; None if there is none."""
        if not self.plot:
            return None
        series = {self.head[i + 1]: [cells[i] for cells in self.rows.values()]
                  for i in self.plotted}
        return getattr(svg, self.plot)(self.name, self.unit, list(self.rows),
                                       series)


def command(*argv):
    """What a command prints, "" if it fails or is not there."""
    if not shutil.which(argv[0]):
        return ""
    return subprocess.run(argv, capture_output=True, text=True, check=False,
                          cwd=REPO).stdout.strip()


def facts():
    """Where and of what the figures are."""
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = re.search(r"model name\s*: (.*)|$", f.read())[1]
    changed = command("git", "status", "--porcelain", "bpf", "loader")
    return {"date": time.strftime("%Y-%m-%d"),
            "commit": command("git", "rev-parse", "--short", "HEAD")
            + "+" * bool(changed),
            "kernel": os.uname().release,
            "machine": f"{os.cpu_count()} x {model or os.uname().machine}",
            "compiler": command("clang", "--version").split("\n")[0]}


class Report:
    """The files in a directory; a part that is not run keeps its figures."""

    def __init__(self, directory):
        self.directory = directory
        self.facts = facts()
        self.json = {}
        if os.path.exists(self._path(".json")):
            self.json = json.loads(self._read(".json"))

    def _path(self, end):
        return os.path.join(self.directory, NAME + end)

    def _read(self, end):
        with open(self._path(end), encoding="utf-8") as f:
            return f.read()

    def _write(self, end, text):
        with open(self._path(end), "w", encoding="utf-8") as f:
            f.write(text)

    def add(self, table, how):
        """Writes a table into all files. how: the command."""
        self.json[table.name] = {**self.facts, "command": how, **table.json()}
        self._write(".json", json.dumps(self.json, indent=1) + "\n")
        text = table.markdown()
        picture = table.picture()
        if picture:
            self._write(f"-{table.name}.svg", picture)
            text += f"\n![{table.name}]({NAME}-{table.name}.svg)\n"
        text += "\n{date}, {commit}, Linux {kernel}, {machine}, {compiler}: " \
            .format(**self.facts) + f"`{how}`\n"
        begin, end = (f"<!-- {word} bench {table.name} -->\n"
                      for word in ("begin", "end"))
        page = self._read(".md")
        before, found, after = page.partition(begin)
        assert found, f"{self._path('.md')} has no line {begin}"
        self._write(".md", before + begin + text + end
                    + after.partition(end)[2])
