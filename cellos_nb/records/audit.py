"""Who did what to a campaign, and when: an extract of the journal and the log, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from cellos_nb.domain.audit import QUEUE, Act
from cellos_nb.domain.audit import AuditEntry as LoggedAct
from cellos_nb.execution.logbook import log_entries
from cellos_nb.execution.story import PlateRecord, attempts
from cellos_nb.store import audit
from cellos_nb.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

_EVERYTHING = 2**31 - 1
_TOLD_BY_THE_LOG = frozenset({
    *(Act.APPROVAL_GIVEN, Act.APPROVAL_WITHDRAWN, Act.OVERRULED, Act.OVERRULING_WITHDRAWN, Act.CAMPAIGN_PAUSED),
    *(Act.CAMPAIGN_UNPAUSED, Act.CAMPAIGN_STOPPED, Act.CAMPAIGN_ROLLED_BACK, Act.STEP_MARKED_DONE, Act.STEP_CONTINUED),
    *(Act.PLATE_DISCARDED, Act.BENCH_DONE, Act.BENCH_FAILED, Act.RECORD_WRITTEN),
})  # fmt: skip
"""Acts of which the execution log has a line as well, from the same transaction."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that happened."""

    at: datetime
    source: str
    """`campaign`, `iteration`, `step`, `log` or `act`."""
    level: str
    """As in the log: steps that were executed are INFO, others WARNING."""
    plate: str | None
    message: str
    """What happened; whoever did it stands in it."""
    artifact: str | None = None
    """A file that it is about, relative to the database's folder; its SHA-256 is part of the name."""


def audit_frame(store: Store, campaign_id: str, plates: tuple[PlateRecord, ...]) -> pd.DataFrame:
    """Everything that is on record about a campaign, oldest first; columns as in `AuditEntry`, times in UTC."""
    import pandas as pd

    found = [
        *_of_campaign(store, campaign_id),
        *(entry for plate in plates for entry in _of_plate(store, plate)),
        *_of_log(store, campaign_id),
        *_of_acts(store, campaign_id),
    ]
    found.sort(key=lambda entry: entry.at)
    columns = [field.name for field in fields(AuditEntry)]
    frame = pd.DataFrame([astuple(entry) for entry in found], columns=columns)
    frame["at"] = [entry.at.isoformat(timespec="milliseconds") for entry in found]
    return frame.astype("string")


def _of_campaign(store: Store, campaign_id: str) -> Iterator[AuditEntry]:
    record = store.campaign(campaign_id)
    parent = f", forked from {record.parent}" if record.parent else ""
    yield AuditEntry(record.created_at, "campaign", "INFO", None, f"stored{parent}")
    for lap in store.iterations(campaign_id):
        yield AuditEntry(lap.created_at, "iteration", "INFO", None, f"iteration {lap.iteration} begun")
        if lap.concluded_at:
            yield AuditEntry(lap.concluded_at, "iteration", "INFO", None, f"iteration {lap.iteration} concluded")
        if lap.superseded:
            said = f"iteration {lap.iteration} {lap.superseded}"
            yield AuditEntry(lap.superseded.at, "iteration", "WARNING", None, said)
    ended = f"{record.status}: {record.stop_reason}" if record.stop_reason else str(record.status)
    yield AuditEntry(record.changed_at, "campaign", "INFO", None, ended)


def _of_plate(store: Store, plate: PlateRecord) -> Iterator[AuditEntry]:
    for each in attempts(store, plate.run_id):
        level = "INFO" if each.status == "done" else "WARNING"
        why = f": {each.error}" if each.error else ""
        message = f"step {each.step_uid}, attempt {each.attempt}, on {each.machine}: {each.status}{why}"
        yield AuditEntry(each.finished_at or each.started_at, "step", level, plate.plate_id, message)


def _of_log(store: Store, campaign_id: str) -> Iterator[AuditEntry]:
    """The lines about this campaign: its identifier may be the beginning of another one's."""
    begins = (f"{campaign_id}:", f"{campaign_id}/")
    for line in log_entries(store, text=campaign_id, last=_EVERYTHING):
        is_own = line.message.startswith(begins) or (line.plate_id or "").startswith(begins)
        if is_own:
            yield AuditEntry(line.at, "log", line.level, line.plate_id, line.message, line.artifact_ref)


def _of_acts(store: Store, campaign_id: str) -> Iterator[AuditEntry]:
    """What the audit log alone has of this campaign, and what was done to all work while there was one."""
    began = store.campaign(campaign_id).created_at
    with store.read() as tx:
        own = audit.entries(tx, audit.Wanted(subject=campaign_id))
        on_all = audit.entries(tx, audit.Wanted(subject=QUEUE, since=began))
    for act in (*own, *on_all):
        if act.kind not in _TOLD_BY_THE_LOG:
            yield AuditEntry(datetime.fromisoformat(act.at), "act", "INFO", _plate_of(act), _told(act))


def _plate_of(act: LoggedAct) -> str | None:
    return act.subject if "/" in act.subject else None


def _told(act: LoggedAct) -> str:
    why = f": {act.why}" if act.why else ""
    return f"{act.kind} {act.subject} by {act.who}{why}"
