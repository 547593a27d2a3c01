"""Which process this is, so that another one can prove that it is gone."""

from __future__ import annotations

import importlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from cellos_nb.store.accounts import person

__all__ = ["ProcessIdentity", "person", "this_process"]

_GONE = ""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, told apart from a later one that got the same number."""

    host: str
    pid: int
    process: str
    """Boot, namespace and start of the process, or its start alone where the system tells no more."""

    def is_provably_dead(self) -> bool:
        """Whether it has certainly ended. False also when that cannot be known, as for another host."""
        me = this_process()
        if self.host != me.host:
            return False
        world, _, started = self.process.rpartition("/")
        if world != me.process.rpartition("/")[0]:
            # Same host name, another boot or container: its process numbers say nothing here.
            return False
        return _start_of(self.pid) not in {started, None}


def this_process() -> ProcessIdentity:
    """The identity of the calling process."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), pid, f"{_world()}/{_start_of(pid)}")


def _world() -> str:
    """What makes process numbers comparable: this boot and this process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot}/{namespace}"


def _start_of(pid: int) -> str | None:
    """When a process began, in the system's own terms; empty when there is none; None when that cannot be told."""
    if not Path("/proc/self/stat").exists():
        return _start_elsewhere(pid)
    try:
        # The name in parentheses may hold blanks; state is the 1st and start time the 20th field after it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _GONE
    except OSError:
        return None
    is_over = fields[0] in {"Z", "X"}
    return _GONE if is_over else fields[19]


def _start_elsewhere(pid: int) -> str | None:
    """The same where there is no /proc, through psutil, which ipykernel brings along."""
    psutil = importlib.import_module("psutil")
    try:
        return str(round(psutil.Process(pid).create_time()))
    except psutil.NoSuchProcess:
        return _GONE
    except psutil.Error:
        return None
