"""The audit log: who did what, when and why, in a chain of SHA-256 that shows what was altered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

GENESIS = "0" * 64
"""What the first entry has in place of the hash of the one before."""
QUEUE = "queue"
"""The subject of acts on all work of a database."""
_LOOK_AROUND = 64
"""How far an entry that was moved is looked for."""


class Act(StrEnum):
    """What was done. Kinds are text in the log, so that a later release may add some."""

    AUDIT_BEGUN = "audit.begun"
    APPROVAL_GIVEN = "approval.given"
    APPROVAL_WITHDRAWN = "approval.withdrawn"
    OVERRULED = "quarantine.overruled"
    OVERRULING_WITHDRAWN = "quarantine.restored"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_KILLED = "queue.killed"
    QUEUE_ALLOWED = "queue.allowed"
    MODE_REAL = "mode.real"
    MODE_PROOF = "mode.proof"
    CAMPAIGN_BEGUN = "campaign.begun"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_UNPAUSED = "campaign.unpaused"
    CAMPAIGN_HELD = "campaign.held"
    CAMPAIGN_STOPPED = "campaign.stopped"
    CAMPAIGN_ENDED = "campaign.ended"
    CAMPAIGN_ROLLED_BACK = "campaign.rolled_back"
    CAMPAIGN_FORKED = "campaign.forked"
    JOB_CANCELLED = "job.cancelled"
    JOB_REQUEUED = "job.requeued"
    STEP_MARKED_DONE = "doubt.marked_done"
    STEP_CONTINUED = "doubt.continued"
    PLATE_DISCARDED = "plate.discarded"
    BENCH_DONE = "bench.done"
    BENCH_FAILED = "bench.failed"
    STOCK_DECLARED = "stock.declared"
    STOCK_WITHDRAWN = "stock.withdrawn"
    STOCK_RECEIVED = "stock.received"
    STOCK_USED = "stock.used"
    STOCK_ADJUSTED = "stock.adjusted"
    STOCK_DISCARDED = "stock.discarded"
    STOCK_THAWED = "stock.thawed"
    RECORD_WRITTEN = "record.written"
    HISTORY_IMPORTED = "history.imported"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act, as it stands in the log: text throughout, so that it reads back as it was hashed."""

    seq: int
    """Its place, counted from 1."""
    at: str
    """When, UTC, in ISO 8601 to the microsecond."""
    who: str
    """The name that the person gave or has, or the software that acted."""
    account: str
    """In whose account the process ran: `jupyterhub:NAME` or `system:NAME`."""
    kind: str
    """Of act, as in `Act`."""
    subject: str
    """What it was about: a campaign, plate, resource, or `queue` for all work."""
    why: str
    """The reason that was given; empty when none was."""
    payload: str
    """The facts, as canonical JSON."""
    previous: str
    """The SHA-256 of the entry before."""
    sha256: str
    """Of everything else here."""

    def digest(self, seq: int | None = None) -> str:
        """The SHA-256 that belongs to the content, at its own place or at another one.

        Of the UTF-8 bytes of the JSON list of seq, at, who, account, kind, subject, why, payload and previous, without
        blanks between.
        """
        place = self.seq if seq is None else seq
        fields = (self.at, self.who, self.account, self.kind, self.subject, self.why, self.payload, self.previous)
        # What somebody forced into the table need be no text; it gets a digest all the same, and that one is wrong.
        text = json.dumps([place, *fields], ensure_ascii=False, separators=(",", ":"), default=repr)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def facts(self) -> dict[str, Any]:
        """The payload, read."""
        read: dict[str, Any] = json.loads(self.payload)
        return read

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.at[:19].replace('T', ' ')} UTC, {self.who}: {self.kind} {self.subject}{why}"


@dataclass(frozen=True, slots=True)
class AuditLink:
    """What an extract keeps of an entry that is about something else: enough to hold the chain together."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Break:
    """One place at which the log is not what was written."""

    seq: int
    """The entry at which it shows."""
    what: Literal["changed", "missing", "moved", "foreign"]
    text: str
    """The same in words."""


def sealed(values: Mapping[str, str], before: AuditEntry | AuditLink | None) -> AuditEntry:
    """An entry that follows another one, with its hash; `values` are all fields that do not come from its place."""
    seq, previous = (1, GENESIS) if before is None else (before.seq + 1, before.sha256)
    bare = AuditEntry(seq=seq, previous=previous, sha256="", **values)
    return AuditEntry(seq=seq, previous=previous, sha256=bare.digest(), **values)


def payload_text(facts: Mapping[str, Any]) -> str:
    """Facts as canonical JSON: sorted keys, no blanks; moments and other values as their text.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)
    return clean(text)


def clean(text: str) -> str:
    """A text without what a database or UTF-8 cannot hold, written as escapes."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def breaks_of(chain: Iterable[AuditEntry | AuditLink], *, is_whole: bool = True) -> Iterator[Break]:
    """Every place at which a log, in the order of its numbers, is not what was written.

    What was cut off at its end leaves no trace in it; a hash that was noted elsewhere shows that.

    Args:
        chain: entries, and links in place of those that an extract leaves out.
        is_whole: whether it should begin with the first entry there ever was.
    """
    before: AuditEntry | AuditLink | None = None
    is_sound = True  # whether the hash of the entry before is worth a comparison
    for each in chain:
        expected = before.seq + 1 if before is not None else 1 if is_whole else each.seq
        if each.seq != expected:
            yield Break(each.seq, "missing", _missing(expected, each.seq - 1))
        was_sound, is_sound = is_sound, True
        if isinstance(each, AuditEntry):
            if each.digest() != each.sha256:
                found = _judge(each)
                yield found
                is_sound = found.what == "moved"
            elif each.seq == expected and was_sound and each.previous != _hash_before(each, before):
                yield Break(each.seq, "foreign", _foreign(each.seq))
        before = each


def _judge(entry: AuditEntry) -> Break:
    """What happened to an entry whose hash is not its own."""
    near = range(max(1, entry.seq - _LOOK_AROUND), entry.seq + _LOOK_AROUND)
    was = next((seq for seq in near if entry.digest(seq) == entry.sha256), None)
    if was is not None:
        text = f"entry {entry.seq} was entry {was}: the order was changed, or entries were put in or taken out"
        return Break(entry.seq, "moved", text)
    return Break(entry.seq, "changed", f"entry {entry.seq} was changed: {entry}")


def _hash_before(entry: AuditEntry, before: AuditEntry | AuditLink | None) -> str:
    if before is not None:
        return before.sha256
    return GENESIS if entry.seq == 1 else entry.previous


def _missing(first: int, last: int) -> str:
    if last < first:
        return f"entry {first} was expected here, and an earlier number stands there"
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _foreign(seq: int) -> str:
    before = f"entry {seq - 1}" if seq > 1 else "the beginning"
    return f"entry {seq} does not follow {before}: one of the two was put in place of another"
