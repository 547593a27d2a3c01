"""One plate's way through its workflow: each step at most once where it matters, and what to do when one fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import ApprovalError, MachineError, MachineRefusedError, StepFailedError, StepUnderWayError
from cellos_nb.execution.approvals import require_approval
from cellos_nb.execution.capable import check_step
from cellos_nb.execution.control import GLANCE_S, JUST_NOW_S, flags_of
from cellos_nb.execution.events import OnEvent, RunStarted, StepDone, StepFailed, StepStarted
from cellos_nb.execution.journal import Journal, JournalEntry, StepStatus, token_of
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.orders import Halt, NotSentError, Order, Rest, Take, WithdrawnError, Work
from cellos_nb.execution.proof import load_proof, prove_on
from cellos_nb.execution.queue import JobQueue, JobStatus, retry_delay_s
from cellos_nb.execution.remainder import remainder
from cellos_nb.execution.station import Station
from cellos_nb.execution.stock import why_not_begin
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

MAX_ATTEMPTS = 3
STILL_RUNNING_S = 5.0
"""When to ask again about a step that a machine is still busy with."""
PERSON_S = 300.0
"""When to look again whether a person has answered; the answer itself makes the run due at once."""
RESTOCK_S = 60.0
"""When to look again whether a run that is out of stock may begin."""
HELD_S = 5.0
"""When to ask again for a device that another plate holds until a person decides."""

Part = Generator[Order, Any, Halt | None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a step."""

    step: Step
    """What the machine is told: the whole step, or what a person had continued of it."""
    uid: str
    """Of the step as the workflow has it."""
    number: int
    token: str
    began_at: datetime
    """The first attempt at this step, from which an incubation counts."""


class PlateRun:
    """The work of one run: the steps of its workflow that are not done yet.

    pending ──► started ──► done                     the next step
                   │  └───► refused | failed ──►     again (nothing sent, or harmless), else dead_letter
                   ▼ crash, lost connection, time-out
                reconcile: done │ never started → execute │ failed │ running → later
                   │ unknown
                   ▼
                harmless: interrupted, repeated        moves liquid: in_doubt, the plate is held
                                                          └── a person ──► done │ discarded │ continued
    """

    def __init__(
        self,
        run_id: int,
        workflow: Workflow,
        *,
        store: Store,
        station: Station,
        journal: Journal,
        on_event: OnEvent,
        may_be_real: bool = True,
        hold: Callable[[], str | None] = lambda: None,
    ) -> None:
        """The work of a run.

        Args:
            run_id: its number.
            workflow: as it was submitted.
            store: queue, approvals and journal.
            station: the machine.
            journal: of that machine.
            on_event: called with what happens.
            may_be_real: whether a real machine moves, under an approval; otherwise a proof is written.
            hold: says why the run may not begin; one that has begun goes on.
        """
        self._run_id, self._workflow = run_id, workflow
        self._store, self._station, self._journal = store, station, journal
        self._lease, self._queue, self._on_event = lease_of(store), JobQueue(store), on_event
        self._flags = flags_of(store)
        self._before: dict[str, list[JournalEntry]] = defaultdict(list)
        self._may_be_real, self._hold = may_be_real, hold
        self.reading: Reading | None = None
        """The last reading taken in this process."""

    def go(self, *, is_first: bool = False) -> Work:
        """Executes what is left; None when the plate is through.

        Args:
            is_first: nobody has begun this run before, so that the journal need not be asked.

        Raises:
            LeaseError: another dispatcher took over.
        """
        try:
            return (yield from self._go(is_first=is_first))
        except WithdrawnError:
            return self._cancelled() or Halt(JobStatus.CANCELLED, "cancelled")
        except NotSentError:
            return Halt(JobStatus.QUEUED, "", timedelta(0))

    def _go(self, *, is_first: bool) -> Part:
        if not is_first:
            for entry in self._journal.entries(self._run_id):
                self._before[entry.step_uid].append(entry)
        if not self._was_begun and self._hold() is not None:
            return Halt(JobStatus.QUEUED, "", timedelta(0))
        left = [step for step in self._workflow.steps if not self._is_done(step)]
        n_all, plate_id = len(self._workflow.steps), self._workflow.plate_id
        n_wells = len(self._workflow.layout.with_cells)
        self._on_event(RunStarted(plate_id, n_all, n_wells, n_all - len(left), now_utc()))
        refused = self._check(left)
        if refused is not None:
            return refused
        for step in left:
            blocker = yield Take(self._station.devices_for(step.kind), step.uid)
            if blocker is not None:
                return self._waits_for(step, blocker)
            halt = self._cancelled(just_now=step is not left[0])
            if halt is None and is_first and step is left[0]:
                halt = yield from self._preflight(step)
            if halt is None:
                halt = yield from self._bring_about(step)
            if halt is not None:
                return halt
        return None

    @property
    def _was_begun(self) -> bool:
        # Looking a step up leaves an empty list behind, so that the dict itself tells nothing.
        return any(self._before.values())

    def _is_done(self, step: Step) -> bool:
        return any(entry.status is StepStatus.DONE for entry in self._before[step.uid])

    def _check(self, left: list[Step]) -> Halt | None:
        """What can be known before the first device is asked for."""
        can = self._station.capabilities
        for step in left:
            try:
                check_step(step, can)
            except MachineRefusedError as error:
                return Halt(JobStatus.DEAD_LETTER, f"{step.plate_id}, step {step.uid}: {error}")
        try:
            if can.needs_approval and not self._may_be_real:
                raise ApprovalError(f"{self._workflow.plate_id}: PROOF. Run it with `cellos daemon --real`.")
            approval = require_approval(self._store, self._workflow, can)
            if approval is not None:
                load_proof(self._store, self._workflow, self._station.machine, approval.manifest_sha256)
        except ApprovalError as error:
            return self._proved(str(error))
        except MachineRefusedError as error:
            return Halt(JobStatus.DEAD_LETTER, str(error))
        # What was reserved may have expired or been thrown away; a plate that was begun goes on all the same.
        missing = None if self._was_begun else why_not_begin(self._store, self._run_id)
        return None if missing is None else Halt(JobStatus.QUEUED, missing, timedelta(seconds=RESTOCK_S), is_held=True)

    def _proved(self, why: str) -> Halt:
        """Writes what the run would do, for a person to read; no device is touched."""
        try:
            proof = prove_on(self._store, self._workflow, self._station.machine)
        except MachineRefusedError as error:
            return Halt(JobStatus.DEAD_LETTER, f"{self._workflow.plate_id}: {error}")
        return Halt(JobStatus.PAUSED, f"{why} Its proof is {proof.manifest.ref}.")

    def _preflight(self, step: Step) -> Part:
        """Has the machine check the first step itself.

        The later ones rest on what the earlier leave behind, so the machine is asked about each when its turn comes, in
        `execute`. After a crash that holds for the next step as well: it may have been executed without the journal
        knowing. Where entries are grouped, the crash may have taken even the first with it, so the machine is asked
        whether it knows.
        """
        where = f"{step.plate_id}, step {step.uid}"
        if not self._journal.is_strict:
            outcome = yield from self._ask(token_of(step.plate_id, step.uid, 1))
            if outcome.state is not OutcomeState.NEVER_STARTED:
                return None
        try:
            yield self._station.preflight(step)
        except MachineRefusedError as error:
            return Halt(JobStatus.DEAD_LETTER, f"{where}: {error}")
        except MachineError as error:
            # Nothing was begun; an attempt of the run, so that a machine that stays away does not go unseen.
            return Halt(JobStatus.QUEUED, f"{where}: {error}", is_attempt=True)
        return None

    def _cancelled(self, *, just_now: bool = True) -> Halt | None:
        """Whether a person cancelled the run: asked anew before its first step, a moment old at most later."""
        max_age_s = JUST_NOW_S if self._journal.is_strict else GLANCE_S
        max_age_s = max_age_s if just_now else 0.0
        if self._run_id not in self._flags.cancelling(max_age_s=max_age_s):
            return None
        return Halt(JobStatus.CANCELLED, self._queue.job(self._run_id).last_error or "cancelled")

    def _waits_for(self, step: Step, blocker: str) -> Halt:
        devices = " and ".join(self._station.devices_for(step.kind))
        why = f"step {step.uid} waits for {devices}, which {blocker} holds until a person decides about that plate"
        return Halt(JobStatus.QUEUED, why, timedelta(seconds=HELD_S), is_held=True)

    def _bring_about(self, step: Step) -> Part:
        """Sees to it that a step is done, whatever happened to it before."""
        before = self._before[step.uid]
        if not before:
            return (yield from self._attempt(step, step, 1, None))
        n_done = max((entry.transfers_done or 0 for entry in before), default=0)
        told, began_at, last = remainder(step, n_done), before[0].started_at, before[-1]
        if last.status in {StepStatus.STARTED, StepStatus.IN_DOUBT}:
            return (yield from self._settle(Attempt(told, step.uid, last.attempt, last.token, began_at)))
        if last.status is StepStatus.FAILED and step.kind.moves_liquid:
            return Halt(
                JobStatus.DEAD_LETTER,
                f"{step.plate_id}, step {step.uid} failed and may have begun ({last.error}). It is not repeated. "
                "Look at the plate; then mark the step done, have it continued, or discard the plate.",
            )
        return (yield from self._attempt(told, step, last.attempt + 1, began_at))

    def _attempt(self, told: Step, step: Step, number: int, began_at: datetime | None) -> Part:
        token = token_of(step.plate_id, step.uid, number)
        self._on_event(StepStarted(step.plate_id, step.uid, step.name, step.kind, number, now_utc()))
        devices = () if self._station.capabilities.is_simulated else self._station.devices_for(step.kind)
        started_at = self._journal.started(self._run_id, token, step.uid, number, devices, kind=step.kind)
        return (yield from self._execute(Attempt(told, step.uid, number, token, began_at or started_at)))

    def _execute(self, attempt: Attempt) -> Part:
        step = attempt.step
        try:
            reading = yield self._station.execute(step, attempt.token, self._lease.confirm)
        except NotSentError:
            self._journal.withdraw(attempt.token)
            raise
        except MachineRefusedError as error:
            return self._failed(attempt, StepStatus.REFUSED, str(error))
        except StepFailedError as error:
            return self._failed(attempt, StepStatus.FAILED, str(error))
        except StepUnderWayError as error:
            return self._waits(attempt, str(error))
        except MachineError as error:
            # Nothing is known: not reached, or reached and not heard of again.
            if step.kind.is_repeatable:
                return self._failed(attempt, StepStatus.FAILED, str(error))
            return (yield from self._settle(attempt, str(error)))
        return (yield from self._done(attempt, reading))

    def _settle(self, attempt: Attempt, error: str = "") -> Part:
        """Asks the machine what became of a step that was begun and not ended."""
        step = attempt.step
        outcome = yield from self._ask(attempt.token)
        detail = outcome.detail or error or "the machine cannot tell"
        match outcome.state:
            case OutcomeState.DONE if outcome.reading is not None or step.readout is None:
                return (yield from self._done(attempt, outcome.reading))
            case OutcomeState.NEVER_STARTED if not error:
                return (yield from self._execute(attempt))
            case OutcomeState.NEVER_STARTED:
                return self._failed(attempt, StepStatus.REFUSED, error)
            case OutcomeState.FAILED:
                return self._failed(attempt, StepStatus.FAILED, detail)
            case OutcomeState.RUNNING:
                return self._waits(attempt, detail)
            case _:
                return (yield from self._doubt(attempt, detail))

    def _waits(self, attempt: Attempt, detail: str) -> Halt:
        """The step is under way; in a person's hands for days perhaps, and no process keeps the run meanwhile."""
        if self._station.capabilities.waits_for_person(attempt.step.kind):
            return Halt(JobStatus.QUEUED, detail, timedelta(seconds=PERSON_S), is_waiting=True)
        return Halt(
            JobStatus.QUEUED, f"{attempt.uid} is still running on the machine", timedelta(seconds=STILL_RUNNING_S)
        )

    def _doubt(self, attempt: Attempt, detail: str) -> Part:
        """Nobody can tell what became of a step: a harmless one is repeated, any other waits for a person."""
        step = attempt.step
        if step.kind.is_repeatable:
            self._journal.ended(attempt.token, StepStatus.INTERRUPTED, detail)
            return (yield from self._attempt(step, step, attempt.number + 1, attempt.began_at))
        self._journal.ended(attempt.token, StepStatus.IN_DOUBT, detail)
        return Halt(
            JobStatus.IN_DOUBT,
            f"{step.plate_id}: it cannot be told whether step {attempt.uid} took effect ({detail}). The plate is held. "
            "Look at it, then mark the step done or discard the plate, or have it continued after the transfers that "
            f"were made: `cellos approve {step.plate_id} --mark-done | --discard | --continue N`.",
        )

    def _ask(self, token: str) -> Generator[Order, Any, Outcome]:
        try:
            outcome: Outcome = yield self._station.reconcile(token)
        except MachineError as error:
            return Outcome(OutcomeState.UNKNOWN, detail=str(error))
        return outcome

    def _done(self, attempt: Attempt, reading: Reading | None) -> Part:
        step = attempt.step
        hour_s = self._station.capabilities.incubation_hour_s
        if step.duration_h is not None and hour_s > 0:
            # From its first attempt: a plate that was in the incubator all the while is not incubated anew.
            yield Rest(attempt.began_at + timedelta(seconds=step.duration_h * hour_s))
        if reading is not None:
            self.reading = reading
        self._journal.done(attempt.token, reading)
        self._on_event(StepDone(step.plate_id, attempt.uid, step.name, step.kind, now_utc()))
        return None

    def _failed(self, attempt: Attempt, status: StepStatus, error: str) -> Halt:
        step = attempt.step
        self._journal.ended(attempt.token, status, error)
        failures = {StepStatus.REFUSED, StepStatus.FAILED}
        others = (entry for entry in self._before[attempt.uid] if entry.token != attempt.token)
        n_failed = 1 + sum(entry.status in failures for entry in others)
        may_retry = status is StepStatus.REFUSED or step.kind.is_repeatable
        retry_in = None
        if may_retry and n_failed < MAX_ATTEMPTS:
            retry_in = timedelta(seconds=retry_delay_s(n_failed))
        now = now_utc()
        retry_at = now + retry_in if retry_in else None
        self._on_event(StepFailed(step.plate_id, attempt.uid, step.name, step.kind, error, retry_at, now))
        where = f"{step.plate_id}, step {attempt.uid}, attempt {n_failed} of {MAX_ATTEMPTS}: {error}"
        return Halt(JobStatus.QUEUED if retry_in else JobStatus.DEAD_LETTER, where, retry_in)
