"""The audit log of a database: written in the transaction of each act, read and checked by anyone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select

from cellos_nb.domain.audit import GENESIS, Act, AuditEntry, AuditLink, Break, breaks_of, clean, payload_text, sealed
from cellos_nb.store.accounts import account
from cellos_nb.store.audit_table import audit_log
from cellos_nb.store.prepared import Prepared
from cellos_nb.units import now_utc

_FIELDS = tuple(AuditEntry.__dataclass_fields__)
_COLUMNS = tuple(audit_log.c[name] for name in _FIELDS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for; all of them by default."""

    kind: str = ""
    """A kind, or the beginning of some: `queue` finds `queue.paused`."""
    who: str = ""
    """The name of who acted, or the account."""
    subject: str = ""
    """A campaign with its plates, a plate, a resource, or `queue`."""
    since: datetime | None = None
    until: datetime | None = None
    """Before this moment."""
    last: int | None = None
    """So many at most, the newest."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the whole chain found."""

    n_entries: int
    head: str
    """The SHA-256 of the last entry."""
    breaks: tuple[Break, ...]
    noted_at: int | None = None
    """The entry whose hash was noted elsewhere; None when none was given, or it is not there."""
    is_noted_lost: bool = False
    """Whether a hash was given that no entry has: what was there then was cut off or written anew."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing speaks against the log."""
        return not self.breaks and not self.is_noted_lost


def note(
    tx: Connection,
    act: Act,
    subject: str,
    *,
    who: str,
    why: str = "",
    facts: Mapping[str, Any] | None = None,
    of: str | None = None,
) -> AuditEntry:
    """Adds an entry in the transaction of the act itself: both are stored, or neither.

    The store has one writer at a time, over all processes, so that no two entries ever follow the same one.

    Args:
        tx: the transaction that the act is part of, one of `Store.write`.
        act: what was done.
        subject: what it was about.
        who: the person, or the software that acted by itself.
        why: the reason that was given.
        facts: what else belongs to it.
        of: the account; that of this process when left out.
    """
    values = {
        "at": now_utc().astimezone(UTC).isoformat(timespec="microseconds"),
        "who": clean(who),
        "account": clean(account() if of is None else of),
        "kind": str(act),
        "subject": clean(subject),
        "why": clean(why),
        "payload": payload_text(facts or {}),
    }
    entry = sealed(values, last_link(tx))
    _INSERT(tx, asdict(entry))
    return entry


def last_link(tx: Connection) -> AuditLink | None:
    """Number and hash of the last entry; None before there is one."""
    rows = _LAST.rows(tx)
    return AuditLink(*rows[0]) if rows else None


def head(tx: Connection) -> str:
    """The hash of the last entry: whoever notes it elsewhere can show later that nothing before was cut off."""
    last = last_link(tx)
    return GENESIS if last is None else last.sha256


def chain(tx: Connection, after: int = 0) -> Iterator[AuditEntry]:
    """All entries in order, from behind one."""
    query = select(*_COLUMNS).where(audit_log.c.seq > after).order_by(audit_log.c.seq)
    for row in tx.execute(query):
        yield AuditEntry(*row)


def entries(tx: Connection, wanted: Wanted | None = None) -> tuple[AuditEntry, ...]:
    """The entries that are wanted, oldest first."""
    wanted = wanted or Wanted()
    query = select(*_COLUMNS).where(*_conditions(wanted)).order_by(audit_log.c.seq.desc()).limit(wanted.last)
    return tuple(AuditEntry(*row) for row in tx.execute(query))[::-1]


def extract(tx: Connection, subject: str) -> list[AuditEntry | AuditLink]:
    """What is about a subject, and acts on all work, from its first entry on; links hold the chain together.

    Empty when the log has nothing about it.
    """
    own = {each.seq for each in entries(tx, Wanted(subject=subject))}
    if not own:
        return []
    return [
        each if each.seq in own or each.subject == "queue" else AuditLink(each.seq, each.sha256)
        for each in chain(tx, after=min(own) - 1)
    ]


def verify(tx: Connection, noted: str | None = None) -> Verified:
    """Looks at every entry: whether it is as it was written, and follows the one before.

    `noted` is the hash of an entry, noted elsewhere when that was the last one.
    """
    seen: list[AuditLink] = []
    found = tuple(breaks_of(_watched(chain(tx), seen)))
    at = None if noted is None else next((each.seq for each in seen if each.sha256 == noted.lower()), None)
    last = seen[-1].sha256 if seen else GENESIS
    is_lost = noted is not None and at is None and noted.lower() != GENESIS
    return Verified(len(seen), last, found, at, is_lost)


def _watched(links: Iterator[AuditEntry], seen: list[AuditLink]) -> Iterator[AuditEntry]:
    for each in links:
        seen.append(AuditLink(each.seq, each.sha256))
        yield each


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    log = audit_log.c
    found: list[ColumnElement[bool]] = []
    if wanted.kind:
        found.append(or_(log.kind == wanted.kind, log.kind.startswith(f"{wanted.kind}.", autoescape=True)))
    if wanted.who:
        found.append(or_(log.who == wanted.who, log.account == wanted.who, log.account.endswith(f":{wanted.who}")))
    if wanted.subject:
        own = f"{wanted.subject}/"
        found.append(or_(log.subject == wanted.subject, log.subject.startswith(own, autoescape=True)))
    for moment, is_since in ((wanted.since, True), (wanted.until, False)):
        if moment is not None:
            text = moment.astimezone(UTC).isoformat(timespec="microseconds")
            found.append(log.at >= text if is_since else log.at < text)
    return found


_LAST = Prepared(select(audit_log.c.seq, audit_log.c.sha256).order_by(audit_log.c.seq.desc()).limit(1))
_INSERT = Prepared(insert(audit_log), *_FIELDS)
