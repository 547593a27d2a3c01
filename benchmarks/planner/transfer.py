"""What a history is worth: `uv run python benchmarks/planner/transfer.py`.

The question is always which well kills at the lowest dose, over wells of the shipped screen that no prior has seen: one
cell line of nine with all compounds, or one of four folds of compounds with all lines. What planners know before:

- `no prior`: round numbers about drugs.
- `after K campaigns`: K campaigns of 60 wells each, of the same planner on other lines (or other compounds), one after
  another, each learnt from before the next: the lab's own history, as `cellos learn-prior` keeps it.
- `whole screen`: all wells of the screen that are not left out.
- `shuffled`: the same wells, with their viabilities exchanged at random. `reversed`: each curve with its doses in
  reverse, a lie that agrees with itself.
- `names after 4 campaigns`, `names, whole screen`: no planner of ours, but what ours leave unused on a new cell line,
  for no prior remembers a compound: wells in the order of the mean score that their compound and dose had in the wells
  of those campaigns or of the screen, whatever is measured.

All get the same 8 random wells, then ask for batches of 4 until 60 wells are run; a measurement is one replicate.

`--out` gathers one JSON line per run and leaves out what stands there already; `--table` prints what stands there, and
`--write` puts it into docs/benchmarks.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from learn_prior import screen
from peers import Random
from results import PAGE, done, keep
from run import campaign, seeds_of
from task import Task
from tasks import all_fits, potency, wide
from transfer_tables import page_with, tables

from cellos_nb.planner import Prior, pool_planner

N_CAMPAIGNS, N_WELLS, BATCH, N_FIRST = 4, 60, 4, 8
N_FOLDS = 4
Left = tuple[frozenset[str], frozenset[str]]
"""Cell lines and compounds that no prior has seen; one of the two is empty."""


def parts() -> dict[str, dict[str, Left]]:
    """What is left out, by kind and name."""
    lines, compounds = names("cell_line"), names("compound")
    folds = [compounds[i::N_FOLDS] for i in range(N_FOLDS)]
    return {
        "cell line": {line: (frozenset([line]), frozenset()) for line in lines},
        "compounds": {f"fold {i + 1}": (frozenset(), frozenset(fold)) for i, fold in enumerate(folds)},
    }


def names(level: str) -> list[str]:
    return sorted(wide().index.get_level_values(level).unique())


def question(left: Left) -> Task:
    """About the wells that are left out; their EC50s are not asked for, but how well they are known is looked at."""
    task = potency(cells(*left), left)
    pairs = {well[:2] for well in task.wells}
    return replace(task, log10_ec50={pair: value for pair, value in all_fits().items() if pair in pairs})


def cells(lines: frozenset[str], compounds: frozenset[str]) -> pd.DataFrame:
    """Wells of these lines and compounds; empty means all."""
    table = wide()
    keep = np.ones(len(table), dtype=bool)
    for level, wanted in (("cell_line", lines), ("compound", compounds)):
        if wanted:
            keep &= table.index.get_level_values(level).isin(wanted)
    return table[keep]


def history(left: Left, seed: int) -> list[tuple[pd.DataFrame, Prior]]:
    """Each campaign that came before: its wells, and what is known after it."""
    found: list[tuple[pd.DataFrame, Prior]] = []
    for number, share in enumerate(before(left, seed)):
        known = found[-1][1] if found else None
        wells = planned(potency(cells(*share), None), known or "vague", [22, seed, number])
        found.append((wells, known.updated(wells) if known else Prior.learn(wells)))
    return found


def before(left: Left, seed: int) -> list[Left]:
    """Cell lines and compounds of the campaigns that came before: other lines with all compounds, or the reverse."""
    level, out = ("cell_line", left[0]) if left[0] else ("compound", left[1])
    others = np.random.default_rng([21, seed]).permutation([name for name in names(level) if name not in out]).tolist()
    shares = [frozenset(others[k::N_CAMPAIGNS]) for k in range(N_CAMPAIGNS)]
    return [(share, frozenset()) if left[0] else (frozenset(), share) for share in shares]


def planned(task: Task, prior: Prior | str, seed: list[int]) -> pd.DataFrame:
    """A campaign's wells, as a table that a prior is learnt from."""
    rng = np.random.default_rng(seed)
    planner = pool_planner(task.space(), seed[1], prior=prior)
    place = {well: i for i, well in enumerate(task.wells)}
    run = rng.choice(len(task.wells), N_FIRST, replace=False).tolist()
    scores = [task.measure(i, rng) for i in run]
    planner.tell([task.row(i) for i in run], scores)
    while len(run) < N_WELLS:
        rows = planner.ask(BATCH)
        chosen = [place[tuple(row.values())] for row in rows]
        found = [task.measure(i, rng) for i in chosen]
        planner.tell(rows, found)
        run, scores = run + chosen, scores + found
    log10_dose = np.array([task.wells[i][2] for i in run])
    cost = task.objective["per_decade"] * (log10_dose - task.objective["log10_dose_ref"])
    return pd.DataFrame(
        {
            "cell_line": [task.wells[i][0] for i in run],
            "compound": [task.wells[i][1] for i in run],
            "dose_um": 10 ** (log10_dose + 6),
            "viability": 1 - cost - np.array(scores),
        }
    )


def told(left: Left, lie: str) -> pd.DataFrame:
    """All wells that are not left out, told truly, or by a lie."""
    table = screen().dropna(subset="viability")
    table = table[~table.cell_line.isin(left[0]) & ~table["compound"].isin(left[1])]
    if lie == "shuffled":
        return table.assign(viability=np.random.default_rng(23).permutation(table.viability))
    if lie == "reversed":
        low, high = np.log10(table.dose_um.min()), np.log10(table.dose_um.max())
        return table.assign(dose_um=10 ** (low + high - np.log10(table.dose_um)))
    return table


@cache
def learnt(left: Left, lie: str = "") -> Prior:
    return Prior.learn(told(left, lie))


class Remembered:
    """Asks for wells in the order of what their compound and dose scored before; those never seen come last."""

    def __init__(self, task: Task, seen: list[pd.DataFrame]) -> None:
        table = pd.concat(seen).assign(log10_dose_M=lambda each: (np.log10(each.dose_um) - 6).round(4))
        per_decade, reference = task.objective["per_decade"], task.objective["log10_dose_ref"]
        score = 1 - table.viability - per_decade * (table.log10_dose_M - reference)
        mean = score.groupby([table["compound"], table.log10_dose_M]).mean()
        known = mean.reindex(pd.MultiIndex.from_tuples([well[1:] for well in task.wells])).fillna(-np.inf)
        self.task, self.run = task, set[tuple[Any, ...]]()
        self.order = np.argsort(-known.to_numpy(), kind="stable").tolist()

    def ask(self, q: int) -> list[dict[str, Any]]:
        return [self.task.row(i) for i in self.order if self.task.wells[i] not in self.run][:q]

    def tell(self, rows: list[dict[str, Any]], y: list[float]) -> None:  # noqa: ARG002 - it learns nothing
        self.run |= {tuple(row.values()) for row in rows}


def planners(task: Task, left: Left, seed: int, wanted: set[str]) -> dict[str, Any]:
    """Those that are wanted; what takes long to learn is learnt for them alone."""
    made: dict[str, Any] = {"random": lambda: Random(task, seed), "no prior": lambda: ours(task, seed, "vague")}
    after = [f"after {k} campaign{'s' * (k > 1)}" for k in (1, 2, 4)]
    if wanted & {*after, NAMES[0]}:
        campaigns = history(left, seed)
        for name, k in zip(after, (1, 2, 4), strict=True):
            made[name] = lambda k=k: ours(task, seed, campaigns[k - 1][1])
        made[NAMES[0]] = lambda: Remembered(task, [wells for wells, _ in campaigns])
    made["whole screen"] = lambda: ours(task, seed, learnt(left))
    made["shuffled"] = lambda: ours(task, seed, learnt(left, "shuffled"))
    made["reversed"] = lambda: ours(task, seed, learnt(left, "reversed"))
    made[NAMES[1]] = lambda: Remembered(task, [told(left, "")])
    if left[1]:  # No name of theirs was ever heard.
        made = {name: make for name, make in made.items() if name not in NAMES}
    return {name: make() for name, make in made.items() if name in wanted}


def ours(task: Task, seed: int, prior: Prior | str) -> Any:
    return pool_planner(task.space(), seed, prior=prior)


NAMES = "names after 4 campaigns", "names, whole screen"
ARMS = (
    "random", "no prior", "after 1 campaign", "after 2 campaigns", "after 4 campaigns", "whole screen", "shuffled",
    "reversed", *NAMES,
)  # fmt: skip


def run_all(options: argparse.Namespace) -> None:
    known = {(row["kind"], row["left_out"], row["planner"], row["seed"]) for row in done(options.out)}
    for seed in options.seeds:
        for kind, left_outs in parts().items():
            if kind not in options.kinds.split(","):
                continue
            for name, left in left_outs.items():
                wanted = {arm for arm in options.planners.split(";") if (kind, name, arm, seed) not in known}
                if not wanted:
                    continue
                task = question(left)
                for arm, planner in planners(task, left, seed, wanted).items():
                    found = campaign(task, planner, seed)
                    row = {"kind": kind, "left_out": name, "planner": arm, "seed": seed}
                    keep(options.out, row | {key: found[key] for key in ("regret", "rmse")})
                    shown = {n: round(r, 3) for n, r in found["regret"].items()}
                    print(kind, name, arm, seed, shown, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(parts()), help="what is left out: cell line, compounds")
    parser.add_argument("--planners", default=";".join(ARMS), help="names, separated by semicolons")
    parser.add_argument("--seeds", type=seeds_of, default=range(6), help="as 0-5")
    parser.add_argument("--out", type=Path, default=Path("transfer.jsonl"))
    parser.add_argument("--table", action="store_true", help="print the tables of --out and run nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args()
    if not (options.table or options.write):
        run_all(options)
    found = tables(done(options.out), list(ARMS))
    print(found)
    if options.write:
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
