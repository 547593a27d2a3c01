"""One plate's way through its workflow: each step at most once where it matters, and what to do when one fails."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import ApprovalError, MachineError, MachineRefusedError, StepFailedError
from cellos_nb.execution.approvals import require_approval
from cellos_nb.execution.capable import check_step
from cellos_nb.execution.control import GLANCE_S, ControlFlags
from cellos_nb.execution.events import OnEvent, RunStarted, StepDone, StepFailed, StepStarted
from cellos_nb.execution.journal import Journal, JournalEntry, StepStatus, token_of
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.queue import JobQueue, JobStatus, retry_delay_s
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.workflow import Workflow

MAX_ATTEMPTS = 3
STILL_RUNNING_S = 5.0
"""When to ask again about a step that a machine is still busy with."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a run does not go on now."""

    status: JobStatus
    error: str
    retry_in: timedelta | None = None


class PlateRun:
    """Executes the steps of one run that are not done yet.

    pending ──► started ──► done                     the next step
                   │  └───► refused | failed ──►     again (nothing sent, or harmless), else dead_letter
                   ▼ crash
                reconcile: done │ never started → execute │ failed │ running → later
                   │ unknown
                   ▼
                harmless: interrupted, repeated        moves liquid: in_doubt, the plate is held
    """

    def __init__(
        self,
        run_id: int,
        workflow: Workflow,
        *,
        store: Store,
        machine: HardwareInterface,
        journal: Journal,
        flags: ControlFlags,
        on_event: OnEvent,
    ) -> None:
        self._run_id, self._workflow = run_id, workflow
        self._store, self._machine, self._journal, self._flags = store, machine, journal, flags
        self._lease, self._queue, self._on_event = lease_of(store), JobQueue(store), on_event
        self._looked_at = float("-inf")
        self._before: dict[str, list[JournalEntry]] = defaultdict(list)
        self.reading: Reading | None = None
        """The last reading taken in this process."""

    def go(self, *, is_first: bool = False) -> Halt | None:
        """Executes what is left; None when the plate is through.

        Args:
            is_first: nobody has begun this run before, so that the journal need not be asked.

        Raises:
            StoppedError: the queue was killed between two steps.
            LeaseError: another dispatcher took over.
        """
        if is_first:
            self._looked_at = time.monotonic()
        else:
            for entry in self._journal.entries(self._run_id):
                self._before[entry.step_uid].append(entry)
        left = [step for step in self._workflow.steps if not self._is_done(step)]
        n_all, plate_id = len(self._workflow.steps), self._workflow.plate_id
        n_wells = len(self._workflow.layout.with_cells)
        self._on_event(RunStarted(plate_id, n_all, n_wells, n_all - len(left), now_utc()))
        refused = self._preflight(left, is_first=is_first)
        if refused is not None:
            return refused
        for step in left:
            halt = self._wait_until_allowed() or self._bring_about(step)
            if halt is not None:
                return halt
        return None

    def _is_done(self, step: Step) -> bool:
        return any(entry.status is StepStatus.DONE for entry in self._before[step.uid])

    def _preflight(self, left: list[Step], *, is_first: bool) -> Halt | None:
        """Checks what can be checked before the first device moves.

        Every step against what the machine says it can do; the first one also by the machine itself. The later ones
        rest on what the earlier leave behind, so the machine is asked about each when its turn comes, in `execute`.
        After a crash that holds for the next step as well: it may have been executed without the journal knowing. Where
        entries are grouped, the crash may have taken even the first with it, so the machine is asked whether it knows.
        """
        capabilities = self._machine.describe()
        step = None
        try:
            require_approval(self._store, self._workflow, capabilities)
            for step in left:
                check_step(step, capabilities)
            if is_first and not self._may_have_begun(left[0]):
                step = left[0]
                self._machine.preflight(step)
        except ApprovalError as error:
            return Halt(JobStatus.DEAD_LETTER, str(error))
        except MachineRefusedError as error:
            where = f", step {step.uid}" if step else ""
            return Halt(JobStatus.DEAD_LETTER, f"{self._workflow.plate_id}{where}: {error}")
        return None

    def _may_have_begun(self, step: Step) -> bool:
        """Whether a step was executed by a process that died before its journal entry was committed."""
        if self._journal.is_strict:
            return False
        outcome = self._ask(token_of(self._workflow.plate_id, step.uid, 1))
        return outcome.state is not OutcomeState.NEVER_STARTED

    def _wait_until_allowed(self) -> Halt | None:
        max_age_s = 0.0 if self._journal.is_strict else GLANCE_S
        if max_age_s and time.monotonic() - self._looked_at <= max_age_s:
            return None
        self._flags.wait_until_allowed(max_age_s=max_age_s)
        self._looked_at = time.monotonic()
        job = self._queue.job(self._run_id)
        if job.status is JobStatus.CANCELLING:
            return Halt(JobStatus.CANCELLED, job.last_error or "cancelled")
        return None

    def _bring_about(self, step: Step) -> Halt | None:
        """Sees to it that a step is done, whatever happened to it before."""
        before = self._before[step.uid]
        last = before[-1] if before else None
        if last is not None and last.status in {StepStatus.STARTED, StepStatus.IN_DOUBT}:
            return self._settle(step, last.attempt, last.token)
        if last is not None and last.status is StepStatus.FAILED and step.kind.moves_liquid:
            return Halt(
                JobStatus.DEAD_LETTER,
                f"{self._workflow.plate_id}, step {step.uid} failed and may have begun ({last.error}). It is not "
                "repeated. Discard the plate, or mark the step done.",
            )
        return self._attempt(step, last.attempt + 1 if last else 1)

    def _attempt(self, step: Step, attempt: int) -> Halt | None:
        token = token_of(self._workflow.plate_id, step.uid, attempt)
        self._on_event(StepStarted(step.plate_id, step.uid, step.name, step.kind, attempt, now_utc()))
        self._journal.started(self._run_id, token, step.uid, attempt)
        return self._execute(step, attempt, token)

    def _execute(self, step: Step, attempt: int, token: str) -> Halt | None:
        self._lease.confirm()
        try:
            reading = self._machine.execute(step, token)
        except MachineRefusedError as error:
            return self._failed(step, token, StepStatus.REFUSED, str(error))
        except StepFailedError as error:
            return self._failed(step, token, StepStatus.FAILED, str(error))
        except MachineError as error:
            # Nothing is known: not reached, or reached and not heard of again.
            if step.kind.is_repeatable:
                return self._failed(step, token, StepStatus.FAILED, str(error))
            return self._settle(step, attempt, token, str(error))
        self._done(step, token, reading)
        return None

    def _settle(self, step: Step, attempt: int, token: str, error: str = "") -> Halt | None:
        """Asks the machine what became of a step that was begun and not ended."""
        outcome = self._ask(token)
        detail = outcome.detail or error or "the machine cannot tell"
        match outcome.state:
            case OutcomeState.DONE if outcome.reading is not None or step.readout is None:
                self._done(step, token, outcome.reading)
                return None
            case OutcomeState.NEVER_STARTED if not error:
                return self._execute(step, attempt, token)
            case OutcomeState.NEVER_STARTED:
                return self._failed(step, token, StepStatus.REFUSED, error)
            case OutcomeState.FAILED:
                return self._failed(step, token, StepStatus.FAILED, detail)
            case OutcomeState.RUNNING:
                why = f"{step.uid} is still running on the machine"
                return Halt(JobStatus.QUEUED, why, timedelta(seconds=STILL_RUNNING_S))
            case _:
                return self._doubt(step, attempt, token, detail)

    def _doubt(self, step: Step, attempt: int, token: str, detail: str) -> Halt | None:
        """Nobody can tell what became of a step: a harmless one is repeated, any other waits for a person."""
        if step.kind.is_repeatable:
            self._journal.ended(token, StepStatus.INTERRUPTED, detail)
            return self._attempt(step, attempt + 1)
        self._journal.ended(token, StepStatus.IN_DOUBT, detail)
        return Halt(
            JobStatus.IN_DOUBT,
            f"{self._workflow.plate_id}: it cannot be told whether step {step.uid} took effect ({detail}). "
            "The plate is held. Look at it, then mark the step done or discard the plate.",
        )

    def _ask(self, token: str) -> Outcome:
        try:
            return self._machine.reconcile(token)
        except MachineError as error:
            return Outcome(OutcomeState.UNKNOWN, detail=str(error))

    def _done(self, step: Step, token: str, reading: Reading | None) -> None:
        if reading is not None:
            self.reading = reading
        self._journal.done(token, reading)
        self._on_event(StepDone(step.plate_id, step.uid, step.name, step.kind, now_utc()))

    def _failed(self, step: Step, token: str, status: StepStatus, error: str) -> Halt:
        self._journal.ended(token, status, error)
        failures = {StepStatus.REFUSED, StepStatus.FAILED}
        n_failed = 1 + sum(entry.status in failures for entry in self._before[step.uid] if entry.token != token)
        may_retry = status is StepStatus.REFUSED or step.kind.is_repeatable
        retry_in = None
        if may_retry and n_failed < MAX_ATTEMPTS:
            retry_in = timedelta(seconds=retry_delay_s(n_failed))
        now = now_utc()
        retry_at = now + retry_in if retry_in else None
        self._on_event(StepFailed(step.plate_id, step.uid, step.name, step.kind, error, retry_at, now))
        where = f"{self._workflow.plate_id}, step {step.uid}, attempt {n_failed} of {MAX_ATTEMPTS}: {error}"
        return Halt(JobStatus.QUEUED if retry_in else JobStatus.DEAD_LETTER, where, retry_in)
