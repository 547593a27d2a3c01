"""Runs of planners as tables of Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import AT, difference, mean_regret, placed, signs

BEGIN, END = "<!-- planners: written by benchmarks/planner/run.py -->", "<!-- /planners -->"
OURS = "cellos"
PREAMBLE = (
    "Printed by `benchmarks/planner/run.py --write`. 8 random wells, then batches of 4 up to 60; a measurement is "
    "one replicate (on synthetic tables, noise of known size). Normalised regret on true means, mean over seeds, "
    "after 20, 40 and 60 wells; the sign test pairs the seeds on the mean of the three. On the screen our prior is "
    "learnt without the cell lines in question, and, but for the selective compound, without the compounds. Seeds are "
    "as many as the table says. Below each: regret less ours on the same seeds, mean ± standard error, with the seeds "
    "in which ours is better and worse and the sign test, at each number of wells. One thread each, on a shared "
    "machine: CPU seconds of an ask are for orders of magnitude."
)


def tables(runs: list[dict[str, Any]], tasks: list[str], planners: list[str]) -> str:
    """One table of regrets per task; sign tests pair the seeds."""
    by = {(run["task"], run["planner"], run["seed"]): run for run in runs}
    parts = [PREAMBLE, ""]
    for task in tasks:
        if not any((task, OURS) == (t, p) for t, p, _ in by):
            continue
        rows = []
        for planner in planners:
            seeds = sorted(seed for t, p, seed in by if (t, p) == (task, planner))
            if seeds:
                rows.append(_row(by, task, planner, seeds))
        if rows:
            asks_ec50 = any(run.get("rmse") is not None for run in runs if run["task"] == task)
            head = "| planner | seeds | @20 | @40 | @60 | @60 median [IQR] | against ours | ask, CPU s |"
            if asks_ec50:
                head = head.replace("@20 | @40 | @60 | @60 median [IQR]", "RMSE log10 EC50 | median [IQR]")
            parts.append("\n".join([f"**{task}**", "", head, "|---" * head.count(" | ") + "|---|", *rows, ""]))
            if not asks_ec50:
                parts.append(_differences(by, task, planners))
    return "\n".join(parts)


def _row(by: dict[tuple[str, str, int], dict[str, Any]], task: str, planner: str, seeds: list[int]) -> str:
    runs = [by[task, planner, seed] for seed in seeds]
    ask = f"{np.median([run['ask_s'] for run in runs]):.3f}"
    has_rmse = any(run.get("rmse") is not None for run in runs)
    if "rmse" in runs[0]:
        if not has_rmse:
            return f"| {planner} | {len(seeds)} | gives no EC50s | | | {ask} |"
        final = np.array([run["rmse"] for run in runs])
        shown = f"{final.mean():.3f}"
    else:
        final = np.array([run["regret"]["60"] for run in runs])
        shown = " | ".join(f"{np.mean([run['regret'][n] for run in runs]):.3f}" for n in AT)
    spread = "{:.3f} [{:.3f}, {:.3f}]".format(*np.percentile(final, [50, 25, 75]))
    return f"| {planner} | {len(seeds)} | {shown} | {spread} | {_against(by, task, planner, seeds)} | {ask} |"


def _against(by: dict[tuple[str, str, int], dict[str, Any]], task: str, planner: str, seeds: list[int]) -> str:
    """In how many seeds ours is better and worse, and the two-sided sign test."""
    if planner == OURS:
        return "–"
    pairs = [(by[task, OURS, seed], by[task, planner, seed]) for seed in seeds if (task, OURS, seed) in by]
    if not pairs:
        return ""
    better, worse, p = signs([_score(theirs) - _score(mine) for mine, theirs in pairs])
    return f"{better} better, {worse} worse, p = {p:.2g}" if better + worse else "equal"


def _differences(by: dict[tuple[str, str, int], dict[str, Any]], task: str, planners: list[str]) -> str:
    """The same pairs at each number of wells."""
    lines = ["| less ours | pairs | @20 | @40 | @60 |", "|---|---|---|---|---|"]
    for planner in planners:
        pairs = [
            (run["regret"], by[task, OURS, seed]["regret"])
            for (t, p, seed), run in by.items()
            if (t, p) == (task, planner) and p != OURS and (task, OURS, seed) in by
        ]
        if not pairs:
            continue
        cells = []
        for n in AT:
            gaps = [theirs[n] - mine[n] for theirs, mine in pairs]
            better, worse, p = signs(gaps)
            cells.append(f"{difference(gaps)}; {better} : {worse}, p = {p:.2g}")
        lines.append(f"| {planner} | {len(pairs)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _score(run: dict[str, Any]) -> float:
    if run.get("rmse") is not None:
        return float(run["rmse"])
    return mean_regret(run["regret"])


def page_with(page: str, found: str) -> str:
    """The page with its planners' tables replaced; they go to the end where there were none."""
    return placed(page, found, (BEGIN, END), "Planners")
