"""A real `cellos lab` in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ctrl_c import heeding_ctrl_c

TOKEN = "a-token-for-tests"
CELLOS = (sys.executable, "-c", "from cellos_nb.cli import main; main()")
WAIT_S = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(holds: Callable[[], object], what: str) -> None:
    """Waits for something that another process does, and that only its database shows."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"{what}: did not come about"
        time.sleep(0.05)


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook with a kernel, so that JupyterLab asks for none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [
        {"cell_type": "code", "id": f"c{k}", "source": cell, "metadata": {}, "outputs": [], "execution_count": None}
        for k, cell in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


class LabServer:
    """`cellos lab` on a folder; stands when the constructor returns."""

    def __init__(self, home: Path, *options: str, cellos: Sequence[str] = CELLOS, token: str | None = TOKEN) -> None:
        self.home, self.folder, self.port = home, home / "room", free_port()
        jupyter = {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "IPYTHONDIR": str(home / "ipython"),
        } | ({"JUPYTER_TOKEN": token} if token else {})
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0 and "--app" not in options
        with heeding_ctrl_c():
            self.process = subprocess.Popen(
                [
                    *(*cellos, "lab", "--no-browser", "--folder", "room", "--port", str(self.port), *options),
                    *(["--", "--ServerApp.allow_root=True"] if is_root else []),
                ],
                cwd=home,
                env={key: value for key, value in os.environ.items() if not key.startswith("CELLOS_")} | jupyter,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                # A group of its own, so that a Ctrl-C sent to it reaches no test.
                start_new_session=True,
            )
        self.log: list[str] = []
        self.address = self._address()
        # It prints the address a moment before it listens.
        until(self._is_listening, "the server that was announced")
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _address(self) -> str:
        """The URL that it prints for a person, once it answers."""
        for line in self.process.stdout:
            self.log.append(line)
            if found := re.search(rf"http://127\.0\.0\.1:{self.port}\S*", line):
                return found[0]
        raise AssertionError(f"cellos lab ended:\n{''.join(self.log)}")

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _drain(self) -> None:
        self.log.extend(self.process.stdout)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WAIT_S)
        # The pipe ends with the last kernel that inherited it.
        self._reader.join(WAIT_S)
        self.process.stdout.close()
