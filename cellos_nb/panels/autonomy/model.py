"""The state of a database's execution: who executes, what holds it up, what waits for a person, what happened."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from cellos_nb.domain.audit import AuditEntry
from cellos_nb.errors import ApprovalError, ArtifactError, InputError
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.control import Flag, flags_of
from cellos_nb.execution.held import HeldRun, held_runs
from cellos_nb.execution.lease import Holder, holder_of
from cellos_nb.execution.logbook import LogEntry, log_entries, newest_entry
from cellos_nb.execution.proof import newest_proof
from cellos_nb.execution.queue import Job, JobQueue, JobStatus
from cellos_nb.execution.recovery import Doubt, doubts
from cellos_nb.execution.ticks import Tick, ticks
from cellos_nb.lab import Lab
from cellos_nb.panels.launcher.start import MAX_HOURS, PROTOCOL
from cellos_nb.store import audit
from cellos_nb.store.schema import actions, approvals
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

N_TICKS = 12
N_LOG = 100
N_ACTS = 50
MAX_LISTED = 200
"""Dead letters in the list."""


@dataclass(frozen=True, slots=True)
class AutonomyChoice:
    """What a person chose to look at; the plates and jobs are the first of their lists when empty."""

    letter: int | None = None
    """A job in the dead letters."""
    doubt: str = ""
    """A plate in doubt."""
    held: str = ""
    """A plate that waits for an approval."""
    at_least: str = "DEBUG"
    """The least severe lines of the log that are shown."""
    text: str = ""
    """What lines of the log have to hold."""


@dataclass(frozen=True, slots=True)
class ProtocolPage:
    """The proof that a person reads before approving."""

    path: Path
    html: str
    problem: str = ""
    """Why it cannot be read; empty otherwise."""


@dataclass(frozen=True, slots=True)
class AutonomyShown:
    """What the panel shows."""

    choice: AutonomyChoice
    holder: Holder | None
    seconds_left: int
    """Until the lease ends, unless it is renewed; 0 without a holder."""
    is_real: bool
    flags: tuple[Flag, ...]
    counts: dict[str, int]
    """Jobs by status."""
    next_due: datetime | None
    oldest_waiting: datetime | None
    """When the job that waits longest was submitted."""
    ticks: tuple[Tick, ...]
    """Newest first."""
    letters: tuple[Job, ...]
    """The newest first, `MAX_LISTED` at most."""
    doubts: tuple[Doubt, ...]
    held: tuple[HeldRun, ...]
    protocol: ProtocolPage | None
    """Of the held run that is chosen; None when there is none, or it was not proved."""
    log: tuple[LogEntry, ...]
    acts: tuple[AuditEntry, ...] = ()
    """What people and the software decided, newest first."""

    @property
    def letter(self) -> Job | None:
        """The dead letter that is chosen."""
        return next((one for one in self.letters if one.job_id == self.choice.letter), next(iter(self.letters), None))

    @property
    def doubt(self) -> Doubt | None:
        """The doubt that is chosen."""
        return next((one for one in self.doubts if one.plate_id == self.choice.doubt), next(iter(self.doubts), None))

    @property
    def held_run(self) -> HeldRun | None:
        """The held run that is chosen."""
        return _chosen_run(self.held, self.choice.held)


class Reader:
    """Reads the execution of one database again and again."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._doubts: tuple[Hashable, tuple[Doubt, ...]] = (None, ())
        self._protocols: dict[str, ProtocolPage] = {}

    def stamp(self) -> Hashable:
        """Changes with whatever `read` gives, each second of the lease among it."""
        store, flags = self._lab.store, flags_of(self._lab.store)
        with store.read() as tx:
            given = tx.scalar(select(func.max(approvals.c.approval_id)))
            claimed = tx.scalar(select(func.max(actions.c.claimed_at)))
            audited = audit.last_link(tx)
        holder = holder_of(store)
        running = tuple(ticks(store, last=1))
        counts = tuple(JobQueue(store).stats().items())
        lease = (holder and holder.fencing, _seconds_left(store, holder))
        return (
            lease,
            flags.is_real,
            tuple(flags.read().values()),
            counts,
            running,
            given,
            claimed,
            audited,
            newest_entry(store),
        )

    def read(self, choice: AutonomyChoice) -> AutonomyShown:
        """The state now, with what was chosen of it."""
        store, flags = self._lab.store, flags_of(self._lab.store)
        queue, holder = JobQueue(store), holder_of(store)
        counts, held = queue.stats(), held_runs(store)
        waiting = select(func.min(actions.c.created_at, type_=actions.c.created_at.type))
        with store.read() as tx:
            acts = audit.entries(tx, audit.Wanted(last=N_ACTS))
            oldest = tx.scalar(waiting.where(actions.c.status == JobStatus.QUEUED.value))
        return AutonomyShown(
            choice=choice,
            holder=holder,
            seconds_left=_seconds_left(store, holder),
            is_real=flags.is_real,
            flags=tuple(flags.read().values()),
            counts=counts,
            next_due=queue.next_due(),
            oldest_waiting=oldest,
            ticks=tuple(reversed(ticks(store, last=N_TICKS))),
            letters=tuple(reversed(queue.dead_letters()[-MAX_LISTED:])) if counts[JobStatus.DEAD_LETTER] else (),
            doubts=self._read_doubts(counts),
            held=held,
            protocol=self._protocol(_chosen_run(held, choice.held)),
            log=log_entries(store, at_least=choice.at_least, text=choice.text, last=N_LOG),
            acts=acts[::-1],
        )

    def _read_doubts(self, counts: dict[str, int]) -> tuple[Doubt, ...]:
        """The doubts; looked for only while there are any, and again only after something was logged or claimed."""
        if not counts[JobStatus.IN_DOUBT]:
            return ()
        with self._lab.store.read() as tx:
            held = select(actions.c.action_id, actions.c.last_error).where(actions.c.status == JobStatus.IN_DOUBT.value)
            key = tuple(tx.execute(held).all()), newest_entry(self._lab.store)
        if self._doubts[0] != key:
            self._doubts = (key, doubts(self._lab.store))
        return self._doubts[1]

    def _protocol(self, run: HeldRun | None) -> ProtocolPage | None:
        if run is None or run.manifest_sha256 is None or run.machine is None:
            return None
        if run.manifest_sha256 not in self._protocols:
            self._protocols[run.manifest_sha256] = _read_protocol(self._lab.store, run.workflow_sha256, run.machine)
        return self._protocols[run.manifest_sha256]


def approve_run(lab: Lab, run: HeldRun | None, *, person: str, hours: float) -> None:
    """Records that a person has read a held run's proof and allows its machine to execute it, for some hours.

    Raises:
        InputError: nothing waits, nobody is named, or the hours are not possible.
        ApprovalError: the run was not proved.
        ArtifactError: an artifact of the proof is missing or was altered.
    """
    if run is None:
        raise InputError("No run waits for an approval any more.")
    if run.machine is None:
        raise ApprovalError(f"{run.plate_id}: was not proved. Press 'Write proof' and read what it will do.")
    if not 0 < hours <= MAX_HOURS:
        raise InputError(f"hours: {hours:g} h is not possible; give a number above 0 and up to {MAX_HOURS}.")
    until = now_utc() + timedelta(hours=hours)
    approve(lab.store, run.workflow_sha256, machine=run.machine, person=person, expires_at=until)


def _chosen_run(held: tuple[HeldRun, ...], plate_id: str) -> HeldRun | None:
    return next((run for run in held if run.plate_id == plate_id), next(iter(held), None))


def _seconds_left(store: Store, holder: Holder | None) -> int:
    if holder is None:
        return 0
    with store.read() as tx:
        return max(int((holder.expires_at - store.now(tx)).total_seconds()), 0)


def _read_protocol(store: Store, workflow_sha256: str, machine: str) -> ProtocolPage:
    try:
        proof = newest_proof(store, workflow_sha256, machine)
    except ArtifactError as error:
        # The other parts of the panel are needed all the more; the approval itself will refuse.
        return ProtocolPage(Path(), "", str(error))
    if proof is None:
        return ProtocolPage(Path(), "", "The proof is gone; write it again.")
    path = store.folder / next(artifact.ref for artifact in proof.artifacts if artifact.name == PROTOCOL)
    return ProtocolPage(path, path.read_text(encoding="utf-8"))
