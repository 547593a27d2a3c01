"""What histories were worth, as tables of Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import mean_regret, placed
from scipy.stats import binomtest

BEGIN, END = "<!-- transfer: written by benchmarks/planner/transfer.py -->", "<!-- /transfer -->"
BASE = "no prior"


def tables(runs: list[dict[str, Any]], planners: list[str]) -> str:
    """For each kind of what is left out: planners beside the one that knows nothing, and each part by itself."""
    parts = []
    for kind in dict.fromkeys(run["kind"] for run in runs):
        by = {(run["left_out"], run["seed"], run["planner"]): run["regret"] for run in runs if run["kind"] == kind}
        shown = [planner for planner in planners if any(key[2] == planner for key in by)]
        parts += [
            f"**{kind} left out**\n",
            "| knows | runs | @20 | @40 | @60 | @60 median [IQR] | beside no prior | difference ± SE |",
            "|---|---|---|---|---|---|---|---|",
            *(_row(by, planner) for planner in shown),
            "\nEach part by itself, mean of the regrets after 20, 40 and 60 wells:\n",
            f"| left out | runs | {' | '.join(shown)} |",
            "|---" * (len(shown) + 2) + "|",
            *(_part(by, left_out, shown) for left_out in sorted({key[0] for key in by})),
            "",
        ]
    return "\n".join(parts)


def _row(by: dict[tuple[str, int, str], dict[str, float]], planner: str) -> str:
    found = [regret for key, regret in by.items() if key[2] == planner]
    means = " | ".join(f"{np.mean([regret[n] for regret in found]):.3f}" for n in ("20", "40", "60"))
    spread = "{:.3f} [{:.3f}, {:.3f}]".format(*np.percentile([regret["60"] for regret in found], [50, 25, 75]))
    return f"| {planner} | {len(found)} | {means} | {spread} | {_beside(by, planner)} |"


def _beside(by: dict[tuple[str, int, str], dict[str, float]], planner: str) -> str:
    """The sign test over paired runs, and the mean difference; negative is better than no prior."""
    pairs = [(by[base], regret) for key, regret in by.items() if key[2] == planner and (base := (*key[:2], BASE)) in by]
    if planner == BASE or not pairs:
        return "– | –"
    gap = np.array([mean_regret(theirs) - mean_regret(base) for base, theirs in pairs])
    better, worse = int((gap < -1e-9).sum()), int((gap > 1e-9).sum())
    error = float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else float("nan")
    p = binomtest(better, better + worse).pvalue if better + worse else 1.0
    return f"{better} better, {worse} worse, p = {p:.2g} | {gap.mean():+.3f} ± {error:.3f}"


def _part(by: dict[tuple[str, int, str], dict[str, float]], left_out: str, planners: list[str]) -> str:
    cells = [
        [mean_regret(regret) for key, regret in by.items() if key[::2] == (left_out, planner)] for planner in planners
    ]
    means = " | ".join(f"{np.mean(cell):.3f}" if cell else "" for cell in cells)
    return f"| {left_out} | {max(map(len, cells))} | {means} |"


def page_with(page: str, found: str) -> str:
    """The page with these tables in place of those between the marks, or at its end where there were none."""
    return placed(page, found, (BEGIN, END), "What a history is worth")
