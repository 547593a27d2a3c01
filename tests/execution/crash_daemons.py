"""Two daemons on one database, killed at random, while eight processes submit: who held the lease, what was done."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import crash_child_daemon

from cellos_nb import CampaignConfig, Lab
from cellos_nb.hardware.ledger import read_ledger

N_CAMPAIGNS = 3
N_SUBMITTERS = 8
END_S = 120.0
"""How long the work may take to come to its end after the last kill."""


@dataclass(slots=True)
class Watch:
    """One row of the table."""

    seconds: float
    kills: int = 0
    samples: int = 0
    holders: int = 0
    """Fencing tokens that were given out."""
    held_by_two: int = 0
    """Tokens seen with two processes, in the samples or in the daemons' own logs, and tokens that went backwards."""
    steps_out_of_turn: int = 0
    """Steps begun under a token after one was begun under a later token."""
    steps: int = 0
    wet_steps_twice: int = 0
    results: int = 0
    results_lost: int = 0
    submitted: int = 0
    submissions_lost: int = 0
    submissions_doubled: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing happened that must not."""
        wrong = (self.held_by_two, self.steps_out_of_turn, self.wet_steps_twice, self.results_lost)
        return not any((*wrong, self.submissions_lost, self.submissions_doubled))


def config(number: int, iterations: int) -> CampaignConfig:
    return CampaignConfig(
        name=f"tiny {number}",
        cell_lines=["SK-LMS-1"],
        compounds=["Trametinib", "Dinaciclib", "Capmatinib"],
        dose_range_um=[0.001, 10],
        n_doses=40,
        objective="minimise",
        batch_size=4,
        max_iterations=iterations,
        plate_format=24,
        controls={"vehicle": 2},
        machine="replay",
        planner="random",
        seed=number,
    )


@dataclass(slots=True)
class Pack:
    """The processes, and what was seen of the lease."""

    database: Path
    server: subprocess.Popen[str]
    logs: list[Path] = field(default_factory=list)
    daemons: list[int] = field(default_factory=list)
    seen: list[tuple[int, int]] = field(default_factory=list)
    """Token and process, whenever the lease was held."""

    def ask(self, **asked: object) -> int:
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def begin(self) -> None:
        self.logs.append(self.database.with_name(f"daemon-{len(self.logs)}.log"))
        self.daemons.append(self.ask(daemon=str(self.database), log=str(self.logs[-1])))

    def end(self, pid: int, how: signal.Signals) -> int:
        os.kill(pid, how)
        self.daemons.remove(pid)
        return self.ask(wait=pid)

    def look(self, connection: sqlite3.Connection) -> int | None:
        """Notes who holds the lease, and returns it when it is one of the daemons."""
        row = connection.execute("SELECT fencing, pid FROM lease WHERE owner IS NOT NULL").fetchone()
        if row is None:
            return None
        self.seen.append(row)
        return row[1] if row[1] in self.daemons else None


def two_daemons(folder: Path, seconds: float, *, iterations: int, n_submissions: int, seed: int = 1) -> Watch:
    """Two `cellos daemon` at work on three campaigns; whichever holds the lease is killed, again and again."""
    truth = _undisturbed(folder / "whole", iterations)
    database = folder / "daemons" / "lab.db"
    database.parent.mkdir()
    with Lab.open(database) as lab:
        for number in range(N_CAMPAIGNS):
            lab.submit(config(number, iterations))
    watch = Watch(seconds)
    command = [sys.executable, crash_child_daemon.__file__]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CELLOS_")}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"OPENBLAS_NUM_THREADS": "1"},
        cwd=database.parent,
    ) as server:
        pack = Pack(database, server)
        try:
            _watch(pack, watch, n_submissions, random.Random(seed))
        finally:
            for pid in list(pack.daemons):
                pack.end(pid, signal.SIGKILL)
            server.stdin.close()
    _count_lease(watch, pack)
    _count_work(watch, database, truth)
    _count_submissions(watch, database, n_submissions)
    return watch


def _watch(pack: Pack, watch: Watch, n_submissions: int, chance: random.Random) -> None:
    for _ in range(2):
        pack.begin()
    # Every key is submitted by two processes at once.
    size = 2 * n_submissions // N_SUBMITTERS
    submitters = []
    for k in range(N_SUBMITTERS):
        first = (k // 2) * size
        answers = str(pack.database.with_name(f"answers-{k}"))
        submitters.append(pack.ask(submit=[first, first + size], database=str(pack.database), answers=answers))
    connection = sqlite3.connect(pack.database, timeout=10)
    pause, end = threading.Event(), time.monotonic() + watch.seconds
    kill_at = time.monotonic() + chance.uniform(0.3, 1.5)
    while time.monotonic() < end:
        holder = pack.look(connection)
        if holder is not None and time.monotonic() >= kill_at:
            pack.end(holder, signal.SIGKILL)
            watch.kills += 1
            pack.begin()
            kill_at = time.monotonic() + chance.uniform(0.3, 1.5)
        pause.wait(0.003)
    assert [pack.ask(wait=pid) for pid in submitters] == [0] * N_SUBMITTERS
    end = time.monotonic() + END_S
    open_ = "SELECT COUNT(*) FROM campaigns WHERE status = 'running'"
    while connection.execute(open_).fetchone()[0] and time.monotonic() < end:
        pack.look(connection)
        pause.wait(0.02)
    assert [pack.end(pid, signal.SIGTERM) for pid in list(pack.daemons)] == [0, 0]
    connection.close()


def _undisturbed(folder: Path, iterations: int) -> dict[str, list]:
    folder.mkdir(parents=True)
    with Lab.open(folder / "lab.db") as lab:
        for number in range(N_CAMPAIGNS):
            lab.run(config(number, iterations))
        return _results(lab)


def _results(lab: Lab) -> dict[str, list]:
    ids = [record.campaign_id for record in lab.store.campaigns()]
    return {one: [replace(r, started_at=None, finished_at=None) for r in lab.store.history(one)] for one in ids}


def _count_lease(watch: Watch, pack: Pack) -> None:
    watch.samples = len(pack.seen)
    holders = defaultdict(set)
    for fencing, pid in pack.seen:
        holders[fencing].add(pid)
    logged = Counter(
        int(token)
        for log in pack.logs
        for token in set(re.findall(r"event=lease_held fencing=(\d+)", log.read_text(encoding="utf-8")))
    )
    watch.holders = len(logged.keys() | holders.keys())
    watch.held_by_two = sum(len(pids) > 1 for pids in holders.values()) + sum(n > 1 for n in logged.values())
    watch.held_by_two += sum(later[0] < earlier[0] for earlier, later in pairwise(pack.seen))


def _count_work(watch: Watch, database: Path, truth: dict[str, list]) -> None:
    connection = sqlite3.connect(database)
    begun = [row[0] for row in connection.execute("SELECT fencing FROM steps ORDER BY started_at")]
    connection.close()
    watch.steps = len(begun)
    watch.steps_out_of_turn = sum(later < earlier for earlier, later in pairwise(begun))
    ledgers = Path(f"{database}.machines").glob("*.ledger")
    effects = Counter((e.plate_id, e.step_uid) for one in ledgers for e in read_ledger(one) if e.kind.moves_liquid)
    watch.wet_steps_twice = sum(n - 1 for n in effects.values())
    with Lab.open(database) as lab:
        found = _results(lab)
    watch.results = sum(len(results) for results in found.values())
    watch.results_lost = sum(result not in found[one] for one, results in truth.items() for result in results)


def _count_submissions(watch: Watch, database: Path, n_submissions: int) -> None:
    answers = [json.loads(path.read_text()) for path in database.parent.glob("answers-*")]
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT idempotency_key, action_id FROM actions WHERE kind = 'notify'").fetchall()
    late = connection.execute("SELECT COUNT(*) FROM actions WHERE kind = 'notify' AND status = 'succeeded'").fetchone()
    connection.close()
    there = dict(rows)
    assert late[0] > 0, "the daemons did nothing of what was submitted meanwhile"
    watch.submitted = sum(len(one) for one in answers)
    watch.submissions_lost = sum(f"note {k}" not in there for k in range(n_submissions))
    wrong = sum(there.get(key) != number for one in answers for key, number in one.items())
    watch.submissions_doubled = len(rows) - len(there) + wrong
