"""What the commands about banks say: their tables, and what a person writes behind their options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from cellos_nb.domain.yaml_lines import yaml_text
from cellos_nb.errors import InputError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.outcome import MEASURES, BankRuns, Ending
from cellos_nb.operations.banks.sensitivity import Sensitivity
from cellos_nb.operations.banks.summary import BankSummary, CrashTest, Share, StageSummary
from cellos_nb.operations.banks.tables import difference_text, sensitivity_table
from cellos_nb.operations.banks.tasks import BankTask


def days_away(text: str) -> tuple[int, int]:
    """The first and last day of an absence, from `10` or `10-14`.

    Raises:
        InputError: it is neither.
    """
    first, mark, last = text.partition("-")
    if not first.isdigit() or (mark and not last.isdigit()):
        raise InputError(f"--person-away: {text!r} is neither a day nor a first and last day, as in 10-14.")
    return int(first), int(last if mark else first)


def ranges(vary: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value by name, from `NAME=LOW:HIGH`.

    Raises:
        InputError: one is not of that form.
    """
    found = {}
    for text in vary:
        name, mark, span = text.partition("=")
        low, colon, high = span.partition(":")
        try:
            found[name] = (float(low), float(high))
        except ValueError:
            mark = ""
        if not mark or not colon or not all(map(math.isfinite, found[name])):
            raise InputError(f"--vary: {text!r} does not say between what a number may lie; write NAME=LOW:HIGH.")
    return found


def head(runs: BankRuns, summary: BankSummary) -> list[tuple[str, str]]:
    """What was simulated, and whether it is likely to succeed."""
    wanted = " and ".join(f"{stage.vials} vials of a {name} bank" for name, stage in runs.config.stages)
    return [
        ("bank", f"{runs.config.name} ({runs.config.cell_line}): {wanted}"),
        ("runs", f"{runs.n_runs}, seed {runs.seed}"),
        ("success", share(summary.success)),
    ]


def share(value: Share) -> str:
    """With its interval."""
    return f"{value.value:.1%} (95 % interval {value.low:.1%} to {value.high:.1%})"


def measure_rows(summary: BankSummary) -> list[dict[str, Any]]:
    """One row for each measure."""
    return [
        {"": MEASURES[name], "p5": one.p5, "p50": one.p50, "p95": one.p95, "mean": one.mean}
        for name, one in _rounded(summary).items()
    ]


def _rounded(summary: BankSummary) -> dict[str, Any]:
    digits = {"waste": 3, "cost_usd": 0, "vials": 1}
    return {
        name: type(spread)(*(round(value, digits.get(name, 1)) for value in asdict(spread).values()))
        for name, spread in summary.measures.items()
    }


def stage_facts(stage: StageSummary, n_runs: int) -> list[tuple[str, str]]:
    """What became of one bank."""
    vials, days, passage = stage.vials, stage.culture_days, stage.passage
    facts = [
        ("released", share(stage.released)),
        ("with all vials", share(stage.success)),
        ("vials p5/p50/p95", f"{vials.p5:.0f} / {vials.p50:.0f} / {vials.p95:.0f}"),
        ("days in culture", f"{days.p5:.0f} / {days.p50:.0f} / {days.p95:.0f}"),
        ("passage on them", f"{passage.p5:.0f} / {passage.p50:.0f} / {passage.p95:.0f}"),
        ("begun anew", f"{stage.n_anew} of {n_runs} runs"),
    ]
    if stage.n_tainted:
        facts.append(("released but bad", f"{stage.n_tainted} of {n_runs} runs: no test found it"))
    return facts


def ending_rows(stage: StageSummary, n_runs: int) -> list[dict[str, Any]]:
    """How the runs ended."""
    return [{"ended": ending, "runs": n, "share": f"{n / n_runs:.1%}"} for ending, n in stage.endings]


def crash_facts(test: CrashTest) -> list[tuple[str, str]]:
    """What was done to the bank, and whether it matters."""
    saved = (
        "no run was in culture" if math.isnan(test.saved) else f"{test.saved:.1%} of those that would have succeeded"
    )
    return [
        ("trouble", f"{test.trouble}, in the {test.stage} bank"),
        ("in culture then", share(test.in_culture)),
        ("still succeed", saved),
    ]


def change_rows(test: CrashTest) -> list[dict[str, Any]]:
    """One row for each measure."""
    return [
        {
            "mean of": MEASURES[one.measure],
            "as planned": number(one.before),
            "with the trouble": number(one.after),
            "difference": difference_text(one.difference, one.half_width),
        }
        for one in test.changes
    ]


def number(value: float) -> float | None:
    """None in place of what is not a number."""
    return None if math.isnan(value) else value


def ending_changes(test: CrashTest) -> list[dict[str, Any]]:
    """How many runs ended how, before and after."""
    pairs = ((_counts(runs, test.stage)) for runs in (test.before, test.after))
    before, after = pairs
    return [
        {"ended": str(ending), "as planned": before.get(ending, 0), "with the trouble": after.get(ending, 0)}
        for ending in Ending
        if ending in before or ending in after
    ]


def _counts(runs: BankRuns, name: str) -> dict[Ending, int]:
    stage = next(stage for stage in runs.stages if stage.name == name)
    found: dict[Ending, int] = {}
    for one in stage.ending:
        found[Ending(one)] = found.get(Ending(one), 0) + 1
    return found


def crash_document(test: CrashTest) -> dict[str, Any]:
    """A crash test for programs."""
    return {
        "trouble": str(test.trouble),
        "bank": test.stage,
        "runs": test.before.n_runs,
        "seed": test.before.seed,
        "in_culture": test.in_culture,
        "saved": test.saved,
        "changes": test.changes,
        "endings": ending_changes(test),
    }


def sensitivity_facts(found: Sensitivity) -> list[tuple[str, str]]:
    """What is asked about."""
    return [
        ("mean of", f"{MEASURES[found.measure]}: {found.base:.4g} with all numbers as they are"),
        ("one at a time", f"change when one number is set low or high, over {found.n_runs} runs with the same luck"),
        ("rank correlation", "when all numbers are drawn from their ranges at once"),
    ]


def sensitivity_rows(found: Sensitivity) -> list[dict[str, Any]]:
    """One row for each number, that with the largest effect first."""
    table = sensitivity_table(found)
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None)]


def week_entries(config: BankConfig, tasks: Mapping[str, Sequence[BankTask]], begins: str) -> list[dict[str, Any]]:
    """Each bank as an entry of a week's `banks:`."""
    return [
        {
            "name": f"{config.name} {bank} bank",
            "begins": begins,
            "tasks": [asdict(task) | {"kind": task.kind.value} for task in its_tasks],
        }
        for bank, its_tasks in tasks.items()
    ]


def week_yaml(entries: Sequence[dict[str, Any]]) -> str:
    """As YAML, each task on a line."""
    lines = ["banks:"]
    for entry in entries:
        lines += [f"  - name: {_line(entry['name'])}", f"    begins: {_line(entry['begins'])}", "    tasks:"]
        lines += [f"      - {_line(task)}" for task in entry["tasks"]]
    return "\n".join(lines) + "\n"


def _line(value: Any) -> str:
    return yaml_text(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def as_json(value: Any) -> Any:
    """Plain values; what is not a number is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
