"""Where the crash suite's databases lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def in_memory(tmp_path) -> Iterator[Path]:
    """A folder in memory where the system has such: a killed process loses of a file what it loses on a disk, nothing.

    What a power cut takes is another matter, and no test of processes can show it.
    """
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY, prefix="cellos-") as folder:
        yield Path(folder)
