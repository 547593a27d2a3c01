"""A real scheduler and real robot hosts, each a process of its own that runs the `cellos` command.

They are forked from one process that has imported everything, so that a real process with a real death is quick.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ledger_machine import LedgerMachine


class Nursery:
    """The process that the others are forked from."""

    def __init__(self, folder: Path):
        plug_in = folder / "paced-1.0.dist-info"
        plug_in.mkdir(parents=True)
        (plug_in / "METADATA").write_text("Metadata-Version: 2.1\nName: paced\nVersion: 1.0\n")
        (plug_in / "entry_points.txt").write_text("[cellos_nb.machines]\npaced = paced_robot:open_paced\n")
        paths = [str(folder), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, *what) -> int:
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(120)


class Cluster:
    """What a test started; everything is ended at the end."""

    def __init__(self, nursery: Nursery, folder: Path):
        self.nursery, self.folder = nursery, folder
        self.pids: dict[str, int] = {}
        self.address = ""

    def start_scheduler(self, *, is_foreign: bool = False) -> str:
        arguments = ["foreign"] if is_foreign else ["scheduler", "--port", "0"]
        self._begin("scheduler", arguments)
        self.address = self._ready("scheduler")
        return self.address

    def start_scheduler_again(self) -> None:
        """A new one at the address of the old one."""
        self._begin("scheduler", ["scheduler", "--port", self.address.rpartition(":")[2]])
        self._ready("scheduler")

    def start_robots(self, *names: str, machine: str) -> None:
        """Starts hosts side by side and returns when all of them serve."""
        for name in names:
            self.begin_robot(name, machine)
        for name in names:
            self._ready(name)

    def begin_robot(self, name: str, machine: str, *, log: str | None = None) -> None:
        """Starts a robot's host and does not wait for it."""
        files = ["--ledger", f"{name}.ledger", "--log", log or f"{name}.steps"]
        self._begin(name, ["worker", "--scheduler", self.address, "--robot", name, "--machine", machine, *files])

    def paced(self, *, remembers: bool) -> str:
        """A machine file for hosts in this folder."""
        content = {"remembers": remembers, "hold": str(self.folder)}
        (self.folder / "paced.json").write_text(json.dumps(content), encoding="utf-8")
        (self.folder / "paced.yaml").write_text("kind: paced\nparameters: paced.json\n", encoding="utf-8")
        return "paced.yaml"

    def hold(self, name: str) -> None:
        (self.folder / name).write_text("")

    def let_go(self, name: str) -> None:
        (self.folder / name).unlink()

    def wait_until_in(self, name: str) -> str:
        """Waits until a robot stands in the step that is held up; returns which."""
        return self._read(self.folder / f"in {name}")

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Ends a process and returns its exit code."""
        os.kill(self.pids[name], number)
        return self.ended(name)

    def ended(self, name: str) -> int:
        """Waits for the end of a process; its exit code."""
        return self.nursery.ask("wait", self.pids.pop(name))

    def said(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{name}.out").read_text(encoding="utf-8")

    def ledger(self, name: str) -> LedgerMachine:
        return LedgerMachine(self.folder / f"{name}.ledger")

    def stop(self) -> None:
        for name in list(self.pids):
            self.kill(name)

    def _begin(self, name, arguments):
        out = self.folder / f"{name}.out"
        out.unlink(missing_ok=True)
        self.pids[name] = self.nursery.ask("start", str(self.folder), str(out), arguments)

    def _ready(self, name) -> str:
        return next(word for word in self._read(self.folder / f"{name}.out", " at tcp://").split() if "tcp://" in word)

    @staticmethod
    def _read(path: Path, wanted: str = "") -> str:
        for _ in range(3000):
            if path.exists() and (text := path.read_text(encoding="utf-8")) and wanted in text:
                return text
            threading.Event().wait(0.01)
        raise AssertionError(f"{path.name}: nothing, or no {wanted!r} in it")


async def foreign_scheduler() -> None:
    """As Dask starts one by itself: it runs a task again when its worker is lost, three times."""
    from distributed import Scheduler

    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        sys.stdout.write(f"scheduler at {scheduler.address}\n")
        sys.stdout.flush()
        await scheduler.finished()


def live(folder: str, out: str, arguments: list[str]) -> None:
    """A child: runs a `cellos` command in a folder, its output in a file."""
    os.chdir(folder)
    file = os.open(out, os.O_WRONLY | os.O_CREAT, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if arguments == ["foreign"]:
        asyncio.run(foreign_scheduler())
    sys.argv = ["cellos", *arguments]
    main()


def serve() -> None:
    """Answers each line: `start` with the number of the child that it forked, `wait` with the exit code of one."""
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        if what == "start":
            answer = os.fork()
            if answer == 0:
                live(*arguments)
                os._exit(0)
        else:
            _, status = os.waitpid(*arguments, 0)
            answer = os.waitstatus_to_exitcode(status)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    import distributed  # noqa: F401

    import cellos_nb.cli.app
    import cellos_nb.hardware.biology
    import cellos_nb.hardware.cluster.host  # noqa: F401
    from cellos_nb.cli import main

    serve()
