"""The real `cellos` command in a real process."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cellos_nb.cli import main

COMMAND = (sys.executable, "-c", "from cellos_nb.cli import main; main()")

CAMPAIGN = """\
name: tiny
cell_lines: [SK-LMS-1, RD-ES]
compounds: [Trametinib, Dinaciclib, Capmatinib]
dose_range_um: [0.001, 10]
n_doses: 5
objective: minimise
batch_size: 4
max_iterations: 2
machine: replay
planner: random
seed: 3
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def cellos(*args: str | Path, cwd: Path) -> Ended:
    """Runs `cellos ARGS` in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=400, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def cellos_here(*args: str | Path, cwd: Path) -> Ended:
    """Runs `cellos ARGS` in this process: many times faster, for tables of cases."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.argv, Path.cwd())
    sys.argv = ["cellos", *map(str, args)]
    os.chdir(cwd)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
    return Ended(code, out.getvalue(), err.getvalue())


def assert_one_clear_line(ended: Ended, code: int, *expected: str) -> None:
    """The command failed with a message of its own and no traceback."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err + ended.out
    lines = [line for line in ended.err.splitlines() if line.startswith("cellos: ")]
    assert len(lines) == 1, ended.err
    for text in expected:
        assert text in ended.err
