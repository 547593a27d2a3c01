"""A campaign in a process of its own, with what a crash suite needs: a person, a witness, faults of disk and clock.

Everything that is counted lies outside the store: what the machine did, which calls it was sent by which process, and
what the person was asked. `python crash_child_campaign.py` serves orders, one JSON object a line, or follows the one
that it was given; see `crash_rig`.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from crash_child import Killer, ShippedMachine, batch, config, warm_up
from ledger_machine import LedgerMachine
from slow_machine import SlowMachine
from sqlalchemy.engine.default import DefaultDialect

from cellos_nb import units
from cellos_nb.errors import ApprovalError, InDoubtError, LeaseError, MachineError, StoreError
from cellos_nb.execution import lease as lease_module
from cellos_nb.execution import plate_run, shift
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.batch import run_batch
from cellos_nb.execution.lease import Lease, dispatcher
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.recovery import continue_after, doubts, mark_done
from cellos_nb.execution.runs import load_workflow, run_records
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store

DONE, LOST_LEASE, STORE_FAULT, MACHINE_HELD = 0, 3, 4, 5
"""How a process ends that was not killed."""
MOVING_S = 0.003
"""What a device that is not simulated takes before its effect and again after it, for deaths to fall into."""


@dataclass(frozen=True, slots=True)
class Order:
    """One life of a campaign's process."""

    folder: str
    machine: str
    n_plates: int
    kill_after_s: float | None = None
    """When the process is sent SIGKILL from outside."""
    at_point: int | None = None
    """At which commit or device call it sends itself `signal`."""
    signal: int = signal.SIGKILL
    ttl_s: float | None = None
    busy_timeout_s: float = 10.0
    clock_s: float = 0.0
    """By how much its clock is wrong."""
    database: str | None = None

    @property
    def path(self) -> Path:
        return Path(self.folder)


def machine_of(folder: Path, name: str) -> LedgerMachine | ShippedMachine:
    """`shipped`: grouped commits; `strict`: each intent committed, with memory; `real`: no memory, approvals, several
    plates at once; `interleaved`: the same, simulated and with a memory.
    """
    ledger = folder / "ledger"
    if name == "shipped":
        machine = ShippedMachine(ledger)
        machine.path = ledger
        return machine
    if name == "strict":
        return LedgerMachine(ledger, declares=False)
    if name == "real":
        return SlowMachine(ledger, hour_s=0.0001, is_simulated=False, remembers=False)
    return SlowMachine(ledger, hour_s=0.0002)


def live(order: Order) -> int:
    """One life: begins or continues the campaign, with a person at hand. Returns how it ended."""
    try:
        machine = machine_of(order.path, order.machine)
    except MachineError as error:
        return _ended(order.path, MACHINE_HELD, error)
    _impatient()
    killer = Killer(order.at_point, order.signal)
    try:
        with ExitStack() as stack:
            stack.callback(machine.stop)
            stack.enter_context(_watched(machine, killer, order.path))
            stack.enter_context(_wrong_clock(order.clock_s))
            where = order.database or order.path / "lab.db"
            store = stack.enter_context(Store.open(where, busy_timeout_s=order.busy_timeout_s))
            if order.ttl_s is not None:
                lease_module._LEASES[store] = Lease(store, ttl_s=order.ttl_s, linger_s=order.ttl_s / 5)
            _campaign(store, machine, order)
    except LeaseError as error:
        return _ended(order.path, LOST_LEASE, error)
    except StoreError as error:
        return _ended(order.path, STORE_FAULT, error)
    (order.path / "points").write_text(str(killer.passed))
    return DONE


def _campaign(store: Store, machine: LedgerMachine | ShippedMachine, order: Order) -> None:
    with dispatcher(store):
        known = store.campaigns()
        campaign_id = known[0].campaign_id if known else store.add_campaign(config(order.n_plates))
        if known and known[0].status is CampaignStatus.FINISHED:
            return
        asked = batch(campaign_id, order.n_plates)
        store.add_iteration(campaign_id, 1, asked.proposals)
        while True:
            try:
                run_batch(store, machine, asked)
                break
            except ApprovalError:
                _approve(store, machine)
            except InDoubtError:
                _decide(store, machine, order.path)
        store.set_campaign_status(campaign_id, CampaignStatus.FINISHED, "done")


def _approve(store: Store, machine: LedgerMachine | ShippedMachine) -> None:
    tomorrow = units.now_utc() + timedelta(days=1)
    for run in run_records(store):
        if run.status is JobStatus.PAUSED:
            digest = load_workflow(store, run.run_id).sha256
            approve(store, digest, machine=machine.describe().machine, person="Ada", expires_at=tomorrow)


def _decide(store: Store, machine: LedgerMachine | ShippedMachine, folder: Path) -> None:
    """A person looks at the plate, which the machine's own ledger stands for, and says what is true."""
    for token, plate_id, step_uid in open_steps(folder, "in_doubt"):
        _append(folder / "asked", json.dumps([token, plate_id, step_uid]))
    for doubt in doubts(store):
        if machine.effects()[doubt.plate_id, doubt.step_uid]:
            mark_done(store, doubt.plate_id, person="Ada")
        else:
            continue_after(store, doubt.plate_id, 0, person="Ada")


def open_steps(folder: Path, *states: str) -> list[tuple[str, str, str]]:
    """Token, plate and step of what the file itself says is begun and not ended; read without our software."""
    marks = ",".join("?" * len(states))
    query = (
        "SELECT steps.token, runs.plate_id, steps.step_uid FROM steps JOIN runs ON runs.run_id = steps.run_id "
        f"WHERE steps.status IN ({marks})"
    )
    connection = sqlite3.connect(folder / "lab.db")
    try:
        return list(connection.execute(query, states))
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []  # killed before the tables were made
        raise
    finally:
        connection.close()


@contextmanager
def _watched(machine: LedgerMachine | ShippedMachine, killer: Killer, folder: Path):
    """Notes every call with the process that made it, and passes the killer's points around commits and after calls."""
    commit, execute = DefaultDialect.do_commit, machine.execute
    moving_s = 0.0 if isinstance(machine, ShippedMachine) else MOVING_S

    def commit_between_points(dialect, connection):
        if killer.signal == signal.SIGSTOP and threading.current_thread().name == "cellos-lease":
            # A stop from the heart-beat's thread meets the others anywhere, also between the last look at the lease and
            # the device: no lease closes that gap, and where it falls is chance.
            commit(dialect, connection)
            return
        killer.point()
        commit(dialect, connection)
        killer.point()

    def execute_in_sight(step, token):
        _append(folder / "calls", json.dumps([os.getpid(), token]))
        time.sleep(moving_s)
        reading = execute(step, token)
        time.sleep(moving_s)
        killer.point()
        return reading

    DefaultDialect.do_commit, machine.execute = commit_between_points, execute_in_sight
    try:
        yield
    finally:
        DefaultDialect.do_commit = commit


@contextmanager
def _wrong_clock(by_s: float):
    """Every module that asks for the time is told a wrong one."""
    right = units.now_utc
    asking = [module for module in sys.modules.values() if getattr(module, "now_utc", None) is right]

    def tell(clock):
        for module in asking:
            module.now_utc = clock

    tell(lambda: right() + timedelta(seconds=by_s))
    try:
        yield
    finally:
        tell(right)


def _impatient() -> None:
    shift.LOOK_S = 0.02
    plate_run.HELD_S = plate_run.STILL_RUNNING_S = 0.05


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _ended(folder: Path, code: int, error: Exception) -> int:
    _append(folder / "errors", json.dumps([os.getpid(), code, str(error)]))
    return code


def effects_of(folder: Path, machine_name: str) -> Counter[tuple[str, str]]:
    """How often each step of each plate took effect, from the machine's own ledger."""
    machine = machine_of(folder, machine_name)
    machine.stop()
    return machine.effects()


def serve() -> None:
    """Forks a process for every order, from one that has done all of it before; answers with its number and its end.

    An order `{"continue": pid}` sends SIGCONT and answers with the end of that process.
    """
    logging.disable(logging.ERROR)
    warm = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "continue" in asked:
            pid, order = asked["continue"], None
            os.kill(pid, signal.SIGCONT)
        else:
            order = Order(**asked)
            if order.machine not in warm:
                warm_up(lambda here, name=order.machine: live(Order(str(here), name, 1)))
                warm.add(order.machine)
            pid = os.fork()
            if pid == 0:
                os._exit(_life(order))
            if order.kill_after_s is not None:
                _kill_after(pid, order.kill_after_s)
        _, status = os.waitpid(pid, os.WUNTRACED)
        ended = "stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps([pid, ended]) + "\n")
        sys.stdout.flush()


def _life(order: Order) -> int:
    try:
        return live(order)
    except Exception:  # noqa: BLE001 — it must not go on as a second server
        traceback.print_exc()
        return 1


def _kill_after(pid: int, seconds: float) -> None:
    process = os.pidfd_open(pid)
    try:
        if not select.select([process], [], [], seconds)[0]:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(process)


def as_line(order: Order) -> str:
    """What `serve` reads."""
    return json.dumps(asdict(order))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(live(Order(**json.loads(sys.argv[1]))))
    serve()
