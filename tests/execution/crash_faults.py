"""Faults of the surroundings in the middle of a campaign: a full disk, a database that is locked, a wrong clock."""

from __future__ import annotations

import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import crash_child_campaign
from crash_child_campaign import DONE, STORE_FAULT, Order, as_line
from crash_rig import Children, Counts, count, lines, undisturbed

HOUR_S = 3600.0


@dataclass(slots=True)
class Faults:
    """One row of the table."""

    fault: str
    machine: str = ""
    campaigns: int = 0
    faults: int = 0
    told_clearly: int = 0
    """Ended with one of our errors that names the fault."""
    went_on: int = 0
    """Ended well when the fault was over."""
    wells_twice: int = 0
    wells_missing: int = 0
    results_lost: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing happened that must not."""
        wrong = self.wells_twice + self.wells_missing + self.results_lost
        return wrong == 0 and self.told_clearly == self.faults and self.went_on == self.campaigns

    def add(self, counts: Counts) -> None:
        """Takes over what was counted."""
        self.wells_twice, self.wells_missing = counts.wells_twice, counts.wells_missing
        self.results_lost = counts.results_lost


def locked(folder: Path, machine: str, one: Children, *, every: int = 1) -> Faults:
    """Another process writes in the file for longer than we wait, from any commit or device call on."""
    truth, faults = undisturbed(folder / "whole", machine, one, 1), Faults("locked", machine)
    counts = Counts(machine)
    for point in range(1, truth.n_points, every):
        here = folder / str(point)
        here.mkdir()
        order = Order(str(here), machine, 1, at_point=point, signal=signal.SIGSTOP, busy_timeout_s=0.1)
        pid, ended = one.run(order)
        if ended == "stopped":
            ended = _wake_while_locked(here, pid, one, faults)
        faults.campaigns += 1
        if ended != DONE:
            _, ended = one.run(Order(str(here), machine, 1))
        faults.went_on += ended == DONE
        count(counts, here, truth, set())
    faults.add(counts)
    return faults


def _wake_while_locked(here: Path, pid: int, one: Children, faults: Faults) -> int | str:
    other = sqlite3.connect(here / "lab.db", timeout=0.05, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return one.wake(pid)  # it was stopped inside its own transaction
    try:
        ended = one.wake(pid)
    finally:
        other.close()
    # One that had nothing more to write does not notice.
    if ended != DONE:
        faults.faults += 1
        faults.told_clearly += ended == STORE_FAULT and "locked by another process" in lines(here / "errors")[-1]
    return ended


def clock_set_back(folder: Path, machine: str, one: Children, *, every: int = 1) -> Faults:
    """Killed, and continued by a process whose clock is an hour behind; that one is killed as well."""
    truth, faults = undisturbed(folder / "whole", machine, one, 1), Faults("clock set back 1 h", machine)
    counts = Counts(machine)
    for point in range(0, truth.n_points, every):
        here = folder / str(point)
        here.mkdir()
        for clock_s, at_point in ((0.0, point), (-HOUR_S, 8)):
            one.run(Order(str(here), machine, 1, at_point=at_point, clock_s=clock_s))
        _, ended = one.run(Order(str(here), machine, 1, clock_s=-HOUR_S))
        faults.campaigns += 1
        faults.went_on += ended == DONE
        count(counts, here, truth, set())
    faults.add(counts)
    return faults


def full_disk(folder: Path, machine: str, one: Children, spare_kb: tuple[int, ...]) -> Faults:
    """The database lies on a disk of 1 MB that has so many kilobytes left; then it is given room again."""
    truth, faults = undisturbed(folder / "whole", machine, one, 1), Faults("disk full", machine)
    counts = Counts(machine)
    for spare in spare_kb:
        here, disk = folder / str(spare), folder / f"disk-{spare}"
        here.mkdir()
        disk.mkdir()
        first, second = _on_small_disk(here, disk, machine, spare)
        faults.campaigns += 1
        if first != DONE:
            told = lines(here / "errors")[-1]
            faults.faults += 1
            faults.told_clearly += first == STORE_FAULT and "full" in told
        faults.went_on += second == DONE
        count(counts, here, truth, set())
    faults.add(counts)
    return faults


def _on_small_disk(here: Path, disk: Path, machine: str, spare_kb: int) -> tuple[int, int]:
    order = as_line(Order(str(here), machine, 1, database=str(disk / "lab.db")))
    command = shlex.join([sys.executable, crash_child_campaign.__file__, order])
    script = (
        f"mount -t tmpfs -o size=1m none {shlex.quote(str(disk))}; cd {shlex.quote(str(disk))}; "
        f"dd if=/dev/zero of=filler bs=1k count={1000 - spare_kb} 2>/dev/null; "
        f"first=0; {command} || first=$?; rm filler; second=0; {command} || second=$?; "
        f"cp lab.db* {shlex.quote(str(here))}; echo $first $second"
    )
    outer = ["unshare", "--map-root-user", "--user", "--mount", "sh", "-ec", script]
    done = subprocess.run(outer, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split()
    return int(first), int(second)


def can_mount() -> bool:
    """Whether this machine allows a mount in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    trial = ["unshare", "--map-root-user", "--user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0
