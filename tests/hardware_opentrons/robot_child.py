"""Executes steps on a robot in processes that can be killed, each forked in milliseconds from one that has it all."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path


class Children:
    """Runs steps, each in a process of its own."""

    def __init__(self, server):
        self._server = server

    def start(self, job, address, log):
        """Begins to execute; returns the number of the process."""
        self._server.stdin.write(json.dumps([str(job), address, str(log)]) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def wait(self):
        """How the process ended: its exit code, or the signal below zero."""
        return json.loads(self._server.stdout.readline())


@contextmanager
def children():
    """A server of processes, for the block."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield Children(server)
        finally:
            server.stdin.close()


def save(bench, path: Path) -> Path:
    """Writes what a child needs to know of a step."""
    path.write_bytes(pickle.dumps((bench.settings, bench.steps, bench.sha256, bench.files)))
    return path


def places_of(bench, folder, child, job):
    """What a step asks and tells, each kind of request once."""
    from robot_faults import FaultyServer

    with FaultyServer(bench.robot()) as server:
        child.start(job, server.address, folder / "clean.log")
        assert child.wait() == 0
    return [place for place in dict.fromkeys(server.log) if place[2] == 1 or place[1] == "/runs"]


def killed_at(server, fault, child, job, log):
    """Kills a process that executes a step, before or after a request took effect; how it ended."""
    from robot_faults import Fault

    pids = []

    def kill():
        started.wait(120)
        os.kill(pids[0], signal.SIGKILL)

    started = threading.Event()
    if fault is Fault.REQUEST_LOST:
        server.before = kill
    else:
        server.after = kill
    pids.append(child.start(job, server.address, log))
    started.set()
    return child.wait()


def _execute(job, address, log):
    from robot_faults import Bench, go_on

    settings, steps, sha256, files = pickle.loads(Path(job).read_bytes())
    bench = Bench(settings, steps, sha256, files, None)
    with bench.machine(_At(address), Path(log), patience_s=30.0, answer_s=20.0) as machine:
        go_on(machine, bench.step)


class _At:
    def __init__(self, address):
        self.address = address


def main():
    import robot_faults  # noqa: F401 — all that takes time, before the first fork

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _execute(*json.loads(line))
            return
        _say(pid)
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _say(number):
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
