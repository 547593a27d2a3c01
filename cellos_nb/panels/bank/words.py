"""The bank panel in words."""

from __future__ import annotations

import math

from cellos_nb.operations.banks.outcome import MEASURES
from cellos_nb.operations.banks.summary import CrashTest
from cellos_nb.panels.bank.model import BankShown


def summary(shown: BankShown) -> str:
    """How likely it succeeds, with how many vials, how long and for how much."""
    success, measures = shown.summary.success, shown.summary.measures
    vials, days, cost = measures["vials"], measures["days"], measures["cost_usd"]
    made = " and ".join(f"{stage.vials} vials of a {name} bank" for name, stage in shown.config.stages)
    took = "" if math.isnan(days.p50) else f" after {days.p50:.0f} days ({days.p5:.0f} to {days.p95:.0f})"
    said = (
        f"{made[:1].upper()}{made[1:]} succeed in {success.value:.1%} of {shown.runs.n_runs} runs "
        f"({success.low:.1%} to {success.high:.1%}): {vials.p50:.0f} vials ({vials.p5:.0f} to {vials.p95:.0f})"
        f"{took}, for {cost.p50:,.0f} USD ({cost.p5:,.0f} to {cost.p95:,.0f})."
    )
    return said if shown.crash is None else f"{said} {crash_text(shown.crash)}"


def facts(shown: BankShown) -> list[tuple[object, object]]:
    """What cannot be said in one number."""
    success = shown.summary.success
    rows: list[tuple[object, object]] = [
        ("success", f"{success.value:.1%}, 95 % interval {success.low:.1%} to {success.high:.1%}")
    ]
    for stage in shown.summary.stages:
        passage, tainted = stage.passage, stage.n_tainted
        text = f"{stage.released.value:.1%} released, passage {passage.p50:.0f}, begun anew in {stage.n_anew} runs"
        rows.append((f"{stage.name} bank", text + (f", {tainted} released though bad" if tainted else "")))
    rows += [("in stock", lot) for lot in shown.in_stock]
    return rows


def crash_text(test: CrashTest) -> str:
    """What the trouble does, in a sentence."""
    if math.isnan(test.saved):
        return f"If {test.trouble} in the {test.stage} bank, nothing changes: no run is in culture then."
    late = next(one for one in test.changes if one.measure == "days").difference
    later = "" if math.isnan(late) else f", on average {late:+.1f} days later"
    return (
        f"If {test.trouble} in the {test.stage} bank, {test.saved:.0%} of the runs in culture that would have "
        f"succeeded still do{later}."
    )


def histogram_text(shown: BankShown) -> str:
    """What the histograms show."""
    vials, wanted = shown.summary.measures["vials"], shown.runs.last.wanted
    return (
        f"Histograms over {shown.runs.n_runs} runs: vials of the {shown.runs.last.name} bank, median {vials.p50:.0f}, "
        f"wanted {wanted}; and days to its release."
    )


def fan_text(shown: BankShown) -> str:
    """What the fans show."""
    days = ", ".join(f"{stage.name} bank in {stage.culture_days.p50:.0f} days" for stage in shown.summary.stages)
    return f"Fans of the living cells in vials' worth, day by day, with median and 5 to 95 %: {days} at the median."


def tornado_text(shown: BankShown) -> str:
    """What the tornado shows."""
    found = shown.sensitivity
    names = ", ".join(effect.range.label for effect in found.effects[:3] if effect.swing > 0)
    return f"Tornado of {MEASURES[found.measure]}: it depends most on {names or 'none of the numbers'}."
