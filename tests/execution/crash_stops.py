"""Stops a process for longer than its lease lasts, lets another one take over, and wakes it: what does it still do?"""

from __future__ import annotations

import json
import signal
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from crash_child_campaign import DONE, LOST_LEASE, MACHINE_HELD, STORE_FAULT, Order
from crash_rig import Children, Counts, count, doubtful_steps, lines, undisturbed

TTL_S = 0.4
NO_JOURNAL = ('INSERT INTO "campaigns"', 'INSERT INTO "lease"')


@dataclass(slots=True)
class Stops:
    """One row of the table."""

    machine: str
    stops: int = 0
    held_up: int = 0
    """Stopped inside a transaction, or with a machine that only one process can open: nobody else gets in meanwhile."""
    taken_over: int = 0
    woke_and_ended: int = 0
    """Zombies that ended with the error that says that another one took over."""
    woke_with_nothing_left: int = 0
    """Zombies that had nothing more to do."""
    calls_after_waking: int = 0
    writes_after_waking: int = 0
    wells_twice: int = 0
    wells_missing: int = 0
    results_lost: int = 0
    in_doubt: int = 0
    in_doubt_reported: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing happened that must not."""
        wrong = self.calls_after_waking + self.writes_after_waking + self.wells_twice
        return not (wrong + self.wells_missing + self.results_lost) and self.in_doubt == self.in_doubt_reported


def stopped_at_points(folder: Path, machine: str, one: Children, *, every: int = 1, n_plates: int = 1) -> Stops:
    """Stops one campaign at each commit and device call, or at every few of them."""
    truth = undisturbed(folder / "whole", machine, one, n_plates)
    stops, counts = Stops(machine), Counts(machine)
    for point in range(0, truth.n_points, every):
        here = folder / str(point)
        here.mkdir()
        first = Order(str(here), machine, n_plates, at_point=point, signal=signal.SIGSTOP, ttl_s=TTL_S)
        second = Order(str(here), machine, n_plates, ttl_s=TTL_S, busy_timeout_s=0.2)
        zombie, ended = one.run(first)
        doubtful = set()
        if ended == "stopped":
            stops.stops += 1
            doubtful = doubtful_steps(here, machine)
            if not _take_over(stops, here, zombie, second, one):
                doubtful = set()  # the process that knows went on itself
        _, ended = one.run(second)
        assert ended == DONE, (here, ended)
        count(counts, here, truth, doubtful)
    stops.wells_twice, stops.wells_missing = counts.wells_twice, counts.wells_missing
    stops.results_lost = counts.results_lost
    stops.in_doubt, stops.in_doubt_reported = counts.in_doubt, counts.in_doubt_reported
    return stops


def _take_over(stops: Stops, here: Path, zombie: int, second: Order, one: Children) -> bool:
    """Has another process take over and wakes the first; returns whether the other one could."""
    _, ended = one.run(second)
    if ended in {STORE_FAULT, MACHINE_HELD}:
        stops.held_up += 1
        assert ("locked" if ended == STORE_FAULT else "another machine holds") in lines(here / "errors")[-1]
        woke = one.wake(zombie)
        assert woke in {DONE, LOST_LEASE}, (here, woke)
        return False
    assert ended == DONE, (here, ended)
    stops.taken_over += 1
    calls, rows = _calls_of(here, zombie), _rows(here)
    woke = one.wake(zombie)
    assert woke in {DONE, LOST_LEASE}, (here, woke)
    stops.woke_and_ended += woke == LOST_LEASE
    stops.woke_with_nothing_left += woke == DONE
    stops.calls_after_waking += _calls_of(here, zombie) - calls
    stops.writes_after_waking += len(_rows(here) ^ rows)
    return True


def _calls_of(here: Path, pid: int) -> int:
    return sum(json.loads(line)[0] == pid for line in lines(here / "calls"))


def _rows(here: Path) -> set[str]:
    """Queue, journal, readings and results, by the file itself.

    Not the lease, which a process that was stopped before it had one may take when it wakes, and not the campaigns' own
    status.
    """
    connection = sqlite3.connect(here / "lab.db")
    try:
        return {line for line in connection.iterdump() if not line.startswith(NO_JOURNAL)}
    finally:
        connection.close()
