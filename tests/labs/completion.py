# SPDX-License-Identifier: GPL-2.0-only
"""Runs our completions in bash and in zsh."""
import os
import pty
import shlex
import signal
import tempfile

from lab import REPO, Process, run, wait_until

# A shell whose key ^T completes the line, and writes what zsh would offer.
ZSH = """\
PATH={repo}/build:$PATH fpath=({folder} $fpath)
autoload -U compinit; compinit -u -D
compadd() {{
	local -a hits
	builtin compadd -O hits "$@"
	print -l -- $hits >>{out}
}}
offer() {{ zle complete-word; print -- @end >>{out} }}
zle -N offer; bindkey '^T' offer
print -- @ready >>{out}
"""


def complete(path, *words):
    """The words that bash offers for the last of words, with the completion in
    path, which asks the program for its commands and their options."""
    script = (f"PATH={REPO}/build:$PATH\n"
              f"source {path}\n"
              "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n"
              "_tunload; printf '%s\\n' \"${COMPREPLY[@]}\"")
    return run("bash", "-c", script, "bash", *words).stdout.split()


def complete_zsh(path, *words):
    """The same of zsh, which completes only on a terminal."""
    with tempfile.TemporaryDirectory(prefix="tunload-zsh-") as folder:
        out, rc = f"{folder}/out", f"{folder}/rc"
        with open(rc, "w", encoding="utf-8") as f:
            f.write(ZSH.format(repo=REPO, folder=os.path.dirname(path),
                               out=out))
        terminal, end = pty.openpty()
        shell = Process(["zsh", "-f", "-i"], stdin=end)
        try:
            os.write(terminal, f"source {rc}\n".encode())
            wait_until(lambda: said(out, "@ready"), "zsh starts")
            os.write(terminal, shlex.join(words[:-1]).encode() + b" "
                     + words[-1].encode() + b"\x14")
            wait_until(lambda: said(out, "@end"), "zsh completes")
        finally:
            shell.signal(signal.SIGHUP)  # an interactive zsh ignores SIGTERM
            shell.close()
            os.close(terminal)
            os.close(end)
        return said(out, "@end")[1:-1]


def said(path, word):
    """The lines of a file, if there is that one."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        lines = f.read().split()
    return lines if word in lines else []
