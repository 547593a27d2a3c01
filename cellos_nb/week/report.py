"""The report of a week: how long, how full, what waited for what, whether anything was in two places at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from cellos_nb.domain.amounts import MICRO_PER_USD
from cellos_nb.execution.runs import run_records
from cellos_nb.operations.calendar.conflicts import Conflict, ConflictKind, find_conflicts
from cellos_nb.operations.calendar.nights import NightNote, night_notes
from cellos_nb.operations.calendar.schedule import Schedule
from cellos_nb.week.actual import what_happened
from cellos_nb.week.books import Books, books_of
from cellos_nb.week.diary import Hold
from cellos_nb.week.run import WeekRun

NEVER = frozenset(
    {
        ConflictKind.DOUBLE_BOOKED,
        ConflictKind.OVER_CAPACITY,
        ConflictKind.PERSON_ABSENT,
        ConflictKind.CLOSED,
        ConflictKind.PRECEDENCE,
        ConflictKind.MOVED_ROBOT,
        ConflictKind.TOO_SHORT,
    }
)
"""What must not happen whatever goes wrong; an incubation that lasts too long can be the lesser evil."""


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """How one campaign came out."""

    campaign_id: str
    status: str
    reason: str
    n_iterations: int
    n_plates: int
    n_lost: int
    """Plates that gave no reading."""
    n_results: int
    ended_at: datetime | None
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class WeekReport:
    """What became of a week."""

    name: str
    planner: str
    makespan_h: float
    """From the first campaign's arrival to the last reading."""
    utilisation: tuple[tuple[str, float], ...]
    campaigns: tuple[CampaignLine, ...]
    holds: tuple[Hold, ...]
    conflicts: tuple[Conflict, ...]
    """In what happened."""
    nights: tuple[NightNote, ...]
    n_bank_tasks: int
    n_plans: int
    books: Books | None
    """None where nothing is kept in stock."""
    entries: tuple[tuple[datetime, str], ...]
    happened: Schedule

    @property
    def impossible(self) -> tuple[Conflict, ...]:
        """Conflicts that must not happen whatever goes wrong."""
        return tuple(one for one in self.conflicts if one.kind in NEVER)


def report_of(run: WeekRun) -> WeekReport:
    """The report of a week that was lived through."""
    happened = what_happened(run)
    first = min(run.config.moment(entry.arrives) for entry in run.config.campaigns)
    ends = [one.end for one in happened.placements if happened.task[one.task_id].job_id in run.work.plates]
    return WeekReport(
        name=run.config.name,
        planner="calendar, solved" if run.is_solved else "first come, first served",
        makespan_h=(max(ends, default=first) - first).total_seconds() / 3600,
        utilisation=tuple(happened.utilisation().items()),
        campaigns=_campaigns(run),
        holds=_holds(run),
        conflicts=find_conflicts(happened),
        nights=night_notes(happened),
        n_bank_tasks=sum(task.task_id in run.roster.begun for task in run.work.banks if not task.is_elastic),
        n_plans=run.diary.n_plans,
        books=books_of(run),
        entries=tuple(run.diary.entries),
        happened=happened,
    )


def _holds(run: WeekRun) -> tuple[Hold, ...]:
    """What waited. A step went on when it began; one that somebody else took over in time did not wait."""
    found = []
    for hold in run.diary.holds:
        begun = run.roster.begun.get(hold.what)
        ended = replace(hold, until=begun.start) if hold.until is None and begun is not None else hold
        if ended.until is None or ended.until > ended.since:
            found.append(ended)
    return tuple(found)


def _campaigns(run: WeekRun) -> tuple[CampaignLine, ...]:
    found = []
    records = run_records(run.lab.store)
    for record in run.lab.store.campaigns():
        mine = [one for one in records if one.plate_id.startswith(f"{record.campaign_id}/")]
        history = run.lab.store.history(record.campaign_id)
        ends = [one.finished_at for one in mine if one.finished_at is not None]
        cost = sum(round(one.cost_usd * MICRO_PER_USD) for one in mine)
        standing = run.lab.store.standing(record.campaign_id)
        found.append(
            CampaignLine(
                campaign_id=record.campaign_id,
                status=str(standing.status),
                reason=standing.reason or "",
                n_iterations=len(history.iterations),
                n_plates=len(mine),
                n_lost=sum(one.status != "succeeded" for one in mine),
                n_results=len(history),
                ended_at=max(ends, default=None),
                cost_usd=Decimal(cost) / MICRO_PER_USD,
            )
        )
    return tuple(found)
