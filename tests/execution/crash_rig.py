"""Kills, stops and starves campaigns in processes of their own, and counts what became of them, outside the store."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import crash_child_campaign
from crash_child_campaign import DONE, Order, as_line, effects_of, open_steps

from cellos_nb.execution.runs import load_workflow, run_records
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store

PLATES = 3


@dataclass(slots=True)
class Counts:
    """One row of the table."""

    machine: str
    kills: int = 0
    campaigns: int = 0
    wells: int = 0
    """Dispensed, by the machine's own ledger."""
    wells_twice: int = 0
    wells_missing: int = 0
    results: int = 0
    results_lost: int = 0
    in_doubt: int = 0
    """Dispenses of which machine and journal together could not tell what became of them."""
    in_doubt_reported: int = 0
    """Those that a person was asked about."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing happened that must not."""
        return (
            not (self.wells_twice or self.wells_missing or self.results_lost)
            and self.in_doubt == self.in_doubt_reported
        )


def as_table(rows: list) -> str:
    """Rows of one dataclass as text."""
    names = [field.name.replace("_", " ") for field in fields(rows[0])]
    lines = [names, *([str(value) for value in astuple(row)] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(names))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(line[k].rjust(widths[k]) for k in range(1, len(names)))])
        for line in lines
    )


class Children:
    """Runs lives of campaigns, each a real process forked in milliseconds."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(self, order: Order) -> tuple[int, int | str]:
        """The process's number, and its exit code or `stopped`."""
        return self._ask(as_line(order))

    def wake(self, pid: int) -> int | str:
        """Continues a stopped process and returns how it ended."""
        return self._ask(json.dumps({"continue": pid}))[1]

    def _ask(self, line: str) -> tuple[int, int | str]:
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        pid, ended = json.loads(self._server.stdout.readline())
        return pid, ended


@contextmanager
def children() -> Iterator[Children]:
    """A server of processes, for the block."""
    command = [sys.executable, crash_child_campaign.__file__]
    single = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=single) as server:
        try:
            yield Children(server)
        finally:
            server.stdin.close()


@dataclass(frozen=True, slots=True)
class Truth:
    """What a campaign that nobody disturbs does and concludes."""

    effects: Counter[tuple[str, str]]
    wells_of: dict[tuple[str, str], int]
    """By plate and step: wells that it dispenses into."""
    results: list
    seconds: float
    n_points: int


def undisturbed(folder: Path, machine: str, one: Children, n_plates: int = PLATES) -> Truth:
    """Runs a campaign to its end; the first time of a process is slow, so its length is that of a second one."""
    seconds = []
    for name in ("first", "second"):
        (folder / name).mkdir(parents=True)
        begun = time.monotonic()
        _, ended = one.run(Order(str(folder / name), machine, n_plates))
        assert ended == DONE, ended
        seconds.append(time.monotonic() - begun)
    with Store.open(folder / "second" / "lab.db") as store:
        wells_of = {
            (step.plate_id, step.uid): len(step.transfers or ())
            for run in run_records(store)
            for step in load_workflow(store, run.run_id).steps
        }
    n_points = int((folder / "second" / "points").read_text())
    effects = effects_of(folder / "second", machine)
    return Truth(effects, wells_of, results_of(folder / "second"), min(seconds), n_points)


def results_of(folder: Path) -> list:
    """What a campaign concluded, without the times, which no two runs share."""
    with Store.open(folder / "lab.db") as store:
        (record,) = store.campaigns()
        history = store.history(record.campaign_id)
        is_finished = record.status is CampaignStatus.FINISHED
        return [replace(result, started_at=None, finished_at=None) for result in history] if is_finished else []


def count(counts: Counts, folder: Path, truth: Truth, doubtful: set[str]) -> None:
    """Adds what one campaign that has ended came to."""
    effects, results = effects_of(folder, counts.machine), results_of(folder)
    counts.campaigns += 1
    counts.wells += sum(n * truth.wells_of[name] for name, n in effects.items())
    counts.wells_twice += sum(n * truth.wells_of[name] for name, n in (effects - truth.effects).items())
    counts.wells_missing += sum(n * truth.wells_of[name] for name, n in (truth.effects - effects).items())
    counts.results += len(results)
    counts.results_lost += sum(result not in results for result in truth.results)
    counts.in_doubt += len(doubtful)
    counts.in_doubt_reported += len(doubtful & asked_about(folder))


def asked_about(folder: Path) -> set[str]:
    """The attempts that a person was asked about."""
    return {json.loads(line)[0] for line in lines(folder / "asked")}


def lines(path: Path) -> list[str]:
    """The whole lines of a file that may not be there; a process may have died in the middle of the last one."""
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


def doubtful_steps(folder: Path, machine: str) -> set[str]:
    """After a death: attempts to dispense whose end nobody knows, when the machine has no memory to ask.

    An effect in the machine's ledger that the journal neither has as done nor as begun would be one as well; it is
    counted under the name of its plate and step, which no person can have been asked about.
    """
    if machine != "real" or not (folder / "lab.db").exists():
        return set()
    begun = open_steps(folder, "started", "in_doubt")
    wet = {(plate, uid): token for token, plate, uid in begun}
    known = {(plate, uid) for _, plate, uid in open_steps(folder, "done", "continued")} | wet.keys()
    effects = effects_of(folder, machine)
    unknown = {f"{plate} {uid}" for plate, uid in effects if (plate, uid) not in known}
    moves_liquid = {name for name in wet if name in effects} | {name for name in wet if _is_dispense(folder, name)}
    return {wet[name] for name in moves_liquid} | unknown


def _is_dispense(folder: Path, name: tuple[str, str]) -> bool:
    with Store.open(folder / "lab.db") as store:
        run = next(run for run in run_records(store) if run.plate_id == name[0])
        return any(step.uid == name[1] and step.kind.moves_liquid for step in load_workflow(store, run.run_id).steps)


def killed_at_random(folder: Path, machine: str, n_kills: int, one: Children, *, seed: int = 1) -> Counts:
    """Campaigns whose processes are killed at random times, again and again, until there were so many kills."""
    truth, chance = undisturbed(folder / "whole", machine, one), random.Random(seed)
    counts = Counts(machine)
    number = 0
    while counts.kills < n_kills:
        number += 1
        here, doubtful = folder / str(number), set()
        here.mkdir()
        while True:
            after_s = chance.uniform(0.0, truth.seconds) if counts.kills < n_kills else None
            _, ended = one.run(Order(str(here), machine, PLATES, kill_after_s=after_s))
            if ended == DONE:
                break
            assert ended == -signal.SIGKILL, (here, ended)
            counts.kills += 1
            doubtful |= doubtful_steps(here, machine)
        count(counts, here, truth, doubtful)
    return counts


def killed_at_every_point(folder: Path, machine: str, one: Children, *, n_plates: int = 1) -> Counts:
    """One campaign for each commit and each device call, killed there."""
    truth = undisturbed(folder / "whole", machine, one, n_plates)
    counts = Counts(machine)
    for point in range(truth.n_points):
        here = folder / str(point)
        here.mkdir()
        _, ended = one.run(Order(str(here), machine, n_plates, at_point=point))
        doubtful = doubtful_steps(here, machine) if ended == -signal.SIGKILL else set()
        counts.kills += ended == -signal.SIGKILL
        _, ended = one.run(Order(str(here), machine, n_plates))
        assert ended == DONE, (here, ended)
        count(counts, here, truth, doubtful)
    return counts
