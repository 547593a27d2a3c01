"""What histories were worth, as tables of Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import AT, difference, mean_regret, placed, signs

BEGIN, END = "<!-- transfer: written by benchmarks/planner/transfer.py -->", "<!-- /transfer -->"
BASE = "no prior"
Run = tuple[str, int, str]
"""What was left out, the seed, and what was known."""


def tables(runs: list[dict[str, Any]], planners: list[str]) -> str:
    """For each kind of what is left out: planners beside the one that knows nothing, and each part by itself."""
    parts = []
    for kind in dict.fromkeys(run["kind"] for run in runs):
        by = {(run["left_out"], run["seed"], run["planner"]): run["regret"] for run in runs if run["kind"] == kind}
        rmse = {(run["left_out"], run["seed"], run["planner"]): run.get("rmse") for run in runs if run["kind"] == kind}
        shown = [planner for planner in planners if any(key[2] == planner for key in by)]
        parts += [
            f"**{kind} left out**\n",
            "| knows | runs | @20 | @40 | @60 | @60 median [IQR] | beside no prior | difference ± SE |",
            "|---|---|---|---|---|---|---|---|",
            *(_row(by, planner) for planner in shown),
            "\nLess no prior, in pairs, at each number of wells; the last column is of RMSE log10 EC50 after 60:\n",
            "| knows | @20 | @40 | @60 | RMSE log10 EC50 | less no prior |",
            "|---|---|---|---|---|---|",
            *(_differences(by, rmse, planner) for planner in shown),
            "\nEach part by itself, mean of the regrets after 20, 40 and 60 wells:\n",
            f"| left out | runs | {' | '.join(shown)} |",
            "|---" * (len(shown) + 2) + "|",
            *(_part(by, left_out, shown) for left_out in sorted({key[0] for key in by})),
            "",
        ]
    return "\n".join(parts)


def _row(by: dict[Run, dict[str, float]], planner: str) -> str:
    found = [regret for key, regret in by.items() if key[2] == planner]
    means = " | ".join(f"{np.mean([regret[n] for regret in found]):.3f}" for n in AT)
    spread = "{:.3f} [{:.3f}, {:.3f}]".format(*np.percentile([regret["60"] for regret in found], [50, 25, 75]))
    return f"| {planner} | {len(found)} | {means} | {spread} | {_beside(by, planner)} |"


def _beside(by: dict[Run, dict[str, float]], planner: str) -> str:
    """The sign test over paired runs, and the mean difference; negative is better than no prior."""
    pairs = [(by[base], regret) for key, regret in by.items() if key[2] == planner and (base := (*key[:2], BASE)) in by]
    if planner == BASE or not pairs:
        return "– | –"
    gaps = [mean_regret(theirs) - mean_regret(base) for base, theirs in pairs]
    better, worse, p = signs([-gap for gap in gaps])
    return f"{better} better, {worse} worse, p = {p:.2g} | {difference(gaps)}"


def _differences(by: dict[Run, dict[str, float]], rmse: dict[Run, float | None], planner: str) -> str:
    """The same pairs at each number of wells, and how well EC50s are known at the end."""
    bases = [(key, (*key[:2], BASE)) for key in by if key[2] == planner]
    pairs = [(key, base) for key, base in bases if base in by and planner != BASE]
    cells = []
    for n in AT:
        gaps = [by[key][n] - by[base][n] for key, base in pairs]
        better, worse, p = signs([-gap for gap in gaps])
        cells.append(f"{difference(gaps)}; {better} : {worse}, p = {p:.2g}" if gaps else "–")
    known = [error for key, _ in bases if (error := rmse[key]) is not None]
    both = [mine - theirs for a, b in pairs if (mine := rmse[a]) is not None and (theirs := rmse.get(b)) is not None]
    cells += [f"{np.mean(known):.3f}" if known else "–", difference(both) if both else "–"]
    return f"| {planner} | {' | '.join(cells)} |"


def _part(by: dict[Run, dict[str, float]], left_out: str, planners: list[str]) -> str:
    cells = [
        [mean_regret(regret) for key, regret in by.items() if key[::2] == (left_out, planner)] for planner in planners
    ]
    means = " | ".join(f"{np.mean(cell):.3f}" if cell else "" for cell in cells)
    return f"| {left_out} | {max(map(len, cells))} | {means} |"


def page_with(page: str, found: str) -> str:
    """The page with these tables in place of those between the marks, or at its end where there were none."""
    return placed(page, found, (BEGIN, END), "What a history is worth")
