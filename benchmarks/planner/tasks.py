"""Questions to planners: pools of real wells from the shipped screen, and synthetic ones whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from learn_prior import screen
from published import TABLES, published_table
from simulated import combination_screen, drug_pairs, known_function, reaction_table, screen_of_another_lab
from task import DOSES, Row, Task, noisy

from cellos_nb.analysis import fit_dose_responses


@cache
def wide() -> pd.DataFrame:
    """One row per cell line, compound and dose of the screen, replicates in columns; complete wells alone."""
    wells = screen().dropna(subset="viability")
    wells["log10_dose_M"] = (np.log10(wells.dose_um) - 6).round(4)
    return wells.pivot_table(index=list(DOSES), columns="replicate", values="viability").dropna()


def choose(rng: np.random.Generator, names: pd.Index, n: int) -> list[str]:
    return sorted(rng.choice(sorted(names.unique()), n, replace=False).tolist())


def part(rng: np.random.Generator, n_lines: int, n_compounds: int) -> tuple[pd.DataFrame, list[str], list[str]]:
    table = wide()
    lines = choose(rng, table.index.get_level_values("cell_line"), n_lines)
    compounds = choose(rng, table.index.get_level_values("compound"), n_compounds)
    levels = [table.index.get_level_values(name) for name in ("cell_line", "compound")]
    return table[levels[0].isin(lines) & levels[1].isin(compounds)], lines, compounds


def potent(seed: int, n_lines: int = 6, n_compounds: int = 36, per_decade: float = 0.12) -> Task:
    """Which compound kills which line at the lowest dose? Lines and compounds are unknown to the prior."""
    table, lines, compounds = part(np.random.default_rng([1, seed]), n_lines, n_compounds)
    return potency(table, (frozenset(lines), frozenset(compounds)), per_decade)


def potency(
    table: pd.DataFrame, left_out: tuple[frozenset[str], frozenset[str]] | None, per_decade: float = 0.12
) -> Task:
    """Which of these wells kills at the lowest dose?"""
    dose = table.index.get_level_values("log10_dose_M").to_numpy()
    score = 1 - table.to_numpy() - per_decade * (dose - dose.min())[:, None]
    objective = {
        "kind": "inhibition_minus_dose_cost",
        "per_decade": per_decade,
        "log10_dose_ref": float(dose.min()),
    }
    return Task(DOSES, list(table.index), score, score.mean(axis=1), objective, left_out)


def selective(seed: int, n_compounds: int = 72) -> Task:
    """Which compound spares one line and kills another? The two lines are unknown to the prior."""
    rng = np.random.default_rng([2, seed])
    table, lines, compounds = part(rng, 2, n_compounds)
    rng.shuffle(lines)
    hit, spared = table.loc[lines[0]], table.loc[lines[1]]
    both = hit.index.intersection(spared.index)
    score = (spared.loc[both].to_numpy()[:, :, None] - hit.loc[both].to_numpy()[:, None, :]).reshape(len(both), -1)
    left_out = frozenset(lines), frozenset(compounds if n_compounds <= 36 else ())
    types = {name: DOSES[name] for name in ("compound", "log10_dose_M")}
    return Task(types, list(both), score, score.mean(axis=1), {"kind": "difference"}, left_out)


def best_dose(seed: int) -> Task:
    """What kills one line at the lowest dose? Half of the compounds, all unknown to the prior."""
    return potent(seed + 1000, n_lines=1, n_compounds=36, per_decade=0.2)


def ic50(seed: int) -> Task:
    """What is the EC50 of 12 compounds on 3 lines? Truth: fits to all 33 wells, where they are sure."""
    table, lines, compounds = part(np.random.default_rng([3, seed]), 3, 12)
    found = all_fits()
    known = {pair: value for pair, value in found.items() if pair[0] in lines and pair[1] in compounds}
    responses, left_out = table.to_numpy(), (frozenset(lines), frozenset(compounds))
    return Task(DOSES, list(table.index), responses, responses.mean(axis=1), {"kind": "learn_ic50"}, left_out, known)


@cache
def all_fits() -> dict[tuple[str, str], float]:
    table = screen().dropna(subset="viability")
    fits = fit_dose_responses(table, by=["cell_line", "compound"], dose="dose_um", response="viability")
    relative = fits.ec50_se / fits.ec50
    sure = fits[relative < 0.4]
    low, high = table.dose_um.min(), table.dose_um.max()
    sure = sure[(sure.ec50 > low) & (sure.ec50 < high)]
    return {(row.cell_line, row.compound): float(np.log10(row.ec50) - 6) for row in sure.itertuples()}


def logistic_family(seed: int, *, window: bool = False) -> Task:
    """Simulated compounds on lines; a window falls again at a higher dose, a plain family costs per decade of dose."""
    rng = np.random.default_rng([4, seed, window])
    n_lines, n_compounds, doses = 5, 20, np.linspace(-9, -4.5, 16).round(4)
    ec50 = rng.normal(-6.3, 0.9, n_compounds) + rng.normal(0, 0.4, (n_lines, n_compounds))
    top = rng.beta(2, 2, n_compounds) * rng.uniform(0.6, 1.2, (n_lines, n_compounds)) * (rng.random(n_compounds) < 0.75)
    slope = np.exp(rng.normal(0.2, 0.4, n_compounds))[None, :, None]
    response = top[..., None] / (1 + 10 ** (slope * (ec50[..., None] - doses)))
    objective: dict[str, Any] = {"kind": "response"}
    if window:
        fall = ec50 + np.abs(rng.normal(1.0, 0.6, n_compounds))
        response = response / (1 + 10 ** (1.8 * (doses - fall[..., None])))
    else:
        response = response - 0.1 * (doses - doses[0])
        objective = {"kind": "inhibition_minus_dose_cost", "per_decade": 0.1, "log10_dose_ref": float(doses[0])}
    wells = [
        (f"line {i}", f"compound {j}", float(d)) for i in range(n_lines) for j in range(n_compounds) for d in doses
    ]
    return noisy(DOSES, wells, response.ravel(), 0.05, seed, objective=objective)


def smooth(seed: int, n_numbers: int = 4, n_categories: int = 0) -> Task:
    """A sample of a smooth random function over numbers, and over categories that shift it; 800 points of the cube."""
    rng = np.random.default_rng([5, seed, n_numbers, n_categories])
    x = rng.random((800, n_numbers)).round(4)
    scales = np.exp(rng.normal(0.3, 0.5, n_numbers))
    frequency = rng.normal(size=(n_numbers, 256)) * scales[:, None] * 2.2
    category = rng.integers(0, max(n_categories, 1), 800)
    weights = rng.normal(size=256)[:, None] + 0.6 * rng.normal(size=(256, max(n_categories, 1)))
    wave = np.cos(x @ frequency + rng.uniform(0, 2 * np.pi, 256))
    value = np.take_along_axis(wave @ weights, category[:, None], axis=1)[:, 0] / 16
    types = {f"x{i}": "float" for i in range(n_numbers)} | ({"medium": "categorical"} if n_categories else {})
    wells = [(*row, *([f"m{c}"] if n_categories else [])) for row, c in zip(x.tolist(), category.tolist(), strict=True)]
    return noisy(types, wells, value, 0.1 * float(value.std()), seed)


def combination(seed: int) -> Task:
    """Pairs of compounds at 8 × 8 doses: two logistic curves, Bliss independence, a local synergy, a cost of dose."""
    rng = np.random.default_rng([6, seed])
    wells: list[Row] = []
    values = []
    grid = np.arange(8.0)
    for pair in range(12):
        curves = []
        for _ in range(2):
            top, middle, slope = rng.beta(1.5, 1.5), rng.uniform(1, 9), rng.uniform(0.6, 2.0)
            curves.append(top / (1 + np.exp(slope * (middle - grid))) * (grid > 0))
        alone = 1 - np.outer(1 - curves[0], 1 - curves[1])
        where = rng.uniform(1, 7, 2)
        bump = np.exp(-0.5 * (((grid[:, None] - where[0]) ** 2 + (grid[None] - where[1]) ** 2) / 2.0))
        both = np.clip(alone + rng.normal(0, 0.25) * bump * (grid[:, None] > 0) * (grid[None] > 0), 0, 1)
        values.append((both - 0.04 * (grid[:, None] + grid[None])).ravel())
        wells += [(f"pair {pair}", a, b) for a in grid.tolist() for b in grid.tolist()]
    types = {"pair": "categorical", "dose1": "float", "dose2": "float"}
    return noisy(types, wells, np.concatenate(values), 0.06, seed)


TASKS: dict[str, Callable[[int], Task]] = {
    "potent pair (screen)": potent,
    "selective compound (screen)": selective,
    "best dose (screen)": best_dose,
    "IC50s (screen)": ic50,
    "logistic family": logistic_family,
    "window": lambda seed: logistic_family(seed, window=True),
    "smooth, 4 numbers": smooth,
    "smooth, 3 numbers × 6 media": lambda seed: smooth(seed, 3, 6),
    "combinations, 12 pairs": combination,
    "potent pair (another lab)": partial(screen_of_another_lab, question="potent"),
    "selective compound (another lab)": partial(screen_of_another_lab, question="selective"),
    "combination screen": combination_screen,
    "drug pairs, named apart": drug_pairs,
    "Branin": partial(known_function, name="branin"),
    "Hartmann, 6 numbers": partial(known_function, name="hartmann"),
    "Ackley, 3 numbers × 5 materials": partial(known_function, name="ackley"),
    "reaction, 4 categories": reaction_table,
    **{f"published: {name.replace('_', ' ')}": partial(published_table, name=name) for name in TABLES},
}
