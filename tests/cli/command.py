"""The real `cellos` command in a real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def cellos(*args: str | Path, cwd: Path, within: Sequence[str] = ()) -> Ended:
    """Runs `cellos ARGS`; `within` is a command that is given it to run, such as `unshare`."""
    done = subprocess.run(
        [*within, *COMMAND, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def assert_one_clear_line(ended: Ended, code: int, *expected: str) -> None:
    """The command failed with a message of its own and no traceback."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err + ended.out
    lines = [line for line in ended.err.splitlines() if line.startswith("cellos: ")]
    assert len(lines) == 1, ended.err
    for text in expected:
        assert text in ended.err
