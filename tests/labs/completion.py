# SPDX-License-Identifier: GPL-2.0-only
"""Runs our completion in bash."""
from lab import REPO, run


def complete(path, *words):
    """The words that bash offers for the last of words, with the completion in
    path, which asks the program for its commands and their options."""
    script = (f"PATH={REPO}/build:$PATH\n"
              f"source {path}\n"
              "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n"
              "_tunload; printf '%s\\n' \"${COMPREPLY[@]}\"")
    return run("bash", "-c", script, "bash", *words).stdout.split()
