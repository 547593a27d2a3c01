"""A shell that was taught the commands completes them."""

from __future__ import annotations

import os
import subprocess

from command import COMMAND


def completed(line: str) -> list[str]:
    """What bash is offered at the end of a line, by the script that `--show-completion` prints."""
    words = line.split(" ")
    asked = {"_CELLOS_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    program = [*COMMAND[:2], "import sys; sys.argv[0] = 'cellos'; from cellos_nb.cli import main; main()"]
    done = subprocess.run(program, env={**os.environ, **asked}, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()


def test_commands_groups_and_options_are_completed():
    assert completed("cellos tem") == ["templates"]
    assert set(completed("cellos record ")) >= {"verify", "rerun"}
    assert "--edge" in completed("cellos rehearse --ed")
