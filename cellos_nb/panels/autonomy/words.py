"""The words and tables of the autonomy panel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from cellos_nb.domain.audit import AuditEntry
from cellos_nb.execution.held import HeldRun
from cellos_nb.execution.logbook import LogEntry
from cellos_nb.execution.queue import Job, JobStatus
from cellos_nb.execution.recovery import Doubt
from cellos_nb.execution.ticks import Tick
from cellos_nb.panels.autonomy.model import AutonomyShown, ProtocolPage
from cellos_nb.panels.html import cards
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import markup, rows_table, table
from cellos_nb.units import counted

_NOBODY = "nobody; start `cellos daemon`"
TICK_COLUMNS = ("tick", "started (UTC)", "took (s)", "status", "attempted", "succeeded", "failed", "notes")
LETTER_COLUMNS = ("job", "kind", "what", "attempts", "error")
DOUBT_COLUMNS = ("plate", "step", "transfers", "known to be done", "what happened")
HELD_COLUMNS = ("plate", "machine", "approved until (UTC)", "why")
ACT_COLUMNS = ("entry", "at (UTC)", "who", "account", "act", "about", "why")
LOG_COLUMNS = ("at (UTC)", "level", "plate", "message")
_LONGEST_NOTE = 300


def summary(shown: AutonomyShown) -> str:
    """Who executes, what holds it up, and what waits for a person."""
    mode = "REAL" if shown.is_real else "PROOF"
    holder = shown.holder
    by = "Nobody executes the work" if holder is None else f"Process {holder.pid} on {holder.host} executes the work"
    counts = shown.counts
    done = counts[JobStatus.SUCCEEDED]
    waits = f"{counted(counts[JobStatus.QUEUED], 'job waits', 'jobs wait')}, {counted(done, 'is done', 'are done')}"
    held = [f"All work is {flag.name} by {flag.set_by}{_because(flag.reason)}." for flag in shown.flags]
    person = for_people(shown)
    asked = f"A person is needed: {person}." if person else "Nothing waits for a person."
    return " ".join([f"{by}, in mode {mode}; {waits}.", *held, asked])


def for_people(shown: AutonomyShown) -> str:
    """What waits for a person; empty when nothing does."""
    counts = shown.counts
    named = (
        (counts[JobStatus.IN_DOUBT], "step in doubt", "steps in doubt"),
        (counts[JobStatus.PAUSED], "plate waiting for an approval", "plates waiting for an approval"),
        (counts[JobStatus.DEAD_LETTER], "dead letter", "dead letters"),
    )
    return ", ".join(counted(n, one, many) for n, one, many in named if n)


def state_rows(shown: AutonomyShown) -> list[tuple[str, str]]:
    """Who executes, the mode and the flags."""
    holder = shown.holder
    who = _NOBODY if holder is None else f"process {holder.pid} on {holder.host}, since {_time(holder.since)}"
    lease = "free" if holder is None else f"{shown.seconds_left} s left unless renewed, fencing token {holder.fencing}"
    mode = "REAL: real machines move, under approvals" if shown.is_real else "PROOF: real machines do not move"
    flags = [(str(flag.name), f"by {flag.set_by}, {_time(flag.set_at)}{_because(flag.reason)}") for flag in shown.flags]
    return [("executed by", who), ("lease", lease), ("mode", mode), *(flags or [("flags", "none: work is allowed")])]


def queue_numbers(shown: AutonomyShown) -> list[tuple[str, str]]:
    """Name and value of each card."""
    counts = shown.counts
    busy = counts[JobStatus.CLAIMED] + counts[JobStatus.RUNNING] + counts[JobStatus.CANCELLING]
    return [
        ("waiting", f"{counts[JobStatus.QUEUED]:,}"),
        ("under way", f"{busy:,}"),
        ("in doubt", f"{counts[JobStatus.IN_DOUBT]:,}"),
        ("to be approved", f"{counts[JobStatus.PAUSED]:,}"),
        ("dead letters", f"{counts[JobStatus.DEAD_LETTER]:,}"),
        ("succeeded", f"{counts[JobStatus.SUCCEEDED]:,}"),
        ("cancelled", f"{counts[JobStatus.CANCELLED]:,}"),
    ]


def state_html(shown: AutonomyShown) -> Markup:
    """Lease, mode and flags."""
    return rows_table(state_rows(shown))


def queue_html(shown: AutonomyShown) -> Markup:
    """The queue's numbers, and what is due when."""
    oldest = "" if shown.oldest_waiting is None else f"Waiting longest: since {_time(shown.oldest_waiting)}. "
    due = "" if shown.next_due is None else f"Next due: {_time(shown.next_due)}."
    return markup('{}<p class="cellos-quiet">{}</p>', cards(list(queue_numbers(shown))), oldest + due)


def ticks_html(shown: AutonomyShown) -> Markup:
    """The newest ticks."""
    return _scroll(TICK_COLUMNS, [tick_row(tick) for tick in shown.ticks], "No daemon has made a tick yet.")


def acts_html(shown: AutonomyShown) -> Markup:
    """The newest entries of the audit log."""
    return _scroll(ACT_COLUMNS, [act_row(act) for act in shown.acts], "Nobody has decided anything yet.")


def letters_html(shown: AutonomyShown) -> Markup:
    """The dead letters."""
    return _scroll(LETTER_COLUMNS, [letter_row(job) for job in shown.letters], "There are no dead letters.")


def doubts_html(shown: AutonomyShown) -> Markup:
    """The steps in doubt, and what may be decided about the one that is chosen."""
    held = _scroll(DOUBT_COLUMNS, [doubt_row(doubt) for doubt in shown.doubts], "Nothing is in doubt.")
    return held if shown.doubt is None else markup("{}<p>{}</p>", held, bounds(shown.doubt))


def bounds(doubt: Doubt) -> str:
    """What may be decided about a doubt, with its numbers."""
    if doubt.n_transfers < 2:
        return f"{doubt.plate_id}, step {doubt.step_uid}: look at the plate, then mark it done, or discard the plate."
    return (
        f"{doubt.plate_id}, step {doubt.step_uid}: look at the plate, then choose. Continue after N made transfers: "
        f"N from {doubt.n_done} to {doubt.n_transfers - 1} of {doubt.n_transfers}."
    )


def held_html(shown: AutonomyShown) -> Markup:
    """The runs that wait for an approval, and the proof of the one that is chosen."""
    listed = _scroll(HELD_COLUMNS, [held_row(run) for run in shown.held], "No run waits for an approval.")
    run, page = shown.held_run, shown.protocol
    if run is None or page is None:
        return listed
    return markup("{}{}", listed, _page(run.plate_id, run.workflow_sha256, page))


def log_html(shown: AutonomyShown) -> Markup:
    """The newest lines of the log that were asked for."""
    return _scroll(LOG_COLUMNS, [log_row(entry) for entry in shown.log], "No line of the log is as asked.")


def tick_row(tick: Tick) -> tuple[Any, ...]:
    """One row of the ledger."""
    took = "" if tick.finished_at is None else f"{(tick.finished_at - tick.started_at).total_seconds():.1f}"
    notes = tick.notes if len(tick.notes) <= _LONGEST_NOTE else f"{tick.notes[:_LONGEST_NOTE]}…"
    counts = (tick.attempted, tick.succeeded, tick.failed)
    return (tick.tick_id, _at(tick.started_at), took, tick.status.value, *counts, notes)


def act_row(act: AuditEntry) -> tuple[Any, ...]:
    """One entry of the audit log."""
    return (act.seq, act.at[:19].replace("T", " "), act.who, act.account, act.kind, act.subject, act.why)


def letter_row(job: Job) -> tuple[Any, ...]:
    """One dead letter."""
    return (job.job_id, job.kind, what_of(job), f"{job.attempts} of {job.max_attempts}", job.last_error or "")


def what_of(job: Job) -> str:
    """The plate or campaign of a job, or else its key."""
    return job.what


def doubt_row(doubt: Doubt) -> tuple[Any, ...]:
    """One step in doubt."""
    return (doubt.plate_id, doubt.step_uid, doubt.n_transfers, doubt.n_done, doubt.error)


def held_row(run: HeldRun) -> tuple[Any, ...]:
    """One run that waits for an approval."""
    until = "" if run.approved_until is None else _at(run.approved_until)
    return (run.plate_id, run.machine or "not proved yet", until, run.why)


def log_row(entry: LogEntry) -> tuple[Any, ...]:
    """One line of the log."""
    written = f" ({entry.artifact_ref})" if entry.artifact_ref else ""
    return (_at(entry.at), entry.level, entry.plate_id or "", f"{entry.message}{written}")


def static_form(title: str, shown: AutonomyShown) -> StaticForm:
    """Everything as tables."""
    import pandas as pd

    tables: list[tuple[str, Sequence[Any], Sequence[str]]] = [
        ("execution", [*state_rows(shown), *queue_numbers(shown)], ("what", "value")),
        ("ticks", [tick_row(tick) for tick in shown.ticks], TICK_COLUMNS),
        ("dead letters", [letter_row(job) for job in shown.letters], LETTER_COLUMNS),
        ("waiting for an approval", [held_row(run) for run in shown.held], HELD_COLUMNS),
        ("in doubt", [doubt_row(doubt) for doubt in shown.doubts], DOUBT_COLUMNS),
        ("who decided what", [act_row(act) for act in shown.acts], ACT_COLUMNS),
        ("log", [log_row(entry) for entry in shown.log], LOG_COLUMNS),
    ]
    made = tuple(StaticTable(caption, pd.DataFrame(rows, columns=list(names))) for caption, rows, names in tables)
    return StaticForm(title, summary(shown), tables=tuple(one for one in made if len(one.frame)))


def _page(plate_id: str, workflow_sha256: str, page: ProtocolPage) -> Markup:
    if page.problem:
        return markup('<div class="cellos-problem" role="alert">{}</div>', page.problem)
    return markup(
        '<details><summary>{}</summary><iframe class="cellos-protocol" sandbox="" title="{}" srcdoc="{}"></iframe>'
        '</details><p class="cellos-quiet">workflow {}<br>{}</p>',
        *(f"Proof of {plate_id}: read what will be done", f"protocol of {plate_id}", page.html),
        *(workflow_sha256, str(page.path)),
    )


def _scroll(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> Markup:
    if not rows:
        return markup('<p class="cellos-quiet">{}</p>', empty)
    return markup('<div class="cellos-tall" tabindex="0">{}</div>', table(columns, rows))


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _time(moment: datetime) -> str:
    return f"{_at(moment)} UTC"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
