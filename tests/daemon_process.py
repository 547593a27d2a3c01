"""A real daemon in a process of its own, and waiting for what it does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LIMIT_S = 60.0


@contextmanager
def daemon_on(url: str) -> Iterator[subprocess.Popen[str]]:
    """`cellos daemon` on a database, killed with the block when it is still alive."""
    code = "from cellos_nb.cli import main; main()"
    command = [sys.executable, "-c", code, "daemon", "--db", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], object]) -> None:
    """Waits for what another process or thread brings about."""
    for _ in range(int(LIMIT_S / 0.05)):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came to that")
