"""A week's report in words: lines for a terminal, tables for a page."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from cellos_nb.domain.amounts import PL_PER_UL, format_usd
from cellos_nb.operations.calendar.resources import ResourceKind
from cellos_nb.week.books import Books
from cellos_nb.week.report import WeekReport

Row = dict[str, str]


def facts(report: WeekReport) -> list[tuple[str, str]]:
    """Label and value of each line above the tables."""
    conflicts, bad = report.conflicts, report.impossible
    lines = [
        ("planned", f"{report.planner}, {report.n_plans} times"),
        ("make-span", f"{report.makespan_h:.1f} h from the first request to the last reading"),
        (
            "plates",
            f"{sum(c.n_plates for c in report.campaigns)}, of which {sum(c.n_lost for c in report.campaigns)} lost",
        ),
        ("cell banks", f"{report.n_bank_tasks} tasks done"),
        ("held", f"{len(report.holds)} plates, steps and campaigns"),
        ("double-booked, absent, out of order", "nothing" if not bad else f"{len(bad)}: {bad[0].message}"),
        (
            "beyond a tolerance",
            "nothing" if len(conflicts) == len(bad) else f"{len(conflicts) - len(bad)}, listed below",
        ),
    ]
    books = report.books
    if books is not None:
        off = abs(books.booked_pl - books.held_pl) / PL_PER_UL
        lines += [
            ("liquid by the stock's books", f"{books.booked_pl / PL_PER_UL:,.3f} µL"),
            ("liquid by the robots' ledgers", f"{books.held_pl / PL_PER_UL:,.3f} µL (off by {off:.6f} µL)"),
            ("money", _money(books)),
        ]
    return lines


def campaign_rows(report: WeekReport, zone: str) -> list[Row]:
    """How each campaign came out."""
    return [
        {
            "campaign": line.campaign_id,
            "status": line.status,
            "iterations": str(line.n_iterations),
            "plates": str(line.n_plates),
            "lost": str(line.n_lost),
            "results": str(line.n_results),
            "last reading": _when(line.ended_at, zone),
            "cost": f"{line.cost_usd:,.2f} USD",
        }
        for line in report.campaigns
    ]


def hold_rows(report: WeekReport, zone: str) -> list[Row]:
    """What had to wait, for what, from when to when."""
    return [
        {
            "held": hold.what,
            "for": hold.cause,
            "since": _when(hold.since, zone),
            "until": _when(hold.until, zone) if hold.until else "never went on",
            "reason": hold.reason,
        }
        for hold in sorted(report.holds, key=lambda one: (one.since, one.what))
    ]


def use_rows(report: WeekReport) -> list[Row]:
    """How full each resource was, within its hours."""
    kind = report.happened.resource
    return [
        {"resource": name, "kind": kind[name].kind.replace("_", " "), "in use": f"{part:.1%}"}
        for name, part in report.utilisation
        if part > 0 or kind[name].kind is not ResourceKind.CABINET
    ]


def conflict_rows(report: WeekReport, zone: str) -> list[Row]:
    """What went beyond a tolerance."""
    return [
        {"when": _when(one.start, zone), "conflict": one.kind.value, "what": one.message} for one in report.conflicts
    ]


def diary_rows(report: WeekReport, zone: str) -> list[Row]:
    """What happened, in order."""
    return [{"when": _when(at, zone), "what": text} for at, text in report.entries]


def _money(books: Books) -> str:
    bought, used = format_usd(books.received_micro_usd), format_usd(books.used_micro_usd)
    there, off = format_usd(books.on_hand_micro_usd), format_usd(books.lacking_micro_usd)
    return f"{bought} bought = {used} used + {there} on hand (off by {off})"


def _when(moment: datetime | None, zone: str) -> str:
    return "-" if moment is None else f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %H:%M}"
